//! Runs master and agents on one thread: starts them, stops them, and says where they are.

pub mod agents;
mod answers;
mod calls;
pub mod faults;
pub mod handle;
pub mod history;
mod holds;
mod later;
pub mod litter;
mod look;
pub mod machine;
pub mod maker;
mod membership;
pub mod network;
mod remains;
mod reset;
mod sandboxes;
mod snapshot;
pub mod startup;
pub mod view;
pub mod waiting;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use self::handle::{Answer, Handle};
use self::machine::Machine;
use self::remains::Remains;
use self::startup::{Site, Startup};
use self::view::{AgentView, FrameworkView, OfferView, Overview, TaskKey, TaskView, View};
use self::waiting::Waited;
use super::messages::is_terminal;
use super::options::Options;
use super::token::Token;
use crate::clock::Clock;
use crate::proto::v1;
use crate::{Error, Result};

/// The cluster's thread, or what is left of it.
#[derive(Debug)]
enum Life {
    Running(JoinHandle<Remains>),
    Stopped(Box<Remains>),
}

/// A running embedded cluster. Dropping it stops it.
#[derive(Debug)]
pub struct LocalCluster {
    address: SocketAddr,
    link: String,
    token: Token,
    handle: Handle,
    /// How many records the history has had.
    happened: Arc<AtomicU64>,
    /// Functions of this process that are called later.
    calls: Arc<later::Calls>,
    stop: Mutex<Option<oneshot::Sender<()>>>,
    life: Mutex<Life>,
    /// The process that has the thread: a forked child has not.
    process: u32,
}

impl LocalCluster {
    /// Starts a cluster; when this returns its agents are registered and its port answers.
    ///
    /// Fails if the port is in use, the working directory cannot be made, or a thread or process cannot be started.
    pub fn start(options: &Options) -> Result<Self> {
        let port = options.checked_port()?;
        let listener = listen(SocketAddr::new(options.ip, port))?;
        let bound = listener.local_addr().map_err(|e| Error::cluster(format!("the port is gone: {e}")))?;
        let address = reachable(bound);
        let token = options.token.clone().map_or_else(Token::random, Ok)?;
        let hostname = options.hostname.clone().unwrap_or_else(|| hostname(bound.ip()));
        let link = link(bound, &hostname, &token);
        let (stop, stopped) = oneshot::channel();
        let (ready, outcome) = std::sync::mpsc::channel();
        let clock = options.clock();
        let happened = Arc::new(AtomicU64::new(0));
        let (handle, receiver) = Handle::new(clock.clone());
        let (options, server_handle) = (options.clone(), handle.clone());
        let site = Site { bound, address, hostname, token: token.clone(), clock, happened: happened.clone() };
        let thread = std::thread::Builder::new()
            .name("mesos-local".to_owned())
            .spawn(move || match Startup::prepare(&options, listener, site) {
                Ok(startup) => startup.run(server_handle, receiver, stopped, || drop(ready.send(Ok(())))),
                Err(error) => {
                    drop(ready.send(Err(error)));
                    Remains::default()
                }
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
        let (stop, life) = (Mutex::new(Some(stop)), Mutex::new(Life::Running(thread)));
        let (calls, process) = (Arc::default(), std::process::id());
        Ok(Self { address, link, token, handle, happened, calls, stop, life, process })
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

    /// Whether another process started it, of which this one is a fork.
    pub fn is_inherited(&self) -> bool {
        self.process != std::process::id()
    }

    /// Does something on the cluster's thread, and waits for it. `None` if the cluster is stopped, and in a forked child.
    pub fn ask<T: Send + 'static>(&self, job: impl FnOnce(&mut Machine, Instant) -> T + Send + 'static) -> Option<T> {
        if self.is_inherited() {
            return None;
        }
        self.handle.ask_and_wait(job)
    }

    /// What the cluster asks for the time.
    pub fn clock(&self) -> &Clock {
        self.handle.clock()
    }

    /// Looks at the cluster, or at what could be seen when it stopped. Nothing can be seen in a forked child.
    fn look<T: Send + 'static>(
        &self,
        now: impl FnOnce(&Machine) -> T + Send + 'static,
        then: impl FnOnce(&View) -> T,
    ) -> T {
        if self.is_inherited() {
            return then(&View::default());
        }
        match self.ask(|machine, _| now(machine)) {
            Some(seen) => seen,
            None => self.with_remains(|remains| then(&remains.view)),
        }
    }

    fn with_remains<T>(&self, look: impl FnOnce(&Remains) -> T) -> T {
        match &*self.life.lock().unwrap_or_else(PoisonError::into_inner) {
            Life::Stopped(remains) => look(remains),
            // Its thread panicked.
            Life::Running(_) => look(&Remains::default()),
        }
    }

    /// Every agent, those that are gone last.
    pub fn agents(&self) -> Vec<AgentView> {
        self.look(Machine::agent_views, |view| view.agents.clone())
    }

    /// Every framework, the completed ones last.
    pub fn frameworks(&self) -> Vec<FrameworkView> {
        self.look(Machine::framework_views, |view| view.frameworks.clone())
    }

    /// Every task that an agent remembers, over or not.
    pub fn tasks(&self) -> Vec<TaskView> {
        self.look(Machine::tasks, |view| view.tasks.clone())
    }

    /// A task, if its agent remembers it.
    pub fn task(&self, key: &TaskKey) -> Option<TaskView> {
        let (now, then) = (key.clone(), key);
        self.look(move |machine| machine.task(&now), |view| view.tasks.iter().rev().find(|task| task.is(then)).cloned())
    }

    /// Every offer that is not answered.
    pub fn offers(&self) -> Vec<OfferView> {
        self.look(Machine::offer_views, |view| view.offers.clone())
    }

    /// The cluster as a whole. `None` if it does not answer for so long, such as to its own thread.
    pub fn overview(&self, at_most: Duration) -> Option<Overview> {
        if self.is_inherited() {
            return Some(View::default().overview());
        }
        match self.handle.ask_within(at_most, |machine, _| machine.overview()) {
            Answer::Is(overview) => Some(overview),
            Answer::Gone => Some(self.with_remains(|remains| remains.view.overview())),
            Answer::Late => None,
        }
    }

    /// Its state in JSON, from which another one starts; `None` if it is stopped, and in a forked child.
    pub fn snapshot(&self) -> Option<String> {
        self.ask(|machine, now| machine.snapshot(now).to_string())
    }

    /// What happened, the oldest first: the last 100,000 records.
    pub fn history(&self) -> Vec<history::Record> {
        if self.is_inherited() {
            return Vec::new();
        }
        let now = self.ask(|machine, _| machine.history.records().cloned().collect());
        now.unwrap_or_else(|| self.with_remains(|remains| remains.history.records().cloned().collect()))
    }

    /// How many records the history has had since the cluster started or was reset. Asks nobody.
    pub fn happened(&self) -> u64 {
        self.happened.load(Ordering::Acquire)
    }

    /// Waits at most so long until a task has been in a state, or is over.
    pub fn wait_for_task(&self, key: &TaskKey, state: v1::TaskState, at_most: Duration) -> Waited<TaskView> {
        if self.is_inherited() {
            return Waited::Stopped;
        }
        let key = key.clone();
        waiting::wait(&self.handle, at_most, move |machine| reached(machine, &key, state))
    }

    /// A task, if it has been in a state, or is over.
    pub fn task_that_was(&self, key: &TaskKey, state: v1::TaskState) -> Option<TaskView> {
        let key = key.clone();
        self.ask(move |machine, _| reached(machine, &key, state)).flatten()
    }

    /// The end of what a task wrote to `stdout` or `stderr`, also if its sandbox was removed with the cluster.
    pub fn output(&self, path: &Path) -> Vec<u8> {
        let is_running = !self.is_inherited() && self.ask(|_, _| ()).is_some();
        if is_running { remains::output(path) } else { self.with_remains(|remains| remains.output(path)) }
    }

    /// Kills all tasks, closes the port, and removes what was temporary. Stopping twice does nothing, and a forked
    /// child stops nothing of its parent's.
    pub fn stop(&self) {
        if self.is_inherited() {
            return;
        }
        self.calls.close();
        if let Some(stop) = self.stop.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // The thread may have ended by itself.
            let _ = stop.send(());
        }
        // Whoever looks meanwhile waits for what remains.
        let mut life = self.life.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *life, Life::Stopped(Box::default()));
        *life = match before {
            Life::Running(thread) => Life::Stopped(Box::new(thread.join().unwrap_or_else(|_| {
                tracing::error!("The embedded cluster's thread panicked");
                Remains::default()
            }))),
            stopped => stopped,
        };
    }
}

impl Drop for LocalCluster {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A task, if it has been in a state, or is over.
fn reached(machine: &Machine, key: &TaskKey, state: v1::TaskState) -> Option<TaskView> {
    machine.task(key).filter(|task| task.states.contains(&state) || is_terminal(task.state))
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

/// What this machine is called by those who can reach it there. The name of the machine may be an address of loopback where
/// nothing listens, as on Debian, so nobody but other machines is told it.
fn hostname(ip: IpAddr) -> String {
    let own = || nix::unistd::gethostname().ok().map(|name| name.to_string_lossy().into_owned());
    let own = if ip.is_loopback() { None } else { own() };
    own.unwrap_or_else(|| "localhost".to_owned())
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
