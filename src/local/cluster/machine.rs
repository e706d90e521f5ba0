//! Routes the outputs of master, agents and backends to one another, and keeps their time.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::Instant;

use tokio::sync::mpsc;

use super::agents::Agents;
use super::answers::Answers;
use super::history::{History, Record, Subject};
use super::holds::Holds;
use super::maker::{Made, Maker};
use super::network::Network;
use super::view::TaskView;
use crate::clock::Clock;
use crate::local::agent::{self, Agent};
use crate::local::backend::{Backend, Event as Happening, Order, Report, Sandbox, Simulate, StartError};
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
    /// The streams of the operator API.
    watchers: HashMap<ConnectionId, queue::Sender<v1::master::Event>>,
    next_connection: ConnectionId,
    failures: Failures,
    /// What is asked for the time.
    pub(super) time: Clock,
    pub(super) holds: Holds,
    /// Says of each task how it goes, if it is not to be run.
    pub simulate: Option<Simulate>,
    clock: WallClock,
    pub(super) maker: Maker,
    pub(super) network: Network,
    pub(super) answers: Answers,
    /// Agents that are to register for the first time.
    pub(super) new_agents: BTreeSet<String>,
    pub(super) waiters: Vec<Waiter>,
    /// What happened.
    pub history: History,
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
    /// A machine without agents, whose wall clock is that of its master.
    pub fn new(failures: Failures, master: Master, time: Clock, clock: WallClock, maker: Maker) -> Self {
        Self {
            network: Network::new(time.seed()),
            maker,
            master,
            time,
            holds: Holds::default(),
            clock,
            agents: Agents::default(),
            departed: Vec::new(),
            streams: HashMap::new(),
            executors: HashMap::new(),
            watchers: HashMap::new(),
            next_connection: 0,
            failures,
            answers: Answers::default(),
            new_agents: BTreeSet::new(),
            waiters: Vec::new(),
            history: History::default(),
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
        self.end_stream(now, connection);
        self.master.disconnected(now, connection);
    }

    fn end_stream(&mut self, now: Instant, connection: ConnectionId) {
        self.streams.remove(&connection);
        self.history.ended(self.clock.timestamp(now), connection);
    }

    /// Opens a stream for a SUBSCRIBE of the operator API, whose events go there. Returns its number.
    pub fn watch(&mut self, now: Instant, events: queue::Sender<v1::master::Event>) -> ConnectionId {
        let connection = self.new_connection();
        self.watchers.insert(connection, events);
        self.master.watch(now, connection);
        connection
    }

    /// A subscriber of the operator API has left.
    pub fn unwatch(&mut self, connection: ConnectionId) {
        self.watchers.remove(&connection);
        self.master.unwatch(connection);
    }

    /// How much of what happens is logged: 0, or what an operator set for a while.
    pub fn logging_level(&self, now: Instant) -> u32 {
        self.history.level(self.clock.timestamp(now))
    }

    /// Has everything that happens logged for a while, if the level is not 0.
    pub fn set_logging_level(&mut self, now: Instant, level: u32, seconds: f64) {
        self.history.set_level(self.clock.timestamp(now), level, seconds);
    }

    /// Ends all streams.
    pub(super) fn end_all_streams(&mut self) {
        self.watchers.clear();
        self.streams.clear();
        self.executors.clear();
    }

    /// Notes what happens now.
    pub(super) fn note(&mut self, now: Instant, record: Record) {
        self.history.add(Record { time: self.clock.timestamp(now), ..record });
    }

    /// Notes a fault that was asked for, and logs it.
    pub(super) fn note_fault(&mut self, now: Instant, subject: Subject, message: String) {
        tracing::info!("Fault: {message}");
        self.note(now, Record { kind: "fault", subject, message: Some(message), ..Record::default() });
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

    /// An executor of the agent at `/slave(N)` has left its stream.
    pub fn close_executor_stream(&mut self, path: &str, connection: ConnectionId) {
        self.executors.remove(&connection);
        if let Some(agent) = self.agents.at_mut(path) {
            agent.disconnected(connection);
        }
    }

    /// Ends the stream of an executor.
    pub(super) fn end_executor_stream(&mut self, connection: ConnectionId) {
        self.executors.remove(&connection);
    }

    /// The agent at `/slave(N)`.
    pub fn agent_at(&mut self, path: &str) -> Option<&mut Agent> {
        self.agents.at_mut(path)
    }

    /// Starts an agent, and registers it at the master. Returns its id.
    pub fn add_agent(&mut self, now: Instant, wanted: &AgentOptions) -> String {
        let start_time = self.clock.timestamp(now);
        let Made { config, total, backend } = self.maker.make(self.master.new_agent_id(), wanted, start_time);
        let id = config.id.clone();
        self.master.add_agent(now, config.info.clone(), total.clone(), config.path.clone());
        let world = World::new(self.clock, self.time.seed());
        self.agents.insert(Agent::new(config, world, total), backend);
        id
    }

    /// Puts an agent that lost all its memory in the place of this one, whose containers end.
    pub(super) fn replace_agent(&mut self, now: Instant, id: &str, new_id: &str) {
        let Some(former) = self.dismiss(now, id, "removed") else { return };
        let (config, total) = (former.agent.config().clone(), former.agent.declared().clone());
        let backend = former.backend.like(new_id);
        let info = Self::renamed(&config.info, new_id);
        let config = agent::Config { info, id: new_id.to_owned(), ..config };
        let agent = Agent::new(config, World::new(self.clock, self.network.random.u64(..)), total);
        self.agents.insert(agent, backend);
        self.new_agents.insert(new_id.to_owned());
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

    /// Where the files of a sandbox of the agent at `/slave(N)` are.
    pub fn files_at(&self, path: &str, sandbox: &Sandbox) -> Option<PathBuf> {
        let agent = self.agents.at(path)?;
        Some(self.files(&agent.config().id, sandbox))
    }

    /// The wall time at `now`, in seconds since the epoch.
    pub fn timestamp(&self, now: Instant) -> f64 {
        self.clock.timestamp(now)
    }

    /// What the agent at `/slave(N)` shows of itself.
    pub fn agent_state(&self, path: &str) -> Option<serde_json::Value> {
        let agent = self.agents.at(path)?;
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
    pub async fn run(&mut self, mut jobs: mpsc::UnboundedReceiver<Job>, mut reports: mpsc::UnboundedReceiver<Report>) {
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
                        job(self, now);
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
        self.holds.happened(&self.time, &report.event);
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
                if let Some(clock) = self.time.as_skipping() {
                    clock.happened();
                }
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
                self.history.sent(self.clock.timestamp(now), connection, &event);
                // That its connection ends is about to be noticed.
                let lost = self.streams.get(&connection).is_some_and(|stream| !stream.send(&event));
                if lost {
                    self.streams.remove(&connection);
                }
            }
            master::Output::Publish(connections, event) => {
                for connection in connections {
                    if self.watchers.get(&connection).is_some_and(|stream| !stream.send(&event)) {
                        self.unwatch(connection);
                    }
                }
            }
            master::Output::Close(connection) if self.watchers.remove(&connection).is_some() => {}
            master::Output::Close(connection) => self.end_stream(now, connection),
            master::Output::Noted { kind, framework_id, agent_id } => {
                let subject = Subject { framework_id, agent_id, ..Subject::default() };
                self.note(now, Record { kind, subject, ..Record::default() });
            }
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

    /// An executor in a process of its own has a clock of its own, which does not follow one that is told to move.
    fn lives_in_real_time(&self, agent_id: &str, order: &Order) -> Option<Happening> {
        let Order::Start(launch) = order else { return None };
        self.time.as_skipping()?;
        let mut executors = self.agents.get(agent_id)?.executors();
        executors.find(|executor| executor.is_custom() && executor.container == launch.container)?;
        let why = StartError::new(
            "executors in processes of their own do not follow the time of this cluster, which moves only when it is told \
             to (time=\"skip\"); expected a task with a command, or one that simulate= describes",
        );
        Some(Happening::Failed { container: launch.container.clone(), why })
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
            agent::Output::Close(connection) => self.end_executor_stream(connection),
            agent::Output::Order(order) => {
                let full = self.network.full.contains(agent_id).then(|| Self::out_of_space(agent_id, &order)).flatten();
                if let Some(failed) = full {
                    self.network.fail_start(now, agent_id, failed);
                } else if let Some(failed) = self.lives_in_real_time(agent_id, &order) {
                    if let Some(agent) = self.agents.get_mut(agent_id) {
                        agent.handle_backend(now, failed);
                    }
                } else if let Some(backend) = self.agents.backend_mut(agent_id) {
                    self.holds.ordered(&self.time, &order);
                    backend.handle(now, order);
                }
            }
        }
    }
}
