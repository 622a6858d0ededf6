//! Every span of a workflow as a bar, below the span that it belongs to.

mod draw;
mod tree;

pub(in crate::server::pages) use draw::{attributes, draw};
pub(super) use tree::{View, Waterfall};
