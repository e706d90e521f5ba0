//! What happens in a simulation, as far as it does not follow from what happens before: all of it comes from one seed.

use std::time::Duration;

use crate::network::{Fault, Speed, Way, Which};

/// A simulation.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    pub speed: Speed,
    /// The cores of each agent.
    pub agents: Vec<u32>,
    pub frameworks: Vec<Framework>,
    /// What goes wrong, and when.
    pub troubles: Vec<(Duration, Trouble)>,
    /// What goes wrong when something is said.
    pub ambushes: Vec<Ambush>,
    /// When nothing goes wrong any more.
    pub calm: Duration,
}

/// A framework, which may have several schedulers one after another.
#[derive(Debug, Clone)]
pub struct Framework {
    pub failover_timeout: f64,
    pub checkpoint: bool,
    pub partition_aware: bool,
    pub implicit_acknowledgements: bool,
    /// Whether its tasks have an executor of its own.
    pub custom: bool,
    /// How likely it is that a callback takes its time.
    pub slow: f64,
    /// How likely it is that it uses an offer that it must not use.
    pub careless: f64,
    pub tasks: u32,
    pub lives: Vec<Life>,
}

/// A scheduler: what it begins after, and how it ends.
#[derive(Debug, Clone)]
pub struct Life {
    pub pause: Duration,
    pub end: End,
}

/// How a scheduler ends.
#[derive(Debug, Clone, Copy)]
pub enum End {
    /// With the simulation.
    Late,
    /// It stops its driver.
    Stop { after: Duration, failover: bool },
    /// Its process is killed.
    Crash { after: Duration },
    /// A callback raises, and the driver is stopped a while later.
    Raise { callbacks: u32, failover: bool },
    /// It aborts its driver, and stops it a while later.
    Abort { after: Duration, failover: bool },
}

/// Something that goes wrong. Numbers choose whom it befalls.
#[derive(Debug, Clone, Copy)]
pub enum Trouble {
    Network {
        client: u32,
        which: Which,
        fault: Fault,
    },
    /// The master ends, and another one leads after a while.
    Master {
        memory: bool,
        down: Duration,
    },
    Rescind(u32),
    Disconnect(u32),
    /// SUBSCRIBE is answered with 503.
    Unready(u32, Duration),
    AgentAway {
        agent: u32,
        at_once: bool,
        period: Duration,
    },
    AgentRestart {
        agent: u32,
        memory: bool,
        down: Duration,
    },
    AgentKilled {
        agent: u32,
        at_once: bool,
    },
    AgentAdded,
    ExecutorKilled(u32),
    DiskFull(u32, Duration),
    /// Updates between agents and master are delayed, doubled or lost.
    Updates {
        delay: Duration,
        duplicate: f64,
        lose: f64,
        period: Duration,
    },
    /// An executor's process is killed.
    Process(u32),
}

/// Something that goes wrong while something is said: so it comes within a round trip, which a trouble hardly ever does.
#[derive(Debug, Clone, Copy)]
pub struct Ambush {
    pub moment: Moment,
    /// How often that has to be said before, by whoever it is.
    pub before: u32,
    /// How much later it happens.
    pub after: Duration,
    pub blow: Blow,
}

/// What is said, by whoever has a driver or to him.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    Subscribe,
    Subscribed,
    Accept,
    Acknowledge,
    Teardown,
    Offers,
    Rescind,
    Update,
    Launch,
    Answer,
}

/// What befalls him.
#[derive(Debug, Clone, Copy)]
pub enum Blow {
    /// The process is killed, while the cluster's thread is busy for so long.
    Killed { busy: Duration },
    /// The scheduler is stopped, in the same way; an executor is killed.
    Stopped { busy: Duration, failover: bool },
    /// The connection on which it is said, or all.
    Fault { all: bool, fault: Fault },
}

fn between(random: &mut fastrand::Rng, least: f64, most: f64) -> Duration {
    Duration::from_secs_f64(least + (most - least) * random.f64())
}

/// Small more often than large.
fn about(random: &mut fastrand::Rng, most: f64) -> Duration {
    Duration::from_secs_f64(most * random.f64().powi(3))
}

fn chance(random: &mut fastrand::Rng, likely: f64) -> bool {
    random.f64() < likely
}

impl Plan {
    /// The simulation of a seed.
    pub fn new(seed: u64) -> Self {
        let random = &mut fastrand::Rng::with_seed(seed);
        let storm = between(random, 5.0, 120.0);
        let most = [0.001, 0.05, 0.8][random.usize(0..3)];
        let speed = Speed { least: Duration::from_micros(200), most: Duration::from_secs_f64(most) };
        let agents = (0..random.u32(1..=3)).map(|_| random.u32(1..=4)).collect();
        let frameworks = (0..random.u32(1..=3)).map(|_| framework(random, storm)).collect();
        let count = if chance(random, 0.2) { 0 } else { random.u32(1..=12) };
        let mut troubles: Vec<_> = (0..count).map(|_| (storm.mul_f64(random.f64()), trouble(random))).collect();
        troubles.sort_by_key(|(at, _)| *at);
        // From numbers of their own: what else a seed has stays as it was before there were ambushes.
        let random = &mut fastrand::Rng::with_seed(!seed);
        let count = if chance(random, 0.4) { random.u32(1..=3) } else { 0 };
        let ambushes = (0..count).map(|_| ambush(random, most)).collect();
        Self { seed, speed, agents, frameworks, troubles, ambushes, calm: storm }
    }
}

fn ambush(random: &mut fastrand::Rng, latency: f64) -> Ambush {
    use Moment::{Accept, Acknowledge, Answer, Launch, Offers, Rescind, Subscribe, Subscribed, Teardown, Update};
    let moments = [Subscribe, Subscribed, Accept, Acknowledge, Teardown, Offers, Rescind, Update, Launch, Answer];
    let moment = if chance(random, 0.3) { Subscribe } else { moments[random.usize(0..moments.len())] };
    let before = if random.bool() { 0 } else { random.u32(0..6) };
    let after = if random.bool() { Duration::ZERO } else { about(random, 4.0 * latency) };
    let busy = if random.bool() { Duration::ZERO } else { about(random, 20.0) };
    let blow = match random.u32(0..6) {
        0..2 => Blow::Killed { busy },
        2..4 => Blow::Stopped { busy, failover: random.bool() },
        _ => Blow::Fault { all: random.bool(), fault: fault(random) },
    };
    Ambush { moment, before, after, blow }
}

fn framework(random: &mut fastrand::Rng, storm: Duration) -> Framework {
    let mut lives: Vec<_> = (0..random.u32(0..=2)).map(|_| life(random, storm.as_secs_f64())).collect();
    lives.push(Life { pause: about(random, 5.0), end: End::Late });
    Framework {
        failover_timeout: [0.0, 30.0, 604_800.0][random.usize(0..3)],
        checkpoint: random.bool(),
        partition_aware: random.bool(),
        implicit_acknowledgements: chance(random, 0.7),
        custom: random.bool(),
        slow: [0.0, 0.0, 0.1, 0.5][random.usize(0..4)],
        careless: [0.0, 0.1][random.usize(0..2)],
        tasks: random.u32(1..=30),
        lives,
    }
}

fn life(random: &mut fastrand::Rng, storm: f64) -> Life {
    let after = if chance(random, 0.3) { about(random, 1.5) } else { between(random, 0.5, storm) };
    let failover = random.bool();
    let end = match random.u32(0..10) {
        0..4 => End::Stop { after, failover },
        4..7 => End::Crash { after },
        7..9 => End::Raise { callbacks: random.u32(0..20), failover },
        _ => End::Abort { after, failover },
    };
    Life { pause: about(random, 10.0), end }
}

fn trouble(random: &mut fastrand::Rng) -> Trouble {
    let number = random.u32(..);
    match random.u32(0..20) {
        0..9 => {
            let which = if random.bool() { Which::All } else { Which::One(random.u32(..)) };
            Trouble::Network { client: number, which, fault: fault(random) }
        }
        9 => Trouble::Master { memory: random.bool(), down: about(random, 20.0) },
        10 => Trouble::Rescind(number),
        11 => Trouble::Disconnect(number),
        12 => Trouble::Unready(number, about(random, 20.0)),
        13 => Trouble::AgentAway { agent: number, at_once: random.bool(), period: about(random, 120.0) },
        14 => Trouble::AgentRestart { agent: number, memory: chance(random, 0.7), down: about(random, 20.0) },
        15 => match random.u32(0..3) {
            0 => Trouble::AgentKilled { agent: number, at_once: random.bool() },
            _ => Trouble::AgentAdded,
        },
        16 => Trouble::ExecutorKilled(number),
        17 => Trouble::DiskFull(number, about(random, 20.0)),
        18 => Trouble::Updates {
            delay: if random.bool() { Duration::ZERO } else { about(random, 3.0) },
            duplicate: random.f64() * 0.5,
            lose: random.f64() * 0.5,
            period: about(random, 60.0),
        },
        _ => Trouble::Process(number),
    }
}

fn fault(random: &mut fastrand::Rng) -> Fault {
    match random.u32(0..10) {
        0..3 => Fault::Break(if random.bool() { Duration::ZERO } else { about(random, 40.0) }),
        3 => Fault::Close,
        4..7 => {
            let (to_cluster, to_client) = [(true, true), (true, false), (false, true)][random.usize(0..3)];
            Fault::Stall(about(random, 30.0), to_cluster, to_client)
        }
        7 => Fault::Lose(if random.bool() { Way::ToCluster } else { Way::ToClient }, about(random, 40.0)),
        _ => Fault::Refuse(about(random, 20.0), random.bool()),
    }
}
