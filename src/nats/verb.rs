use super::parser::Speaker;

/// The first word of a control line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Info,
    Connect,
    Pub,
    Hpub,
    Msg,
    Hmsg,
    Sub,
    Unsub,
    Ping,
    Pong,
    Ok,
    Err,
}

/// What a verb is, from the first bytes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// This verb, with the offset after it.
    Known(Verb, usize),
    /// What is there begins like a verb.
    Partial,
    /// No verb of this speaker's begins like this.
    Unknown,
}

/// Which verb a line begins with. After some a blank must come; after others nats-server looks no further (`PINGX` is a
/// ping, `CONNECT{}` is complete).
pub(super) fn look(speaker: Speaker, line: &[u8]) -> Look {
    let Some(first) = line.first() else { return Look::Partial };
    let second = line.get(1).map_or(0, |byte| byte | 0x20);
    // nats-server reads INFO, +OK and -ERR from clients too.
    let (verb, word): (Verb, &[u8]) = match (first | 0x20, speaker) {
        (b'p', _) if second == b'i' => (Verb::Ping, b"ping"),
        (b'p', _) if second == b'o' => (Verb::Pong, b"pong"),
        (b'p', Speaker::Client) => (Verb::Pub, b"pub"),
        (b'p', Speaker::Server) => (Verb::Ping, b"ping"),
        (b'h', Speaker::Client) => (Verb::Hpub, b"hpub"),
        (b'h', Speaker::Server) => (Verb::Hmsg, b"hmsg"),
        (b'm', Speaker::Server) => (Verb::Msg, b"msg"),
        (b's', Speaker::Client) => (Verb::Sub, b"sub"),
        (b'u', Speaker::Client) => (Verb::Unsub, b"unsub"),
        (b'c', Speaker::Client) => (Verb::Connect, b"connect"),
        (b'i', _) => (Verb::Info, b"info"),
        _ if *first == b'+' => (Verb::Ok, b"+ok"),
        _ if *first == b'-' => (Verb::Err, b"-err"),
        _ => return Look::Unknown,
    };
    let there = line.len().min(word.len());
    if !line[..there].eq_ignore_ascii_case(&word[..there]) {
        return Look::Unknown;
    }
    if there < word.len() {
        return Look::Partial;
    }
    let any_byte_may_follow = matches!(verb, Verb::Ping | Verb::Pong | Verb::Ok | Verb::Connect | Verb::Info);
    match line.get(there) {
        Some(b' ' | b'\t') => Look::Known(verb, there),
        Some(_) if !any_byte_may_follow => Look::Unknown,
        None if !any_byte_may_follow => Look::Partial,
        _ => Look::Known(verb, there),
    }
}
