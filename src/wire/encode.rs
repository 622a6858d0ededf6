use std::fmt::Write;
use std::time::Duration;

use super::escape::{self, Place};
use super::key::{Key, MAC, is_key};
use super::limits::{MAX_HEADER_BYTES, MAX_LIST_ITEMS, MAX_UNKNOWN_KEYS};
use super::{EncodeError, Envelope, EnvelopeRef, MacKey, OffsetBounds, subject};
use crate::model::{AgentName, Context, HandoffKind, Quality, Rung, ShortHash, Timestamp, WorkflowId};

/// The latest time that 19 digits hold.
pub(super) const LATEST: u64 = 9_999_999_999_999_999_999;

const AT_DIGITS: usize = 19;

impl Envelope {
    /// The header's value. `id`, `at` and `hash` come first and have fixed widths; `mac` comes last, if there is a key.
    ///
    /// # Errors
    /// [`EncodeError`] if a reader could not read it back: a list over its limit, an `at` after 2286, bounds the
    /// wrong way round, a context without a name, a `rcpt` that is no subject to publish to, an extra key that is no
    /// key, or more than [`MAX_HEADER_BYTES`] in all.
    pub fn encode(&self, key: Option<&MacKey>) -> Result<String, EncodeError> {
        EnvelopeRef::from(self).encode(key)
    }
}

impl EnvelopeRef<'_> {
    /// As [`Envelope::encode`].
    pub(crate) fn encode(&self, key: Option<&MacKey>) -> Result<String, EncodeError> {
        let mut out = Writer(String::with_capacity(self.likely_len()));
        out.0.push('1');
        if let Some(id) = &self.id {
            id.write(out.key(";id="));
        }
        if let Some(at) = self.at {
            out.key(";at=");
            out.time(at, "at")?;
        }
        if let Some(hash) = &self.hash {
            hash.write_hex(out.key(";hash="));
        }
        out.number(";size=", self.size);
        out.text(";from=", self.from.map(AgentName::as_str));
        out.text(";to=", self.to.map(AgentName::as_str));
        out.text(";wf=", self.workflow.map(WorkflowId::as_str));
        out.number(";n=", self.attempt.map(u64::from));
        if let Some(inst) = &self.inst {
            inst.write(out.key(";inst="));
        }
        out.number(";seq=", self.seq);
        if self.hold {
            out.0.push_str(";hold=1");
        }
        if let Some(offset) = self.offset {
            out.offset(offset)?;
        }
        out.word(";kind=", self.kind.map(HandoffKind::as_str));
        if let Some(intent) = &self.intent {
            intent.write_hex(out.key(";intent="));
        }
        out.contexts(self.contexts)?;
        out.inputs(self.inputs)?;
        out.number(";need=", self.need.map(u64::from));
        if let Some(parent) = &self.parent {
            parent.write(out.key(";parent="));
        }
        out.number(";by=", self.by.map(Timestamp::unix_nanos));
        if let Some(receipts) = self.receipts {
            subject::check_reply(receipts).map_err(|reason| EncodeError::Value { part: "rcpt", reason })?;
            out.text(";rcpt=", Some(receipts));
        }
        out.word(";rung=", self.rung.map(Rung::as_str));
        if let Some(quality) = self.quality {
            out.quality(quality);
        }
        out.unknown(self.unknown)?;
        out.finish(key)
    }

    /// Room for everything but the rarest escapes, so that the text is allocated once.
    fn likely_len(&self) -> usize {
        const FIXED: usize = 320;
        const CONTEXT: usize = 96;
        const INPUT: usize = 33;
        let text = |len: Option<usize>| len.unwrap_or_default();
        FIXED
            + text(self.from.map(|name| name.as_str().len()))
            + text(self.to.map(|name| name.as_str().len()))
            + text(self.workflow.map(|id| id.as_str().len()))
            + text(self.receipts.map(str::len))
            + self.contexts.len().min(MAX_LIST_ITEMS) * CONTEXT
            + self.inputs.len().min(MAX_LIST_ITEMS) * INPUT
    }
}

/// One context item as it stands in the header's `ctx`: `name@version/observed-at-ns/max-age-ms/hash32`.
///
/// # Errors
/// [`EncodeError`] if the header could not carry it: it has no name, or a longest age over 2^64 ms.
#[cfg(feature = "telemetry")]
pub(crate) fn context_item(context: &Context) -> Result<String, EncodeError> {
    const LIKELY: usize = 96;
    let mut out = Writer(String::with_capacity(LIKELY));
    out.context(context)?;
    Ok(out.0)
}

struct Writer(String);

impl Writer {
    fn key(&mut self, key: &'static str) -> &mut String {
        self.0.push_str(key);
        &mut self.0
    }

    fn digits(&mut self, number: u64) {
        self.0.push_str(itoa::Buffer::new().format(number));
    }

    fn number(&mut self, key: &'static str, number: Option<u64>) {
        if let Some(number) = number {
            self.0.push_str(key);
            self.digits(number);
        }
    }

    /// One of our own words, which need no escapes.
    fn word(&mut self, key: &'static str, word: Option<&'static str>) {
        if let Some(word) = word {
            self.key(key).push_str(word);
        }
    }

    fn text(&mut self, key: &'static str, text: Option<&str>) {
        if let Some(text) = text {
            escape::push(text, Place::Value, self.key(key));
        }
    }

    /// A time in its fixed width of 19 digits.
    fn time(&mut self, time: Timestamp, part: &'static str) -> Result<(), EncodeError> {
        let nanos = time.unix_nanos();
        if nanos > LATEST {
            return Err(EncodeError::Value { part, reason: "is after the year 2286, the last that 19 digits hold" });
        }
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(nanos);
        for _ in digits.len()..AT_DIGITS {
            self.0.push('0');
        }
        self.0.push_str(digits);
        Ok(())
    }

    fn offset(&mut self, OffsetBounds { low, high }: OffsetBounds) -> Result<(), EncodeError> {
        if low > high {
            return Err(EncodeError::Value { part: "off", reason: "has a low end over its high end" });
        }
        let mut buffer = itoa::Buffer::new();
        self.key(";off=").push_str(buffer.format(low));
        self.0.push('/');
        self.0.push_str(buffer.format(high));
        Ok(())
    }

    fn contexts(&mut self, contexts: &[Context]) -> Result<(), EncodeError> {
        within("ctx", contexts.len())?;
        for (i, context) in contexts.iter().enumerate() {
            self.0.push_str(if i == 0 { ";ctx=" } else { "," });
            self.context(context)?;
        }
        Ok(())
    }

    /// `name@version/observed-at-ns/max-age-ms/hash32`
    fn context(&mut self, context: &Context) -> Result<(), EncodeError> {
        if context.name.is_empty() {
            return Err(EncodeError::Value { part: "ctx", reason: "has an item without a name" });
        }
        escape::push(&context.name, Place::ListPart, &mut self.0);
        if let Some(version) = context.version.as_deref().filter(|version| !version.is_empty()) {
            self.0.push('@');
            escape::push(version, Place::ListPart, &mut self.0);
        }
        self.0.push('/');
        if let Some(observed_at) = context.observed_at {
            self.digits(observed_at.unix_nanos());
        }
        self.0.push('/');
        if let Some(max_age) = context.max_age {
            self.digits(whole_millis(max_age)?);
        }
        self.0.push('/');
        if let Some(hash) = &context.hash {
            hash.write_hex(&mut self.0);
        }
        Ok(())
    }

    fn inputs(&mut self, inputs: &[ShortHash]) -> Result<(), EncodeError> {
        within("in", inputs.len())?;
        for (i, input) in inputs.iter().enumerate() {
            input.write_hex(self.key(if i == 0 { ";in=" } else { "," }));
        }
        Ok(())
    }

    fn quality(&mut self, quality: &Quality) {
        // Writing to a `String` cannot fail. Rust prints a float by the fewest digits that read back as the same.
        let _ = write!(self.key(";q="), "{}", quality.score());
        self.text(";qby=", Some(quality.by()).filter(|by| !by.is_empty()));
    }

    fn unknown(&mut self, unknown: &[(String, String)]) -> Result<(), EncodeError> {
        let refused = |key: &String, reason| EncodeError::Key { key: key.chars().take(80).collect(), reason };
        for (i, (key, value)) in unknown.iter().enumerate() {
            if i == MAX_UNKNOWN_KEYS {
                return Err(refused(key, "is over the limit of 32 extra keys"));
            }
            if !is_key(key) {
                return Err(refused(key, "is not 1 to 32 ASCII letters, digits, `_`, `-` or `.`"));
            }
            if key == MAC || Key::of(key).is_some() {
                return Err(refused(key, "has a field of its own"));
            }
            if unknown[..i].iter().any(|(earlier, _)| earlier == key) {
                return Err(refused(key, "is given twice"));
            }
            self.0.push(';');
            self.0.push_str(key);
            escape::push(value, Place::Value, self.key("="));
        }
        Ok(())
    }

    fn finish(mut self, key: Option<&MacKey>) -> Result<String, EncodeError> {
        if let Some(key) = key {
            let mac = ShortHash::from_bytes(key.mac(self.0.as_bytes()));
            mac.write_hex(self.key(";mac="));
        }
        let len = self.0.len();
        if len > MAX_HEADER_BYTES { Err(EncodeError::HeaderTooLong { len }) } else { Ok(self.0) }
    }
}

fn within(part: &'static str, len: usize) -> Result<(), EncodeError> {
    if len > MAX_LIST_ITEMS { Err(EncodeError::TooManyItems { part, len }) } else { Ok(()) }
}

fn whole_millis(age: Duration) -> Result<u64, EncodeError> {
    u64::try_from(age.as_millis())
        .map_err(|_| EncodeError::Value { part: "ctx", reason: "has a longest age over 2^64 milliseconds" })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{MacCheck, samples};
    use super::*;
    use crate::model::{ContentHash, HandoffId};

    fn refused(envelope: Envelope) -> String {
        envelope.encode(None).expect_err("must be refused").to_string()
    }

    #[test]
    fn an_empty_envelope_is_its_version() {
        assert_eq!(Envelope::default().encode(None).as_deref(), Ok("1"));
    }

    #[test]
    fn id_at_and_hash_come_first_at_fixed_places() {
        for (nanos, digits) in [(0, "0000000000000000000"), (LATEST, "9999999999999999999")] {
            let at = Timestamp::from_unix_nanos(nanos);
            let envelope = Envelope {
                id: Some(HandoffId::new(at)),
                at: Some(at),
                hash: Some(ContentHash::of(b"")),
                size: Some(0),
                ..Envelope::default()
            };
            let value = envelope.encode(None).unwrap();
            assert_eq!(&value[..5], "1;id=");
            assert_eq!(&value[41..45], ";at=");
            assert_eq!(&value[45..64], digits);
            assert_eq!(&value[64..70], ";hash=");
            assert_eq!(&value[134..], ";size=0");
        }
    }

    #[test]
    fn the_mac_comes_last_and_covers_all_before_it() {
        let key = MacKey::from_bytes([7; 32]);
        let envelope = Envelope { unknown: vec![("x".into(), "y".into())], ..Envelope::default() };
        let value = envelope.encode(Some(&key)).unwrap();
        let (before, mac) = value.split_once(";mac=").unwrap();
        assert_eq!(before, "1;x=y");
        assert_eq!(mac, ShortHash::from_bytes(key.mac(before.as_bytes())).to_string());
    }

    #[test]
    fn what_could_not_be_read_back_is_refused_with_the_limit() {
        let at = Some(Timestamp::from_unix_nanos(LATEST + 1));
        assert_eq!(
            refused(Envelope { at, ..Envelope::default() }),
            "`at` is after the year 2286, the last that 19 digits hold"
        );
        let offset = Some(OffsetBounds { low: 2, high: 1 });
        assert_eq!(refused(Envelope { offset, ..Envelope::default() }), "`off` has a low end over its high end");
        let contexts = vec![Context::named("")];
        assert_eq!(refused(Envelope { contexts, ..Envelope::default() }), "`ctx` has an item without a name");
        let inputs = vec![ShortHash::from_bytes([0; 16]); MAX_LIST_ITEMS + 1];
        assert_eq!(refused(Envelope { inputs, ..Envelope::default() }), "`in` with 65 items is over the limit of 64");
        let receipts = Some("a b".into());
        assert_eq!(
            refused(Envelope { receipts, ..Envelope::default() }),
            "`rcpt` is a subject with a blank or control character"
        );
        let unknown = vec![("x".to_owned(), "y".repeat(MAX_HEADER_BYTES))];
        assert_eq!(
            refused(Envelope { unknown, ..Envelope::default() }),
            "a `Wilco` header of 8196 bytes is over the limit of 8192; send fewer contexts or inputs"
        );
    }

    #[test]
    fn an_extra_key_must_be_one_and_must_be_free() {
        let with = |keys: &[&str]| {
            let unknown = keys.iter().map(|key| ((*key).to_owned(), String::new())).collect();
            Envelope { unknown, ..Envelope::default() }
        };
        assert_eq!(with(&["a", "b"]).encode(None).as_deref(), Ok("1;a=;b="));
        assert_eq!(refused(with(&["id"])), "extra key \"id\" has a field of its own");
        assert_eq!(refused(with(&["mac"])), "extra key \"mac\" has a field of its own");
        assert_eq!(refused(with(&["a", "a"])), "extra key \"a\" is given twice");
        assert!(refused(with(&["a;b"])).starts_with("extra key \"a;b\" is not 1 to 32"));
        assert!(refused(with(&[""])).starts_with("extra key \"\" is not 1 to 32"));
        let many: Vec<String> = (0..=MAX_UNKNOWN_KEYS).map(|n| format!("k{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(refused(with(&many)), "extra key \"k32\" is over the limit of 32 extra keys");
    }

    #[test]
    fn a_value_at_the_limit_is_written() {
        let unknown = vec![("x".to_owned(), "y".repeat(MAX_HEADER_BYTES - 4))];
        let value = Envelope { unknown, ..Envelope::default() }.encode(None).unwrap();
        assert_eq!(value.len(), MAX_HEADER_BYTES);
        assert!(Envelope::decode(&value, None).problems.is_empty());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(envelope in samples::envelope(), secret in proptest::option::of(any::<[u8; 32]>())) {
            let key = secret.map(MacKey::from_bytes);
            match envelope.encode(key.as_ref()) {
                Ok(value) => {
                    prop_assert!(!value.contains(char::is_control), "{}", value);
                    let decoded = Envelope::decode(&value, key.as_ref());
                    prop_assert_eq!(decoded.envelope, envelope);
                    prop_assert_eq!(decoded.problems, vec![]);
                    prop_assert_eq!(decoded.mac, if key.is_some() { MacCheck::Right } else { MacCheck::Absent });
                }
                Err(error) => prop_assert!(matches!(error, EncodeError::HeaderTooLong { .. }), "{}", error),
            }
        }
    }
}
