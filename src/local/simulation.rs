//! A cluster in the virtual time of a Tokio runtime, for the simulation in `tests/simulation`: its state machines and its
//! server as they always are, but without a port, a thread, a process or a file. Whoever simulates brings connections, and
//! says how containers go.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::ready;
use std::time::Instant;

use tokio::sync::mpsc;

pub use super::backend::Exit;
use super::backend::simulated::Simulated;
use super::backend::{Backend, Event, Launch, Order, Report, Sandbox};
use super::cluster::handle::Handle;
use super::cluster::machine::{Job, Machine};
use super::cluster::maker::Maker;
use super::cluster::startup;
use super::failures::Failures;
use super::keep::Failed;
use super::master::Master;
use super::options::Options;
use super::resources::Host;
use super::server;
use super::token::Token;
use super::world::{WallClock, World};
use crate::Result;
pub use crate::clock::places::{Connection, Dial};
use crate::clock::places::{Known, Place};
use crate::clock::{Clock, Timer};
use crate::wire::duration::Period;

/// Hears of all containers, and is all containers that are not described.
pub trait Containers: Send + Sync {
    /// A container is started. If it is not described, it is to be played: its end is told to [`Access::ended`].
    fn started(&self, container: Container);
    /// A container is asked to end, or it is killed.
    fn stopped(&self, container: &str, killed: bool);
    /// A container has ended, or could not be started.
    fn ended(&self, container: &str);
}

/// A container that is started.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Container {
    pub id: String,
    pub agent_id: String,
    pub framework_id: String,
    pub executor_id: String,
    /// Whether it is described, so that nobody has to play it.
    pub described: bool,
    pub environment: BTreeMap<String, String>,
}

/// A cluster that nobody runs but [`Cluster::run`].
pub struct Cluster {
    machine: Machine,
    jobs: mpsc::UnboundedReceiver<Job>,
    reports: mpsc::UnboundedReceiver<Report>,
    clock: Clock,
    /// Until when the cluster does nothing, if that is new.
    busy: Arc<Mutex<Option<Instant>>>,
}

/// Reaches a cluster that runs.
#[derive(Clone)]
pub struct Access {
    handle: Handle,
    clock: Clock,
    reports: mpsc::UnboundedSender<Report>,
    connections: mpsc::UnboundedSender<Box<dyn Connection>>,
    busy: Arc<Mutex<Option<Instant>>>,
}

impl Cluster {
    /// A cluster at this address. To be called within the runtime.
    pub fn new(
        options: &Options,
        address: SocketAddr,
        seed: u64,
        containers: Arc<dyn Containers>,
    ) -> Result<(Self, Access)> {
        let clock = Clock::seeded(seed);
        let (now, wall) = (clock.now(), clock.timestamp());
        let wall_clock = WallClock::new(now, wall);
        let config = startup::config(options, "localhost".to_owned(), address);
        let master = Master::new(now, config, World::new(wall_clock, clock.seed()));
        let (reporter, reports) = mpsc::unbounded_channel();
        let make = move |id: &str, _| Watched::boxed(id, containers.clone());
        let host = Host { cpus: 1.0, mem: 1024.0, disk: 1024.0 };
        let maker = Maker::new(options.clone(), "localhost".to_owned(), host, address, Box::new(make));
        let failures = Failures::new(false, Failed::default());
        let mut machine = Machine::new(failures, master, clock.clone(), wall_clock, maker);
        machine.simulate.clone_from(&options.simulate);
        machine.begin(now)?;
        let (handle, jobs) = Handle::new(clock.clone());
        let (connections, inside) = mpsc::unbounded_channel();
        let served = server::Config {
            work_dir: PathBuf::new(),
            token: Token::random()?,
            hosts: Vec::new(),
            queue_max: options.queue_max,
            credentials: None,
        };
        tokio::spawn(server::serve_inside(inside, address, handle.clone(), served));
        let busy = Arc::<Mutex<Option<Instant>>>::default();
        let access = Access { handle, clock: clock.clone(), reports: reporter, connections, busy: busy.clone() };
        Ok((Self { machine, jobs, reports, clock, busy }, access))
    }

    /// Runs it, for as long as this is polled.
    pub async fn run(self) {
        let Self { mut machine, jobs, reports, clock, busy } = self;
        let mut running = pin!(machine.run(jobs, reports));
        let mut pause: Option<Timer> = None;
        poll_fn(|context| {
            loop {
                if let Some(pause) = &mut pause {
                    ready!(Pin::new(pause).poll(context));
                }
                pause = lock(&busy).take().map(|until| clock.timer(until));
                if pause.is_none() {
                    return running.as_mut().poll(context);
                }
            }
        })
        .await;
    }
}

impl Access {
    /// Does something with the cluster. `None` if it is gone.
    pub async fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Machine, Instant) -> T + Send + 'static,
    ) -> Option<T> {
        self.handle.ask(job).await
    }

    /// Serves a connection.
    pub fn serve(&self, connection: impl Connection + 'static) {
        // A cluster that is gone closes it.
        let _ = self.connections.send(Box::new(connection));
    }

    /// For so long, the cluster's thread does nothing, while its server goes on: so it is where each has a thread of its own,
    /// and that of the cluster gets no time, or much work.
    pub fn keep_busy(&self, period: Period) {
        *lock(&self.busy) = Some(self.clock.now() + period);
    }

    /// A container that was played has ended.
    pub fn ended(&self, container: &Container, exit: Exit) {
        let event = Event::Ended { container: container.id.clone(), exit };
        let _ = self.reports.send(Report { agent_id: container.agent_id.clone(), event });
    }

    /// Has drivers that are told of this address reach the cluster over these connections, for as long as the guard lives.
    pub fn reached_at(&self, address: SocketAddr, dial: Dial) -> Reached {
        let runtime = tokio::runtime::Handle::current();
        Reached { _known: Known::new(address, Place { clock: self.clock.clone(), runtime, dial }) }
    }
}

fn lock(busy: &Mutex<Option<Instant>>) -> MutexGuard<'_, Option<Instant>> {
    busy.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps an address known.
pub struct Reached {
    _known: Known,
}

/// The backend of an agent: what is described is played by [`Simulated`], and the rest is told.
#[derive(Debug)]
struct Watched {
    agent_id: String,
    simulated: Simulated,
    told: Told,
}

/// Whom a backend tells.
#[derive(Clone)]
struct Told(Arc<dyn Containers>);

impl std::fmt::Debug for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Told")
    }
}

impl Watched {
    fn boxed(agent_id: &str, containers: Arc<dyn Containers>) -> Box<dyn Backend> {
        let played = Played { told: Told(containers.clone()), running: Vec::new(), events: Vec::new() };
        let simulated = Simulated::new(Box::new(played));
        Box::new(Self { agent_id: agent_id.to_owned(), simulated, told: Told(containers) })
    }

    fn tell_start(&self, launch: &Launch) {
        let Sandbox { framework_id, executor_id, .. } = launch.sandbox.clone();
        self.told.0.started(Container {
            id: launch.container.clone(),
            agent_id: self.agent_id.clone(),
            framework_id,
            executor_id,
            described: launch.run.is_some(),
            environment: launch.environment.iter().cloned().collect(),
        });
    }
}

impl Backend for Watched {
    fn handle(&mut self, now: Instant, order: Order) {
        if let Order::Start(launch) = &order {
            self.tell_start(launch);
        }
        self.simulated.handle(now, order);
    }

    fn files(&self, sandbox: &Sandbox) -> PathBuf {
        self.simulated.files(sandbox)
    }

    fn like(&self, agent_id: &str) -> Box<dyn Backend> {
        Self::boxed(agent_id, self.told.0.clone())
    }

    fn poll_event(&mut self) -> Option<Event> {
        let event = self.simulated.poll_event()?;
        if let Event::Ended { container, .. } | Event::Failed { container, .. } = &event {
            self.told.0.ended(container);
        }
        Some(event)
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.simulated.poll_timeout()
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.simulated.handle_timeout(now);
    }
}

/// Containers that somebody else plays. They are killed with their agent.
#[derive(Debug)]
struct Played {
    told: Told,
    running: Vec<String>,
    events: Vec<Event>,
}

impl Backend for Played {
    fn handle(&mut self, _now: Instant, order: Order) {
        match order {
            Order::Start(launch) => {
                self.running.push(launch.container.clone());
                self.events.push(Event::Started { container: launch.container, process: None });
            }
            Order::Stop { container, how } => self.told.0.stopped(&container, how == super::backend::Stop::Kill),
            Order::Signal { container, .. } => self.told.0.stopped(&container, true),
            _ => {}
        }
    }

    fn files(&self, _sandbox: &Sandbox) -> PathBuf {
        PathBuf::new()
    }

    fn like(&self, _agent_id: &str) -> Box<dyn Backend> {
        Box::new(Self { told: self.told.clone(), running: Vec::new(), events: Vec::new() })
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.events.pop()
    }
}

impl Drop for Played {
    fn drop(&mut self) {
        self.running.iter().for_each(|container| self.told.0.stopped(container, true));
    }
}
