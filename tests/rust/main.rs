//! The crate from outside.

#[path = "executor_session.rs"]
mod executor_session;
#[path = "layers.rs"]
mod layers;
#[path = "scheduler_session.rs"]
mod scheduler_session;
