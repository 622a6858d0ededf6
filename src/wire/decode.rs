use std::borrow::Cow;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use super::encode::LATEST;
use super::envelope::{Decoded, KEYS, MAC, is_key};
use super::limits::{MAX_HEADER_BYTES, MAX_LIST_ITEMS, MAX_UNKNOWN_KEYS};
use super::problem::Problems;
use super::{Envelope, MacCheck, MacKey, OffsetBounds, escape, subject};
use crate::model::{Context, Quality, ShortHash, Timestamp};

impl Envelope {
    /// Reads a header's value. Every malformed part becomes a problem and is left out; everything else is read.
    ///
    /// Blanks around parts are ignored, the first of two equal keys wins, unknown keys are kept. A version other than
    /// 1 is a problem and yields an empty envelope, with the `mac` not looked at. Work is bounded by the
    /// [limits](super::limits).
    pub fn decode(value: &str, key: Option<&MacKey>) -> Decoded {
        let mut reader = Reader { key, ..Reader::default() };
        reader.read(value);
        Decoded { envelope: reader.envelope, problems: reader.problems.into_vec(), mac: reader.mac }
    }
}

#[derive(Default)]
struct Reader<'k> {
    key: Option<&'k MacKey>,
    envelope: Envelope,
    problems: Problems,
    mac: MacCheck,
    /// One bit for each of [`KEYS`] that was met.
    met: u32,
    score: Option<f64>,
    scored_by: Option<Arc<str>>,
}

type Reason = &'static str;

impl Reader<'_> {
    fn read(&mut self, whole: &str) {
        let value = self.within_limit(whole);
        let (version, mut rest) = value.split_once(';').unwrap_or((value, ""));
        if version.trim_ascii() != "1" {
            self.problems.add("version", "is not known; this library reads version 1", version);
            return;
        }
        while !rest.is_empty() {
            let from = value.len() - rest.len();
            let (part, after) = rest.split_once(';').unwrap_or((rest, ""));
            let is_last = after.is_empty() && value.len() == whole.len();
            rest = after;
            let part = part.trim_ascii();
            match part.split_once('=') {
                Some((MAC, mac)) => self.check_mac(&value.as_bytes()[..from - 1], mac, is_last),
                Some((key, value)) => self.take(key, value),
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
    fn take(&mut self, key: &str, value: &str) {
        if let Some(i) = index(key) {
            let bit = 1 << i;
            if self.met & bit != 0 {
                return self.problems.add(key, "is given twice; the first is used", value);
            }
            self.met |= bit;
            if let Err(reason) = self.take_known(key, value) {
                self.problems.add(key, reason, value);
            }
        } else {
            self.take_unknown(key, value);
        }
    }

    fn take_known(&mut self, key: &str, value: &str) -> Result<(), Reason> {
        let e = &mut self.envelope;
        match key {
            "id" => e.id = Some(handoff(value)?),
            "at" => e.at = Some(time(value)?),
            "hash" => e.hash = Some(value.parse().map_err(|_| "is not 64 lower-case hex digits")?),
            "size" => e.size = Some(whole(value)?),
            "from" => e.from = Some(name(value)?),
            "to" => e.to = Some(name(value)?),
            "wf" => {
                let reason = "is not a workflow id (1 to 128 bytes without control characters)";
                e.workflow = Some((&*escape::decode(value)?).try_into().map_err(|_| reason)?);
            }
            "n" => e.attempt = Some(counted(value)?),
            "inst" => e.inst = Some(value.parse().map_err(|_| "is not 8 lower-case hex digits")?),
            "seq" => e.seq = Some(whole(value)?),
            "hold" => {
                e.hold = match value {
                    "1" => true,
                    "0" => false,
                    _ => return Err("is neither 1 nor 0"),
                }
            }
            "off" => e.offset = Some(offset(value)?),
            "kind" => e.kind = Some(value.parse().map_err(|()| "is neither `delegation` nor `transfer`")?),
            "intent" => e.intent = Some(short(value)?),
            "ctx" => contexts(value, &mut e.contexts, &mut self.problems),
            "in" => inputs(value, &mut e.inputs, &mut self.problems),
            "need" => e.need = Some(counted(value)?),
            "parent" => e.parent = Some(handoff(value)?),
            "by" => e.by = Some(whole(value).map(Timestamp::from_unix_nanos)?),
            "rcpt" => {
                let text = escape::decode(value)?;
                subject::check_reply(&text)?;
                e.receipts = Some(text.into());
            }
            "rung" => e.rung = Some(value.parse().map_err(|()| "is not a rung that this version knows")?),
            "q" => self.score = Some(value.parse().map_err(|_| "is not a number")?),
            "qby" => self.scored_by = Some(escape::decode(value)?.into()),
            _ => {}
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

#[inline]
fn index(key: &str) -> Option<usize> {
    KEYS.iter().position(|known| *known == key)
}

/// Digits only: no sign, no blank.
fn whole(value: &str) -> Result<u64, Reason> {
    if value.is_empty() || !value.bytes().all(|b| b.is_ascii_digit()) {
        return Err("is not a whole number");
    }
    value.parse().map_err(|_| "is over the limit of 2^64 - 1")
}

fn counted(value: &str) -> Result<u32, Reason> {
    u32::try_from(whole(value)?).map_err(|_| "is over the limit of 2^32 - 1")
}

fn time(value: &str) -> Result<Timestamp, Reason> {
    match whole(value) {
        Ok(nanos) if nanos <= LATEST => Ok(Timestamp::from_unix_nanos(nanos)),
        _ => Err("is not a time in unix nanoseconds of at most 19 digits"),
    }
}

fn signed(value: &str) -> Result<i64, Reason> {
    let digits = value.strip_prefix('-').unwrap_or(value);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err("is not two whole numbers of nanoseconds, `low/high`");
    }
    value.parse().map_err(|_| "is beyond 2^63 nanoseconds")
}

fn offset(value: &str) -> Result<OffsetBounds, Reason> {
    let (low, high) = value.split_once('/').ok_or("is not two whole numbers of nanoseconds, `low/high`")?;
    let (low, high) = (signed(low)?, signed(high)?);
    if low > high { Err("has a low end over its high end") } else { Ok(OffsetBounds { low, high }) }
}

fn handoff<T: FromStr>(value: &str) -> Result<T, Reason> {
    value.parse().map_err(|_| "is not a handoff id (a lower-case UUIDv7)")
}

fn short(value: &str) -> Result<ShortHash, Reason> {
    value.parse().map_err(|_| "is not 32 lower-case hex digits")
}

fn name<T: for<'a> TryFrom<&'a str>>(value: &str) -> Result<T, Reason> {
    let text = escape::decode(value)?;
    T::try_from(&text).map_err(|_| "is not an agent name (1 to 128 bytes, no blank, none of `.`, `*`, `>`)")
}

fn contexts(value: &str, into: &mut Vec<Context>, problems: &mut Problems) {
    for (i, item) in value.split(',').enumerate() {
        if i == MAX_LIST_ITEMS {
            return problems.add("ctx", "has more items than the limit of 64; the first are used", "");
        }
        if item.trim_ascii().is_empty() {
            continue;
        }
        if let Some(context) = context(item.trim_ascii(), problems) {
            into.push(context);
        }
    }
}

/// `name@version/observed-at-ns/max-age-ms/hash32`; parts may be empty or left out, and later versions may add some.
fn context(item: &str, problems: &mut Problems) -> Option<Context> {
    let mut parts = item.split('/');
    let label = parts.next().unwrap_or_default();
    let (name, version) = label.split_once('@').unwrap_or((label, ""));
    let name = match escape::decode(name) {
        Ok(name) if !name.is_empty() => name,
        Ok(_) => {
            problems.add("ctx", "has an item without a name", item);
            return None;
        }
        Err(reason) => {
            problems.add("ctx", reason, item);
            return None;
        }
    };
    let mut context = Context::named(name);
    let mut part = |parse: &mut dyn FnMut(&str) -> Result<(), Reason>, text: &str| {
        if !text.is_empty()
            && let Err(reason) = parse(text)
        {
            problems.add("ctx", reason, item);
        }
    };
    part(&mut |text| escape::decode(text).map(|v| context.version = Some(v).map(Cow::into_owned)), version);
    let mut next = || parts.next().unwrap_or_default();
    let (observed_at, max_age, hash) = (next(), next(), next());
    part(&mut |text| whole(text).map(|n| context.observed_at = Some(Timestamp::from_unix_nanos(n))), observed_at);
    part(&mut |text| whole(text).map(|n| context.max_age = Some(Duration::from_millis(n))), max_age);
    part(&mut |text| short(text).map(|h| context.hash = Some(h)), hash);
    Some(context)
}

fn inputs(value: &str, into: &mut Vec<ShortHash>, problems: &mut Problems) {
    for (i, item) in value.split(',').enumerate() {
        if i == MAX_LIST_ITEMS {
            return problems.add("in", "has more items than the limit of 64; the first are used", "");
        }
        match short(item.trim_ascii()) {
            Ok(hash) => into.push(hash),
            Err(_) if item.trim_ascii().is_empty() => {}
            Err(reason) => problems.add("in", reason, item),
        }
    }
}
