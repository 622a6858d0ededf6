//! Fields of OTLP/JSON that come in more than one spelling.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

use crate::model::SpanKind;

/// `null` is the same as a field that is not there.
pub(super) fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(d: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(d)?.unwrap_or_default())
}

/// A whole number, written as a number or as text.
pub(super) fn whole<'de, D: Deserializer<'de>, T: TryFrom<i128> + Default>(d: D) -> Result<T, D::Error> {
    d.deserialize_any(Whole(PhantomData))
}

struct Whole<T>(PhantomData<T>);

impl<T: TryFrom<i128> + Default> Visitor<'_> for Whole<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a whole number ({}), or one as text", std::any::type_name::<T>())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<T, E> {
        T::try_from(i128::from(value)).map_err(|_| E::custom(format!("{value} is out of range")))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<T, E> {
        T::try_from(i128::from(value)).map_err(|_| E::custom(format!("{value} is out of range")))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<T, E> {
        // Some writers put every number down as a double.
        if value.fract() != 0.0 || value.abs() >= 2_f64.powi(64) {
            return Err(E::custom(format!("{value} is no whole number")));
        }
        T::try_from(value as i128).map_err(|_| E::custom(format!("{value} is out of range")))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        if text.is_empty() {
            return Ok(T::default());
        }
        let value: i128 = text.parse().map_err(|_| E::custom(format!("{text:?} is no whole number")))?;
        T::try_from(value).map_err(|_| E::custom(format!("{value} is out of range")))
    }

    fn visit_unit<E: Error>(self) -> Result<T, E> {
        Ok(T::default())
    }
}

/// Hex digits of an id; empty is the id of nothing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Id<const N: usize>(pub(super) [u8; N]);

impl<const N: usize> Default for Id<N> {
    fn default() -> Self {
        Self([0; N])
    }
}

impl<'de, const N: usize> Deserialize<'de> for Id<N> {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_str(IdVisitor)
    }
}

struct IdVisitor<const N: usize>;

impl<const N: usize> Visitor<'_> for IdVisitor<N> {
    type Value = Id<N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if N == 16 { "trace id" } else { "span id" };
        write!(f, "a {name} of {} hex digits", 2 * N)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Id<N>, E> {
        let mut id = Id::default();
        if text.is_empty() {
            return Ok(id);
        }
        let wrong = || E::invalid_value(serde::de::Unexpected::Str(text), &IdVisitor::<N>);
        if text.len() != 2 * N {
            return Err(wrong());
        }
        for (byte, pair) in id.0.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let digit = |digit: u8| char::from(digit).to_digit(16);
            let (Some(high), Some(low)) = (digit(pair[0]), digit(pair[1])) else { return Err(wrong()) };
            *byte = (high << 4 | low) as u8;
        }
        Ok(id)
    }
}

/// A span's kind: OTLP's number, or its name there, as in `SPAN_KIND_PRODUCER`.
pub(super) fn kind<'de, D: Deserializer<'de>>(d: D) -> Result<SpanKind, D::Error> {
    match NumberOrName::deserialize(d)? {
        NumberOrName::Number(number) => Ok(SpanKind::from_number(number)),
        NumberOrName::Name(name) => {
            let word = name.trim_start_matches("SPAN_KIND_").to_ascii_lowercase();
            word.parse().map_err(|()| D::Error::custom(format!("{name:?} is no kind of span")))
        }
    }
}

/// A status code: OTLP's number, or its name there, as in `STATUS_CODE_ERROR`.
pub(super) fn status_code<'de, D: Deserializer<'de>>(d: D) -> Result<i64, D::Error> {
    match NumberOrName::deserialize(d)? {
        NumberOrName::Number(number) => Ok(number),
        NumberOrName::Name(name) => match name.trim_start_matches("STATUS_CODE_") {
            "UNSET" => Ok(0),
            "OK" => Ok(1),
            "ERROR" => Ok(2),
            _ => Err(D::Error::custom(format!("{name:?} is no status code"))),
        },
    }
}

enum NumberOrName {
    Number(i64),
    Name(String),
}

impl<'de> Deserialize<'de> for NumberOrName {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = NumberOrName;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the number or the name of an enumeration")
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<NumberOrName, E> {
                Ok(NumberOrName::Number(i64::try_from(value).unwrap_or(i64::MAX)))
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<NumberOrName, E> {
                Ok(NumberOrName::Number(value))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<NumberOrName, E> {
                Ok(text.parse().map_or_else(|_| NumberOrName::Name(text.to_owned()), NumberOrName::Number))
            }
            fn visit_unit<E: Error>(self) -> Result<NumberOrName, E> {
                Ok(NumberOrName::Number(0))
            }
        }
        d.deserialize_any(Either)
    }
}
