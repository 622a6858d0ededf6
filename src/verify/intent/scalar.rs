use serde_json::Value;

use super::decimal::Decimal;
use super::quantity::Quantity;
use super::synonyms::Synonyms;
use super::text::normalise;
use super::value::LONGEST_TEXT;

/// A scalar in the form in which equal means "says the same".
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Quantity(Quantity),
    Instant(jiff::Timestamp),
    /// Without a zone, so at no known instant.
    LocalTime(jiff::civil::DateTime),
    Date(jiff::civil::Date),
    /// Normalised, and its group's word where it has synonyms.
    Text(String),
    /// Too long or too large to be read: to the letter.
    Raw(String),
}

impl Scalar {
    /// `None` for arrays and objects.
    pub(super) fn read(value: &Value, slot: &str, synonyms: &Synonyms) -> Option<Self> {
        Some(match value {
            Value::Null => Self::Null,
            Value::Bool(b) => Self::Bool(*b),
            Value::Number(n) => {
                Decimal::from_json(n).map_or_else(|| Self::Raw(n.to_string()), |n| Self::Quantity(Quantity::count(n)))
            }
            Value::String(text) => Self::read_text(text, slot, synonyms),
            Value::Array(_) | Value::Object(_) => return None,
        })
    }

    fn read_text(text: &str, slot: &str, synonyms: &Synonyms) -> Self {
        if text.len() > LONGEST_TEXT {
            return Self::Raw(text.to_owned());
        }
        if let Some(time) = Self::read_time(text.trim()) {
            return time;
        }
        let normal = normalise(text);
        let resolved = synonyms.resolve(slot, &normal);
        if resolved != normal {
            // A synonym may stand for a value: "a dozen" for "12".
            return typed(resolved, slot, synonyms).unwrap_or_else(|| Self::Text(resolved.to_owned()));
        }
        typed(text, slot, synonyms).unwrap_or_else(|| Self::Text(normal.into_owned()))
    }

    /// An instant (RFC 3339 and its relatives), a time without a zone, or a date; all year first.
    pub(super) fn read_time(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if !(10..=64).contains(&bytes.len()) || !bytes[..4].iter().all(u8::is_ascii_digit) || bytes[4] != b'-' {
            return None;
        }
        if bytes.len() == 10 {
            return text.parse().ok().map(Self::Date);
        }
        text.parse().map(Self::Instant).or_else(|_| text.parse().map(Self::LocalTime)).ok()
    }
}

fn typed(text: &str, slot: &str, synonyms: &Synonyms) -> Option<Scalar> {
    if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") {
        return Some(Scalar::Bool(text.eq_ignore_ascii_case("true")));
    }
    if let Some(quantity) = duration(text) {
        return Some(Scalar::Quantity(quantity));
    }
    Some(Scalar::Quantity(match Quantity::parse(text)? {
        Quantity::Other(n, unit) => Quantity::Other(n, synonyms.resolve(slot, &unit).to_owned()),
        known => known,
    }))
}

/// An ISO 8601 duration of hours, minutes and seconds: `PT1H30M`.
fn duration(text: &str) -> Option<Quantity> {
    if !text.starts_with("PT") || text.len() > 64 {
        return None;
    }
    let duration: jiff::SignedDuration = text.parse().ok()?;
    Some(Quantity::Known(super::unit::Dimension::Time, Decimal::new(duration.as_nanos(), -9)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> Scalar {
        Scalar::read(&value, "constraints.x", &Synonyms::new()).unwrap()
    }

    #[test]
    fn values_that_say_the_same_in_another_type_are_equal() {
        for (a, b) in [
            (json!(5), json!("5.0")),
            (json!(5.0), json!("five")),
            (json!(true), json!("True")),
            (json!("2025-01-01T00:00:00Z"), json!("2025-01-01T01:00:00+01:00")),
            (json!("2025-01-01T00:00:00Z"), json!("2025-01-01 00:00:00.000Z")),
            (json!("PT1H30M"), json!("90 min")),
            (json!("find_sources"), json!("Find sources.")),
        ] {
            assert_eq!(read(a.clone()), read(b.clone()), "{a} {b}");
        }
    }

    #[test]
    fn values_that_look_alike_and_are_not_the_same_differ() {
        for (a, b) in [
            (json!("2025-01-01"), json!("2025-01-01T00:00:00Z")),
            (json!("2025-01-01T00:00:00"), json!("2025-01-01T00:00:00Z")),
            (json!("2025-01-01"), json!("2025-01-02")),
            (json!(1), json!(true)),
            (json!(null), json!("null")),
            (json!(0), json!(false)),
            (json!("007"), json!(7)),
        ] {
            assert_ne!(read(a.clone()), read(b.clone()), "{a} {b}");
        }
    }

    #[test]
    fn synonyms_reach_units_and_values() {
        let synonyms = Synonyms::new().group(["sources", "references"]).group(["12", "a dozen"]);
        let read = |value: Value| Scalar::read(&value, "object", &synonyms);
        assert_eq!(read(json!("5 sources")), read(json!("five references")));
        assert_eq!(read(json!("a dozen")), read(json!(12)));
    }
}
