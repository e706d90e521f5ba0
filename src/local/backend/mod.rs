//! What an agent has its containers run by: the trait, and the words in which the two speak. An agent decides what is to
//! run and what it means that it ended; a backend knows how things run, and where.

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::BoxFuture;

use crate::proto::v1;
use crate::wire::duration::Period;

pub mod posix;
#[cfg(any(test, fuzzing))]
pub mod pretend;
pub mod simulated;

/// Runs the containers of one agent.
pub trait Backend: Debug {
    /// Does what its agent wants. What comes of it is an [`Event`], later.
    fn handle(&mut self, now: Instant, order: Order);

    /// Where the files of a sandbox can be read on this machine, its logs `stdout` and `stderr` among them.
    fn files(&self, sandbox: &Sandbox) -> PathBuf;

    /// A backend of the same kind and on the same machine, for the agent that takes the place of this one's.
    fn like(&self, agent_id: &str) -> Box<dyn Backend>;

    /// Kills all containers. The future is ready when they are gone.
    fn end(&mut self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }

    /// What came of an order, if this backend does not send [`Report`]s.
    fn poll_event(&mut self) -> Option<Event> {
        None
    }

    /// When to call `handle_timeout` at the latest.
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }

    /// Does what is due.
    fn handle_timeout(&mut self, _now: Instant) {}

    /// What measures a container that runs as processes here; `None` of any other. Measuring takes a while, and may be
    /// done on another thread.
    fn meter(&self, _container: &str) -> Option<Meter> {
        None
    }
}

/// Measures a container; gives nothing if that has ended.
pub type Meter = Box<dyn FnOnce() -> Option<Usage> + Send>;

/// What the processes of a container use.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// The time that they have spent in their own code, in seconds.
    pub user: f64,
    /// The time that the kernel has spent for them, in seconds.
    pub system: f64,
    /// Their resident memory, in bytes.
    pub resident: u64,
}

impl Usage {
    /// What both use together.
    pub fn and(self, other: Self) -> Self {
        let resident = self.resident.saturating_add(other.resident);
        Self { user: self.user + other.user, system: self.system + other.system, resident }
    }
}

/// What an agent wants of its backend.
#[derive(Debug)]
pub enum Order {
    /// Start a container: `Started`, and in the end `Ended`; or `Failed`.
    Start(Box<Launch>),
    /// End all processes of a container. Has no effect on one that has ended.
    Stop { container: String, how: Stop },
    /// The command of a container gets a signal that its agent did not ask for.
    Signal { container: String, signal: i32 },
    /// Look how the task in a container is: `Probed`, unless the container ends before.
    Probe { container: String, subject: Subject, probe: Box<Probe> },
    /// Append to the logs of a sandbox.
    Write { sandbox: Sandbox, stdout: String, stderr: String },
    /// Put further volumes into a sandbox.
    AddVolumes { sandbox: Sandbox, volumes: Vec<Volume> },
    /// Remove persistent volumes with all that is in them.
    Destroy { volumes: Vec<Volume> },
    /// Remove a sandbox with all that is in it.
    Clear { sandbox: Sandbox },
}

/// What came of something that a backend was asked for.
#[derive(Debug)]
pub enum Event {
    /// A container runs, its command in this process, if there is one.
    Started { container: String, process: Option<u32> },
    /// The task in a container tells of itself; ids, uuid, source and time are the agent's to fill in.
    Reported { container: String, status: Box<v1::TaskStatus> },
    /// A container could not be started, and why.
    Failed { container: String, why: StartError },
    /// All processes of a container are gone; how its command ended.
    Ended { container: String, exit: Exit },
    /// A task was looked at.
    Probed { container: String, subject: Subject, outcome: Outcome },
}

impl Event {
    /// The container that it is about.
    pub fn container(&self) -> &str {
        match self {
            Self::Started { container, .. }
            | Self::Reported { container, .. }
            | Self::Failed { container, .. }
            | Self::Ended { container, .. }
            | Self::Probed { container, .. } => container,
        }
    }
}

/// Why a container could not be started, in words for whoever launched the task.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// Nothing here runs containers of its type.
    #[error("unknown container")]
    NoContainerizer,
    /// There is no such user.
    #[error("Failed to get user information for '{0}'")]
    NoUser(String),
    /// Everything is ready, but its command cannot be executed.
    #[error("{0}")]
    NotExecuted(String),
    /// It was tried.
    #[error("{0}")]
    Failed(String),
}

impl StartError {
    /// Says why.
    pub fn new(why: impl Into<String>) -> Self {
        Self::Failed(why.into())
    }
}

impl From<std::io::Error> for StartError {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// An event of one agent's backend.
#[derive(Debug)]
pub struct Report {
    pub agent_id: String,
    pub event: Event,
}

/// A container to start.
#[derive(Debug, Clone)]
pub struct Launch {
    pub container: String,
    pub sandbox: Sandbox,
    pub command: v1::CommandInfo,
    /// The image and the volumes of this machine that it wants.
    pub container_info: Option<v1::ContainerInfo>,
    /// The command's own variables among them.
    pub environment: Vec<(String, String)>,
    /// Whom it runs as, if this process may decide that.
    pub user: Option<String>,
    pub volumes: Vec<Volume>,
    /// What is pretended in place of running it.
    pub run: Option<Arc<Run>>,
}

/// How a task goes that is described instead of run. All times but the first count from the start of its command.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Why it cannot be started; nothing else counts then.
    pub error: Option<String>,
    /// How long it takes to start.
    pub start: Period,
    /// How long it runs; until it is ended if `None`.
    pub duration: Option<Period>,
    /// How it ends if nobody ends it.
    pub exit: Exit,
    /// What it writes as soon as it runs.
    pub stdout: String,
    /// The same, on standard error.
    pub stderr: String,
    /// What it tells of itself, and when, in order.
    pub statuses: Vec<(Period, v1::TaskStatus)>,
    /// What health checks find, and from when, in order; `true` before that.
    pub health: Vec<(Period, bool)>,
    /// What its check finds, and from when, in order: an exit status, an HTTP status, or for TCP 0 if it can be
    /// connected to; 0, or for HTTP 200, before that.
    pub checks: Vec<(Period, i32)>,
    /// How long it takes to end when it is asked to; it does not if `None`.
    pub stop: Option<Period>,
}

/// Says of tasks how they go; `None` of one that is to be run.
#[derive(Clone)]
pub struct Simulate(Arc<Describe>);

type Describe = dyn Fn(&[v1::TaskInfo]) -> Vec<Option<Arc<Run>>> + Send + Sync;

impl Simulate {
    /// Has a function say it, on the cluster's thread.
    pub fn new(describe: impl Fn(&[v1::TaskInfo]) -> Vec<Option<Arc<Run>>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(describe))
    }

    /// Asks how tasks go.
    pub fn ask(&self, tasks: &[v1::TaskInfo]) -> Vec<Option<Arc<Run>>> {
        (self.0)(tasks)
    }
}

impl Debug for Simulate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulate").finish_non_exhaustive()
    }
}

impl Default for Run {
    fn default() -> Self {
        Self {
            error: None,
            start: Period::ZERO,
            duration: Some(Period::ZERO),
            exit: Exit::Exited(0),
            stdout: String::new(),
            stderr: String::new(),
            statuses: Vec::new(),
            health: Vec::new(),
            checks: Vec::new(),
            stop: Some(Period::ZERO),
        }
    }
}

/// The directory of an executor's run, or of a container within it. Without ids of framework and executor it is that of a
/// container that stands alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sandbox {
    pub framework_id: String,
    pub executor_id: String,
    /// The executor's container.
    pub run: String,
    /// The task of a group, which has a directory of its own.
    pub task_id: Option<String>,
    /// The containers from one in the run down to the one whose sandbox this is.
    pub nested: Vec<String>,
}

impl Sandbox {
    /// That of a container that stands alone.
    pub fn alone(container: &str) -> Self {
        Self { run: container.to_owned(), ..Self::default() }
    }

    /// That of the executor's run.
    pub fn of_run(&self) -> Self {
        Self { task_id: None, nested: Vec::new(), ..self.clone() }
    }

    /// Whether it belongs to a standalone container, or to one within a standalone container.
    pub fn is_alone(&self) -> bool {
        self.executor_id.is_empty()
    }
}

/// A persistent volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volume {
    pub role: String,
    pub id: String,
    /// Its place in a sandbox.
    pub path: String,
}

/// How urgently a container is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// It is asked to, and may take its time.
    Ask,
    /// At once.
    Kill,
}

/// How a container's command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// With this status.
    Exited(i32),
    /// By a signal, whose name is as `strsignal(3)` gives it.
    Signaled {
        /// The signal's number.
        number: i32,
        /// Its name.
        name: String,
        /// Whether there is a core dump.
        core_dumped: bool,
    },
    /// It is not known.
    Unknown,
}

impl Exit {
    /// As Mesos tells it of executors: in wait(2)'s numbers, and -1 if it is not known.
    pub fn wait_status(&self) -> i32 {
        match self {
            Self::Exited(status) => (status & 0xff) << 8,
            Self::Signaled { number, core_dumped, .. } => number | if *core_dumped { 0x80 } else { 0 },
            Self::Unknown => -1,
        }
    }
}

/// Which of a task's two checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    Check,
    Health,
}

/// How to look. Ports are the task's own, on this machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    pub kind: ProbeKind,
    /// An answer that comes later is none; zero waits for ever.
    pub timeout: Period,
}

/// What to look at.
#[derive(Debug, Clone, PartialEq)]
pub enum ProbeKind {
    Command(v1::CommandInfo),
    Http { scheme: String, port: u32, path: String },
    Tcp { port: u32 },
}

/// What was seen.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// A command's exit code.
    Exited(i32),
    /// An HTTP status.
    Http(u16),
    /// Whether a connection could be made.
    Tcp(bool),
    /// Nothing could be seen, and why.
    Failed(String),
}
