//! What is worth knowing beyond the reference, one page a module.
//!
//! | page | for whom |
//! |---|---|
//! | [`start`] | who begins: from zero to a root cause in five minutes, in Rust, Python and TypeScript |
//! | [`operate`] | who puts the proxy in front of a NATS that is in use: addresses, TLS, cost, opting out |
//! | [`backends`] | who has Jaeger, Tempo, Phoenix or Datadog |
//! | [`scaling`] | who has more: several proxies, the store's limits, what comes after |
//! | [`security`] | who has to let it in |
//! | [`troubleshooting`] | who sees nothing, or something odd |
//! | [`architecture`] | who wants to change something: the map, the life of a handoff, what must stay true and which test says so |
//! | [`proxy`] | who wants to trace agents that know nothing of Wilco |
//! | [`design`] | who wonders why: decisions, with what was measured |
//! | [`diagnosis`] | who asks how blame works, and where it is weak |
//! | [`changelog`] | who upgrades |
//!
//! The contract for other languages is with the code that keeps it: [`crate::wire::contract`]. Every kind of mismatch,
//! with an example, is at [`MismatchKind`](crate::model::MismatchKind).

// Links of a page lead to files, for those who read it as one. Here the items come first, and the first definition counts.
#[doc = "[design]: crate::docs::design"]
#[doc = ""]
#[doc = include_str!("architecture.md")]
pub mod architecture {}
#[doc = include_str!("backends.md")]
pub mod backends {}
#[doc = include_str!("changelog.md")]
pub mod changelog {}
#[doc = "[find_failure]: crate::diagnose::find_failure"]
#[doc = ""]
#[doc = include_str!("diagnosis.md")]
pub mod diagnosis {}
#[doc = "[telemetry]: crate::telemetry"]
#[doc = ""]
#[doc = include_str!("design.md")]
pub mod design {}
#[doc = "[proxy]: crate::docs::proxy"]
#[doc = ""]
#[doc = include_str!("operate.md")]
pub mod operate {}
#[doc = include_str!("proxy.md")]
pub mod proxy {}
#[doc = include_str!("scaling.md")]
pub mod scaling {}
#[doc = include_str!("security.md")]
pub mod security {}
#[doc = "[kinds]: crate::model::MismatchKind"]
#[doc = "[operate]: crate::docs::operate"]
#[doc = "[backends]: crate::docs::backends"]
#[doc = "[troubleshooting]: crate::docs::troubleshooting"]
#[doc = ""]
#[doc = include_str!("start.md")]
pub mod start {}
#[doc = "[scaling]: crate::docs::scaling"]
#[doc = ""]
#[doc = include_str!("troubleshooting.md")]
pub mod troubleshooting {}

// So that the program in the README compiles.
#[cfg(all(doctest, feature = "channel"))]
#[doc = include_str!("../../README.md")]
mod readme {}
