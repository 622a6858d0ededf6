use std::str::FromStr;
use std::sync::Arc;

use super::envelope::Decoded;
use super::key::{Key, MAC, is_key};
use super::limits::{MAX_HEADER_BYTES, MAX_UNKNOWN_KEYS};
use super::problem::Problems;
use super::value::{Reason, contexts, counted, cut, handoff, inputs, name, offset, short, time, whole};
use super::{Envelope, MacCheck, MacKey, escape, subject};
use crate::model::{AgentName, Quality, ShortHash, Timestamp, WorkflowId};

impl Envelope {
    /// Reads a header's value. Every malformed part becomes a problem and is left out; everything else is read.
    ///
    /// Blanks around parts are ignored, the first of two equal keys wins, unknown keys are kept. A version other than
    /// 1 is a problem and yields an empty envelope, with the `mac` not looked at. Work is bounded by the
    /// [limits](super::limits).
    pub fn decode(value: &str, key: Option<&MacKey>) -> Decoded {
        Self::decode_knowing(value, key, Known::default())
    }

    /// As [`Envelope::decode`]; names that are equal to known ones are those, shared.
    pub(crate) fn decode_knowing(value: &str, key: Option<&MacKey>, known: Known<'_>) -> Decoded {
        let mut reader = Reader { key, known, ..Reader::default() };
        reader.read(value);
        Decoded { envelope: reader.envelope, problems: reader.problems.into_vec(), mac: reader.mac }
    }
}

/// Names that an earlier message brought, most likely the same again.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Known<'a> {
    pub(crate) from: Option<&'a AgentName>,
    pub(crate) to: Option<&'a AgentName>,
    pub(crate) workflow: Option<&'a WorkflowId>,
}

/// The known name, if `value` is its text to the letter.
#[inline]
fn same<T: AsRef<str> + Clone>(known: Option<&T>, value: &str) -> Option<T> {
    // A text with escapes stands for another one.
    known.filter(|known| (*known).as_ref() == value && memchr::memchr(b'%', value.as_bytes()).is_none()).cloned()
}

#[derive(Default)]
struct Reader<'k> {
    key: Option<&'k MacKey>,
    known: Known<'k>,
    envelope: Envelope,
    problems: Problems,
    mac: MacCheck,
    /// One bit for each [`Key`] that was met.
    met: u32,
    score: Option<f64>,
    scored_by: Option<Arc<str>>,
}

impl Reader<'_> {
    fn read(&mut self, whole: &str) {
        let value = self.within_limit(whole);
        let (version, mut rest) = cut(value, b';').unwrap_or((value, ""));
        if version.trim_ascii() != "1" {
            self.problems.add("version", "is not known; this library reads version 1", version);
            return;
        }
        while !rest.is_empty() {
            let from = value.len() - rest.len();
            let (part, after) = cut(rest, b';').unwrap_or((rest, ""));
            let is_last = after.is_empty() && value.len() == whole.len();
            rest = after;
            let part = part.trim_ascii();
            if let Some((key, value)) = Key::leading(part) {
                self.take(key, value);
                continue;
            }
            match cut(part, b'=') {
                Some((MAC, mac)) => self.check_mac(&value.as_bytes()[..from - 1], mac, is_last),
                Some((key, value)) => self.take_unknown(key, value),
                None if part.is_empty() => {}
                None => self.problems.add(part, "has no `=`", ""),
            }
        }
        self.finish_quality();
    }

    /// What may be read of a value: all of it, or the whole parts within the limit.
    fn within_limit<'v>(&mut self, value: &'v str) -> &'v str {
        if value.len() <= MAX_HEADER_BYTES {
            return value;
        }
        let reason = format!("header of {} bytes is over the limit of {MAX_HEADER_BYTES}", value.len());
        self.problems.add("Wilco", reason, "");
        self.mac = MacCheck::Unchecked;
        let end = value.as_bytes()[..MAX_HEADER_BYTES].iter().rposition(|&b| b == b';').unwrap_or_default();
        &value[..end]
    }

    fn check_mac(&mut self, bytes: &[u8], mac: &str, is_last: bool) {
        let reason = match ShortHash::from_str(mac) {
            Ok(mac) if is_last && self.mac == MacCheck::Absent => {
                self.mac = self.key.map_or(MacCheck::Unchecked, |key| key.check(bytes, *mac.as_bytes()));
                return;
            }
            Ok(_) => "is not the last part, and the only one of its kind",
            Err(_) => "is not 32 lower-case hex digits",
        };
        self.problems.add(MAC, reason, mac);
        self.mac = if self.key.is_some() { MacCheck::Wrong } else { MacCheck::Unchecked };
    }

    #[inline]
    fn take(&mut self, key: Key, value: &str) {
        let bit = 1 << key as u32;
        let outcome = match self.met & bit {
            0 => self.take_known(key, value),
            _ => Err("is given twice; the first is used"),
        };
        self.met |= bit;
        if let Err(reason) = outcome {
            self.problems.add(key.as_str(), reason, value);
        }
    }

    #[inline]
    fn take_known(&mut self, key: Key, value: &str) -> Result<(), Reason> {
        let e = &mut self.envelope;
        match key {
            Key::Id => e.id = Some(handoff(value)?),
            Key::At => e.at = Some(time(value)?),
            Key::Hash => e.hash = Some(value.parse().map_err(|_| "is not 64 lower-case hex digits")?),
            Key::Size => e.size = Some(whole(value)?),
            Key::From => {
                e.from = Some(match same(self.known.from, value) {
                    Some(from) => from,
                    None => name(value)?,
                });
            }
            Key::To => {
                e.to = Some(match same(self.known.to, value) {
                    Some(to) => to,
                    None => name(value)?,
                });
            }
            Key::Workflow => {
                let reason = "is not a workflow id (1 to 128 bytes without control characters)";
                e.workflow = Some(match same(self.known.workflow, value) {
                    Some(workflow) => workflow,
                    None => (&*escape::decode(value)?).try_into().map_err(|_| reason)?,
                });
            }
            Key::Attempt => e.attempt = Some(counted(value)?),
            Key::Inst => e.inst = Some(value.parse().map_err(|_| "is not 8 lower-case hex digits")?),
            Key::Seq => e.seq = Some(whole(value)?),
            Key::Hold => {
                e.hold = match value {
                    "1" => true,
                    "0" => false,
                    _ => return Err("is neither 1 nor 0"),
                }
            }
            Key::Offset => e.offset = Some(offset(value)?),
            Key::Kind => e.kind = Some(value.parse().map_err(|()| "is neither `delegation` nor `transfer`")?),
            Key::Intent => e.intent = Some(short(value)?),
            Key::Contexts => contexts(value, &mut e.contexts, &mut self.problems),
            Key::Inputs => inputs(value, &mut e.inputs, &mut self.problems),
            Key::Need => e.need = Some(counted(value)?),
            Key::Parent => e.parent = Some(handoff(value)?),
            Key::By => e.by = Some(whole(value).map(Timestamp::from_unix_nanos)?),
            Key::Receipts => {
                let text = escape::decode(value)?;
                subject::check_reply(&text)?;
                e.receipts = Some(text.into());
            }
            Key::Rung => e.rung = Some(value.parse().map_err(|()| "is not a rung that this version knows")?),
            Key::Score => self.score = Some(value.parse().map_err(|_| "is not a number")?),
            Key::ScoredBy => self.scored_by = Some(escape::decode(value)?.into()),
        }
        Ok(())
    }

    #[cold]
    fn take_unknown(&mut self, key: &str, value: &str) {
        let unknown = &mut self.envelope.unknown;
        let reason = if !is_key(key) {
            "is not a key"
        } else if unknown.iter().any(|(earlier, _)| earlier == key) {
            "is given twice; the first is used"
        } else if unknown.len() == MAX_UNKNOWN_KEYS {
            "is over the limit of 32 unknown keys"
        } else {
            match escape::decode(value) {
                Ok(value) => return unknown.push((key.to_owned(), value.into_owned())),
                Err(reason) => reason,
            }
        };
        self.problems.add(key, reason, value);
    }

    /// The score and who gave it are two keys, in any order, and one fact.
    fn finish_quality(&mut self) {
        match (self.score, self.scored_by.take()) {
            (Some(score), by) => match Quality::new(score, by.unwrap_or_default()) {
                Ok(quality) => self.envelope.quality = Some(quality),
                Err(_) => self.problems.add("q", "is not a number from 0 to 1", &score.to_string()),
            },
            (None, Some(by)) => self.problems.add("qby", "stands without a score", &by),
            (None, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use std::time::Duration;

    use super::super::limits::{MAX_LIST_ITEMS, MAX_PROBLEMS};
    use super::super::{EncodeError, samples};
    use super::*;
    use crate::model::{Context, HandoffKind};

    const ID: &str = "019ca8d7-3636-78c7-9041-aadd07892eb8";

    /// The problems of a value, as a person reads them.
    fn problems(value: &str) -> Vec<String> {
        Envelope::decode(value, None).problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_malformed_part_is_named_and_its_neighbours_are_read() {
        for (part, problem) in [
            ("id=7", "`id` is not a handoff id (a lower-case UUIDv7): \"7\""),
            ("at=yesterday", "`at` is not a time in unix nanoseconds of at most 19 digits: \"yesterday\""),
            (
                "at=18446744073709551615",
                "`at` is not a time in unix nanoseconds of at most 19 digits: \"18446744073709551615\"",
            ),
            ("hash=abc", "`hash` is not 64 lower-case hex digits: \"abc\""),
            ("size=-1", "`size` is not a whole number of 1 to 20 digits: \"-1\""),
            ("size=", "`size` is not a whole number of 1 to 20 digits"),
            ("size=18446744073709551616", "`size` is over the limit of 2^64 - 1: \"18446744073709551616\""),
            ("from=a.b", "`from` is not an agent name (1 to 128 bytes, no blank, none of `.`, `*`, `>`): \"a.b\""),
            ("to=%", "`to` ends within an escape: \"%\""),
            ("wf=", "`wf` is not a workflow id (1 to 128 bytes without control characters)"),
            ("n=4294967296", "`n` is over the limit of 2^32 - 1: \"4294967296\""),
            ("inst=XYZ", "`inst` is not 8 lower-case hex digits: \"XYZ\""),
            ("seq=+1", "`seq` is not a whole number of 1 to 20 digits: \"+1\""),
            ("hold=yes", "`hold` is neither 1 nor 0: \"yes\""),
            ("off=5", "`off` is not two whole numbers of nanoseconds, `low/high`: \"5\""),
            ("off=5/4", "`off` has a low end over its high end: \"5/4\""),
            ("off=+5/6", "`off` is not two whole numbers of nanoseconds, `low/high`: \"+5/6\""),
            ("kind=gift", "`kind` is neither `delegation` nor `transfer`: \"gift\""),
            ("intent=0", "`intent` is not 32 lower-case hex digits: \"0\""),
            ("need=one", "`need` is not a whole number of 1 to 20 digits: \"one\""),
            ("parent=x", "`parent` is not a handoff id (a lower-case UUIDv7): \"x\""),
            ("by=soon", "`by` is not a whole number of 1 to 20 digits: \"soon\""),
            ("rcpt=$JS.API.STREAM.DELETE.x", "`rcpt` is one of the server's own subjects: \"$JS.API.STREAM.DELETE.x\""),
            ("rcpt=a%0D%0Ab", "`rcpt` is a subject with a blank or control character: \"a%0D%0Ab\""),
            ("rung=flying", "`rung` is not a rung that this version knows: \"flying\""),
            ("q=good", "`q` is not a number: \"good\""),
            ("q=1.5", "`q` is not a number from 0 to 1: \"1.5\""),
            ("q=NaN", "`q` is not a number from 0 to 1: \"NaN\""),
            ("qby=me", "`qby` stands without a score: \"me\""),
            ("x=%zz", "`x` has a `%` without two hex digits after it: \"%zz\""),
            ("ü=1", "`ü` is not a key: \"1\""),
            ("word", "`word` has no `=`"),
        ] {
            let decoded = Envelope::decode(&format!("1;acme=before;{part};zeta=after"), None);
            let told: Vec<String> = decoded.problems.iter().map(ToString::to_string).collect();
            assert_eq!(told, [problem]);
            let kept = vec![("acme".into(), "before".into()), ("zeta".into(), "after".into())];
            assert_eq!(decoded.envelope, Envelope { unknown: kept, ..Envelope::default() }, "{part}");
        }
    }

    #[test]
    fn another_version_yields_nothing_but_a_problem() {
        for value in ["2;id=019ca8d7-3636-78c7-9041-aadd07892eb8", "", "id=x", "11", "1.1;n=1"] {
            let decoded = Envelope::decode(value, None);
            assert_eq!(decoded.envelope, Envelope::default(), "{value}");
            assert!(decoded.problems[0].to_string().starts_with("`version` is not known"), "{value}");
        }
    }

    #[test]
    fn blanks_around_parts_and_empty_parts_are_forgiven() {
        let decoded = Envelope::decode("1 ; n=2 ;; kind=transfer;", None);
        assert_eq!((decoded.envelope.attempt, decoded.envelope.kind), (Some(2), Some(HandoffKind::Transfer)));
        assert_eq!(decoded.problems, vec![]);
    }

    #[test]
    fn the_first_of_two_equal_keys_wins() {
        let decoded = Envelope::decode("1;n=1;n=2;x=a;x=b", None);
        assert_eq!(decoded.envelope.attempt, Some(1));
        assert_eq!(decoded.envelope.unknown, vec![("x".into(), "a".into())]);
        assert_eq!(decoded.problems.len(), 2);
    }

    #[test]
    fn a_malformed_context_part_costs_only_itself() {
        let decoded = Envelope::decode("1;ctx=a@1/x/10/,@9///,b,,c%2Cd@%40//y/zz/later", None);
        let contexts = &decoded.envelope.contexts;
        assert_eq!(contexts.iter().map(Context::label).collect::<Vec<_>>(), ["a@1", "b", "c,d@@"]);
        assert_eq!(contexts[0].observed_at, None);
        assert_eq!(contexts[0].max_age, Some(Duration::from_millis(10)));
        assert_eq!(decoded.problems.len(), 4, "{:?}", decoded.problems);
    }

    #[test]
    fn a_malformed_input_costs_only_itself() {
        let half = "af1349b9f5f9a1a6a0404dea36dcc949";
        let decoded = Envelope::decode(&format!("1;in={half},zz, {half},"), None);
        assert_eq!(decoded.envelope.inputs.len(), 2);
        assert_eq!(decoded.problems.len(), 1);
    }

    #[test]
    fn the_mac_is_judged_only_where_a_key_is_held() {
        let (key, other) = (MacKey::from_bytes([7; 32]), MacKey::from_bytes([8; 32]));
        let value = Envelope { size: Some(9), ..Envelope::default() }.encode(Some(&key)).unwrap();
        let check = |value: &str, key: Option<&MacKey>| Envelope::decode(value, key).mac;
        assert_eq!(check(&value, Some(&key)), MacCheck::Right);
        assert_eq!(check(&value, Some(&other)), MacCheck::Wrong);
        assert_eq!(check(&value, None), MacCheck::Unchecked);
        assert_eq!(check("1;size=9", Some(&key)), MacCheck::Absent);
        assert_eq!(check(&value.replace("size=9", "size=8"), Some(&key)), MacCheck::Wrong);
        assert_eq!(check(&format!("{value};n=1"), Some(&key)), MacCheck::Wrong);
        assert_eq!(check(&format!("{value};mac={}", "0".repeat(32)), Some(&key)), MacCheck::Wrong);
        assert_eq!(check("1;mac=short", Some(&key)), MacCheck::Wrong);
        assert_eq!(check("1;mac=short", None), MacCheck::Unchecked);
    }

    #[test]
    fn every_changed_byte_under_a_mac_is_noticed() {
        let key = MacKey::from_bytes([7; 32]);
        let value = Envelope { size: Some(9), attempt: Some(3), ..Envelope::default() }.encode(Some(&key)).unwrap();
        for i in 0..value.len() {
            for new in [b'0', b'a', b';', b' '] {
                let mut bytes = value.clone().into_bytes();
                if bytes[i] != new {
                    bytes[i] = new;
                    let changed = String::from_utf8(bytes).unwrap();
                    assert_ne!(Envelope::decode(&changed, Some(&key)).mac, MacCheck::Right, "{changed}");
                }
            }
        }
    }

    #[test]
    fn a_known_name_is_taken_only_for_its_very_text() {
        let (from, to) = (AgentName::new("100%25").unwrap(), AgentName::new("writer").unwrap());
        let known = Known { from: Some(&from), to: Some(&to), workflow: None };
        let envelope = Envelope::decode_knowing("1;from=100%25;to=writer;wf=w", None, known).envelope;
        assert_eq!((envelope.from.unwrap().as_str(), envelope.workflow.unwrap().as_str()), ("100%", "w"));
        assert!(std::sync::Arc::ptr_eq(&envelope.to.unwrap().shared(), &to.shared()));
        let envelope = Envelope::decode_knowing("1;from=planner;to=write", None, known).envelope;
        assert_eq!((envelope.from.unwrap().as_str(), envelope.to.unwrap().as_str()), ("planner", "write"));
    }

    #[test]
    fn hostile_values_cost_bounded_work() {
        let many_parts = format!("1{}", ";x".repeat(4_000));
        assert_eq!(Envelope::decode(&many_parts, None).problems.len(), MAX_PROBLEMS);
        let many_keys: String = (0..500).map(|n| format!(";k{n}=v")).collect();
        assert_eq!(Envelope::decode(&format!("1{many_keys}"), None).envelope.unknown.len(), MAX_UNKNOWN_KEYS);
        let many_items = format!("1;ctx={}", "a,".repeat(3_000));
        let decoded = Envelope::decode(&many_items, None);
        assert_eq!(decoded.envelope.contexts.len(), MAX_LIST_ITEMS);
        assert_eq!(decoded.problems.len(), 1);
        assert!(problems(&format!("1;{}=1", "k".repeat(5_000)))[0].len() < 200);
    }

    #[test]
    fn of_a_value_over_the_limit_the_whole_parts_within_it_are_read() {
        let key = MacKey::from_bytes([7; 32]);
        let value = format!("1;id={ID};n=2;x={};seq=5;mac={}", "é".repeat(MAX_HEADER_BYTES), "0".repeat(32));
        let decoded = Envelope::decode(&value, Some(&key));
        assert_eq!(decoded.envelope.id, ID.parse().ok());
        assert_eq!((decoded.envelope.attempt, decoded.envelope.seq), (Some(2), None));
        assert_eq!(decoded.mac, MacCheck::Unchecked);
        assert_eq!(
            decoded.problems[0].to_string(),
            format!("`Wilco` header of {} bytes is over the limit of 8192", value.len())
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic_and_what_is_kept_can_be_written(value in "(1;)?[ -~é]*|1(;(id|at|n|ctx|in|q|qby|off|x|mac)=[0-9a-f@/,%.;]{0,20}){0,6}|.*") {
            let decoded = Envelope::decode(&value, None);
            let again = decoded.envelope.encode(None);
            match again {
                Ok(again) => {
                    let twice = Envelope::decode(&again, None);
                    prop_assert_eq!(twice.envelope, decoded.envelope);
                    prop_assert_eq!(twice.problems, vec![]);
                }
                Err(error) => prop_assert!(matches!(error, EncodeError::HeaderTooLong { .. }), "{}", error),
            }
        }

        #[test]
        fn junk_beside_good_parts_does_not_lose_them(
            envelope in samples::envelope(),
            junk in "[a-z]{0,6}(=[^;]{0,12})?",
            place in any::<proptest::sample::Index>(),
        ) {
            let Ok(value) = envelope.encode(None) else { return Ok(()) };
            prop_assume!(value.len() + junk.len() < MAX_HEADER_BYTES);
            // Junk that happens to be a good part is no junk.
            let alone = Envelope::decode(&format!("1;{junk}"), None);
            prop_assume!(alone.envelope == Envelope::default() && alone.mac == MacCheck::Absent);
            // Neither is a key without a field, for a later part of the same key would be its repetition.
            prop_assume!(Key::leading(&junk).is_none());
            let mut parts: Vec<&str> = value.split(';').collect();
            parts.insert(1 + place.index(parts.len()), &junk);
            prop_assert_eq!(Envelope::decode(&parts.join(";"), None).envelope, envelope);
        }

        #[test]
        fn a_value_cut_anywhere_keeps_the_whole_parts_before_the_cut(envelope in samples::envelope(), cut in any::<proptest::sample::Index>()) {
            let Ok(value) = envelope.encode(None) else { return Ok(()) };
            let mut at = cut.index(value.len() + 1);
            while !value.is_char_boundary(at) {
                at -= 1;
            }
            let decoded = Envelope::decode(&value[..at], None);
            if at > 41 && envelope.id.is_some() {
                prop_assert_eq!(decoded.envelope.id, envelope.id);
            }
            if at == value.len() {
                prop_assert_eq!(decoded.envelope, envelope);
            }
        }
    }
}
