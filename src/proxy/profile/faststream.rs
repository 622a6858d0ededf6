//! FastStream: each message carries `correlation_id`, which a subscriber's publisher passes on, and over JetStream the
//! inbox for an answer is in the header `reply_to`.

/// The header with the reply subject of a request over JetStream.
pub(crate) const REPLY_TO: &str = "reply_to";

/// Whether a connection has the name that the framework gives to all: `faststream-` and its version, which begins with a
/// digit.
pub(crate) fn is_default_name(name: &str) -> bool {
    name.strip_prefix("faststream-")
        .is_some_and(|version| version.starts_with(|first: char| first.is_ascii_digit()) && version.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_ones_own_is_told_from_the_frameworks() {
        assert!(is_default_name("faststream-0.6.0"));
        assert!(is_default_name("faststream-0.7.8rc1"));
        assert!(
            !is_default_name("writer") && !is_default_name("faststream-writer") && !is_default_name("faststream-2")
        );
    }
}
