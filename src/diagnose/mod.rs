//! From the spans of one workflow to the handoff that broke.

mod causality;
mod confidence;
mod diagnosis;
mod find;
mod finding;
mod graph;
mod handoff;
mod join;
mod owed;
mod ranking;
mod rules;
mod sentence;
mod sides;
mod versions;
mod view;
mod workflow;

pub use diagnosis::{Cause, Diagnosis, Failure, Status};
pub use find::find_failure;
pub use graph::Graph;
pub use handoff::Handoff;
pub use join::Join;
pub use owed::{Owed, Records};
pub use sides::{Attempt, Delivery};
pub use workflow::Workflow;
