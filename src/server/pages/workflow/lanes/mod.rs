//! Handoffs as arrows between lanes, one lane for each agent, time downward.

mod draw;
mod fold;
mod layout;
mod size;

pub(super) use draw::{draw, legend};
pub(super) use fold::Shown;
pub(super) use layout::Chart;
