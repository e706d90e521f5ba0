//! The core of remesos: the classic Apache Mesos framework API over the v1 HTTP API, and an embedded cluster.
//!
//! # Layout
//!
//! - [`proto`]: Mesos 1.11.0's messages, compiled from `proto/`, and their descriptors.
//! - [`error`]: the one error type.
//! - [`environment`]: variables, of which only those that are read have to be text.
//! - `clock`: the one place that asks for the time, and for randomness.
//! - `per_process`: what a forked child begins anew.
//! - `runtime`: makes Tokio's runtimes.
//! - [`wire`]: bytes only. RecordIO framing, events and calls, JSON bodies.
//! - [`session`]: the protocol as a state machine without sockets or clocks: inputs with `now` go in, outputs come out.
//! - [`driver`]: the client's only IO. Runs a scheduler's or an executor's session over connections, finds the master.
//! - [`local`]: the embedded cluster: master, allocator, agents, web page, over loopback HTTP.
//! - [`command_executor`]: the program `mesos-executor`, made of `driver` and of `local`'s tasks.
//! - `python`: the only PyO3, behind the feature `python`.
//!
//! Arrows run one way: `python -> driver -> session -> wire -> proto`, and `local -> wire, proto`. `python` and
//! `command_executor` also use `local`, to start clusters and to run tasks. `tests/rust/layers.rs` holds this.
//!
//! # How a message travels
//!
//! In: socket bytes, [`wire::recordio`], [`wire::scheduler::event`], [`session::Session::handle_notice`],
//! [`session::Session::poll_output`], [`driver::Delivery`], the framework's callback, and back as an acknowledgement. Out:
//! a driver call's bytes, [`wire::scheduler::call`], [`session::Session::handle_request`], and if subscribed
//! [`session::Output::Transmit`], an ordered POST. `ARCHITECTURE.md` walks through both.

mod clock;
pub mod command_executor;
pub mod driver;
pub mod environment;
pub mod error;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
#[cfg_attr(test, allow(clippy::disallowed_methods, reason = "tests begin when they are run"))]
pub mod local;
mod per_process;
pub mod proto;
#[cfg(feature = "python")]
mod python;
mod runtime;
pub mod session;
pub mod wire;

pub use error::{Error, Result};
