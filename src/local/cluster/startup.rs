//! What the cluster's thread begins with: its work directory, its spawner, master and agents, and its server.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio::sync::{mpsc, oneshot};

use super::handle::Handle;
use super::history::History;
use super::litter::Litter;
use super::machine::{Job, Machine};
use super::maker::Maker;
use super::remains::Remains;
use crate::clock::Clock;
use crate::clock::places::{self, Connection, Known, Place as InProcess};
use crate::clock::skipping::{Attention, Skipping};
use crate::local::backend::posix::reaper::{Spawner, Ties};
use crate::local::backend::posix::{self, Containers, Docker, Posix};
use crate::local::backend::simulated::Simulated;
use crate::local::backend::{Backend, Report};
use crate::local::failures::Failures;
use crate::local::keep::Failed;
use crate::local::master::{self, Master};
use crate::local::options::Options;
use crate::local::token::Token;
use crate::local::work_dir::{self, WorkDir};
use crate::local::world::{WallClock, World};
use crate::local::{host, server};
use crate::{Error, Result};

/// Where a cluster is, and who gets in.
pub struct Site {
    pub bound: SocketAddr,
    pub address: SocketAddr,
    pub hostname: String,
    pub token: Token,
    pub clock: Clock,
    pub happened: Arc<AtomicU64>,
}

/// The master's configuration.
pub fn config(options: &Options, hostname: String, address: SocketAddr) -> master::Config {
    let defaults = master::Config::new(hostname, address);
    let least = options.min_allocatable_resources.clone();
    master::Config {
        allocation_interval: options.allocation_interval,
        allocate_on_recovery: options.allocate_on_recovery,
        min_allocatable_resources: least.unwrap_or(defaults.min_allocatable_resources),
        offer_timeout: options.offer_timeout,
        weights: options.weights.clone(),
        roles: options.roles.clone(),
        domain: options.domain.clone(),
        filter_gpu_resources: options.filter_gpu_resources,
        cluster: options.cluster.clone(),
        max_completed_frameworks: options.max_completed_frameworks,
        max_completed_tasks_per_framework: options.max_completed_tasks_per_framework,
        flags: options.flags_of_master(address.port()),
        ..defaults
    }
}

/// All that the cluster's thread begins with.
pub struct Startup {
    runtime: tokio::runtime::Runtime,
    listener: TcpListener,
    address: SocketAddr,
    time: Clock,
    work_dir: WorkDir,
    /// Where sandboxes of failed tasks are kept.
    keep: Option<PathBuf>,
    failed: Failed,
    machine: Machine,
    reports: mpsc::UnboundedReceiver<Report>,
    server: server::Config,
}

impl Startup {
    /// Makes everything that can fail, so that the thread that starts the cluster gets the error.
    pub fn prepare(options: &Options, listener: TcpListener, site: Site) -> Result<Self> {
        let Site { bound, address, hostname, token, clock: time, happened } = site;
        let failed = |e: std::io::Error| Error::cluster(format!("cannot start the cluster: {e}"));
        let (sender, reports) = mpsc::unbounded_channel();
        let runtime = match time.as_skipping().cloned() {
            None => crate::runtime::build(),
            Some(clock) => crate::runtime::build_with(move || clock.on_idle()),
        };
        let runtime = runtime.map_err(failed)?;
        let spawner = Arc::new(runtime.block_on(async { Spawner::start(Ties::None) }).map_err(failed)?);
        listener.set_nonblocking(true).map_err(failed)?;
        let work_dir = WorkDir::make(options.work_dir.as_deref())?;
        let docker = match options.containers {
            Containers::Docker => Some(Arc::new(Docker::find(options.docker.clone())?)),
            Containers::Unsupported | Containers::IgnoreImage => None,
        };
        let config = config(options, hostname.clone(), address);
        let (now, wall) = (time.now(), time.timestamp());
        let wall_clock = WallClock::new(now, wall);
        let master = Master::new(now, config, World::new(wall_clock, time.seed()));
        let failed = Failed::default();
        // Others may name this machine too, and frameworks use the name that offers have.
        let own = (!bound.ip().is_loopback() || options.hostname.is_some()).then(|| hostname.clone());
        let hosts = options.hosts.iter().cloned().chain(own).collect();
        let host = host::look(work_dir.path());
        let agents = work_dir::agents(work_dir.path());
        let (containers, simulated) = (options.containers, options.simulate.is_some());
        let backend = move |id: &str, number: u32| {
            let site = posix::Site {
                agent_id: id.to_owned(),
                work_dir: agents.join(number.to_string()).join("work"),
                spawner: spawner.clone(),
                reports: sender.clone(),
                containers,
                docker: docker.clone(),
            };
            let real = Box::new(Posix::new(site)) as Box<dyn Backend>;
            if simulated { Box::new(Simulated::new(real)) } else { real }
        };
        for (given, meant) in options.resources.misspelt() {
            tracing::warn!(
                "Each agent has a resource '{given}', which frameworks do not look for: did you mean '{meant}'?"
            );
        }
        let mut maker = Maker::new(options.clone(), hostname, host, address, Box::new(backend));
        if work_dir.is_temporary() {
            let agents = Some(work_dir::agents(work_dir.path()));
            maker.litter = Litter { agents, keep: options.keep.clone(), failed: failed.clone() };
        }
        let failures = Failures::new(options.stderr_in_log, failed.clone());
        let mut machine = Machine::new(failures, master, time.clone(), wall_clock, maker);
        machine.history = History::new(happened);
        machine.simulate.clone_from(&options.simulate);
        machine.begin(now)?;
        let server = server::Config {
            work_dir: work_dir.path().to_owned(),
            token,
            hosts,
            queue_max: options.queue_max,
            credentials: options.credentials.clone().filter(|_| options.authenticate_http_frameworks),
        };
        Ok(Self {
            runtime,
            listener,
            address,
            time,
            work_dir,
            keep: options.keep.clone(),
            failed,
            machine,
            reports,
            server,
        })
    }

    /// Runs the cluster until it is stopped, and returns what remains of it. Calls `ready` when the port answers.
    pub fn run(
        self,
        handle: Handle,
        jobs: mpsc::UnboundedReceiver<Job>,
        stopped: oneshot::Receiver<()>,
        ready: impl FnOnce(),
    ) -> Remains {
        let Self { runtime, listener, address, time, work_dir, keep, failed, mut machine, reports, server } = self;
        // Whatever ends this thread, nobody waits for it any more.
        let over = Over(time.clone());
        let mut known = None;
        runtime.block_on(async {
            let inside = time.as_skipping().map(|clock| {
                let (place, inside) = place(clock);
                known = Some(Known::new(address, place));
                inside
            });
            match tokio::net::TcpListener::from_std(listener) {
                Ok(listener) => drop(tokio::spawn(server::serve(listener, inside, handle, server))),
                Err(error) => tracing::error!("The embedded cluster cannot listen: {error}"),
            }
            ready();
            tokio::select! {
                biased;
                () = machine.run(jobs, reports) => {}
                _ = stopped => {}
            }
        });
        drop(known);
        let (view, history) = (machine.view(), std::mem::take(&mut machine.history));
        // Tasks and connections end with the runtime, and only then goes the directory that they use.
        drop(machine);
        drop(runtime);
        drop(over);
        let remains = Remains::new(view, history, work_dir.is_temporary());
        if let Some(keep) = keep.filter(|_| work_dir.is_temporary()) {
            failed.keep(&keep);
        }
        drop(work_dir);
        remains
    }
}

/// Where drivers of this process find a cluster with a clock of its own, and where their connections come out. Called on
/// the cluster's runtime, which from now on does one thing after another.
fn place(clock: &Arc<Skipping>) -> (InProcess, mpsc::UnboundedReceiver<Box<dyn Connection>>) {
    tokio::spawn(Attention::new(clock.clone()));
    let (connections, inside) = mpsc::unbounded_channel();
    let runtime = tokio::runtime::Handle::current();
    (InProcess { clock: Clock::from(clock.clone()), runtime, dial: places::directly(connections) }, inside)
}

/// Ends a clock that moves only when it is told to.
struct Over(Clock);

impl Drop for Over {
    fn drop(&mut self) {
        if let Some(clock) = self.0.as_skipping() {
            clock.end();
        }
    }
}
