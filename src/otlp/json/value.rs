//! Attributes and their values, in and out.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::field::or_default;
use crate::model::{AttributeValue, Attributes};

// Protobuf's JSON mapping reads base64 with and without padding, in both alphabets.
const PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, PADDING);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, PADDING);

/// The list of key and value that OTLP writes attributes as.
pub(super) fn attributes<'de, D: Deserializer<'de>>(d: D) -> Result<Attributes, D::Error> {
    let pairs: Vec<KeyValue> = or_default(d)?;
    Ok(pairs.into_iter().map(|pair| (pair.key, pair.value.0)).collect())
}

#[derive(serde::Deserialize)]
struct KeyValue {
    key: String,
    #[serde(default, deserialize_with = "or_default")]
    value: Value,
}

#[derive(Default)]
struct Value(AttributeValue);

#[derive(Default, serde::Deserialize)]
struct Values {
    #[serde(default, deserialize_with = "or_default")]
    values: Vec<Value>,
}

#[derive(Default, serde::Deserialize)]
struct KeyValues {
    #[serde(default, deserialize_with = "attributes")]
    values: Attributes,
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_map(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value such as {\"stringValue\":\"text\"}")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Value, M::Error> {
        let mut value = AttributeValue::Empty;
        while let Some(field) = map.next_key::<Cow<'_, str>>()? {
            value = match &*field {
                "stringValue" | "string_value" => map.next_value::<Option<String>>()?.map(AttributeValue::Text),
                "boolValue" | "bool_value" => map.next_value::<Option<bool>>()?.map(AttributeValue::Bool),
                "intValue" | "int_value" => Some(AttributeValue::Int(map.next_value::<Int>()?.0)),
                "doubleValue" | "double_value" => Some(AttributeValue::Double(map.next_value::<Double>()?.0)),
                "arrayValue" | "array_value" => map
                    .next_value::<Option<Values>>()?
                    .map(|list| AttributeValue::List(list.values.into_iter().map(|value| value.0).collect())),
                "kvlistValue" | "kvlist_value" => {
                    map.next_value::<Option<KeyValues>>()?.map(|list| AttributeValue::Map(list.values))
                }
                "bytesValue" | "bytes_value" => map.next_value::<Option<Base64>>()?.map(|b| AttributeValue::Bytes(b.0)),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            }
            .unwrap_or_default();
        }
        Ok(Value(value))
    }
}

#[derive(serde::Deserialize)]
struct Int(#[serde(deserialize_with = "super::field::whole")] i64);

struct Double(f64);

impl<'de> Deserialize<'de> for Double {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = f64;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or one as text")
            }
            fn visit_u64<E: Error>(self, value: u64) -> Result<f64, E> {
                Ok(value as f64)
            }
            fn visit_i64<E: Error>(self, value: i64) -> Result<f64, E> {
                Ok(value as f64)
            }
            fn visit_f64<E: Error>(self, value: f64) -> Result<f64, E> {
                Ok(value)
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<f64, E> {
                // Rust reads `NaN`, `Infinity` and `-Infinity`, which are how JSON has to say these.
                text.parse().map_err(|_| E::custom(format!("{text:?} is no number")))
            }
        }
        d.deserialize_any(Number).map(Self)
    }
}

struct Base64(Vec<u8>);

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <Cow<'_, str>>::deserialize(d)?;
        let bytes = STANDARD.decode(text.as_bytes()).or_else(|_| URL_SAFE.decode(text.as_bytes()));
        bytes.map(Self).map_err(|error| D::Error::custom(format!("bytesValue is no base64: {error}")))
    }
}

/// Attributes as OTLP writes them.
pub(super) fn write_attributes<S: Serializer>(attributes: &Attributes, s: S) -> Result<S::Ok, S::Error> {
    s.collect_seq(attributes.iter().map(|(key, value)| KeyValueOut { key, value: ValueOut(value) }))
}

#[derive(serde::Serialize)]
struct KeyValueOut<'a> {
    key: &'a str,
    value: ValueOut<'a>,
}

struct ValueOut<'a>(&'a AttributeValue);

#[derive(serde::Serialize)]
struct ListOut<'a> {
    values: Vec<ValueOut<'a>>,
}

#[derive(serde::Serialize)]
struct MapOut<'a> {
    #[serde(serialize_with = "write_attributes")]
    values: &'a Attributes,
}

impl Serialize for ValueOut<'_> {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(None)?;
        match self.0 {
            AttributeValue::Empty => {}
            AttributeValue::Text(text) => map.serialize_entry("stringValue", text)?,
            AttributeValue::Bool(value) => map.serialize_entry("boolValue", value)?,
            AttributeValue::Int(value) => map.serialize_entry("intValue", &value.to_string())?,
            AttributeValue::Double(value) if value.is_finite() => map.serialize_entry("doubleValue", value)?,
            AttributeValue::Double(value) => {
                let word = if value.is_nan() {
                    "NaN"
                } else if *value > 0.0 {
                    "Infinity"
                } else {
                    "-Infinity"
                };
                map.serialize_entry("doubleValue", word)?;
            }
            AttributeValue::List(values) => {
                map.serialize_entry("arrayValue", &ListOut { values: values.iter().map(ValueOut).collect() })?;
            }
            AttributeValue::Map(values) => map.serialize_entry("kvlistValue", &MapOut { values })?,
            AttributeValue::Bytes(bytes) => map.serialize_entry("bytesValue", &STANDARD.encode(bytes))?,
        }
        map.end()
    }
}
