//! Runs master and agents on one thread: routes their outputs, keeps their time, answers the server.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep_until;

use super::agent::{self, Agent};
use super::backend::posix::Posix;
use super::backend::posix::reaper::{Spawner, Ties};
use super::backend::{Backend, Report, Sandbox};
use super::failures::Failures;
use super::master::{self, ConnectionId, Master};
use super::options::Options;
use super::queue;
use super::resources::Resources;
use super::server;
use super::token::Token;
use super::work_dir::WorkDir;
use crate::proto::v1;
use crate::proto::v1::executor;
use crate::proto::v1::scheduler::Event;
use crate::{Error, Result};

/// Something to do on the cluster's thread.
pub type Job = Box<dyn FnOnce(&mut Machine, Instant) + Send>;

/// A running embedded cluster. Dropping it stops it.
#[derive(Debug)]
pub struct LocalCluster {
    address: SocketAddr,
    link: String,
    token: Token,
    handle: Handle,
    stop: Mutex<Option<oneshot::Sender<()>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// The process that has the thread: a forked child has not.
    process: u32,
}

/// A task, for those who follow its output.
#[derive(Debug, Clone)]
pub struct TaskView {
    /// The framework's name.
    pub framework: String,
    /// The task's id.
    pub id: String,
    /// The last state that its executor reported.
    pub state: v1::TaskState,
    /// Where its `stdout` and `stderr` are.
    pub sandbox: PathBuf,
}

/// How the server reaches the cluster's thread.
#[derive(Debug, Clone)]
pub struct Handle(mpsc::UnboundedSender<Job>);

impl Handle {
    /// Does something on the cluster's thread and waits for what it gives; `None` where the cluster is gone.
    pub async fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Machine, Instant) -> T + Send + 'static,
    ) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.tell(move |machine, now| drop(reply.send(job(machine, now))));
        answer.await.ok()
    }

    /// Does something on the cluster's thread, later.
    pub fn tell(&self, job: impl FnOnce(&mut Machine, Instant) + Send + 'static) {
        // A cluster that is gone has nothing left to do.
        let _ = self.0.send(Box::new(job));
    }
}

/// Master, agents and their surroundings, on the cluster's thread.
pub struct Machine {
    pub master: Master,
    pub agents: BTreeMap<String, Agent>,
    streams: HashMap<ConnectionId, queue::Sender<Event>>,
    executors: HashMap<ConnectionId, queue::Sender<executor::Event>>,
    next_connection: ConnectionId,
    backends: BTreeMap<String, Box<dyn Backend>>,
    failures: Failures,
}

impl LocalCluster {
    /// Starts a cluster; when this returns its agents are registered and its port answers.
    ///
    /// Fails where the port is taken, the working directory cannot be made, or a thread or process cannot be started.
    pub fn start(options: &Options) -> Result<Self> {
        let numbers = options.validate()?;
        let listener = listen(SocketAddr::new(options.ip, numbers.port))?;
        let bound = listener.local_addr().map_err(|e| Error::cluster(format!("the port is gone: {e}")))?;
        let address = reachable(bound);
        let token = options.token.clone().map_or_else(Token::random, Ok)?;
        let hostname = nix::unistd::gethostname().map(|h| h.to_string_lossy().into_owned());
        let hostname = hostname.unwrap_or_else(|_| "localhost".to_owned());
        let link = link(bound, &hostname, &token);
        let (jobs, receiver) = mpsc::unbounded_channel();
        let (stop, stopped) = oneshot::channel();
        let (ready, outcome) = std::sync::mpsc::channel();
        let handle = Handle(jobs);
        let (options, server_handle) = (options.clone(), handle.clone());
        let site = Site { agents: numbers.agents, bound, address, hostname, token: token.clone() };
        let thread = std::thread::Builder::new()
            .name("mesos-local".to_owned())
            .spawn(move || match Startup::prepare(&options, listener, site) {
                Ok(startup) => startup.run(server_handle, receiver, stopped, || drop(ready.send(Ok(())))),
                Err(error) => drop(ready.send(Err(error))),
            })
            .map_err(|e| Error::cluster(format!("cannot start the cluster's thread: {e}")))?;
        outcome.recv().map_err(|_| Error::cluster("the cluster's thread ended while it started"))??;
        tracing::info!("The embedded cluster is at http://{address}");
        if !bound.ip().is_loopback() {
            tracing::warn!(
                "The embedded cluster listens beyond this machine, without TLS: whoever has its token can run commands \
                 as this user. The link with the token is {link}"
            );
        }
        let (stop, thread, process) = (Mutex::new(Some(stop)), Mutex::new(Some(thread)), std::process::id());
        Ok(Self { address, link, token, handle, stop, thread, process })
    }

    /// Where this machine reaches it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The web page's address with the token, which lets in whoever has it.
    pub fn link(&self) -> &str {
        &self.link
    }

    /// What lets in who is neither this user nor root.
    pub fn token(&self) -> &Token {
        &self.token
    }

    fn is_another_s(&self) -> bool {
        self.process != std::process::id()
    }

    /// Every task, over or not. Blocks for a moment; empty where the cluster is stopped, and in a forked child.
    pub fn tasks(&self) -> Vec<TaskView> {
        if self.is_another_s() {
            return Vec::new();
        }
        let (reply, answer) = std::sync::mpsc::channel();
        self.handle.tell(move |machine, _| drop(reply.send(machine.tasks())));
        answer.recv().unwrap_or_default()
    }

    /// Kills all tasks, closes the port, and removes what was temporary. Stopping twice does nothing, and a forked
    /// child stops nothing of its parent's.
    pub fn stop(&self) {
        if self.is_another_s() {
            return;
        }
        let lock = |e: std::sync::PoisonError<_>| e.into_inner();
        if let Some(stop) = self.stop.lock().unwrap_or_else(lock).take() {
            // The thread may have ended by itself.
            let _ = stop.send(());
        }
        let thread = self.thread.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("The embedded cluster's thread panicked");
        }
    }
}

impl Drop for LocalCluster {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Where this machine reaches what listens there.
fn reachable(bound: SocketAddr) -> SocketAddr {
    let ip = match bound.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, bound.port())
}

fn link(bound: SocketAddr, hostname: &str, token: &Token) -> String {
    let host = if bound.ip().is_unspecified() { format!("{hostname}:{}", bound.port()) } else { bound.to_string() };
    format!("http://{host}/?token={}", token.as_str())
}

fn listen(wanted: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(wanted).map_err(|error| {
        let message = format!("cannot listen on {wanted}: {error}");
        match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                Error::address_in_use(format!("{message}; expected a free port, or 0 for any"))
            }
            _ => Error::cluster(message),
        }
    })
}

/// Where a cluster is, how large, and who gets in.
struct Site {
    agents: u32,
    bound: SocketAddr,
    address: SocketAddr,
    hostname: String,
    token: Token,
}

/// All that the cluster's thread begins with.
struct Startup {
    runtime: tokio::runtime::Runtime,
    listener: TcpListener,
    work_dir: WorkDir,
    machine: Machine,
    reports: mpsc::UnboundedReceiver<Report>,
    server: server::Config,
}

impl Startup {
    fn prepare(options: &Options, listener: TcpListener, site: Site) -> Result<Self> {
        let Site { agents, bound, address, hostname, token } = site;
        let failed = |e: std::io::Error| Error::cluster(format!("cannot start the cluster: {e}"));
        let (sender, reports) = mpsc::unbounded_channel();
        let runtime = crate::runtime::build().map_err(failed)?;
        let spawner = Arc::new(runtime.block_on(async { Spawner::start(Ties::None) }).map_err(failed)?);
        listener.set_nonblocking(true).map_err(failed)?;
        let work_dir = WorkDir::make(options.work_dir.as_deref())?;
        let config =
            master::Config { hostname: hostname.clone(), address, allocation_interval: options.allocation_interval };
        let master = Master::new(config, fastrand::u64(..));
        let mut machine = Machine {
            master,
            agents: BTreeMap::new(),
            streams: HashMap::new(),
            executors: HashMap::new(),
            next_connection: 0,
            backends: BTreeMap::new(),
            failures: Failures::default(),
        };
        let resources = options.resources.clone().map_or_else(|| super::host::resources(work_dir.path()), Ok)?;
        // Others may name this machine too.
        let own = (!bound.ip().is_loopback()).then(|| hostname.clone());
        let hosts = options.hosts.iter().cloned().chain(own).collect();
        let place = Place { hostname, resources, address };
        for index in 0..agents {
            let work_dir = super::work_dir::agents(work_dir.path()).join(index.to_string()).join("work");
            let backend = |id: &str| {
                let backend = Posix::new(id.to_owned(), work_dir, spawner.clone(), sender.clone());
                Box::new(backend) as Box<dyn Backend>
            };
            machine.add_agent(index, options, &place, backend);
        }
        let server =
            server::Config { work_dir: work_dir.path().to_owned(), token, hosts, queue_max: options.queue_max };
        Ok(Self { runtime, listener, work_dir, machine, reports, server })
    }

    fn run(
        self,
        handle: Handle,
        jobs: mpsc::UnboundedReceiver<Job>,
        stopped: oneshot::Receiver<()>,
        ready: impl FnOnce(),
    ) {
        let Self { runtime, listener, work_dir, machine, reports, server } = self;
        runtime.block_on(async {
            match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => drop(tokio::spawn(server::serve(listener, handle, server))),
                Err(error) => tracing::error!("The embedded cluster cannot listen: {error}"),
            }
            ready();
            tokio::select! {
                () = machine.run(jobs, reports) => {}
                _ = stopped => {}
            }
        });
        // Tasks and connections end with the runtime, and only then goes the directory that they use.
        drop(runtime);
        drop(work_dir);
    }
}

/// What the agents of a cluster share.
struct Place {
    hostname: String,
    resources: Resources,
    address: SocketAddr,
}

impl Machine {
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

    fn add_agent(
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
            resources: place.resources.to_proto(&super::resources::Format::default()),
            id: Some(v1::AgentId { value: id.clone() }),
            ..Default::default()
        };
        let config = agent::Config {
            info: info.clone(),
            id: id.clone(),
            path: path.clone(),
            endpoint: place.address.to_string(),
            registration_timeout: options.executor_registration_timeout,
            shutdown_grace_period: options.executor_shutdown_grace_period,
        };
        self.master.add_agent(Instant::now(), info, place.resources.clone(), path);
        self.backends.insert(id.clone(), backend(&id));
        self.agents.insert(id, Agent::new(config));
    }

    fn tasks(&self) -> Vec<TaskView> {
        self.all_tasks().map(|(agent, executor, task)| self.view(agent, executor, task)).collect()
    }

    fn all_tasks(&self) -> impl Iterator<Item = (&Agent, &agent::Executor, &agent::AgentTask)> {
        let executors = self.agents.values().flat_map(|agent| agent.executors().map(move |each| (agent, each)));
        executors.flat_map(|(agent, executor)| executor.all_tasks().map(move |task| (agent, executor, task)))
    }

    fn view(&self, agent: &Agent, executor: &agent::Executor, task: &agent::AgentTask) -> TaskView {
        TaskView {
            framework: executor.framework.name.clone(),
            id: task.info.task_id.value.clone(),
            state: task.state,
            sandbox: self.files(&agent.config().id, &executor.sandbox_of(&task.info.task_id.value)),
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

    async fn run(mut self, mut jobs: mpsc::UnboundedReceiver<Job>, mut reports: mpsc::UnboundedReceiver<Report>) {
        loop {
            self.route(Instant::now());
            let deadline = self.next_timeout();
            tokio::select! {
                job = jobs.recv() => match job {
                    Some(job) => job(&mut self, Instant::now()),
                    None => return,
                },
                Some(report) = reports.recv() => self.take_report(Instant::now(), report),
                () = async { match deadline {
                    Some(at) => sleep_until(at.into()).await,
                    None => std::future::pending().await,
                } } => {}
            }
            self.handle_timeouts(Instant::now());
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
    fn route(&mut self, now: Instant) {
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
            agent::Output::Start(launch) => backend.start(launch),
            agent::Output::Stop(container, how) => backend.stop(&container, how),
            agent::Output::Probe(container, subject, probe) => backend.probe(&container, subject, *probe),
            agent::Output::AddVolumes(sandbox, volumes) => backend.add_volumes(&sandbox, &volumes),
            agent::Output::Destroy(volumes) => volumes.iter().for_each(|volume| backend.destroy(volume)),
        }
    }
}
