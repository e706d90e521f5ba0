//! How a master is set up, and what holds unless something else is said. Follows `src/master/constants.hpp`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::local::allocator::Quantities;
use crate::proto::v1;
use crate::wire::duration::Period;

/// `DEFAULT_ALLOCATION_INTERVAL`.
pub const ALLOCATION_INTERVAL: Period = Period::from_secs(1);
/// Leftovers below both of these are not offered (`MIN_CPUS`, `MIN_MEM`).
const MIN_CPUS: f64 = 0.01;
const MIN_MEM: f64 = 32.0;
/// `DEFAULT_MAX_COMPLETED_FRAMEWORKS`.
pub const MAX_COMPLETED_FRAMEWORKS: usize = 50;
/// `DEFAULT_MAX_COMPLETED_TASKS_PER_FRAMEWORK`.
pub const MAX_COMPLETED_TASKS: usize = 1000;

/// `DEFAULT_AGENT_PING_TIMEOUT`, `DEFAULT_MAX_AGENT_PING_TIMEOUTS` and `MIN_AGENT_REREGISTER_TIMEOUT`.
const AGENT_PING_TIMEOUT: Period = Period::from_secs(15);
const MAX_AGENT_PING_TIMEOUTS: u32 = 5;
const AGENT_REREGISTER_TIMEOUT: Period = Period::from_secs(600);

/// Where and how the master runs.
#[derive(Debug, Clone)]
pub struct Config {
    pub hostname: String,
    /// Where this machine reaches it.
    pub address: SocketAddr,
    /// Between batch allocations, `MESOS_ALLOCATION_INTERVAL`.
    pub allocation_interval: Period,
    /// Whether what tasks give back is offered at once, not with the next batch.
    pub allocate_on_recovery: bool,
    /// An offer has at least one of these, `MESOS_MIN_ALLOCATABLE_RESOURCES`; none: any offer will do.
    pub min_allocatable_resources: Vec<Quantities>,
    /// How long an offer stands before it is rescinded, `MESOS_OFFER_TIMEOUT`; without, as long as it is not answered.
    pub offer_timeout: Option<Period>,
    /// What shares are divided by, by role, `MESOS_WEIGHTS`.
    pub weights: BTreeMap<String, f64>,
    /// Whether agents with GPUs are for frameworks with GPU_RESOURCES only, `MESOS_FILTER_GPU_RESOURCES`.
    pub filter_gpu_resources: bool,
    /// The roles that there are, `MESOS_ROLES`; without, any.
    pub roles: Option<BTreeSet<String>>,
    /// Region and zone of the master, `MESOS_DOMAIN`.
    pub domain: Option<v1::DomainInfo>,
    /// What the cluster is called, `MESOS_CLUSTER`.
    pub cluster: Option<String>,
    /// How many frameworks that are over are remembered, `MESOS_MAX_COMPLETED_FRAMEWORKS`.
    pub max_completed_frameworks: usize,
    /// How many tasks that are over are remembered of each, `MESOS_MAX_COMPLETED_TASKS_PER_FRAMEWORK`.
    pub max_completed_tasks_per_framework: usize,
    /// How long an agent may take to answer a ping, and when it is pinged again, `MESOS_AGENT_PING_TIMEOUT`.
    pub agent_ping_timeout: Period,
    /// After so many unanswered pings an agent is unreachable, `MESOS_MAX_AGENT_PING_TIMEOUTS`.
    pub max_agent_ping_timeouts: u32,
    /// How long an agent may take to register again, `MESOS_AGENT_REREGISTER_TIMEOUT`.
    pub agent_reregister_timeout: Period,
    /// What `/flags` shows.
    pub flags: BTreeMap<String, String>,
}

impl Config {
    /// A master there with the defaults of the real one.
    pub fn new(hostname: String, address: SocketAddr) -> Self {
        Self {
            hostname,
            address,
            allocation_interval: ALLOCATION_INTERVAL,
            allocate_on_recovery: false,
            min_allocatable_resources: vec![Quantities::new([("cpus", MIN_CPUS)]), Quantities::new([("mem", MIN_MEM)])],
            offer_timeout: None,
            weights: BTreeMap::new(),
            filter_gpu_resources: true,
            roles: None,
            domain: None,
            cluster: None,
            max_completed_frameworks: MAX_COMPLETED_FRAMEWORKS,
            max_completed_tasks_per_framework: MAX_COMPLETED_TASKS,
            agent_ping_timeout: AGENT_PING_TIMEOUT,
            max_agent_ping_timeouts: MAX_AGENT_PING_TIMEOUTS,
            agent_reregister_timeout: AGENT_REREGISTER_TIMEOUT,
            flags: BTreeMap::new(),
        }
    }
}
