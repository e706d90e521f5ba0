//! The embedded cluster: a master, its agents and a web page, in one process, on a loopback port.
//!
//! Master, allocator and agents are state machines without IO (`master`, `allocator`, `agent`); `cluster` runs
//! them on one thread, `containerizer` starts the processes, `reaper` ends them however this process ends,
//! `server` speaks HTTP. A driver, curl, a browser and a test all meet the same protocol. It is for one machine.
// Almost every number in here comes from a framework, and one framework must not end the cluster of all.
#![cfg_attr(not(test), warn(clippy::arithmetic_side_effects))]

mod agent;
mod allocator;
mod amounts;
mod cluster;
pub(crate) mod containerizer;
mod failures;
mod fetcher;
mod machine;
mod master;
mod messages;
mod options;
pub(crate) mod prober;
mod queue;
pub(crate) mod reaper;
mod resources;
mod roles;
mod script;
mod server;
pub(crate) mod task;
mod token;
mod work_dir;

pub use cluster::{LocalCluster, TaskView};
pub use options::{Options, ip};
pub use resources::Resources;
pub use script::Script;
pub use token::Token;
