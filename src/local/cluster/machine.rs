//! Routes the outputs of master, agents and backends to one another, and keeps their time.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::Instant;

use tokio::sync::mpsc;
use tokio::time::sleep_until;

use super::agents::Agents;
use super::faults::Answers;
use super::maker::{Made, Maker};
use super::network::Network;
use super::view::TaskView;
use crate::clock;
use crate::local::agent::{self, Agent};
use crate::local::backend::{Backend, Order, Report, Sandbox, Simulate};
use crate::local::failures::Failures;
use crate::local::master::{self, Master};
use crate::local::messages::{ConnectionId, ToAgent};
use crate::local::metrics::Metrics;
use crate::local::options::AgentOptions;
use crate::local::queue;
use crate::local::world::{WallClock, World};
use crate::proto::v1;
use crate::proto::v1::executor;
use crate::proto::v1::scheduler::Event;

/// Something to do on the cluster's thread.
pub type Job = Box<dyn FnOnce(&mut Machine, Instant) + Send>;

/// What somebody waits for. Returns whether there is nothing left to wait for.
pub type Waiter = Box<dyn FnMut(&Machine) -> bool + Send>;

/// Master, agents and their surroundings, on the cluster's thread.
pub struct Machine {
    /// The master.
    pub master: Master,
    /// The agents, by id.
    pub agents: Agents,
    /// Agents that will not come back, the first to leave first.
    pub departed: Vec<Departed>,
    streams: HashMap<ConnectionId, queue::Sender<Event>>,
    executors: HashMap<ConnectionId, queue::Sender<executor::Event>>,
    next_connection: ConnectionId,
    failures: Failures,
    /// Says of each task how it goes, if it is not to be run.
    pub simulate: Option<Simulate>,
    clock: WallClock,
    pub(super) maker: Maker,
    pub(super) network: Network,
    pub(super) answers: Answers,
    /// Agents that are to register for the first time.
    pub(super) new_agents: BTreeSet<String>,
    pub(super) waiters: Vec<Waiter>,
}

/// An agent that has left, whose tasks and their files can still be looked at.
pub struct Departed {
    pub agent: Agent,
    /// `killed` or `removed`.
    pub how: &'static str,
    /// Knows where the files are.
    pub backend: Box<dyn Backend>,
}

impl Machine {
    /// A machine without agents, whose clock is that of its master.
    pub fn new(failures: Failures, master: Master, clock: WallClock, maker: Maker) -> Self {
        Self {
            maker,
            master,
            clock,
            agents: Agents::default(),
            departed: Vec::new(),
            streams: HashMap::new(),
            executors: HashMap::new(),
            next_connection: 0,
            failures,
            network: Network::new(clock::seed()),
            answers: Answers::default(),
            new_agents: BTreeSet::new(),
            waiters: Vec::new(),
            simulate: None,
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
        self.agents.at_mut(path)
    }

    /// Starts an agent, and registers it at the master. Returns its id.
    pub fn add_agent(&mut self, now: Instant, wanted: &AgentOptions) -> String {
        let Made { config, total, backend } = self.maker.make(self.master.new_agent_id(), wanted);
        let id = config.id.clone();
        self.master.add_agent(now, config.info.clone(), total.clone(), config.path.clone());
        let world = World::new(self.clock, clock::seed());
        self.agents.insert(Agent::new(config, world, total), backend);
        id
    }

    /// Puts an agent that lost all its memory in the place of this one, whose containers end.
    pub(super) fn replace_agent(&mut self, now: Instant, id: &str, new_id: &str) {
        let Some((mut former, mut backend)) = self.agents.remove(id) else { return };
        former.perish(now);
        while let Some(output) = former.poll_output() {
            match output {
                agent::Output::Order(order) => backend.handle(now, order),
                agent::Output::Close(connection) => drop(self.executors.remove(&connection)),
                agent::Output::Tell(_) | agent::Output::Send(..) => {}
            }
        }
        let (config, total) = (former.config().clone(), former.declared().clone());
        let info = Self::renamed(&config.info, new_id);
        let config = agent::Config { info, id: new_id.to_owned(), ..config };
        let agent = Agent::new(config, World::new(self.clock, self.network.random.u64(..)), total);
        self.agents.insert(agent, backend.like(new_id));
        self.new_agents.insert(new_id.to_owned());
        self.departed.push(Departed { agent: former, how: "removed", backend });
    }

    /// Gives an order to the backend of an agent.
    pub(super) fn order(&mut self, now: Instant, agent_id: &str, order: Order) {
        if let Some(backend) = self.agents.backend_mut(agent_id) {
            backend.handle(now, order);
        }
    }

    /// `/metrics/snapshot` of the process that master and agents share.
    pub fn metrics(&self, now: Instant) -> Metrics {
        let mut metrics = self.master.metrics(now);
        metrics.extend(agent::metrics::of(self.agents.values(), self.clock.timestamp(now)));
        metrics
    }

    /// Where the files of a sandbox are.
    pub(super) fn files(&self, agent_id: &str, sandbox: &Sandbox) -> PathBuf {
        let departed = || self.departed.iter().find(|departed| departed.agent.config().id == agent_id);
        let backend = self.agents.backend(agent_id).or_else(|| departed().map(|departed| &*departed.backend));
        backend.map(|backend| backend.files(sandbox)).unwrap_or_default()
    }

    /// What the agent at `/slave(N)` shows of itself.
    pub fn agent_state(&self, path: &str) -> Option<serde_json::Value> {
        let agent = self.agents.at(path)?;
        Some(agent.state(|sandbox| self.files(&agent.config().id, sandbox)))
    }

    /// The time now. Sets the wall clocks if they are off.
    fn now(&mut self) -> Instant {
        let (now, wall) = (clock::now(), clock::timestamp());
        if self.clock.is_off(now, wall) {
            self.clock = WallClock::new(now, wall);
            self.master.set_clock(self.clock);
            self.agents.values_mut().for_each(|agent| agent.set_clock(self.clock));
        }
        now
    }

    /// Runs until no handle is left.
    pub async fn run(&mut self, mut jobs: mpsc::UnboundedReceiver<Job>, mut reports: mpsc::UnboundedReceiver<Report>) {
        loop {
            let now = self.now();
            self.route(now);
            let deadline = self.next_timeout();
            tokio::select! {
                job = jobs.recv() => match job {
                    Some(job) => {
                        let now = self.now();
                        job(self, now);
                    }
                    None => return,
                },
                Some(report) = reports.recv() => {
                    let now = self.now();
                    self.take_report(now, report);
                }
                () = async { match deadline {
                    Some(at) => sleep_until(at.into()).await,
                    None => std::future::pending().await,
                } } => {}
            }
            let now = self.now();
            self.handle_timeouts(now);
        }
    }

    /// When to call `handle_timeouts` at the latest.
    pub fn next_timeout(&self) -> Option<Instant> {
        let agents = self.agents.poll_timeout().into_iter();
        agents.chain(self.master.poll_timeout()).chain(self.next_on_network()).min()
    }

    /// Has master, agents and backends do what is due.
    pub fn handle_timeouts(&mut self, now: Instant) {
        self.master.handle_timeout(now);
        self.agents.handle_timeout(now);
        self.handle_network(now);
    }

    fn take_report(&mut self, now: Instant, report: Report) {
        if let Some(agent) = self.agents.get_mut(&report.agent_id) {
            agent.handle_backend(now, report.event);
        }
    }

    /// The task of an agent that gave this update.
    fn reported_by(&self, status: &v1::TaskStatus) -> Option<TaskView> {
        let agent = self.agents.get(&status.agent_id.as_ref()?.value)?;
        agent.reported(status).map(|(executor, task)| self.task_view(agent, executor, task, None))
    }

    /// Carries messages until nobody has anything left to say.
    pub fn route(&mut self, now: Instant) {
        loop {
            let mut quiet = true;
            while let Some(output) = self.master.poll_output() {
                quiet = false;
                self.do_for_master(now, output);
            }
            // Each says one thing, and then the master has its say again.
            for agent_id in self.agents.touched() {
                quiet &= !self.hear_agent(now, &agent_id);
            }
            if quiet {
                return self.tell_waiters();
            }
        }
    }

    /// Does what an agent says next; false if it has nothing left to say.
    fn hear_agent(&mut self, now: Instant, agent_id: &str) -> bool {
        let said = self.agents.get_mut(agent_id).and_then(Agent::poll_output);
        if let Some(output) = said {
            self.do_for_agent(now, agent_id, output);
            return true;
        }
        let happened = self.agents.backend_mut(agent_id).and_then(|backend| backend.poll_event());
        if let Some(event) = happened {
            self.take_report(now, Report { agent_id: agent_id.to_owned(), event });
            return true;
        }
        self.agents.settle(agent_id);
        false
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
            master::Output::Tell(agent_id, mut message) => {
                self.describe(&mut message);
                let message = self.network.carry_to_agent(&agent_id, message);
                if let (Some(message), Some(agent)) = (message, self.agents.get_mut(&agent_id)) {
                    agent.handle_master(now, message);
                }
            }
        }
    }

    /// Finds out how the tasks go that an agent is to run.
    fn describe(&self, message: &mut ToAgent) {
        if let (Some(simulate), ToAgent::Run { tasks, runs, .. }) = (&self.simulate, message) {
            *runs = simulate.ask(tasks);
        }
    }

    fn do_for_agent(&mut self, now: Instant, agent_id: &str, output: agent::Output) {
        match output {
            agent::Output::Tell(message) => {
                for message in self.network.carry_to_master(now, agent_id, message) {
                    self.master.handle_agent(now, message);
                }
            }
            agent::Output::Send(connection, event) => {
                let lost = self.executors.get(&connection).is_some_and(|stream| !stream.send(&event));
                if lost {
                    self.executors.remove(&connection);
                }
            }
            agent::Output::Close(connection) => drop(self.executors.remove(&connection)),
            agent::Output::Order(order) => {
                let full = self.network.full.contains(agent_id).then(|| Self::out_of_space(agent_id, &order)).flatten();
                if let Some(failed) = full {
                    if let Some(agent) = self.agents.get_mut(agent_id) {
                        agent.handle_backend(now, failed);
                    }
                } else if let Some(backend) = self.agents.backend_mut(agent_id) {
                    backend.handle(now, order);
                }
            }
        }
    }
}
