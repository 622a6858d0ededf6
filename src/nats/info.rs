use serde::{Deserialize, Serialize};

use super::limits::MAX_PAYLOAD;

/// What a server says of itself in `INFO`: the parts that matter to who stands in between. It may come again at any
/// time, and then the newer one counts.
///
/// Read it, and pass on the bytes that came: writing it again would lose what this library does not know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Info {
    /// The server's own id.
    pub server_id: String,
    /// Its name, often the same.
    pub server_name: String,
    /// Its version, such as `2.10.0`.
    pub version: String,
    /// The protocol's version: 1 knows of `INFO` at any time.
    pub proto: i64,
    /// Where it listens.
    pub host: String,
    /// And on which port.
    pub port: u16,
    /// Whether messages may have headers. Absent: no.
    pub headers: bool,
    /// Most bytes of header and payload. Absent: 0, see [`max_payload`](Self::max_payload).
    pub max_payload: i64,
    /// Its number for this connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<u64>,
    /// The client's address, as the server sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_ip: Option<String>,
    /// The client must say who it is.
    #[serde(skip_serializing_if = "is_false")]
    pub auth_required: bool,
    /// The client must go on in TLS.
    #[serde(skip_serializing_if = "is_false")]
    pub tls_required: bool,
    /// The client may go on in TLS.
    #[serde(skip_serializing_if = "is_false")]
    pub tls_available: bool,
    /// It has JetStream.
    #[serde(skip_serializing_if = "is_false")]
    pub jetstream: bool,
    /// Lame duck: it is about to stop, and clients should go elsewhere.
    #[serde(rename = "ldm", skip_serializing_if = "is_false")]
    pub lame_duck: bool,
    /// What to sign, where a key is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// Addresses (`host:port`) at which the client may reconnect.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub connect_urls: Vec<String>,
}

impl Info {
    /// Reads the JSON of an `INFO` line. Unknown fields are ignored.
    ///
    /// # Errors
    /// If it is no JSON object, or a known field has another type.
    pub fn from_json(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }

    /// Most bytes of header and payload: what the server says, or [`MAX_PAYLOAD`] where it says nothing.
    pub fn max_payload(&self) -> usize {
        usize::try_from(self.max_payload).ok().filter(|limit| *limit > 0).unwrap_or(MAX_PAYLOAD)
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_is_read_and_what_is_unknown_ignored() {
        let info = Info::from_json(
            br#"{"server_id":"NX","version":"2.15.1","proto":1,"go":"go1.25","headers":true,"max_payload":2048,"xkey":"X",
                "client_id":5,"connect_urls":["10.0.0.1:4222"],"ldm":true,"nonce":"n","feature":{"a":[1]}}"#,
        )
        .unwrap();
        assert!(info.headers && info.lame_duck && !info.tls_required);
        assert_eq!((info.max_payload(), info.client_id, info.connect_urls.len()), (2048, Some(5), 1));
        assert_eq!(Info::from_json(b"{}").unwrap().max_payload(), MAX_PAYLOAD);
        assert!(Info::from_json(b"1").is_err() && Info::from_json(b"").is_err());
    }
}
