//! The crate from outside.
#![expect(clippy::disallowed_methods, reason = "virtual time starts from some time")]

#[path = "examples.rs"]
mod examples;
#[path = "executor_session.rs"]
mod executor_session;
#[path = "layers.rs"]
mod layers;
#[path = "scheduler_session/mod.rs"]
mod scheduler_session;
