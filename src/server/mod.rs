//! OTLP in, and a JSON API over a store.
