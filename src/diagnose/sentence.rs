use std::fmt;

use super::diagnosis::{Cause, Diagnosis, Status};

/// From here on what was seen is told, although all went well.
const WORTH_SAYING: f64 = 0.5;

impl Diagnosis {
    /// What there is to say, in one sentence without its stop: `stale context at boundary writer<-researcher: crm@41 was
    /// superseded by crm@42 1.2 s before use`.
    pub fn sentence(&self) -> String {
        match (&self.failure, self.status, self.ranked.first()) {
            (Some(failure), ..) => failure.cause.to_string(),
            (None, Status::Clean, Some(first)) if first.confidence >= WORTH_SAYING => {
                format!("it went well, as was recorded, in spite of this: {first}")
            }
            (None, Status::Clean, _) => "nothing is wrong, as far as the records tell".to_owned(),
            (None, _, None) => "it failed, and nothing on record tells where".to_owned(),
            (None, _, Some(first)) => format!("it cannot be told whether or where it failed; perhaps {first}"),
        }
    }
}

/// `stale context at boundary writer<-researcher: ...`.
impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind.as_str().replace('_', " ");
        write!(f, "{kind} at boundary {}", self.boundary)?;
        if self.words.is_empty() { Ok(()) } else { write!(f, ": {}", self.words) }
    }
}
