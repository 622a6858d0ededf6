use std::fmt;

use serde::{Deserialize, Deserializer};

/// What a client says of itself in `CONNECT`: the parts that matter to who stands in between, or plays the server.
///
/// Where a field is absent nats-server's default counts, which is not always `false`. The same defaults hold for a
/// client that has not said `CONNECT` yet. Read it, and pass on the bytes that came.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Connect {
    /// It wants `+OK` after every command. Absent: yes.
    pub verbose: bool,
    /// It wants its subjects checked. Absent: yes.
    pub pedantic: bool,
    /// It wants its own messages too, where it subscribes to them. Absent: yes.
    pub echo: bool,
    /// It understands headers. Absent: no.
    pub headers: bool,
    /// It wants to be told when nobody subscribes to the subject of its request. Absent: no. Needs `headers`.
    pub no_responders: bool,
    /// The protocol's version that it knows: 1 knows of `INFO` at any time. Absent: 0.
    pub protocol: i64,
    /// The name that the connection was given.
    #[serde(deserialize_with = "text")]
    pub name: String,
    /// The language of its library.
    #[serde(deserialize_with = "text")]
    pub lang: String,
    /// The version of its library.
    #[serde(deserialize_with = "text")]
    pub version: String,
    /// The user's name, or a token where there is no password.
    #[serde(deserialize_with = "text")]
    pub user: String,
    /// The user's password.
    pub pass: Option<Secret>,
    /// A token.
    pub auth_token: Option<Secret>,
    /// The user's public key.
    pub nkey: Option<String>,
    /// The user's JWT.
    pub jwt: Option<Secret>,
}

impl Default for Connect {
    fn default() -> Self {
        Self {
            verbose: true,
            pedantic: true,
            echo: true,
            headers: false,
            no_responders: false,
            protocol: 0,
            name: String::new(),
            lang: String::new(),
            version: String::new(),
            user: String::new(),
            pass: None,
            auth_token: None,
            nkey: None,
            jwt: None,
        }
    }
}

impl Connect {
    /// Reads the JSON of a `CONNECT` line. Unknown fields are ignored.
    ///
    /// # Errors
    /// If it is no JSON object, or a known field has another type.
    pub fn from_json(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }
}

/// Some libraries write `null` for what they do not have.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A text that is not for logs.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Whether it is this text. Takes as long for a wrong one as for the right one of the same length.
    pub fn is(&self, other: &str) -> bool {
        let (ours, theirs) = (self.0.as_bytes(), other.as_bytes());
        let differing = ours.iter().zip(theirs).fold(0, |sum, (a, b)| sum | (a ^ b));
        std::hint::black_box(differing) == 0 && ours.len() == theirs.len()
    }

    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_absent_is_as_the_server_has_it() {
        let connect = Connect::from_json(b"{}").unwrap();
        assert_eq!(connect, Connect::default());
        assert!(connect.verbose && connect.pedantic && connect.echo && !connect.headers && !connect.no_responders);
        let connect =
            Connect::from_json(br#"{"verbose":false,"name":null,"headers":true,"sig":"x","lang":"python3"}"#).unwrap();
        assert!(!connect.verbose && connect.headers && connect.name.is_empty());
        assert!(Connect::from_json(b"{").is_err() && Connect::from_json(br#"{"verbose":1}"#).is_err());
    }

    #[test]
    fn secrets_are_compared_and_not_shown() {
        let connect = Connect::from_json(br#"{"user":"u","pass":"hunter2","auth_token":"t0ken","jwt":"ey"}"#).unwrap();
        let shown = format!("{connect:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("t0ken") && !shown.contains("ey\""), "{shown}");
        let token = connect.auth_token.unwrap();
        assert!(token.is("t0ken") && !token.is("t0keN") && !token.is("t0ke") && !token.is("t0ken ") && !token.is(""));
    }
}
