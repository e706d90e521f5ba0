//! The client's only IO: connections, clocks, threads. Runs a [`crate::session`] and finds the master for it.
//!
//! Knows nothing of Python and nothing of the embedded cluster.

mod auth;
mod calls;
pub mod detector;
mod executor;
mod handle;
mod queue;
mod run;
mod runtime;
mod scheduler;
mod tls;
mod transport;

pub use auth::Credential;
pub use executor::{Environment, ExecutorDriver};
pub use handle::{Handle, Status};
pub use queue::CallbackQueue;
pub use runtime::later;
pub use scheduler::{Options, SchedulerDriver};
