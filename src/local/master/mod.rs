//! The embedded master, without IO: frameworks, offers, tasks, and the scheduler API's calls.
//!
//! `subscribe`, `call`, `operator_call`, `disconnected`, `handle_agent` and `handle_timeout` take in what happened at `now`;
//! `poll_output` gives out what to do, `poll_timeout` when to come back. Follows `src/master/master.cpp`.

mod accept;
mod agents;
mod calls;
mod config;
mod draining;
mod executors;
mod framework;
mod inverse_offers;
mod maintenance;
mod metrics;
mod offers;
mod operations;
mod operator;
pub mod parts;
mod placed;
mod quota;
mod reconcile;
mod reregistration;
pub mod resource_rules;
mod role_views;
mod seen;
mod shown;
mod state;
mod tally;
mod tasks;
mod validation;
mod weights;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;
use std::time::Instant;

use super::allocator::{self, Quota, Was, Watched};
use super::messages::{ConnectionId, ToAgent, ToMaster, is_terminal};
use super::resources::Resources;
use super::timers::Timers;
use super::world::{WallClock, World};
use crate::proto::v1;
use crate::proto::v1::scheduler::{Event, event};
use crate::wire::duration::Period;

use agents::Absent;
pub use agents::AgentRecord;
pub use config::{ALLOCATION_INTERVAL, Config, MAX_COMPLETED_FRAMEWORKS, MAX_COMPLETED_TASKS};
pub use framework::Framework;
use inverse_offers::InverseOffers;
pub use operator::{Done, validate as validate_operator};
pub use shown::Shown;
pub use state::TaskFilter;
pub use validation::{OfFramework, Request, call as validate};

/// `DEFAULT_HEARTBEAT_INTERVAL` in `src/master/constants.hpp`.
const HEARTBEAT_INTERVAL: Period = Period::from_secs(15);
/// AGENT_UPDATE, AGENT_DRAINING and QUOTA_V2, which v1 has no name for (`MASTER_CAPABILITIES`).
const MASTER_CAPABILITIES: [i32; 3] = [1, 2, 3];
const MASTER_CAPABILITY_NAMES: [&str; 3] = ["AGENT_UPDATE", "AGENT_DRAINING", "QUOTA_V2"];
/// The version of Mesos whose behaviour this follows.
pub const MESOS_VERSION: &str = "1.11.0";

/// What to do.
#[derive(Debug)]
pub enum Output {
    /// Send this event on the stream.
    Send(ConnectionId, Box<Event>),
    /// End the stream.
    Close(ConnectionId),
    /// Send this event of the operator API on these streams.
    Publish(Vec<ConnectionId>, Box<v1::master::Event>),
    /// Tell the agent.
    Tell(String, ToAgent),
    /// Note that something happened to a framework, an agent or the master itself.
    Noted { kind: &'static str, framework_id: Option<String>, agent_id: Option<String> },
}

/// Resources on their way to a framework.
#[derive(Debug, Clone)]
pub struct OfferRecord {
    pub framework_id: String,
    pub agent_id: String,
    pub role: String,
    pub resources: Resources,
}

/// The state machine.
#[derive(Debug)]
pub struct Master {
    config: Config,
    id: String,
    start_time: f64,
    counters: metrics::Counters,
    agents: BTreeMap<String, AgentRecord>,
    frameworks: BTreeMap<String, Framework>,
    /// When something is to be done for a framework.
    timers: Timers<String>,
    /// The frameworks that subscribed on streams that have not ended.
    streams: HashMap<ConnectionId, String>,
    completed: VecDeque<Framework>,
    /// The ids of frameworks that were removed by a reset.
    removed: BTreeSet<String>,
    offers: placed::Offers,
    /// When which offers are rescinded, in this order; some are answered already.
    expiring: VecDeque<(Instant, String)>,
    absent: Absent,
    /// When agents that answer no pings are unreachable.
    silent: BTreeMap<String, Instant>,
    /// When disconnected agents that have not registered again are unreachable.
    disconnected: BTreeMap<String, Instant>,
    schedule: v1::maintenance::Schedule,
    /// Machines of the schedule that are down.
    down: Vec<v1::MachineId>,
    /// The weights of roles that were set.
    weights: BTreeMap<String, f64>,
    /// The quotas of roles that were set; they may have been set to none.
    quotas: BTreeMap<String, Quota>,
    next_framework: u64,
    next_agent: u64,
    inverse_offers: InverseOffers,
    next_offer: u64,
    allocator: Watched,
    subscribers: operator::Subscribers,
    world: World,
    outputs: VecDeque<Output>,
}

impl Master {
    /// A master without agents and frameworks, which starts at `now`.
    pub fn new(now: Instant, config: Config, mut world: World) -> Self {
        let options = allocator::Options {
            interval: config.allocation_interval,
            on_recovery: config.allocate_on_recovery,
            min_allocatable: config.min_allocatable_resources.clone(),
            weights: config.weights.clone(),
            filter_gpus: config.filter_gpu_resources,
            domain: config.domain.clone(),
        };
        let weights = options.weights.clone();
        let allocator = Watched::new(options, world.random.u64(..));
        Self {
            config,
            id: world.uuid().to_string(),
            start_time: world.timestamp(now),
            counters: metrics::Counters::default(),
            agents: BTreeMap::new(),
            frameworks: BTreeMap::new(),
            timers: Timers::default(),
            streams: HashMap::new(),
            completed: VecDeque::new(),
            removed: BTreeSet::new(),
            offers: placed::Offers::default(),
            expiring: VecDeque::new(),
            absent: Absent::default(),
            silent: BTreeMap::new(),
            disconnected: BTreeMap::new(),
            schedule: v1::maintenance::Schedule::default(),
            down: Vec::new(),
            weights,
            quotas: BTreeMap::new(),
            next_framework: 0,
            next_agent: 0,
            inverse_offers: InverseOffers::default(),
            next_offer: 0,
            allocator,
            subscribers: operator::Subscribers::default(),
            world,
            outputs: VecDeque::new(),
        }
    }

    /// The master's id, which is the first part of the ids that it gives.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Takes an agent in. Its resources are on offer from now on.
    pub fn add_agent(&mut self, now: Instant, info: v1::AgentInfo, total: Resources, path: String) {
        let id = info.id.clone().unwrap_or_default().value;
        self.counters.count("master/messages_register_slave");
        self.counters.count("master/messages_update_slave");
        self.counters.count("master/slave_registrations");
        let registered_time = self.world.timestamp(now);
        self.allocator.add_agent(now, &id, info.clone(), total.clone());
        if self.unavailability(&info.hostname).is_some() {
            self.allocator.set_maintenance(now, &id, true);
        }
        let record = AgentRecord {
            info,
            total,
            path,
            registered_time,
            reregistered_time: None,
            drain_started: None,
            deactivated: false,
            drain: None,
            connected: true,
            pinged_since: now,
            killed: BTreeSet::new(),
        };
        self.note_of_agent("agent_added", &id);
        self.agents.insert(id.clone(), record);
        self.publish_agent_added(&id);
    }

    /// Sets the wall clock.
    pub fn set_clock(&mut self, clock: WallClock) {
        self.world.clock = clock;
    }

    /// The next thing to do, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call `handle_timeout` at the latest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let offers = self.expiring.front().map(|(due, _)| *due);
        let agents = self.next_unreachable();
        let subscribers = self.subscribers.poll_timeout();
        let all = self.timers.first().into_iter().chain(offers).chain(agents).chain(subscribers);
        all.chain(self.allocator.poll_timeout()).min()
    }

    /// Does what is due: heartbeats, removals of frameworks that did not come back, allocations.
    pub fn handle_timeout(&mut self, now: Instant) {
        let due = self.timers.due(now);
        due.iter().for_each(|id| self.send_heartbeat(now, id));
        self.subscribers.handle_timeout(now, &mut self.outputs);
        let is_gone = |id: &&String| self.frameworks.get(*id).is_some_and(|framework| framework.is_gone(now));
        let gone: Vec<&String> = due.iter().filter(is_gone).collect();
        gone.into_iter().for_each(|id| self.remove_framework(now, id));
        self.find_unreachable(now);
        while let Some((_, offer_id)) = self.expiring.front().filter(|(due, _)| *due <= now) {
            let offer_id = offer_id.clone();
            self.expiring.pop_front();
            self.rescind(&offer_id);
        }
        self.make_offers(now);
    }

    fn send_heartbeat(&mut self, now: Instant, framework_id: &str) {
        let connection = self.frameworks.get_mut(framework_id).and_then(|framework| framework.connection.as_mut());
        if let Some(connection) = connection.filter(|connection| connection.next_heartbeat <= now) {
            connection.next_heartbeat = now + HEARTBEAT_INTERVAL;
            self.send(framework_id, heartbeat());
        }
        self.set_timer(framework_id);
    }

    /// Notes when something is to be done next for a framework that has changed.
    fn set_timer(&mut self, framework_id: &str) {
        let due = self.frameworks.get(framework_id).and_then(Framework::poll_timeout);
        self.timers.set(&framework_id.to_owned(), due);
    }

    /// Takes in what an agent says.
    pub fn handle_agent(&mut self, now: Instant, message: ToMaster) {
        let (framework_id, status, latest_state) = match message {
            ToMaster::StatusUpdate { framework_id, status, latest_state } => (framework_id, status, latest_state),
            ToMaster::ExitedExecutor { framework_id, executor_id, agent_id, status } => {
                return self.executor_exited(now, &framework_id, executor_id, agent_id, status);
            }
            ToMaster::OperationStatus { framework_id, uuid, status } => {
                self.counters.count("master/messages_operation_status_update");
                self.counters.count("master/valid_operation_status_updates");
                return self.operation_updated(&framework_id, &uuid, *status);
            }
            ToMaster::Message { framework_id, executor_id, agent_id, data } => {
                self.counters.count("master/messages_executor_to_framework");
                let connected = self.frameworks.get(&framework_id).is_some_and(|known| known.connection.is_some());
                self.counters.count(match connected {
                    true => "master/valid_executor_to_framework_messages",
                    false => "master/invalid_executor_to_framework_messages",
                });
                let agent_id = v1::AgentId { value: agent_id };
                let executor_id = v1::ExecutorId { value: executor_id };
                let message = Some(event::Message { agent_id, executor_id, data });
                return self.send(&framework_id, Event { message, ..Event::of(event::Type::Message) });
            }
            ToMaster::Reregister(agent) => return self.reregister(now, *agent),
            ToMaster::Unregister { agent_id } => return self.unregister(now, &agent_id),
        };
        self.counters.count("master/messages_status_update");
        if status.agent_id.as_ref().is_some_and(|agent| !self.agents.contains_key(&agent.value)) {
            // It was on its way when the agent was removed.
            return self.counters.count("master/invalid_status_updates");
        }
        self.counters.count("master/valid_status_updates");
        let Some(framework) = self.frameworks.get_mut(&framework_id) else {
            return;
        };
        if let Some(task) = framework.tasks.get_mut(&status.task_id.value) {
            let (released, was_over) = (task.released, is_terminal(task.state));
            if task.update(&status, latest_state) {
                let latest = task.latest;
                self.subscribers.publish(&mut self.outputs, || operator::task_updated(&framework_id, &status, latest));
            }
            if is_terminal(task.state) && !was_over {
                self.counters.count_end(&status);
                framework.tally.ended(task.state);
            }
            if task.released && !released {
                self.allocator.recover(&framework_id, &task.agent_id, &task.role, &task.resources, Was::Used);
            }
            // Not before the framework is told of the end, even if its resources are free already.
            if is_terminal(status.state()) {
                self.allocator.given_back(now, &task.agent_id);
            }
        }
        self.send_update(&framework_id, *status);
    }

    fn executor_exited(
        &mut self,
        now: Instant,
        framework_id: &str,
        executor_id: String,
        agent_id: String,
        status: i32,
    ) {
        self.counters.count("master/messages_exited_executor");
        let executors = self.frameworks.get_mut(framework_id).map(|framework| &mut framework.executors);
        if let Some(ended) = executors.and_then(|all| all.remove(&(agent_id.clone(), executor_id.clone()))) {
            self.allocator.recover(framework_id, &agent_id, &ended.role, &ended.resources, Was::Used);
            self.allocator.given_back(now, &agent_id);
        }
        let failure = event::Failure {
            agent_id: Some(v1::AgentId { value: agent_id }),
            executor_id: Some(v1::ExecutorId { value: executor_id }),
            status: Some(status),
        };
        self.send(framework_id, Event { failure: Some(failure), ..Event::of(event::Type::Failure) });
    }

    /// The stream ended: offers go back, and the framework is removed after its failover timeout.
    pub fn disconnected(&mut self, now: Instant, connection: ConnectionId) {
        let Some(id) = self.streams.remove(&connection) else { return };
        // It may have another stream already.
        let is_its = |framework: &&mut Framework| framework.connection.as_ref().is_some_and(|c| c.id == connection);
        let Some(framework) = self.frameworks.get_mut(&id).filter(is_its) else { return };
        tracing::info!("Framework {id} disconnected");
        framework.disconnect(now);
        self.set_timer(&id);
        self.allocator.deactivate_framework(&id);
        self.discard_offers(&id);
        self.handle_timeout(now);
    }

    /// Every framework that is known, the completed ones last.
    pub fn frameworks(&self) -> impl Iterator<Item = &Framework> {
        self.frameworks.values().chain(&self.completed)
    }

    /// Removes a framework: its tasks are killed and no one is told.
    pub fn remove_framework(&mut self, now: Instant, id: &str) {
        let Some(mut framework) = self.frameworks.remove(id) else {
            return;
        };
        tracing::info!("Removing framework {id}");
        self.set_timer(id);
        self.note_of_framework("framework_removed", id);
        self.discard_offers(id);
        for status in framework.complete(self.world.timestamp(now), self.config.max_completed_tasks_per_framework) {
            self.publish_task_updated(id, &status, status.state());
        }
        self.tell_agents(&ToAgent::ShutdownFramework { framework_id: id.to_owned() });
        if let Some(connection) = framework.connection.take() {
            self.outputs.push_back(Output::Close(connection.id));
        }
        self.subscribers.publish(&mut self.outputs, || operator::framework_removed(&framework));
        framework.tally.suppressed(self.allocator.suppressed(id));
        self.completed.push_back(framework);
        if self.completed.len() > self.config.max_completed_frameworks {
            self.completed.pop_front();
        }
        self.allocator.remove_framework(id);
    }

    fn tell_agents(&mut self, message: &ToAgent) {
        for agent_id in self.agents.keys() {
            self.outputs.push_back(Output::Tell(agent_id.clone(), message.clone()));
        }
    }

    fn used(&self, agent_id: &str) -> Resources {
        self.allocator.used(agent_id)
    }

    fn offered(&self, agent_id: &str) -> Resources {
        self.allocator.offered(agent_id)
    }

    fn send(&mut self, framework_id: &str, event: Event) {
        let Some(framework) = self.frameworks.get_mut(framework_id) else { return };
        if let Some(connection) = &framework.connection {
            let id = connection.id;
            framework.tally.event(&event);
            self.send_to(id, event);
        }
    }

    fn send_to(&mut self, connection: ConnectionId, event: Event) {
        self.outputs.push_back(Output::Send(connection, Box::new(event)));
    }

    fn send_update(&mut self, framework_id: &str, mut status: v1::TaskStatus) {
        self.counters.count_made_up(&status);
        let Some(framework) = self.frameworks.get(framework_id) else {
            return;
        };
        // What an executor says is passed on as it is.
        let own = status.source() != v1::task_status::Source::Executor;
        if own && !framework.has(v1::framework_info::capability::Type::PartitionAware) {
            status.state = before_partitions(status.state()).into();
        }
        let update = Some(event::Update { status });
        self.send(framework_id, Event { update, ..Event::of(event::Type::Update) });
    }

    fn master_info(&self) -> v1::MasterInfo {
        let address = self.config.address;
        // There are no numbers for those of IPv6; `address` has these.
        let number = match address.ip() {
            IpAddr::V4(ip) => u32::from_le_bytes(ip.octets()),
            IpAddr::V6(_) => 0,
        };
        v1::MasterInfo {
            id: self.id.clone(),
            ip: number,
            port: address.port().into(),
            pid: Some(self.pid()),
            hostname: Some(self.config.hostname.clone()),
            version: Some(MESOS_VERSION.to_owned()),
            domain: self.config.domain.clone(),
            address: Some(v1::Address {
                hostname: Some(self.config.hostname.clone()),
                ip: Some(address.ip().to_string()),
                port: address.port().into(),
            }),
            capabilities: MASTER_CAPABILITIES
                .map(|number| v1::master_info::Capability { r#type: Some(number) })
                .to_vec(),
        }
    }

    fn pid(&self) -> String {
        format!("master@{}", self.config.address)
    }
}

fn heartbeat() -> Event {
    Event::of(event::Type::Heartbeat)
}

/// Frameworks without PARTITION_AWARE know only TASK_LOST for all of these.
fn before_partitions(state: v1::TaskState) -> v1::TaskState {
    use v1::TaskState::*;
    match state {
        TaskDropped | TaskUnreachable | TaskGone | TaskGoneByOperator | TaskUnknown => TaskLost,
        other => other,
    }
}

#[cfg(test)]
mod tests;
