//! Handoff records become spans and metrics.

pub mod record;
