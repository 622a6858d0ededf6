//! The values of the packed header, each read by a function that says what is wrong with it.

use std::borrow::Cow;
use std::str::FromStr;
use std::time::Duration;

use super::encode::LATEST;
use super::limits::MAX_LIST_ITEMS;
use super::problem::Problems;
use super::{OffsetBounds, escape};
use crate::model::{Context, ShortHash, Timestamp};

/// What is wrong with a value, to be read after its key.
pub(super) type Reason = &'static str;

/// What stands before and after the first `at`, an ASCII character.
#[inline]
pub(super) fn cut(text: &str, at: u8) -> Option<(&str, &str)> {
    let i = memchr::memchr(at, text.as_bytes())?;
    Some((&text[..i], &text[i + 1..]))
}

/// Digits only: no sign, no blank.
pub(super) fn whole(value: &str) -> Result<u64, Reason> {
    const LONGEST: usize = 20;
    if !(1..=LONGEST).contains(&value.len()) {
        return Err("is not a whole number of 1 to 20 digits");
    }
    let mut number = 0_u64;
    for digit in value.bytes().map(|b| b.wrapping_sub(b'0')) {
        if digit > 9 {
            return Err("is not a whole number of 1 to 20 digits");
        }
        let next = number.checked_mul(10).and_then(|n| n.checked_add(digit.into()));
        number = next.ok_or("is over the limit of 2^64 - 1")?;
    }
    Ok(number)
}

pub(super) fn counted(value: &str) -> Result<u32, Reason> {
    u32::try_from(whole(value)?).map_err(|_| "is over the limit of 2^32 - 1")
}

pub(super) fn time(value: &str) -> Result<Timestamp, Reason> {
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

pub(super) fn offset(value: &str) -> Result<OffsetBounds, Reason> {
    let (low, high) = cut(value, b'/').ok_or("is not two whole numbers of nanoseconds, `low/high`")?;
    let (low, high) = (signed(low)?, signed(high)?);
    if low > high { Err("has a low end over its high end") } else { Ok(OffsetBounds { low, high }) }
}

pub(super) fn handoff<T: FromStr>(value: &str) -> Result<T, Reason> {
    value.parse().map_err(|_| "is not a handoff id (a lower-case UUIDv7)")
}

pub(super) fn short(value: &str) -> Result<ShortHash, Reason> {
    value.parse().map_err(|_| "is not 32 lower-case hex digits")
}

pub(super) fn name<T: for<'a> TryFrom<&'a str>>(value: &str) -> Result<T, Reason> {
    let text = escape::decode(value)?;
    T::try_from(&text).map_err(|_| "is not an agent name (1 to 128 bytes, no blank, none of `.`, `*`, `>`)")
}

pub(super) fn contexts(value: &str, into: &mut Vec<Context>, problems: &mut Problems) {
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
    let (label, rest) = cut(item, b'/').unwrap_or((item, ""));
    let (observed_at, rest) = cut(rest, b'/').unwrap_or((rest, ""));
    let (max_age, rest) = cut(rest, b'/').unwrap_or((rest, ""));
    let (hash, _) = cut(rest, b'/').unwrap_or((rest, ""));
    let (name, version) = cut(label, b'@').unwrap_or((label, ""));
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
    context.version = used(version, |text| escape::decode(text).map(Cow::into_owned), item, problems);
    context.observed_at = used(observed_at, whole, item, problems).map(Timestamp::from_unix_nanos);
    context.max_age = used(max_age, whole, item, problems).map(Duration::from_millis);
    context.hash = used(hash, short, item, problems);
    Some(context)
}

/// A part of a context item; what is malformed is a problem, and the item's other parts are read.
fn used<'t, T>(
    text: &'t str,
    parse: impl FnOnce(&'t str) -> Result<T, Reason>,
    item: &str,
    problems: &mut Problems,
) -> Option<T> {
    if text.is_empty() { None } else { parse(text).map_err(|reason| problems.add("ctx", reason, item)).ok() }
}

pub(super) fn inputs(value: &str, into: &mut Vec<ShortHash>, problems: &mut Problems) {
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
