//! What a framework holds of its driver: statuses, calls, waiting. The work is done by the loop on the IO thread.
//!
//! Statuses follow `MesosSchedulerDriver` in `src/sched/sched.cpp`.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::auth::Credential;
use super::detector::{self, MasterUri};
use super::queue::CallbackQueue;
use super::run::Loop;
use super::runtime;
use crate::session::framework::Framework;
use crate::session::scheduler::{Config, Input, SchedulerSession};
use crate::wire::call::Call;
use crate::wire::duration;
use crate::{Error, Result};

const BACKOFF_FACTOR: Duration = Duration::from_secs(2);

/// `mesos.Status`, with its numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Status {
    NotStarted = 1,
    Running = 2,
    Aborted = 3,
    Stopped = 4,
}

/// What a scheduler driver is made of.
#[derive(Debug, Clone)]
pub struct Options {
    /// The serialized `FrameworkInfo`.
    pub framework: Bytes,
    /// The master as the framework names it: see [`MasterUri::parse`].
    pub master: String,
    /// Who the framework is towards the master.
    pub credential: Option<Credential>,
    /// Roles that want no offers from the start.
    pub suppressed_roles: Vec<String>,
}

/// A scheduler driver: cheap to share, every method may be called from any thread.
#[derive(Debug)]
pub struct SchedulerDriver {
    options: Options,
    framework: Framework,
    user: String,
    hostname: String,
    inputs: OnceLock<mpsc::UnboundedSender<Input>>,
    shared: Arc<Shared>,
    queue: Arc<CallbackQueue>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    status: Status,
    finished: bool,
}

/// Tells those who wait that the last calls are out.
pub struct Finish(Arc<Shared>);

impl Finish {
    /// The session is finished.
    pub fn set(&self) {
        self.0.lock().finished = true;
        self.0.changed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SchedulerDriver {
    /// A driver that is not started. Fills in the operating system's user and host name where they are empty.
    ///
    /// Fails where the bytes are no `FrameworkInfo`.
    pub fn new(options: Options) -> Result<Self> {
        let user = current_user();
        let hostname = nix::unistd::gethostname().map(|h| h.to_string_lossy().into_owned()).unwrap_or_default();
        let framework = Framework::new(options.framework.clone(), &user, &hostname)?;
        let state = State { status: Status::NotStarted, finished: false };
        Ok(Self {
            options,
            framework,
            user,
            hostname,
            inputs: OnceLock::new(),
            shared: Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() }),
            queue: Arc::default(),
        })
    }

    /// Starts the driver where it was not started before; whether this call did.
    ///
    /// Fails, and is aborted then, where the master's address or a flag in the environment cannot be used.
    pub fn start(&self) -> Result<bool> {
        let mut state = self.shared.lock();
        if state.status != Status::NotStarted {
            return Ok(false);
        }
        let spawned = self.spawn();
        state.status = if spawned.is_ok() { Status::Running } else { Status::Aborted };
        spawned.map(|()| true)
    }

    /// Stops the driver: TEARDOWN unless `failover`. Returns `Stopped`, or `Aborted` where it was aborted before.
    pub fn stop(&self, failover: bool) -> Status {
        let mut state = self.shared.lock();
        let before = state.status;
        if matches!(before, Status::Running | Status::Aborted) {
            state.status = Status::Stopped;
            drop(state);
            self.queue.close();
            if !self.input(Input::Stop { failover }) {
                self.shared.lock().finished = true;
            }
            self.shared.changed.notify_all();
        }
        if before == Status::Running { Status::Stopped } else { before }
    }

    /// Aborts the driver where it runs: no callback is made any more. Returns its status.
    pub fn abort(&self) -> Status {
        let mut state = self.shared.lock();
        if state.status == Status::Running {
            state.status = Status::Aborted;
            drop(state);
            self.input(Input::Abort);
            self.queue.close();
            self.shared.changed.notify_all();
            return Status::Aborted;
        }
        state.status
    }

    /// Waits at most so long for the driver to end; `None` while it runs. A stopped driver has ended once its last
    /// calls are out.
    pub fn wait(&self, at_most: Duration) -> Option<Status> {
        let until = Instant::now() + at_most;
        let mut state = self.shared.lock();
        loop {
            let ended = match state.status {
                Status::Running => false,
                Status::Stopped => state.finished,
                Status::NotStarted | Status::Aborted => true,
            };
            if ended {
                return Some(state.status);
            }
            let left = until.checked_duration_since(Instant::now())?;
            state = self.shared.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The driver's status now.
    pub fn status(&self) -> Status {
        self.shared.lock().status
    }

    /// Hands a call on, in order, where the driver runs. Returns its status.
    pub fn call(&self, call: Call) -> Status {
        self.when_running(Input::Call(Box::new(call)))
    }

    /// Acknowledges a status update, given its `TaskStatus`, where the driver runs. Returns its status.
    pub fn acknowledge(&self, status: Bytes) -> Status {
        self.when_running(Input::Acknowledge(status))
    }

    /// A `FrameworkInfo` with user and host name filled in, as for UPDATE_FRAMEWORK.
    ///
    /// Fails where the bytes are no `FrameworkInfo`.
    pub fn fill_in(&self, info: Bytes) -> Result<Bytes> {
        Ok(Framework::new(info, &self.user, &self.hostname)?.info())
    }

    /// The callbacks to make.
    pub fn queue(&self) -> &Arc<CallbackQueue> {
        &self.queue
    }

    fn when_running(&self, input: Input) -> Status {
        let status = self.status();
        if status == Status::Running {
            self.input(input);
        }
        status
    }

    fn input(&self, input: Input) -> bool {
        self.inputs.get().is_some_and(|inputs| inputs.send(input).is_ok())
    }

    fn spawn(&self) -> Result<()> {
        let backoff_factor = backoff_factor()?;
        let uri = MasterUri::parse(&self.options.master, super::tls::by_default())?;
        let runtime = runtime::handle()?;
        let _context = runtime.enter();
        let master = detector::detect(uri)?;
        let session = SchedulerSession::new(Config {
            framework: self.framework.clone(),
            suppressed_roles: self.options.suppressed_roles.clone(),
            principal: self.options.credential.as_ref().map(|c| c.principal.clone()),
            backoff_factor,
            seed: fastrand::u64(..),
        });
        let (sender, inputs) = mpsc::unbounded_channel();
        let driver = Loop {
            session,
            inputs,
            master,
            queue: self.queue.clone(),
            credential: self.options.credential.clone(),
            finish: Finish(self.shared.clone()),
        };
        runtime.spawn(driver.run());
        // Only `start` comes here, once: the lock on the status is held.
        let _ = self.inputs.set(sender);
        Ok(())
    }
}

fn backoff_factor() -> Result<Duration> {
    match std::env::var("MESOS_REGISTRATION_BACKOFF_FACTOR") {
        Err(_) => Ok(BACKOFF_FACTOR),
        Ok(text) => duration::parse(&text)
            .map_err(|e| Error::invalid(format!("Failed to load flag 'registration_backoff_factor': {e}"))),
    }
}

fn current_user() -> String {
    let uid = nix::unistd::getuid();
    let known = nix::unistd::User::from_uid(uid).ok().flatten();
    known.map_or_else(|| uid.to_string(), |user| user.name)
}
