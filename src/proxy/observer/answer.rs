//! What a message to a reply subject says, on its way up and on its way down.

use std::borrow::Cow;

use serde::Deserialize;

use super::headers::{Headers, text};
use super::message::{Delivered, Published};
use crate::model::{Quality, Rung};
use crate::nats::{status, subject};
use crate::proxy::profile::{self, Chunk};
use crate::proxy::record::{Answer, Batch, Return, Settlement};
use crate::wire::{Envelope, Plain, names};

/// How the reply subject of a message from JetStream begins.
pub(super) const ACK: &[u8] = b"$JS.ACK.";

/// Longest answer of JetStream's to a publication.
const LONGEST_STORED: usize = 1024;

/// Longest text that is taken from a stranger for a person to read.
const LONGEST_REASON: usize = 256;

/// Who gets a message from JetStream, as its reply subject says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Consumer<'a> {
    /// Stream and consumer.
    pub(super) name: (&'a [u8], &'a [u8]),
    /// Which delivery it is, from 1.
    pub(super) delivery: u32,
}

/// Reads `$JS.ACK.{stream}.{consumer}.{delivered}.{stream seq}.{consumer seq}.{time}.{pending}`, or with
/// `{domain}.{account}` before the stream and perhaps a random token at the end (nats-server's ADR-15).
pub(super) fn consumer(reply: &[u8]) -> Option<Consumer<'_>> {
    let count = subject::tokens(reply).count();
    let skip = match count {
        9 => 2,
        11.. => 4,
        _ => return None,
    };
    let mut tokens = subject::tokens(reply).skip(skip);
    let name = (tokens.next()?, tokens.next()?);
    let delivery = text(tokens.next()?)?.parse().ok()?;
    Some(Consumer { name, delivery })
}

/// What an agent tells JetStream.
pub(super) fn settlement(payload: &[u8], batch: &mut Batch) -> Settlement {
    let reason = |rest: &[u8], batch: &mut Batch| batch.keep(cut(rest.trim_ascii()));
    match payload {
        _ if payload.starts_with(b"-NAK") => Settlement::Refused,
        _ if payload.starts_with(b"+WPI") => Settlement::InProgress,
        _ if payload.starts_with(b"+TERM") => Settlement::Ended(reason(&payload[5..], batch)),
        // `+ACK`, `+NXT`, and anything else: nats-server takes it for an acknowledgement.
        _ => Settlement::Acked,
    }
}

impl Settlement {
    /// Whether the agent is done with this delivery.
    pub(super) fn ends(self) -> bool {
        self != Self::InProgress
    }
}

/// What an answer says.
pub(super) fn answer(message: &Published<'_>, headers: &Headers<'_>, chunked: bool, batch: &mut Batch) -> Answer {
    if headers.error.is_some() || headers.error_code.is_some() {
        let (code, reason) = (headers.error_code.and_then(text), headers.error.and_then(text));
        let mut line = String::from("the service answered with error ");
        line.push_str(code.unwrap_or("without a code"));
        if let Some(reason) = reason {
            line.push_str(": ");
            line.push_str(reason);
        }
        return Answer::Failed(batch.keep(cut(line.as_bytes())));
    }
    let envelope = headers.wilco.and_then(text).map(|value| Envelope::decode(value, None).envelope);
    match envelope.and_then(|envelope| envelope.rung) {
        Some(Rung::Received | Rung::Accepted | Rung::Understood) => return Answer::Received,
        Some(Rung::InProgress) => return Answer::InProgress,
        Some(rung @ (Rung::Refused | Rung::Failed)) => {
            let line = format!("the receiver said `{rung}`");
            return Answer::Failed(batch.keep(line.as_bytes()));
        }
        _ => {}
    }
    if message.size == 0 && message.headers.is_none() {
        return Answer::Empty;
    }
    match message.payload.filter(|_| chunked).and_then(profile::chunk) {
        Some(Chunk::Ack) => Answer::Received,
        Some(Chunk::AtWork) => Answer::InProgress,
        Some(Chunk::Response) | None => Answer::Result,
    }
}

impl Answer {
    /// Whether the agent is done with the request, as far as one can tell; with chunks only the last says so.
    pub(super) fn ends(self, chunked: bool) -> bool {
        match self {
            Self::Received | Self::InProgress => false,
            Self::Result => !chunked,
            Self::Empty | Self::Failed(_) => true,
        }
    }
}

/// How good the result is, by what the receiver says.
pub(super) fn quality(headers: &Headers<'_>) -> Option<Quality> {
    let packed = || headers.wilco.and_then(text).and_then(|value| Envelope::decode(value, None).envelope.quality);
    headers.quality.map_or_else(packed, |value| {
        Plain::read(|name| (name == names::WILCO_QUALITY).then(|| text(value)).flatten()).0.quality
    })
}

/// What came back; `None` if it has nothing to do with a handoff.
pub(super) fn returned(message: &Delivered<'_>, batch: &mut Batch) -> Option<Return> {
    match message.headers.and_then(|block| block.status()) {
        Some(status::NO_RESPONDERS) => return Some(Return::NoResponders),
        Some(_) => return None,
        None => {}
    }
    if message.size == 0 && message.headers.is_none() {
        return Some(Return::Empty);
    }
    let payload = message.payload.unwrap_or_default();
    Some(stored(payload, batch).unwrap_or(Return::Reply))
}

/// JetStream's answer to a publication, told from an agent's by its exact shape.
fn stored(payload: &[u8], batch: &mut Batch) -> Option<Return> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Stored<'a> {
        #[serde(borrow)]
        stream: Option<Cow<'a, str>>,
        seq: Option<u64>,
        #[serde(borrow)]
        error: Option<Refused<'a>>,
        #[serde(rename = "type")]
        _type: Option<serde::de::IgnoredAny>,
        #[serde(rename = "duplicate")]
        _duplicate: Option<bool>,
        #[serde(rename = "domain")]
        _domain: Option<serde::de::IgnoredAny>,
        #[serde(rename = "val")]
        _value: Option<serde::de::IgnoredAny>,
        #[serde(rename = "batch")]
        _batch: Option<serde::de::IgnoredAny>,
        #[serde(rename = "count")]
        _count: Option<serde::de::IgnoredAny>,
    }
    #[derive(Deserialize)]
    struct Refused<'a> {
        code: u32,
        err_code: Option<u32>,
        #[serde(borrow)]
        description: Option<Cow<'a, str>>,
    }
    if !payload.starts_with(b"{") || payload.len() > LONGEST_STORED {
        return None;
    }
    match serde_json::from_slice(payload).ok()? {
        Stored { error: Some(Refused { code, err_code: Some(err_code), description }), .. } => {
            let text = description.unwrap_or_default();
            let line = format!("JetStream did not store it: {text} (error {code}, {err_code})");
            Some(Return::NotStored(batch.keep(cut(line.as_bytes()))))
        }
        Stored { stream: Some(stream), seq: Some(_), error: None, .. } if !stream.is_empty() => Some(Return::Stored),
        _ => None,
    }
}

fn cut(text: &[u8]) -> &[u8] {
    &text[..text.len().min(LONGEST_REASON)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_consumer_and_delivery_are_read_from_both_forms() {
        let old = consumer(b"$JS.ACK.ORDERS.workers.3.10.12.1700000000000000000.4").unwrap();
        assert_eq!((old.name, old.delivery), ((&b"ORDERS"[..], &b"workers"[..]), 3));
        let new = consumer(b"$JS.ACK.hub.A1B2.ORDERS.workers.1.10.12.1700000000000000000.4.rnd").unwrap();
        assert_eq!((new.name, new.delivery), ((&b"ORDERS"[..], &b"workers"[..]), 1));
        for bad in [&b"$JS.ACK.a"[..], b"$JS.ACK.S.c.x.1.1.1.1", b"$JS.ACK.........", b""] {
            assert_eq!(consumer(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn settlements_are_told_apart() {
        let mut batch = Batch::default();
        for (payload, ends) in [
            (&b""[..], true),
            (b"+ACK", true),
            (b"+NXT 1", true),
            (b"hello", true),
            (b"-NAK {\"delay\":1}", true),
            (b"+WPI", false),
            (b"+TERM no such order", true),
        ] {
            assert_eq!(settlement(payload, &mut batch).ends(), ends, "{payload:?}");
        }
        let Settlement::Ended(reason) = settlement(b"+TERM no such order", &mut batch) else { panic!() };
        assert_eq!(batch.text(reason), b"no such order");
    }

    #[test]
    fn an_acknowledgement_of_jetstream_is_told_from_an_agents_answer() {
        let mut batch = Batch::default();
        for payload in [
            r#"{"stream":"ORDERS","seq":7}"#,
            r#"{"stream":"ORDERS","domain":"hub","seq":7,"duplicate":true}"#,
            r#"{"stream":"ORDERS", "seq":1234}"#,
        ] {
            assert_eq!(stored(payload.as_bytes(), &mut batch), Some(Return::Stored), "{payload}");
        }
        for payload in [
            r#"{"stream":"ORDERS","seq":7,"answer":"x"}"#,
            r#"{"stream":true,"seq":7}"#,
            r#"{"stream":"ORDERS"}"#,
            r#"{"error":{"code":1}}"#,
            r#"{"error":"no"}"#,
            "{}",
            "ok",
            "",
        ] {
            assert_eq!(stored(payload.as_bytes(), &mut batch), None, "{payload}");
        }
        let refused = br#"{"error":{"code":400,"err_code":10054,"description":"message size exceeds maximum allowed"},"stream":"S","seq":0}"#;
        let Some(Return::NotStored(line)) = stored(refused, &mut batch) else { panic!() };
        assert_eq!(
            String::from_utf8_lossy(batch.text(line)),
            "JetStream did not store it: message size exceeds maximum allowed (error 400, 10054)"
        );
    }
}
