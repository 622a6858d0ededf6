//! From the spans of one workflow to the handoff that broke.
//!
//! ```
//! use wilco::diagnose::{Status, Workflow};
//! let line = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[
//!     {"traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331","name":"handoff writer","kind":4,
//!      "attributes":[{"key":"wilco.handoff.id","value":{"stringValue":"019ca8d7-3636-78c7-9041-aadd07892eb8"}},
//!                    {"key":"wilco.handoff.from","value":{"stringValue":"planner"}},
//!                    {"key":"wilco.handoff.to","value":{"stringValue":"writer"}},
//!                    {"key":"wilco.rung","value":{"stringValue":"sent"}}],
//!      "status":{"code":2,"message":"no responders"}}]}]}]}"#;
//! let [workflow] = Workflow::group(wilco::otlp::from_json(line)?).try_into().expect("one workflow");
//! let diagnosis = workflow.diagnose();
//! assert_eq!(diagnosis.status, Status::Failure);
//! assert!(diagnosis.sentence().starts_with("undelivered at boundary writer<-planner"));
//! # Ok::<(), wilco::otlp::OtlpError>(())
//! ```
//!
//! Pure: no clock, no I/O. [`Workflow`] holds spans of any origin; [`Graph`] joins them into handoffs; [`find_failure`]
//! weighs the evidence. How, and where it is weak, is told on the page on [diagnosis](crate::docs::diagnosis).

mod causality;
mod confidence;
mod diagnosis;
mod find;
mod finding;
mod graph;
mod handoff;
mod join;
mod lead;
mod outline;
mod owed;
mod ranking;
mod reading;
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
pub use outline::Outline;
pub use owed::{Owed, Records};
pub use sides::{Attempt, Delivery};
pub use workflow::Workflow;
