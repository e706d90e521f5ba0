//! The client's only IO: connections, clocks, threads. Runs a [`crate::session`] and finds the master for it.
//!
//! Knows nothing of Python and nothing of the embedded cluster.
#![warn(clippy::arithmetic_side_effects)]

mod auth;
mod calls;
mod commands;
mod delivery;
pub mod detector;
mod executor;
mod handle;
mod http;
pub mod operator;
mod pace;
mod queue;
mod redirect;
mod root_cause;
mod run;
pub mod runtime;
mod scheduler;
mod source;
mod status;
mod stream;
mod tls;
mod transport;

pub use auth::{Authenticate, Authentication, Credential, Header, ServiceAccount, TokenFile};
pub use delivery::{Delivery, HandedOut};
pub use executor::{Environment, ExecutorDriver};
pub use handle::Handle;
pub use scheduler::{Options, SchedulerDriver};
pub use status::Status;
pub use tls::Trust;
