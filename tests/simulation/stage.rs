//! What everybody in a simulation shares: the cluster, the network, who is there, and how far it has come.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use remesos::driver::SchedulerDriver;
use remesos::local::simulation::{Access, Container, Exit, Reached};
use remesos::wire::duration::Period;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::network::{Client, Network};
use crate::plan;
use crate::world::World;

/// How far a simulation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Things go wrong.
    Stormy,
    /// Nothing goes wrong any more, and frameworks ask for nothing new.
    Calm,
    /// Schedulers end.
    Over,
}

/// What a scheduler left at the master.
#[derive(Debug, Clone, Copy)]
pub struct Left {
    /// How long the master may keep it from now on; not at all if `None`.
    pub until: Option<Instant>,
}

/// What everybody shares.
pub struct Stage {
    pub world: Arc<World>,
    pub network: Arc<Network>,
    pub access: Access,
    mood: Cell<Mood>,
    /// For those who wait for the end. They are woken in the order in which they wait, unlike those of a `watch`.
    moved: Notify,
    /// The schedulers whose drivers were started and not stopped.
    pub schedulers: RefCell<BTreeMap<Client, Arc<SchedulerDriver>>>,
    /// The executors whose processes live, with their containers.
    pub executors: RefCell<BTreeMap<Client, (Container, watch::Sender<Ends>)>>,
    pub left: RefCell<BTreeMap<Client, Left>>,
    /// How schedulers end that an ambush has hit.
    struck: RefCell<BTreeMap<Client, plan::End>>,
    /// Until when the cluster's thread does nothing.
    busy: Cell<Option<Instant>>,
    reached: RefCell<Vec<Reached>>,
    next: Cell<Client>,
    slot: u8,
}

/// What is done to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    Lives,
    /// It is asked to end (SIGTERM).
    Asked,
    /// It is killed.
    Killed,
}

impl Stage {
    /// A stage on which nobody is. Threads that simulate at the same time have different slots.
    pub fn new(world: Arc<World>, network: Arc<Network>, access: Access, slot: u8) -> Rc<Self> {
        Rc::new(Self {
            world,
            network,
            access,
            mood: Cell::new(Mood::Stormy),
            moved: Notify::new(),
            schedulers: RefCell::default(),
            executors: RefCell::default(),
            left: RefCell::default(),
            struck: RefCell::default(),
            busy: Cell::default(),
            reached: RefCell::default(),
            next: Cell::new(1),
            slot,
        })
    }

    /// How far it has come.
    pub fn mood(&self) -> Mood {
        self.mood.get()
    }

    /// It has come so far.
    pub fn moves_on(&self, mood: Mood) {
        self.mood.set(mood);
        self.moved.notify_waiters();
    }

    /// For so long, the cluster's thread does nothing.
    pub fn keep_busy(&self, period: Duration) {
        self.access.keep_busy(Period::from(period));
        self.busy.set(Some(Instant::now() + period));
        self.world.truth(|truth| truth.all_disturbed());
    }

    /// A scheduler is to end so, at once.
    pub fn strikes(&self, client: Client, end: plan::End) {
        self.struck.borrow_mut().insert(client, end);
        self.moved.notify_waiters();
    }

    /// Waits until an ambush hits a scheduler, and says how it ends.
    pub async fn struck(&self, client: Client) -> plan::End {
        loop {
            if let Some(end) = self.struck.borrow_mut().remove(&client) {
                return end;
            }
            self.moved.notified().await;
        }
    }

    /// Waits until schedulers are to end.
    pub async fn over(&self) {
        while self.mood() != Mood::Over {
            self.moved.notified().await;
        }
    }

    /// A process with a driver starts.
    pub fn process(&self, name: &str, executor: bool, framework_id: Option<String>) -> Client {
        let client = self.next.get();
        self.next.set(client + 1);
        self.network.add(client);
        self.world.truth(|truth| truth.add(client, format!("{name}-{client}"), executor, framework_id));
        if self.busy.get().is_some_and(|until| Instant::now() < until) {
            self.world.truth(|truth| truth.disturbed(client));
        }
        let network = self.network.clone();
        let dial = Box::new(move || Box::pin(network.clone().connect(client)) as _);
        self.reached.borrow_mut().push(self.access.reached_at(self.address(client), dial));
        client
    }

    /// Where the driver of a process finds the cluster.
    pub fn address(&self, client: Client) -> SocketAddr {
        SocketAddr::new(Ipv4Addr::new(127, 0, self.slot, 1).into(), 10_000 + client)
    }

    /// What a process is called.
    pub fn name(&self, client: Client) -> String {
        self.world.truth(|truth| truth.name(client))
    }

    /// The process of a driver is killed.
    pub fn kill(&self, client: Client) {
        self.network.kill(client);
    }

    /// A scheduler has left its framework. If nothing disturbed it, it has removed the framework, unless it did not mean to.
    pub fn left(&self, client: Client, plan: &plan::Framework, failover: bool) {
        let disturbed = self.world.truth(|truth| truth.clients[&client].disturbances > 0);
        let kept = (failover || disturbed).then(|| Duration::from_secs_f64(plan.failover_timeout));
        let until = kept.map(|timeout| Instant::now() + timeout + Duration::from_secs(300));
        self.left.borrow_mut().insert(client, Left { until });
    }

    /// All processes that live, in the order in which they started.
    pub fn clients(&self) -> Vec<Client> {
        self.schedulers.borrow().keys().chain(self.executors.borrow().keys()).copied().collect()
    }

    /// The container of an executor has ended.
    pub fn container_ended(&self, container: &Container, exit: Exit) {
        self.world.truth(|truth| truth.container_ended(&container.id));
        self.access.ended(container, exit);
    }
}
