//! Addresses of pages. What stands in them comes from strangers, and is encoded.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All but the unreserved characters of RFC 3986.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The page of a workflow.
pub(in crate::server) fn workflow(id: &str) -> String {
    format!("/workflows/{}", encode(id))
}

/// The page of a handoff.
pub(in crate::server) fn handoff(id: &str) -> String {
    format!("/handoffs/{}", encode(id))
}

/// A path with those of the parameters that say anything.
pub(in crate::server) fn with(path: &str, parameters: &[(&str, &str)]) -> String {
    let mut link = path.to_owned();
    for (at, (name, value)) in parameters.iter().filter(|(_, value)| !value.is_empty()).enumerate() {
        link.push(if at == 0 { '?' } else { '&' });
        link.push_str(name);
        link.push('=');
        link.push_str(&encode(value));
    }
    link
}

/// The page of a boundary. An agent that is not told has an empty name.
pub(in crate::server) fn boundary(range: &str, from: &str, to: &str) -> String {
    let mut link = with("/agents", &[("range", range)]);
    link.push(if range.is_empty() { '?' } else { '&' });
    link.push_str(&format!("from={}&to={}", encode(from), encode(to)));
    link
}

fn encode(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_stranger_says_leaves_its_place() {
        assert_eq!(workflow("a/../b?c#d\"<"), "/workflows/a%2F..%2Fb%3Fc%23d%22%3C");
        assert_eq!(boundary("", "", "a&b"), "/agents?from=&to=a%26b");
        assert_eq!(boundary("1h", "x", "y"), "/agents?range=1h&from=x&to=y");
        assert_eq!(with("/", &[("q", "a = \"b\" & c"), ("range", "")]), "/?q=a%20%3D%20%22b%22%20%26%20c");
    }
}
