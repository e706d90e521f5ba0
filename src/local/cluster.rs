//! Runs master and agents on one thread: routes their outputs, keeps their time, answers the server.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Mutex;
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep_until;

use super::agent::{self, Agent};
use super::containerizer::{Containerizer, Happening};
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
use crate::proto::v1::task_status::Reason;
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
    containerizer: Containerizer,
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
    happenings: mpsc::UnboundedReceiver<Happening>,
    server: server::Config,
}

impl Startup {
    fn prepare(options: &Options, listener: TcpListener, site: Site) -> Result<Self> {
        let Site { agents, bound, address, hostname, token } = site;
        let failed = |e: std::io::Error| Error::cluster(format!("cannot start the cluster: {e}"));
        let (sender, happenings) = mpsc::unbounded_channel();
        let runtime = crate::runtime::build().map_err(failed)?;
        let containerizer = runtime.block_on(async { Containerizer::new(sender) }).map_err(failed)?;
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
            containerizer,
            failures: Failures::default(),
        };
        let resources = options.resources.clone().map_or_else(|| super::machine::resources(work_dir.path()), Ok)?;
        // Others may name this machine too.
        let own = (!bound.ip().is_loopback()).then(|| hostname.clone());
        let hosts = options.hosts.iter().cloned().chain(own).collect();
        let place = Place { hostname, resources, address, work_dir: work_dir.path().to_owned() };
        for index in 0..agents {
            machine.add_agent(index, options, &place);
        }
        let server =
            server::Config { work_dir: work_dir.path().to_owned(), token, hosts, queue_max: options.queue_max };
        Ok(Self { runtime, listener, work_dir, machine, happenings, server })
    }

    fn run(
        self,
        handle: Handle,
        jobs: mpsc::UnboundedReceiver<Job>,
        stopped: oneshot::Receiver<()>,
        ready: impl FnOnce(),
    ) {
        let Self { runtime, listener, work_dir, machine, happenings, server } = self;
        runtime.block_on(async {
            match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => drop(tokio::spawn(server::serve(listener, handle, server))),
                Err(error) => tracing::error!("The embedded cluster cannot listen: {error}"),
            }
            ready();
            tokio::select! {
                () = machine.run(jobs, happenings) => {}
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
    work_dir: PathBuf,
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

    fn add_agent(&mut self, index: u32, options: &Options, place: &Place) {
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
            work_dir: super::work_dir::agents(&place.work_dir).join(index.to_string()).join("work"),
            registration_timeout: options.executor_registration_timeout,
            shutdown_grace_period: options.executor_shutdown_grace_period,
        };
        self.master.add_agent(Instant::now(), info, place.resources.clone(), path);
        self.agents.insert(id, Agent::new(config));
    }

    fn tasks(&self) -> Vec<TaskView> {
        let executors = self.agents.values().flat_map(Agent::executors);
        executors.flat_map(|executor| executor.all_tasks().map(move |task| view(executor, task))).collect()
    }

    async fn run(mut self, mut jobs: mpsc::UnboundedReceiver<Job>, mut happenings: mpsc::UnboundedReceiver<Happening>) {
        loop {
            self.route(Instant::now());
            let deadline = self.next_timeout();
            tokio::select! {
                job = jobs.recv() => match job {
                    Some(job) => job(&mut self, Instant::now()),
                    None => return,
                },
                Some(happening) = happenings.recv() => self.happened(happening),
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

    fn happened(&mut self, happening: Happening) {
        let now = Instant::now();
        match happening {
            Happening::Exited(container, status) => {
                self.agents.values_mut().for_each(|agent| agent.exited(now, &container, status));
                self.route(now);
                self.containerizer.forget(&container);
            }
            Happening::Launched(launch, Ok(running)) => {
                let id = running.id();
                self.containerizer.keep(launch.container.clone(), running);
                self.launched(now, &launch.container, Ok(id));
            }
            Happening::Launched(launch, Err(why)) => {
                let failure = (Reason::ContainerLaunchFailed, format!("Failed to launch container: {why}"));
                self.launched(now, &launch.container, Err(failure));
            }
            Happening::Probed(container, subject, outcome) => {
                self.agents.values_mut().for_each(|agent| agent.probed(now, &container, subject, &outcome));
            }
        }
    }

    fn launched(&mut self, now: Instant, container: &str, outcome: std::result::Result<u32, (Reason, String)>) {
        self.agents.values_mut().for_each(|agent| agent.launched(now, container, outcome.clone()));
    }

    /// Carries messages until nobody has anything left to say.
    fn route(&mut self, now: Instant) {
        loop {
            let mut quiet = true;
            while let Some(output) = self.master.poll_output() {
                quiet = false;
                self.do_for_master(now, output);
            }
            let outputs: Vec<_> = self.agents.values_mut().filter_map(Agent::poll_output).collect();
            for output in outputs {
                quiet = false;
                self.do_for_agent(now, output);
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
                    let agents = &self.agents;
                    self.failures.tell(&update.status, || reported_by(agents, &update.status));
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

    fn do_for_agent(&mut self, now: Instant, output: agent::Output) {
        match output {
            agent::Output::Tell(message) => self.master.handle_agent(now, message),
            agent::Output::Send(connection, event) => {
                let lost = self.executors.get(&connection).is_some_and(|stream| !stream.send(&event));
                if lost {
                    self.executors.remove(&connection);
                }
            }
            agent::Output::Close(connection) => drop(self.executors.remove(&connection)),
            agent::Output::Remove(directory) => {
                if let Err(error) = std::fs::remove_dir_all(&directory)
                    && error.kind() != std::io::ErrorKind::NotFound
                {
                    tracing::warn!("Cannot remove {}: {error}", directory.display());
                }
            }
            agent::Output::Mount(directory, mounts) => {
                if let Err(why) = super::containerizer::mount(&directory, &mounts) {
                    tracing::warn!("In {}: {why}", directory.display());
                }
            }
            agent::Output::Signal(container, signal) => self.containerizer.signal(&container, signal),
            agent::Output::Probe(container, subject, probe) => self.containerizer.probe(container, subject, *probe),
            agent::Output::Launch(launch) => self.containerizer.launch(launch),
        }
    }
}

fn view(executor: &agent::Executor, task: &agent::AgentTask) -> TaskView {
    TaskView {
        framework: executor.framework.name.clone(),
        id: task.info.task_id.value.clone(),
        state: task.state,
        sandbox: executor.sandbox_of(&task.info.task_id.value),
    }
}

/// The task of an agent that gave this update.
fn reported_by(agents: &BTreeMap<String, Agent>, status: &v1::TaskStatus) -> Option<TaskView> {
    let executors = agents.values().flat_map(Agent::executors);
    let mut tasks = executors.flat_map(|executor| executor.all_tasks().map(move |task| (executor, task)));
    tasks.find(|(_, task)| task.updates.knows(status.uuid())).map(|(executor, task)| view(executor, task))
}
