//! The embedded cluster: a master, its agents and a web page, in one process, on a loopback port.
//!
//! Master, allocator and agents are state machines without IO (`master`, `allocator`, `agent`); `cluster` runs
//! them on one thread, `backend` runs containers and ends them however this process ends, `server` speaks HTTP. A driver, curl, a browser and a test all meet the same protocol. It is for one machine.
// Almost every number in here comes from a framework, and one framework must not end the cluster of all.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod agent;
mod allocator;
pub(crate) mod backend;
mod cluster;
mod failures;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
mod host;
mod ids;
mod keep;
#[doc(hidden)]
pub mod load;
mod master;
mod messages;
mod metrics;
mod options;
mod queue;
mod refusal;
mod resources;
mod roles;
mod script;
mod server;
mod show;
#[doc(hidden)]
pub mod simulation;
#[doc(hidden)]
pub mod study;
pub(crate) mod task;
mod timers;
mod token;
mod work_dir;
mod world;

pub use agent::executor::launch::PATH as AGENT_PATH;
pub use backend::{Exit, Run, Simulate};
pub use cluster::LocalCluster;
#[doc(hidden)]
pub use cluster::machine::Machine;
#[doc(hidden)]
pub use cluster::network::UpdateFaults;
/// What is shown of a cluster.
pub mod view {
    pub use super::cluster::history::{Record, Subject};
    pub use super::cluster::view::{AgentView, FrameworkView, OfferView, Overview, TaskKey, TaskView};
    pub use super::cluster::waiting::Waited;
}
pub use options::{AgentOptions, Options, ip};
pub use resources::{Declared, Resources};
pub use script::Script;
pub use token::Token;
