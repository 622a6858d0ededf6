//! The subjects that agents use, and which subjects of a peer's may be published to.

use super::limits::MAX_SUBJECT_BYTES;
use crate::model::{AgentName, ChannelName};

/// Where tasks for an agent go: `wilco.{channel}.{agent}`. Its instances subscribe with the agent's name as queue
/// group, so that each task reaches one of them.
///
/// ```
/// use wilco::model::{AgentName, ChannelName};
/// let subject = wilco::wire::subject::task(&ChannelName::new("newsroom")?, &AgentName::new("writer")?);
/// assert_eq!(subject, "wilco.newsroom.writer");
/// # Ok::<(), wilco::model::InvalidName>(())
/// ```
pub fn task(channel: &ChannelName, agent: &AgentName) -> String {
    ["wilco", channel.as_str(), agent.as_str()].join(".")
}

/// Whether a subject that came in a message may be published to: 1 to [`MAX_SUBJECT_BYTES`] bytes, no blank or control
/// character, no empty token, no wildcard, and not one of the server's own (`$...`).
///
/// The last rule keeps a peer from naming, say, a JetStream API subject as the place for its receipts, and having
/// this agent's permissions do what its own would not.
///
/// # Errors
/// Which of these it breaks.
pub fn check_reply(subject: &str) -> Result<(), &'static str> {
    match subject.len() {
        0 => return Err("is an empty subject"),
        1..=MAX_SUBJECT_BYTES => {}
        _ => return Err("is a subject over the limit of 512 bytes"),
    }
    if subject.starts_with('$') {
        return Err("is one of the server's own subjects");
    }
    let blank = |b: u8| b == b' ' || b.is_ascii_control();
    let wide_blank = |c: char| c.is_whitespace() || c.is_control();
    if subject.bytes().any(blank) || (!subject.is_ascii() && subject.contains(wide_blank)) {
        return Err("is a subject with a blank or control character");
    }
    if subject.split('.').any(|token| matches!(token, "" | "*" | ">")) {
        return Err("is a subject with an empty token or a wildcard");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inboxes_and_plain_subjects_may_be_published_to() {
        for subject in ["_INBOX.abc.1", "wilco.newsroom.writer", "a", "übersetzer.x", "a*b"] {
            assert_eq!(check_reply(subject), Ok(()), "{subject}");
        }
    }

    #[test]
    fn wildcards_blanks_and_the_servers_subjects_may_not() {
        let long = "x".repeat(MAX_SUBJECT_BYTES + 1);
        for subject in ["", ".", "a..b", "a.", "a.*", ">", "a b", "a\r\nPUB x 0", "$JS.API.STREAM.DELETE.x", &long] {
            assert!(check_reply(subject).is_err(), "{subject}");
        }
    }
}
