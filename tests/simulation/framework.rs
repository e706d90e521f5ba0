//! Frameworks: schedulers that launch, decline and hold offers, kill tasks, send messages, take their time, raise, stop and
//! crash, each with the real driver.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use remesos::driver::{Options, SchedulerDriver, Status};
use remesos::proto::v1;
use remesos::proto::v1::scheduler::call::Type;
use remesos::session::Callback as _;
use remesos::session::scheduler::Callback;
use remesos::wire::scheduler::{Call, FrameworkMessage, call};
use remesos::wire::views::Wrapped;
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
        scheduler.run(life.end).await;
        scheduler.end(life.end).await;
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
    /// Takes callbacks until it is to end.
    async fn run(&mut self, end: End) {
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
                    let Some(deliveries) = deliveries else { return };
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
                () = async { match until { Some(until) => sleep_until(until).await, None => std::future::pending().await } } => return,
                () = stage.over() => return,
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

    /// Makes a call, of which the truth is told.
    fn call(&mut self, kind: Type, call: Call, told: v1::scheduler::Call) {
        if self.driver.status() == Status::Running {
            let told = v1::scheduler::Call { r#type: Some(kind.into()), ..told };
            self.framework.stage.world.truth(|truth| truth.calls(self.client, &told));
            self.driver.call(call);
        }
    }

    fn decline(&mut self, offer: v1::Offer) {
        let seconds = if self.is_calm() { NEVER } else { self.framework.random.f64() * 10.0 };
        let filters = Some(v1::Filters { refuse_seconds: Some(seconds) }.encode_to_vec().into());
        let offer_ids = vec![offer.id.encode_to_vec().into()];
        let told = v1::scheduler::call::Decline { offer_ids: vec![offer.id.clone()], ..Default::default() };
        let told = v1::scheduler::Call { decline: Some(told), ..Default::default() };
        self.call(Type::Decline, Call::Decline(call::Decline { offer_ids, filters }), told);
        self.spent.push(offer);
    }

    fn launch(&mut self, offer: v1::Offer) {
        let Some(framework_id) = self.framework.id.clone() else { return };
        let cores = offer.resources.iter().find(|resource| resource.name == "cpus");
        let cores = cores.and_then(|resource| resource.scalar.as_ref()).map_or(0.0, |scalar| scalar.value);
        let most = ((cores / 0.5) as u32).clamp(1, 3);
        let count = self.framework.random.u32(1..=most);
        let tasks: Vec<_> = (0..count).map(|_| self.task(&offer, &framework_id)).collect();
        let bytes = tasks.iter().map(|task| task.encode_to_vec().into()).collect();
        let filters = Some(v1::Filters { refuse_seconds: Some(0.0) }.encode_to_vec().into());
        let offer_ids = vec![offer.id.encode_to_vec().into()];
        let accept = call::Accept { offer_ids, operations: vec![call::launch_operation(bytes)], filters };
        let launch = Some(v1::offer::operation::Launch { task_infos: tasks.clone() });
        let operations = vec![v1::offer::Operation { launch, ..Default::default() }];
        let told = v1::scheduler::call::Accept { offer_ids: vec![offer.id.clone()], operations, ..Default::default() };
        let told = v1::scheduler::Call { accept: Some(told), ..Default::default() };
        if self.driver.status() == Status::Running {
            self.framework.stage.world.truth(|truth| {
                tasks.iter().for_each(|task| truth.wants(&framework_id, task));
            });
        }
        self.call(Type::Accept, Call::Accept(accept), told);
        self.spent.push(offer);
    }

    fn task(&mut self, offer: &v1::Offer, framework_id: &str) -> v1::TaskInfo {
        let framework = &mut *self.framework;
        framework.launched += 1;
        let id = format!("t{}.{}", framework.number, framework.launched);
        let scalar = |name: &str, value: f64| v1::Resource {
            name: name.to_owned(),
            r#type: v1::value::Type::Scalar.into(),
            scalar: Some(v1::value::Scalar { value }),
            ..Default::default()
        };
        let command = v1::CommandInfo { value: Some("run".to_owned()), ..Default::default() };
        let executor = framework.plan.custom.then(|| v1::ExecutorInfo {
            r#type: Some(v1::executor_info::Type::Custom.into()),
            executor_id: v1::ExecutorId { value: format!("e{}.{}", framework.number, framework.random.u32(0..2)) },
            framework_id: Some(v1::FrameworkId { value: framework_id.to_owned() }),
            command: Some(command.clone()),
            ..Default::default()
        });
        if let Some(executor) = &executor {
            self.executors.insert(executor.executor_id.value.clone(), offer.agent_id.value.clone());
        }
        v1::TaskInfo {
            name: id.clone(),
            task_id: v1::TaskId { value: id },
            agent_id: offer.agent_id.clone(),
            resources: vec![scalar("cpus", 0.5), scalar("mem", 32.0)],
            command: executor.is_none().then_some(command),
            executor: executor.map(Into::into),
            ..Default::default()
        }
    }

    /// The tasks that are not known to be over, with their agents.
    fn open_tasks(&self) -> Vec<(String, String)> {
        let id = self.framework.id.clone().unwrap_or_default();
        self.framework.stage.world.truth(|truth| {
            let mine = truth.tasks.iter().filter(|(_, task)| task.framework_id == id && !task.is_told_over());
            mine.map(|(task_id, task)| (task_id.clone(), task.agent_id.clone())).collect()
        })
    }

    fn kill(&mut self) {
        let tasks = self.open_tasks();
        if tasks.is_empty() {
            return;
        }
        let (task_id, _) = tasks[self.framework.random.usize(0..tasks.len())].clone();
        let id = v1::TaskId { value: task_id };
        let kill = v1::scheduler::call::Kill { task_id: id.clone(), ..Default::default() };
        let told = v1::scheduler::Call { kill: Some(kill), ..Default::default() };
        self.call(Type::Kill, Call::Kill(Wrapped { inner: id.encode_to_vec().into() }), told);
    }

    /// Asks for the tasks that are not known to be over. The first that it asks for does not exist, and names the call.
    fn reconcile(&mut self) {
        let tasks = self.open_tasks();
        if tasks.is_empty() {
            return;
        }
        let token = (self.framework.token("r"), String::new());
        let all: Vec<_> = std::iter::once(token).chain(tasks).collect();
        let tasks = all.iter().map(|(task, agent)| call::ReconcileTask {
            task_id: v1::TaskId { value: task.clone() }.encode_to_vec().into(),
            agent_id: (!agent.is_empty()).then(|| v1::AgentId { value: agent.clone() }.encode_to_vec().into()),
        });
        let task_id = v1::TaskId { value: all[0].0.clone() };
        let first = v1::scheduler::call::reconcile::Task { task_id, agent_id: None };
        let told = v1::scheduler::call::Reconcile { tasks: vec![first] };
        let told = v1::scheduler::Call { reconcile: Some(told), ..Default::default() };
        let call = Call::Reconcile(call::Reconcile { tasks: tasks.collect() });
        self.call(Type::Reconcile, call, told);
    }

    fn send_message(&mut self) {
        let Some((executor, agent)) = self.executors.first_key_value().map(|(e, a)| (e.clone(), a.clone())) else {
            return;
        };
        let data = self.framework.token("m").into_bytes();
        let message = FrameworkMessage {
            agent_id: v1::AgentId { value: agent.clone() }.encode_to_vec().into(),
            executor_id: v1::ExecutorId { value: executor.clone() }.encode_to_vec().into(),
            data: data.clone().into(),
        };
        let told = v1::scheduler::call::Message { data, ..Default::default() };
        let told = v1::scheduler::Call { message: Some(told), ..Default::default() };
        self.call(Type::Message, Call::Message(message), told);
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
