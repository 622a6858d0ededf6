//! Changes a value in the JSON of an `INFO` line, and leaves every other byte as it came.

use std::ops::Range;

/// What is to be said otherwise than the server says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct InfoEdit {
    /// Whether our side asks for TLS.
    pub(crate) tls: Option<bool>,
    /// The address at which clients are to reconnect.
    pub(crate) advertise: Option<String>,
}

impl InfoEdit {
    pub(crate) fn is_none(&self) -> bool {
        self.tls.is_none() && self.advertise.is_none()
    }

    /// The JSON as our client should see it.
    pub(crate) fn apply(&self, json: &[u8]) -> Vec<u8> {
        let mut json = json.to_vec();
        if let Some(tls) = self.tls {
            set(&mut json, "tls_required", if tls { "true" } else { "false" }, tls);
            set(&mut json, "tls_available", "false", false);
            set(&mut json, "tls_verify", "false", false);
        }
        if let Some(address) = &self.advertise {
            set(&mut json, "connect_urls", &format!("[\"{address}\"]"), false);
            set(&mut json, "ws_connect_urls", "[]", false);
        }
        json
    }
}

/// Replaces the value of a key of the outer object, or adds it if it is absent and `add` says so.
fn set(json: &mut Vec<u8>, key: &str, value: &str, add: bool) {
    if let Some(range) = value_of(json, key) {
        json.splice(range, value.bytes());
    } else if add && let Some(open) = json.iter().position(|byte| *byte == b'{') {
        let comma = if json[open + 1..].trim_ascii_start().starts_with(b"}") { "" } else { "," };
        json.splice(open + 1..open + 1, format!("\"{key}\":{value}{comma}").bytes());
    }
}

/// Where the value of a key of the outer object is.
fn value_of(json: &[u8], key: &str) -> Option<Range<usize>> {
    let mut depth = 0;
    let mut at = 0;
    let mut last_text = 0..0;
    let mut found: Option<usize> = None;
    while at < json.len() {
        match json[at] {
            b'"' => {
                let end = end_of_text(json, at)?;
                last_text = at + 1..end;
                at = end;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 1 && found.is_some() => return found.map(|start| trimmed(json, start..at)),
            b'}' | b']' => depth -= 1,
            b':' if depth == 1 && found.is_none() && &json[last_text.clone()] == key.as_bytes() => found = Some(at + 1),
            b',' if depth == 1 && found.is_some() => return found.map(|start| trimmed(json, start..at)),
            _ => {}
        }
        at += 1;
    }
    None
}

fn trimmed(json: &[u8], range: Range<usize>) -> Range<usize> {
    let text = &json[range.clone()];
    let start = range.start + (text.len() - text.trim_ascii_start().len());
    start..start + text.trim_ascii().len()
}

/// Where the quote is that ends the text which begins with the quote at `at`.
fn end_of_text(json: &[u8], at: usize) -> Option<usize> {
    let mut at = at + 1;
    loop {
        match json.get(at)? {
            b'"' => return Some(at),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(json: &str, tls: Option<bool>, advertise: Option<&str>) -> String {
        let edit = InfoEdit { tls, advertise: advertise.map(str::to_owned) };
        String::from_utf8(edit.apply(json.as_bytes())).unwrap()
    }

    #[test]
    fn only_the_named_value_changes() {
        let json = r#"{"server_id":"a\"tls_required\":1","x":{"tls_required":1}, "tls_required" : true ,"z":[1,2]}"#;
        let expected =
            r#"{"server_id":"a\"tls_required\":1","x":{"tls_required":1}, "tls_required" : false ,"z":[1,2]}"#;
        assert_eq!(edited(json, Some(false), None), expected);
        assert_eq!(edited(json, None, None), json);
    }

    #[test]
    fn what_is_absent_is_added_only_where_it_is_asked_for() {
        assert_eq!(edited(r#"{"a":1}"#, Some(true), None), r#"{"tls_required":true,"a":1}"#);
        assert_eq!(edited("{}", Some(true), None), r#"{"tls_required":true}"#);
        assert_eq!(edited(r#"{"a":1}"#, Some(false), Some("p:1")), r#"{"a":1}"#);
    }

    #[test]
    fn the_addresses_that_lead_around_us_are_replaced_by_ours() {
        let json = r#"{"connect_urls":["10.0.0.1:4222","[::1]:4222"],"max_payload":5}"#;
        assert_eq!(edited(json, None, Some("p:1")), r#"{"connect_urls":["p:1"],"max_payload":5}"#);
    }

    #[test]
    fn what_is_no_json_is_left_as_it_is() {
        for text in ["", "{", "\"", "nonsense", "}}}}", "{\"tls_required\"", "{\"tls_required\":"] {
            let _ = edited(text, Some(false), Some("p:1"));
        }
    }
}
