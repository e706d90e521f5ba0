//! The client's only IO: connections, clocks, threads. Runs a [`crate::session`] and finds the master for it.
//!
//! Knows nothing of Python and nothing of the embedded cluster.

mod auth;
mod calls;
pub mod detector;
mod handle;
mod queue;
mod quiet_socket;
mod run;
mod runtime;
mod tls;
mod transport;

pub use auth::Credential;
pub use handle::{Options, SchedulerDriver, Status};
pub use queue::CallbackQueue;
