//! Heights of the chart, in pixels.

/// Above the first event.
pub(super) const TOP: u32 = 26;
/// Below the last one.
pub(super) const BOTTOM: u32 = 24;
/// Before the sending of a handoff: its label stands there.
pub(super) const SENT: u32 = 30;
/// Before any other event.
pub(super) const EVENT: u32 = 13;
/// How far an arrow goes that nobody took.
pub(super) const STUB: u32 = 12;
/// Before and after a fold.
pub(super) const FOLD: u32 = 26;
/// What all waiting in the workflow may take.
pub(super) const WAITING: f64 = 400.0;
/// What one wait may take.
pub(super) const LONGEST_WAIT: u32 = 64;
/// A wait is labelled from this height on.
pub(super) const LABELLED: u32 = 18;
/// Before the first lane, for times.
pub(super) const GUTTER: f64 = 124.0;
/// The least width of a lane.
pub(super) const LANE: f64 = 150.0;
