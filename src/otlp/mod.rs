//! Spans of any origin, read from OTLP and written back as OTLP/JSON.
//!
//! [`from_json`] reads one `ExportTraceServiceRequest` (which is also the form of a `TracesData`, and of a line that the
//! Collector's file exporter writes), `from_protobuf` the same as protobuf where the feature `otlp` is on.
//! [`to_json`] writes spans as one such line.
//!
//! Reading is forgiving where the [protocol](https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding) asks for
//! it, and where implementations differ: field names in camelCase or snake_case, 64-bit numbers as numbers or texts,
//! enumerations as numbers or names, `null` for what is not there, and unknown fields are left out.

mod error;
mod json;
pub mod limits;
#[cfg(feature = "otlp")]
mod protobuf;

pub use error::OtlpError;
pub use json::{from_json, to_json};
#[cfg(feature = "otlp")]
pub use protobuf::{from_protobuf, from_request};
