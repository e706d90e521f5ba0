//! Routes the outputs of master, agents and backends to one another, and keeps their time.

use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;

use tokio::sync::mpsc;

use super::view::TaskView;
use crate::clock::Clock;
use crate::local::agent::{self, Agent};
use crate::local::backend::{Backend, Report, Sandbox};
use crate::local::failures::Failures;
use crate::local::master::{self, Master};
use crate::local::messages::ConnectionId;
use crate::local::metrics::Metrics;
use crate::local::options::Options;
use crate::local::queue;
use crate::local::resources::{Format, Resources};
use crate::local::world::{WallClock, World};
use crate::proto::v1;
use crate::proto::v1::executor;
use crate::proto::v1::scheduler::Event;

/// Something to do on the cluster's thread.
pub type Job = Box<dyn FnOnce(&mut Machine, Instant) + Send>;

/// Master, agents and their surroundings, on the cluster's thread.
pub struct Machine {
    pub master: Master,
    pub agents: BTreeMap<String, Agent>,
    streams: HashMap<ConnectionId, queue::Sender<Event>>,
    executors: HashMap<ConnectionId, queue::Sender<executor::Event>>,
    next_connection: ConnectionId,
    backends: BTreeMap<String, Box<dyn Backend>>,
    failures: Failures,
    /// What is asked for the time.
    time: Clock,
    clock: WallClock,
}

/// What the agents of a cluster share.
pub struct Place {
    pub hostname: String,
    pub resources: Resources,
    pub address: SocketAddr,
}

impl Machine {
    /// A machine without agents, whose wall clock is that of its master.
    pub fn new(failures: Failures, master: Master, time: Clock, clock: WallClock) -> Self {
        Self {
            master,
            time,
            clock,
            agents: BTreeMap::new(),
            streams: HashMap::new(),
            executors: HashMap::new(),
            next_connection: 0,
            backends: BTreeMap::new(),
            failures,
        }
    }

    /// Opens a stream for a SUBSCRIBE, whose events go there. Returns its number.
    pub fn open_stream(&mut self, events: queue::Sender<Event>) -> ConnectionId {
        let connection = self.new_connection();
        self.streams.insert(connection, events);
        connection
    }

    /// The client has left.
    pub fn close_stream(&mut self, now: Instant, connection: ConnectionId) {
        self.streams.remove(&connection);
        self.master.disconnected(now, connection);
    }

    /// Opens a stream for an executor's SUBSCRIBE, whose events go there. Returns its number.
    pub fn open_executor_stream(&mut self, events: queue::Sender<executor::Event>) -> ConnectionId {
        let connection = self.new_connection();
        self.executors.insert(connection, events);
        connection
    }

    fn new_connection(&mut self) -> ConnectionId {
        self.next_connection = self.next_connection.saturating_add(1);
        self.next_connection
    }

    /// The executor has left its stream.
    pub fn close_executor_stream(&mut self, connection: ConnectionId) {
        self.executors.remove(&connection);
        self.agents.values_mut().for_each(|agent| agent.disconnected(connection));
    }

    /// The agent at `/slave(N)`.
    pub fn agent_at(&mut self, path: &str) -> Option<&mut Agent> {
        self.agents.values_mut().find(|agent| agent.config().path == path)
    }

    /// Adds an agent with its backend, and registers it at the master.
    pub fn add_agent(
        &mut self,
        index: u32,
        options: &Options,
        place: &Place,
        backend: impl FnOnce(&str) -> Box<dyn Backend>,
    ) {
        let id = format!("{}-S{index}", self.master.id());
        let path = format!("slave({})", index.saturating_add(1));
        let info = v1::AgentInfo {
            hostname: place.hostname.clone(),
            port: Some(place.address.port().into()),
            resources: place.resources.to_proto(&Format { reservation_refinement: true, ..Format::default() }),
            attributes: options.attributes.clone(),
            domain: options.domain.clone(),
            id: Some(v1::AgentId { value: id.clone() }),
        };
        let config = agent::Config {
            info: info.clone(),
            id: id.clone(),
            path: path.clone(),
            endpoint: place.address.to_string(),
            registration_timeout: options.executor_registration_timeout,
            shutdown_grace_period: options.executor_shutdown_grace_period,
            max_completed_executors_per_framework: options.max_completed_executors_per_framework,
            environment: options.executor_environment_variables.clone(),
            flags: options.flags_of_agent(place.address.port()),
            start_time: self.time.timestamp(),
        };
        self.master.add_agent(self.time.now(), info, place.resources.clone(), path);
        self.backends.insert(id.clone(), backend(&id));
        self.agents.insert(id, Agent::new(config, World::new(self.clock, self.time.seed())));
    }

    /// `/metrics/snapshot` of the process that master and agents share.
    pub fn metrics(&self, now: Instant) -> Metrics {
        let mut metrics = self.master.metrics(now);
        metrics.extend(agent::metrics::of(self.agents.values(), self.clock.timestamp(now)));
        metrics
    }

    /// Every task, over or not.
    pub fn tasks(&self) -> Vec<TaskView> {
        self.all_tasks().map(|(agent, executor, task)| self.view(agent, executor, task)).collect()
    }

    fn all_tasks(&self) -> impl Iterator<Item = (&Agent, &agent::Record, &agent::AgentTask)> {
        let executors = self.agents.values().flat_map(|agent| agent.executors().map(move |each| (agent, each)));
        executors.flat_map(|(agent, executor)| executor.all_tasks().map(move |task| (agent, executor, task)))
    }

    fn view(&self, agent: &Agent, executor: &agent::Record, task: &agent::AgentTask) -> TaskView {
        TaskView {
            framework: executor.framework.name.clone(),
            id: task.info.task_id.value.clone(),
            state: task.state,
            sandbox: self.files(&agent.config().id, &executor.sandbox_of(task)),
        }
    }

    fn files(&self, agent_id: &str, sandbox: &Sandbox) -> PathBuf {
        self.backends.get(agent_id).map(|backend| backend.files(sandbox)).unwrap_or_default()
    }

    /// What the agent at `/slave(N)` shows of itself.
    pub fn agent_state(&self, path: &str) -> Option<serde_json::Value> {
        let agent = self.agents.values().find(|agent| agent.config().path == path)?;
        Some(agent.state(|sandbox| self.files(&agent.config().id, sandbox)))
    }

    /// The time now. Sets the wall clocks if they are off.
    fn now(&mut self) -> Instant {
        let (now, wall) = (self.time.now(), self.time.timestamp());
        if self.clock.is_off(now, wall) {
            self.clock = WallClock::new(now, wall);
            self.master.set_clock(self.clock);
            self.agents.values_mut().for_each(|agent| agent.set_clock(self.clock));
        }
        now
    }

    /// Runs until no handle is left.
    pub async fn run(mut self, mut jobs: mpsc::UnboundedReceiver<Job>, mut reports: mpsc::UnboundedReceiver<Report>) {
        loop {
            let now = self.now();
            self.route(now);
            let deadline = self.next_timeout();
            let time = self.time.clone();
            tokio::select! {
                biased;
                job = jobs.recv() => match job {
                    Some(job) => {
                        let now = self.now();
                        job(&mut self, now);
                    }
                    None => return,
                },
                Some(report) = reports.recv() => {
                    let now = self.now();
                    self.take_report(now, report);
                }
                () = async { match deadline {
                    Some(at) => time.sleep_until(at).await,
                    None => std::future::pending().await,
                } } => {}
            }
            let now = self.now();
            self.handle_timeouts(now);
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.agents.values().filter_map(Agent::poll_timeout).chain(self.master.poll_timeout()).min()
    }

    fn handle_timeouts(&mut self, now: Instant) {
        self.master.handle_timeout(now);
        self.agents.values_mut().for_each(|agent| agent.handle_timeout(now));
    }

    fn take_report(&mut self, now: Instant, report: Report) {
        if let Some(agent) = self.agents.get_mut(&report.agent_id) {
            agent.handle_backend(now, report.event);
        }
    }

    /// The task of an agent that gave this update.
    fn reported_by(&self, status: &v1::TaskStatus) -> Option<TaskView> {
        let found = self.all_tasks().find(|(_, _, task)| task.updates.knows(status.uuid()));
        found.map(|(agent, executor, task)| self.view(agent, executor, task))
    }

    /// Carries messages until nobody has anything left to say.
    pub fn route(&mut self, now: Instant) {
        loop {
            let mut quiet = true;
            while let Some(output) = self.master.poll_output() {
                quiet = false;
                self.do_for_master(now, output);
            }
            let agents = self.agents.iter_mut();
            let outputs = agents.filter_map(|(id, agent)| Some((id.clone(), agent.poll_output()?)));
            for (agent_id, output) in outputs.collect::<Vec<_>>() {
                quiet = false;
                self.do_for_agent(now, &agent_id, output);
            }
            if quiet {
                return;
            }
        }
    }

    fn do_for_master(&mut self, now: Instant, output: master::Output) {
        match output {
            master::Output::Send(connection, event) => {
                if let Some(update) = &event.update {
                    let mut failures = std::mem::take(&mut self.failures);
                    failures.tell(&update.status, || self.reported_by(&update.status));
                    self.failures = failures;
                }
                // That its connection ends is about to be noticed.
                let lost = self.streams.get(&connection).is_some_and(|stream| !stream.send(&event));
                if lost {
                    self.streams.remove(&connection);
                }
            }
            master::Output::Close(connection) => drop(self.streams.remove(&connection)),
            master::Output::Tell(agent_id, message) => {
                if let Some(agent) = self.agents.get_mut(&agent_id) {
                    agent.handle_master(now, message);
                }
            }
        }
    }

    fn do_for_agent(&mut self, now: Instant, agent_id: &str, output: agent::Output) {
        let Some(backend) = self.backends.get_mut(agent_id) else { return };
        match output {
            agent::Output::Tell(message) => self.master.handle_agent(now, message),
            agent::Output::Send(connection, event) => {
                let lost = self.executors.get(&connection).is_some_and(|stream| !stream.send(&event));
                if lost {
                    self.executors.remove(&connection);
                }
            }
            agent::Output::Close(connection) => drop(self.executors.remove(&connection)),
            agent::Output::Order(order) => backend.handle(order),
        }
    }
}
