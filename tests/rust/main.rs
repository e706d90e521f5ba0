//! The crate from outside.

#[path = "layers.rs"]
mod layers;
#[path = "scheduler_session.rs"]
mod scheduler_session;
