//! A simulation from its beginning to its end.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use remesos::local::simulation::{Cluster, Container, Containers};
use remesos::local::{AgentOptions, Declared, Exit, Options, Run, Simulate};
use remesos::proto::v1;
use remesos::wire::duration::Period;
use tokio::sync::{mpsc, watch};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{Instant, sleep, sleep_until};

use crate::checks;
use crate::executor;
use crate::framework::Framework;
use crate::network::Network;
use crate::plan::Plan;
use crate::stage::{Ends, Mood, Stage};
use crate::trouble;
use crate::world::World;

/// After the last fault everything is quiet and agrees within this: an agent that did not come back is given up after ten
/// minutes, and an update that was not acknowledged is repeated after ten at the latest.
const CALMS_WITHIN: Duration = Duration::from_secs(45 * 60);
/// How long nothing but heartbeats is said when all is quiet.
const QUIET: Duration = Duration::from_secs(120);

/// What came of a simulation.
pub struct Outcome {
    pub violation: Option<String>,
    pub story: Vec<String>,
    pub print: u64,
}

/// Plays a plan. It is told as a story if somebody is to read it.
pub fn play(plan: &Plan, slot: u8, told: bool) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let outcome = LocalSet::new().block_on(&runtime, perform(plan.clone(), slot, told));
    drop(runtime);
    outcome
}

/// Tells what containers do to those who play them.
struct Theatre {
    world: Arc<World>,
    orders: mpsc::UnboundedSender<Order>,
}

enum Order {
    Start(Container),
    Stop(String, Ends),
}

impl Containers for Theatre {
    fn started(&self, container: Container) {
        self.world.note(|| format!("container {} of {} starts", short(&container.id), container.executor_id));
        self.world.truth(|truth| truth.container_started(&container));
        if !container.described {
            let _ = self.orders.send(Order::Start(container));
        }
    }

    fn stopped(&self, container: &str, killed: bool) {
        let how = if killed { Ends::Killed } else { Ends::Asked };
        let _ = self.orders.send(Order::Stop(container.to_owned(), how));
    }

    fn ended(&self, container: &str) {
        self.world.note(|| format!("container {} ends", short(container)));
        self.world.truth(|truth| truth.container_ended(container));
    }
}

fn short(id: &str) -> &str {
    id.get(..8).unwrap_or(id)
}

fn options(plan: &Plan) -> Options {
    let seed = plan.seed;
    let agent = |cores: &u32| AgentOptions {
        resources: Some(Declared::parse(&format!("cpus:{cores};mem:{}", cores * 128)).expect("resources")),
        is_complete: true,
        ..AgentOptions::default()
    };
    let describe = move |task: &v1::TaskInfo| {
        if task.executor.is_some() {
            return None;
        }
        let mut random = fastrand::Rng::with_seed(seed ^ hash(&task.task_id.value));
        let duration = (random.f64() > 0.1).then(|| Period::from_millis(random.u64(0..30_000)));
        let error = (random.f64() < 0.05).then(|| "it cannot be started".to_owned());
        let stop = (random.f64() > 0.1).then(|| Period::from_millis(random.u64(0..3000)));
        let start = Period::from_millis(random.u64(0..500));
        let exit = Exit::Exited(random.i32(0..2));
        Some(Arc::new(Run { error, start, duration, exit, stop, ..Run::default() }))
    };
    Options {
        agents: plan.agents.iter().map(agent).collect(),
        simulate: Some(Simulate::new(move |tasks| tasks.iter().map(describe).collect())),
        allocate_on_recovery: plan.seed.is_multiple_of(2),
        offer_timeout: plan.seed.is_multiple_of(3).then_some(Period::from_secs(15)),
        stderr_in_log: false,
        ..Options::default()
    }
}

fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

async fn perform(plan: Plan, slot: u8, told: bool) -> Outcome {
    let (said, moments) = mpsc::unbounded_channel();
    let world = Arc::new(World::new(told, said));
    let (orders, mut ordered) = mpsc::unbounded_channel();
    let theatre = Arc::new(Theatre { world: world.clone(), orders });
    let address = SocketAddr::from(([127, 0, slot, 1], 5050));
    let (cluster, access) = Cluster::new(&options(&plan), address, plan.seed, theatre).expect("a cluster");
    let network = Network::new(world.clone(), access.clone(), plan.speed, plan.seed);
    let stage = Stage::new(world.clone(), network, access, slot);
    spawn_local(cluster.run());
    spawn_local(trouble::lie_in_wait(stage.clone(), plan.ambushes.clone(), moments));
    trouble::learn_agents(&stage).await;
    let played = stage.clone();
    let seed = plan.seed;
    spawn_local(async move {
        let mut number = 0;
        while let Some(order) = ordered.recv().await {
            match order {
                Order::Start(container) => {
                    number += 1;
                    start(&played, container, seed ^ (number << 16));
                }
                Order::Stop(container, how) => stop(&played, &container, how),
            }
        }
    });
    tokio::select! {
        biased;
        () = world.is_violated() => {}
        () = go_through(&stage, &plan) => {}
    }
    if let Some(panic) = crate::panics::take() {
        world.violated(format!("a task panicked: {panic}"));
    }
    let (story, print) = world.story();
    Outcome { violation: world.violation(), story, print }
}

/// Lets happen what is planned, and looks at what has come of it.
async fn go_through(stage: &Rc<Stage>, plan: &Plan) {
    let mut frameworks = Vec::new();
    for (number, framework) in (1..).zip(&plan.frameworks) {
        let framework = Framework::new(stage.clone(), number, framework.clone(), plan.seed);
        frameworks.push(spawn_local(framework.run()));
    }
    let begin = Instant::now();
    for (at, trouble) in &plan.troubles {
        sleep_until(begin + *at).await;
        trouble::happens(stage, *trouble).await;
    }
    sleep_until(begin + plan.calm).await;
    stage.world.note(|| "calm".to_owned());
    trouble::end(stage).await;
    stage.moves_on(Mood::Calm);
    let calm = become_quiet(stage).await;
    checks::agree(stage, calm).await;
    stage.moves_on(Mood::Over);
    for framework in frameworks {
        if let Err(error) = framework.await {
            stage.world.violated(format!("a framework panicked: {error}"));
        }
    }
    sleep(Duration::from_secs(400)).await;
    checks::over(stage).await;
}

/// Waits until nothing but heartbeats is said; whether that comes to pass.
async fn become_quiet(stage: &Rc<Stage>) -> bool {
    let begin = Instant::now();
    // What is given up late is given up in silence.
    sleep(Duration::from_secs(25 * 60)).await;
    while begin.elapsed() < CALMS_WITHIN {
        let last = stage.world.truth(|truth| truth.noise.as_ref().map(|(at, _)| *at));
        if last.is_none_or(|last| last.elapsed() >= QUIET) {
            return true;
        }
        sleep(Duration::from_secs(10)).await;
    }
    false
}

fn start(stage: &Rc<Stage>, container: Container, seed: u64) {
    let client = stage.process(&container.executor_id, true, None);
    let (ends, told) = watch::channel(Ends::Lives);
    stage.executors.borrow_mut().insert(client, (container.clone(), ends));
    spawn_local(executor::run(stage.clone(), container, seed, told, client));
}

fn stop(stage: &Rc<Stage>, container: &str, how: Ends) {
    let executors = stage.executors.borrow();
    if let Some((_, ends)) = executors.values().find(|(known, _)| known.id == container) {
        ends.send_replace(how);
    }
}
