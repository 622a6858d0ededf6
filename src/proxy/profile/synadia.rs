//! Synadia Agent Protocol for NATS, version 0.3: `agents.{verb}.{agent}.{owner}.{name}`.

use serde::Deserialize;

use crate::nats::subject;

/// The subjects of prompts.
pub(crate) const PROMPT_TEMPLATE: &str = "agents.prompt.{agent}.{owner}.{name}";

/// What a subject of the protocol is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// A task (section 5).
    Prompt,
    /// A sign of life (section 8).
    Heartbeat,
    /// A sign of life that was asked for (section 8.7), or an upload, which is not specified yet.
    Other,
}

/// The endpoint and the `{agent}` token of a subject of the protocol.
pub(crate) fn endpoint(subject: &[u8]) -> Option<(Endpoint, &[u8])> {
    let mut tokens = subject::tokens(subject.strip_prefix(b"agents.")?);
    let endpoint = match tokens.next()? {
        b"prompt" => Endpoint::Prompt,
        b"hb" => Endpoint::Heartbeat,
        b"status" | b"attachments" => Endpoint::Other,
        _ => return None,
    };
    let agent = tokens.next()?;
    (tokens.count() == 2).then_some((endpoint, agent))
}

/// What a part of an answer says (section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chunk {
    /// `status` `ack`: the prompt was decoded, and no more.
    Ack,
    /// Any other `status`, or a `query`: it is being worked on.
    AtWork,
    /// `response`: a part of the result.
    Response,
}

/// Longest chunk whose kind is looked for behind its first bytes.
const LONGEST: usize = 64 << 10;

/// Which kind of chunk a payload is; `None` if it is none that the protocol names.
pub(crate) fn chunk(payload: &[u8]) -> Option<Chunk> {
    #[derive(Deserialize)]
    struct Wrapper<'a> {
        #[serde(borrow, rename = "type")]
        kind: std::borrow::Cow<'a, str>,
        #[serde(default)]
        data: Data,
    }
    /// Whether the data is the text `ack`.
    #[derive(Default)]
    struct Data(bool);
    impl<'de> Deserialize<'de> for Data {
        fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
            struct Look;
            impl<'de> serde::de::Visitor<'de> for Look {
                type Value = Data;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("anything")
                }
                fn visit_str<E>(self, text: &str) -> Result<Data, E> {
                    Ok(Data(text == "ack"))
                }
                fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Data, A::Error> {
                    while map.next_entry::<serde::de::IgnoredAny, serde::de::IgnoredAny>()?.is_some() {}
                    Ok(Data(false))
                }
                fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut items: A) -> Result<Data, A::Error> {
                    while items.next_element::<serde::de::IgnoredAny>()?.is_some() {}
                    Ok(Data(false))
                }
                fn visit_unit<E>(self) -> Result<Data, E> {
                    Ok(Data(false))
                }
                fn visit_bool<E>(self, _: bool) -> Result<Data, E> {
                    Ok(Data(false))
                }
                fn visit_u64<E>(self, _: u64) -> Result<Data, E> {
                    Ok(Data(false))
                }
                fn visit_i64<E>(self, _: i64) -> Result<Data, E> {
                    Ok(Data(false))
                }
                fn visit_f64<E>(self, _: f64) -> Result<Data, E> {
                    Ok(Data(false))
                }
            }
            reader.deserialize_any(Look)
        }
    }
    if !payload.starts_with(b"{") || payload.len() > LONGEST {
        return None;
    }
    let wrapper: Wrapper<'_> = serde_json::from_slice(payload).ok()?;
    match (&*wrapper.kind, wrapper.data) {
        ("status", Data(true)) => Some(Chunk::Ack),
        ("status" | "query", _) => Some(Chunk::AtWork),
        ("response", _) => Some(Chunk::Response),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_name_the_endpoint_and_the_agent() {
        for (subject, expected) in [
            ("agents.prompt.cc.alice.s1", Some((Endpoint::Prompt, "cc"))),
            ("agents.hb.pi.mario.w", Some((Endpoint::Heartbeat, "pi"))),
            ("agents.status.pi.mario.w", Some((Endpoint::Other, "pi"))),
            ("agents.prompt.cc.alice", None),
            ("agents.prompt.cc.alice.s1.x", None),
            ("agents.spawn.cc.alice.s1", None),
            ("agents", None),
        ] {
            let found = endpoint(subject.as_bytes());
            assert_eq!(found, expected.map(|(endpoint, agent)| (endpoint, agent.as_bytes())), "{subject}");
        }
    }

    #[test]
    fn the_first_ack_is_told_from_work_and_from_a_response() {
        for (payload, expected) in [
            (r#"{"type":"status","data":"ack"}"#, Some(Chunk::Ack)),
            (r#"{ "data":"ack", "type":"status" }"#, Some(Chunk::Ack)),
            (r#"{"type":"status","data":"keepalive"}"#, Some(Chunk::AtWork)),
            (r#"{"type":"query","data":{"id":"x","reply_subject":"_INBOX.q"}}"#, Some(Chunk::AtWork)),
            (r#"{"type":"response","data":"ack"}"#, Some(Chunk::Response)),
            (r#"{"type":"response","data":{"text":"hello","attachments":[1,{"a":[]}]}}"#, Some(Chunk::Response)),
            (r#"{"type":"poem","data":"ack"}"#, None),
            (r#"{"type":7}"#, None),
            ("ack", None),
            ("{", None),
        ] {
            assert_eq!(chunk(payload.as_bytes()), expected, "{payload}");
        }
        assert_eq!(chunk(b"{\"type\":\"\xff\"}"), None);
    }
}
