use regex::Regex;

use super::units;
use crate::store::{DEFAULT_CONTENT_BYTES, StoreOptions};

/// What stands in the place of a text that was redacted.
const REDACTED: &str = "[redacted]";

/// What is kept of the texts that agents and models exchange.
#[derive(Debug, clap::Args)]
pub(crate) struct ContentArguments {
    /// Keep what agents and models said (gen_ai.input.messages, gen_ai.prompt, input.value and others): of each attribute
    /// the first SIZE bytes, 16KiB if none is given. Without it, size and hash are kept
    #[arg(long, value_name = "SIZE", num_args = 0..=1, require_equals = true, value_parser = units::bytes)]
    keep_content: Option<Option<u64>>,
    /// With --keep-content: put "[redacted]" in the place of what matches, before it is kept. May be given several times
    #[arg(long, value_name = "REGEX", requires = "keep_content")]
    redact: Vec<Regex>,
}

impl ContentArguments {
    pub(crate) fn apply(&self, options: StoreOptions) -> StoreOptions {
        let Some(bytes) = self.keep_content else { return options };
        let bytes = bytes.map_or(DEFAULT_CONTENT_BYTES, |bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        let options = options.keep_content(bytes);
        if self.redact.is_empty() {
            return options;
        }
        let patterns = self.redact.clone();
        options.redact(move |_: &str, text: String| {
            patterns.iter().fold(text, |text, pattern| match pattern.replace_all(&text, REDACTED) {
                std::borrow::Cow::Borrowed(_) => text,
                std::borrow::Cow::Owned(changed) => changed,
            })
        })
    }
}
