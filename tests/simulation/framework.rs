//! Frameworks: schedulers that launch, decline and hold offers, kill tasks, send messages, take their time, raise, stop and
//! crash, each with the real driver.

mod calls;

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use remesos::driver::{Options, SchedulerDriver};
use remesos::proto::v1;
use remesos::session::Callback as _;
use remesos::session::scheduler::Callback;
use remesos::wire::scheduler::{Call, call};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::network::Client;
use crate::plan::{End, Framework as Plan, Life};
use crate::stage::{Mood, Stage};
use crate::truth;

/// A driver that is stopped has ended by then: SUBSCRIBE is waited for, and the last calls.
const ENDS_WITHIN: Duration = Duration::from_secs(12);
/// A scheduler that waits as long as this for a task that it asks for asks no more.
const PATIENCE: Duration = Duration::from_secs(1000);
/// What a scheduler that is calm says of offers.
const NEVER: f64 = 1e8;

/// A framework.
pub struct Framework {
    stage: Rc<Stage>,
    number: u32,
    plan: Plan,
    random: fastrand::Rng,
    /// Its id, if a scheduler is to go on with it.
    id: Option<String>,
    launched: u32,
    tokens: u32,
}

/// One of its schedulers.
struct Scheduler<'a> {
    framework: &'a mut Framework,
    client: Client,
    driver: Arc<SchedulerDriver>,
    /// Offers that it has not answered, with the cores that they have.
    held: VecDeque<(v1::Offer, Instant)>,
    /// Offers that it has answered, or that were rescinded.
    spent: Vec<v1::Offer>,
    callbacks: u32,
    /// Updates that it acknowledges itself.
    unacknowledged: Vec<Bytes>,
    executors: BTreeMap<String, String>,
    /// When it reconciles again though nothing goes wrong any more, and how long it waits after that.
    patience: (Instant, Duration),
}

impl Framework {
    /// A framework that has not begun.
    pub fn new(stage: Rc<Stage>, number: u32, plan: Plan, seed: u64) -> Self {
        let random = fastrand::Rng::with_seed(seed ^ (u64::from(number) << 8));
        Self { stage, number, plan, random, id: None, launched: 0, tokens: 0 }
    }

    /// Lives all its lives.
    pub async fn run(mut self) {
        for life in self.plan.lives.clone() {
            sleep(life.pause).await;
            if self.stage.mood() != Mood::Over {
                self.live(&life).await;
            }
        }
    }

    async fn live(&mut self, life: &Life) {
        let stage = self.stage.clone();
        let name = format!("f{}", self.number);
        let client = stage.process(&name, false, self.id.clone());
        let driver = Arc::new(SchedulerDriver::new(self.options(client)).expect("a FrameworkInfo"));
        stage.world.note(|| format!("{} starts, as {:?}", stage.name(client), self.id));
        driver.start(self.plan.implicit_acknowledgements).expect("an address");
        stage.schedulers.borrow_mut().insert(client, driver.clone());
        let mut scheduler = Scheduler {
            framework: self,
            client,
            driver,
            held: VecDeque::new(),
            spent: Vec::new(),
            callbacks: 0,
            unacknowledged: Vec::new(),
            executors: BTreeMap::new(),
            patience: (Instant::now(), Duration::from_secs(5)),
        };
        let end = scheduler.run(life.end).await;
        scheduler.end(end).await;
        stage.schedulers.borrow_mut().remove(&client);
    }

    fn options(&self, client: Client) -> Options {
        let capability =
            |kind: v1::framework_info::capability::Type| v1::framework_info::Capability { r#type: Some(kind.into()) };
        let aware = self.plan.partition_aware.then(|| capability(v1::framework_info::capability::Type::PartitionAware));
        let info = v1::FrameworkInfo {
            name: format!("f{}", self.number),
            user: "user".to_owned(),
            hostname: Some("host".to_owned()),
            id: self.id.clone().map(|value| v1::FrameworkId { value }),
            failover_timeout: Some(self.plan.failover_timeout),
            checkpoint: Some(self.plan.checkpoint),
            capabilities: aware.into_iter().collect(),
            ..Default::default()
        };
        Options {
            framework: info.encode_to_vec().into(),
            master: self.stage.address(client).to_string(),
            authentication: None,
            trust: Default::default(),
            suppressed_roles: Vec::new(),
        }
    }

    fn token(&mut self, kind: &str) -> String {
        self.tokens += 1;
        format!("{kind}{}.{}", self.number, self.tokens)
    }
}

impl Scheduler<'_> {
    /// Takes callbacks until it is to end; how it ends, which may be otherwise than it was to.
    async fn run(&mut self, end: End) -> End {
        let stage = self.framework.stage.clone();
        let after = match end {
            End::Stop { after, .. } | End::Crash { after } | End::Abort { after, .. } => Some(after),
            End::Late | End::Raise { .. } => None,
        };
        let until = after.map(|after| Instant::now() + after);
        let mut turn = Instant::now() + Duration::from_secs(1);
        loop {
            let driver = self.driver.clone();
            tokio::select! {
                biased;
                deliveries = driver.recv() => {
                    let Some(deliveries) = deliveries else { return end };
                    for delivery in deliveries {
                        if !delivery.begin(|_| {}) {
                            continue;
                        }
                        let raises = matches!(end, End::Raise { callbacks, .. } if callbacks == self.callbacks);
                        self.callbacks += 1;
                        self.take_time().await;
                        let callback = delivery.callback().clone();
                        self.called_back(&callback);
                        if raises {
                            stage.world.note(|| format!("{} raises", stage.name(self.client)));
                            driver.abort();
                            continue;
                        }
                        if self.framework.plan.implicit_acknowledgements {
                            self.may_acknowledge(&callback);
                        }
                        delivery.ack();
                        if let Some(error) = callback.error() {
                            stage.world.note(|| format!("{} is told {error}", stage.name(self.client)));
                            if error.is_bug() {
                                stage.world.violated(error.to_string());
                            }
                        }
                    }
                }
                () = sleep_until(turn) => {
                    self.take_turn();
                    turn = Instant::now() + Duration::from_millis(self.framework.random.u64(100..5000));
                }
                () = async { match until { Some(until) => sleep_until(until).await, None => std::future::pending().await } } => return end,
                struck = stage.struck(self.client) => return struck,
                () = stage.over() => return end,
            }
        }
    }

    /// A callback may take a while.
    async fn take_time(&mut self) {
        let random = &mut self.framework.random;
        if random.f64() < self.framework.plan.slow && self.framework.stage.mood() == Mood::Stormy {
            let most: f64 = if random.f64() < 0.02 { 90.0 } else { 2.0 };
            let time = Duration::from_secs_f64(most * random.f64().powi(2));
            sleep(time).await;
        }
    }

    fn called_back(&mut self, callback: &Callback) {
        let stage = self.framework.stage.clone();
        stage.world.note(|| format!("{} is called back: {}", stage.name(self.client), name(callback)));
        match callback {
            Callback::Registered(subscribed) | Callback::Reregistered(subscribed) => {
                let id = v1::FrameworkId::decode(subscribed.framework_id.clone()).expect("an id").value;
                self.framework.id = Some(id);
                self.forget_offers();
                self.reconcile();
            }
            Callback::Disconnected => self.forget_offers(),
            Callback::ResourceOffers(offers) => {
                let offers: Vec<_> = offers.iter().map(|o| v1::Offer::decode(o.clone()).expect("an offer")).collect();
                let words = truth::offers(offers.iter().map(|offer| offer.id.value.as_str()));
                stage.world.truth(|truth| truth.called_back(self.client, &words));
                for offer in offers {
                    self.consider(offer);
                }
            }
            Callback::OfferRescinded(id) => {
                let id = v1::OfferId::decode(id.clone()).expect("an id").value;
                let words = format!("RESCIND {}", truth::tail(&id));
                stage.world.truth(|truth| truth.called_back(self.client, &words));
                let rescinded = self.held.iter().position(|(offer, _)| offer.id.value == id);
                let rescinded = rescinded.and_then(|at| self.held.remove(at));
                self.spent.extend(rescinded.map(|(offer, _)| offer));
            }
            Callback::StatusUpdate { status, .. } => self.updated(status),
            Callback::FrameworkMessage { data, .. } => {
                let words = format!("MESSAGE {}", String::from_utf8_lossy(data));
                stage.world.truth(|truth| truth.called_back(self.client, &words));
            }
            _ => {}
        }
    }

    fn updated(&mut self, bytes: &Bytes) {
        let stage = self.framework.stage.clone();
        let status = v1::TaskStatus::decode(bytes.clone()).expect("a status");
        let own = status.reason == Some(v1::task_status::Reason::MasterDisconnected.into()) && status.uuid.is_none();
        stage.world.truth(|truth| {
            if !own {
                truth.called_back(self.client, &truth::update(&status));
            }
            truth.told(&status);
        });
        if !self.framework.plan.implicit_acknowledgements {
            self.unacknowledged.push(bytes.clone());
        }
    }

    fn may_acknowledge(&self, callback: &Callback) {
        if let Callback::StatusUpdate { status, .. } = callback {
            let status = v1::TaskStatus::decode(status.clone()).expect("a status");
            self.framework.stage.world.truth(|truth| truth.may_acknowledge(self.client, status.uuid()));
        }
    }

    /// What the framework does by itself now and then.
    fn take_turn(&mut self) {
        for bytes in std::mem::take(&mut self.unacknowledged) {
            let status = v1::TaskStatus::decode(bytes.clone()).expect("a status");
            self.framework.stage.world.truth(|truth| truth.may_acknowledge(self.client, status.uuid()));
            self.driver.acknowledge(bytes);
        }
        if self.is_calm() {
            while let Some((offer, _)) = self.held.pop_front() {
                self.decline(offer);
            }
            return self.reconcile_less_and_less();
        }
        let now = Instant::now();
        while self.held.front().is_some_and(|(_, until)| *until <= now) {
            if let Some((offer, _)) = self.held.pop_front() {
                self.launch_or_decline(offer);
            }
        }
        match self.framework.random.u32(0..12) {
            0 => self.kill(),
            1 => self.reconcile(),
            2 => self.send_message(),
            3 => drop(self.driver.call(Call::Revive(call::Roles::default()))),
            4 => drop(self.driver.call(Call::Suppress(call::Roles::default()))),
            5 | 6 => drop(self.driver.call(Call::Revive(call::Roles::default()))),
            _ => {}
        }
        if self.framework.random.f64() < self.framework.plan.careless
            && let Some(offer) = self.spent.pop()
        {
            self.launch(offer);
        }
    }

    /// Waits longer and longer for what it does not know, and does not ask for ever.
    fn reconcile_less_and_less(&mut self) {
        let (due, wait) = self.patience;
        if Instant::now() >= due && wait < PATIENCE {
            self.patience = (Instant::now() + wait, wait * 2);
            self.reconcile();
        }
    }

    fn is_calm(&self) -> bool {
        self.framework.stage.mood() != Mood::Stormy
    }

    fn forget_offers(&mut self) {
        self.spent.extend(self.held.drain(..).map(|(offer, _)| offer));
    }

    fn consider(&mut self, offer: v1::Offer) {
        if !self.is_calm() && self.framework.random.f64() < 0.2 {
            let until = Instant::now() + Duration::from_secs_f64(20.0 * self.framework.random.f64());
            return self.held.push_back((offer, until));
        }
        self.launch_or_decline(offer);
    }

    fn launch_or_decline(&mut self, offer: v1::Offer) {
        let enough = self.framework.launched < self.framework.plan.tasks && !self.is_calm();
        if enough && self.framework.random.f64() < 0.8 { self.launch(offer) } else { self.decline(offer) }
    }

    /// Ends as planned, and says what is to become of the framework.
    async fn end(&mut self, end: End) {
        let stage = self.framework.stage.clone();
        let calm = stage.mood() == Mood::Over;
        let failover = match end {
            _ if calm => false,
            End::Late => false,
            End::Stop { failover, .. } | End::Raise { failover, .. } => failover,
            End::Abort { failover, .. } => {
                self.driver.abort();
                sleep(Duration::from_secs(5)).await;
                failover
            }
            End::Crash { .. } => {
                stage.world.note(|| format!("{} is killed", stage.name(self.client)));
                stage.kill(self.client);
                true
            }
        };
        if calm {
            stage.world.truth(|truth| truth.all_called_back(self.client));
        }
        let crashed = matches!(end, End::Crash { .. }) && !calm;
        stage.world.note(|| format!("{} stops, failover={failover}", stage.name(self.client)));
        self.driver.stop(failover);
        if timeout(ENDS_WITHIN, self.driver.ended()).await.is_err() && !crashed {
            let name = stage.name(self.client);
            stage.world.violated(format!("{name} was stopped {ENDS_WITHIN:?} ago, and its driver has not ended"));
        }
        stage.left(self.client, &self.framework.plan, failover);
        if !failover || self.framework.plan.failover_timeout < 1.0 || self.callbacks == 0 {
            self.framework.id = None;
        }
    }
}

fn name(callback: &Callback) -> String {
    match callback {
        Callback::StatusUpdate { status, .. } => {
            truth::update(&v1::TaskStatus::decode(status.clone()).expect("a status"))
        }
        other => format!("{other:?}").split(['(', ' ']).next().unwrap_or_default().to_owned(),
    }
}
