use std::fmt::Debug;

/// What somebody else counts, and is sent along with what is counted here: sums since the start.
pub(crate) trait Numbers: Debug + Send + Sync {
    /// The values of one of [`NUMBERS`], each with its dimension, if it has one.
    fn of(&self, name: &str) -> Vec<(Option<(&'static str, &'static str)>, u64)>;
}

/// The metrics of the proxy: name, unit and meaning.
pub(super) const NUMBERS: [(&str, &str, &str); 4] = [
    ("wilco.proxy.connections", "{connection}", "Client connections that were accepted."),
    ("wilco.proxy.messages", "{message}", "Messages, by the way they went."),
    ("wilco.proxy.injected", "{message}", "Messages that got a header."),
    ("wilco.proxy.skipped", "{message}", "Published messages that got no header, by reason."),
];
