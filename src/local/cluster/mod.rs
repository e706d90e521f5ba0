//! Runs master and agents on one thread: starts them, stops them, and says where they are.

pub mod agents;
pub mod handle;
pub mod machine;
mod startup;
pub mod view;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Mutex;
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use self::handle::Handle;
use self::startup::{Site, Startup};
use self::view::TaskView;
use super::options::Options;
use super::token::Token;
use crate::{Error, Result};

/// A running embedded cluster. Dropping it stops it.
#[derive(Debug)]
pub struct LocalCluster {
    address: SocketAddr,
    link: String,
    agents: u32,
    token: Token,
    handle: Handle,
    stop: Mutex<Option<oneshot::Sender<()>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// The process that has the thread: a forked child has not.
    process: u32,
}

impl LocalCluster {
    /// Starts a cluster; when this returns its agents are registered and its port answers.
    ///
    /// Fails if the port is in use, the working directory cannot be made, or a thread or process cannot be started.
    pub fn start(options: &Options) -> Result<Self> {
        let numbers = options.validate()?;
        let listener = listen(SocketAddr::new(options.ip, numbers.port))?;
        let bound = listener.local_addr().map_err(|e| Error::cluster(format!("the port is gone: {e}")))?;
        let address = reachable(bound);
        let token = options.token.clone().map_or_else(Token::random, Ok)?;
        let hostname = options.hostname.clone().unwrap_or_else(|| hostname(bound.ip()));
        let link = link(bound, &hostname, &token);
        let (stop, stopped) = oneshot::channel();
        let (ready, outcome) = std::sync::mpsc::channel();
        let (handle, receiver) = Handle::new();
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
        Ok(Self { address, link, agents: numbers.agents, token, handle, stop, thread, process })
    }

    /// Where this machine reaches it.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The web page's address with the token, which lets in whoever has it.
    pub fn link(&self) -> &str {
        &self.link
    }

    /// How many agents it has.
    pub fn agents(&self) -> u32 {
        self.agents
    }

    /// What lets in who is neither this user nor root.
    pub fn token(&self) -> &Token {
        &self.token
    }

    fn is_inherited(&self) -> bool {
        self.process != std::process::id()
    }

    /// Every task, over or not. Blocks for a moment; empty if the cluster is stopped, and in a forked child.
    pub fn tasks(&self) -> Vec<TaskView> {
        if self.is_inherited() {
            return Vec::new();
        }
        let (reply, answer) = std::sync::mpsc::channel();
        self.handle.tell(move |machine, _| drop(reply.send(machine.tasks())));
        answer.recv().unwrap_or_default()
    }

    /// Kills all tasks, closes the port, and removes what was temporary. Stopping twice does nothing, and a forked
    /// child stops nothing of its parent's.
    pub fn stop(&self) {
        if self.is_inherited() {
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
