//! The executor's driver: a session towards the agent that started this process.

use std::ffi::OsStr;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, getpgrp, getpid, getsid};

use super::auth::Authorization;
use super::detector::{self, MasterUri};
use super::handle::Handle;
use super::run::Start;
use super::status::Status;
use super::tls::{self, Trust};
use super::transport::{Api, PROTOBUF};
use crate::clock::{self, Clock};
use crate::environment::{self, Variables};
use crate::session::Endpoint;
use crate::session::executor::{Config, ExecutorSession, Request};
use crate::wire::duration::Period;
use crate::{Error, Result};

/// `DEFAULT_EXECUTOR_SHUTDOWN_GRACE_PERIOD`, `RECOVERY_TIMEOUT` and `EXECUTOR_REREGISTER_TIMEOUT`.
const SHUTDOWN_GRACE_PERIOD: Period = Period::from_secs(5);
const RECOVERY_TIMEOUT: Period = Period::from_secs(15 * 60);
const BACKOFF_MAX: Period = Period::from_secs(2);

/// The settings that an agent passes to its executor, read from the variables of `executorEnvironment` in
/// `src/slave/slave.cpp`.
///
/// ```
/// use remesos::driver::Environment;
/// use remesos::environment::Variables;
/// use remesos::wire::duration::Period;
///
/// let mut variables: Variables = [
///     ("MESOS_FRAMEWORK_ID", "framework"),
///     ("MESOS_EXECUTOR_ID", "executor"),
///     ("MESOS_SLAVE_ID", "agent"),
///     ("MESOS_SLAVE_PID", "slave(1)@127.0.0.1:5051"),
///     ("MESOS_DIRECTORY", "/tmp"),
///     ("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", "10secs"),
/// ]
/// .map(|(name, value)| (name.into(), value.into()))
/// .into();
/// assert_eq!(Environment::read(&variables)?.shutdown_grace_period(), Period::from_secs(10));
/// variables.clear();
/// assert!(Environment::read(&variables).is_err_and(|error| error.is_invalid_argument()));
/// # Ok::<(), remesos::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Environment {
    session: Config,
    agent: Endpoint,
    path: String,
    token: Option<Token>,
    socket: Option<PathBuf>,
    /// `MESOS_LOCAL`: the executor shares a session with its agent, so nothing may be killed.
    local: bool,
}

/// A secret, shown in no log.
#[derive(Clone)]
struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl Environment {
    /// Reads the variables of an executor.
    ///
    /// Fails if one is missing, naming it in libmesos' words, or cannot be read.
    pub fn read(variables: &Variables) -> Result<Self> {
        let given = |name: &str| variables.get(OsStr::new(name)).filter(|value| !value.is_empty());
        let text = |name: &str| given(name).map(|value| environment::text(name, value)).transpose();
        let missing = |name: &str| Error::invalid(format!("Expecting '{name}' to be set in the environment"));
        let wanted = |name: &str| text(name)?.ok_or_else(|| missing(name));
        let period = |name: &str, default| match text(name)? {
            None => Ok(default),
            Some(text) => {
                Period::parse(text).map_err(|e| Error::invalid(format!("Cannot parse '{name}' '{text}'")).caused_by(e))
            }
        };
        let pid = wanted("MESOS_SLAVE_PID")?;
        given("MESOS_DIRECTORY").ok_or_else(|| missing("MESOS_DIRECTORY"))?;
        let checkpoint = given("MESOS_CHECKPOINT").is_some_and(|value| value == "1");
        let recovery_timeout = period("MESOS_RECOVERY_TIMEOUT", RECOVERY_TIMEOUT)?;
        let (path, agent) = agent(pid)?;
        let session = Config {
            framework_id: wanted("MESOS_FRAMEWORK_ID")?.to_owned(),
            executor_id: wanted("MESOS_EXECUTOR_ID")?.to_owned(),
            agent_id: wanted("MESOS_SLAVE_ID")?.to_owned(),
            recovery_timeout: checkpoint.then_some(recovery_timeout),
            backoff_max: period("MESOS_SUBSCRIPTION_BACKOFF_MAX", BACKOFF_MAX)?,
            shutdown_grace_period: period("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", SHUTDOWN_GRACE_PERIOD)?,
            seed: 0,
        };
        Ok(Self {
            session,
            agent,
            path,
            token: text("MESOS_EXECUTOR_AUTHENTICATION_TOKEN")?.map(|token| Token(token.to_owned())),
            socket: given("MESOS_DOMAIN_SOCKET").map(PathBuf::from),
            local: variables.contains_key(OsStr::new("MESOS_LOCAL")),
        })
    }

    /// `MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD`.
    pub fn shutdown_grace_period(&self) -> Period {
        self.session.shutdown_grace_period
    }
}

/// The path and the address in a libprocess pid, `slave(1)@127.0.0.1:5051`.
fn agent(pid: &str) -> Result<(String, Endpoint)> {
    let read = pid.split_once('@').filter(|(id, _)| !id.is_empty()).and_then(|(id, address)| {
        Some((format!("/{id}/api/v1/executor"), detector::authority(address, tls::by_default(), None)?))
    });
    read.ok_or_else(|| {
        Error::invalid(format!("Cannot parse MESOS_SLAVE_PID '{pid}': expected an id and an address, slave(1)@ip:port"))
    })
}

/// An executor driver.
///
/// ```
/// use bytes::Bytes;
/// use remesos::driver::{ExecutorDriver, Status};
///
/// let driver = ExecutorDriver::default();
/// assert_eq!(driver.status(), Status::NotStarted);
/// assert_eq!(driver.message(Bytes::from_static(b"not sent")), Status::NotStarted);
/// ```
#[derive(Debug, Default)]
pub struct ExecutorDriver {
    handle: Handle<ExecutorSession>,
}

impl Deref for ExecutorDriver {
    type Target = Handle<ExecutorSession>;

    fn deref(&self) -> &Self::Target {
        &self.handle
    }
}

impl ExecutorDriver {
    /// Starts the driver if it was not started before; returns whether this call did.
    ///
    /// Fails, and is aborted then, if the operating system gives no thread.
    pub fn start(&self, environment: &Environment) -> Result<bool> {
        self.start_with(environment, |_| {})
    }

    /// Starts the driver as [`start`](Self::start) does. `configure` may have its session deliver more than the classic
    /// API has callbacks for.
    ///
    /// Fails as `start` does.
    pub fn start_with(&self, environment: &Environment, configure: impl FnOnce(&mut ExecutorSession)) -> Result<bool> {
        let uri = MasterUri::Standalone(environment.agent.clone());
        let place = super::scheduler::place(&uri);
        self.handle.start(place.clone().as_deref(), || {
            let clock = place.as_ref().map_or_else(Clock::real, |place| place.clock.clone());
            let mut session = ExecutorSession::new(Config { seed: clock.seed(), ..environment.session.clone() });
            configure(&mut session);
            let endpoint = detector::detect(uri)?;
            let token = environment.token.as_ref();
            let authorization = token.map(|Token(token)| Authorization::bearer(token)).transpose()?;
            let api = Api {
                path: environment.path.clone(),
                media_type: PROTOBUF,
                authorization,
                trust: Trust::default(),
                socket: environment.socket.clone(),
                place,
            };
            let end_within = if environment.local { |_| {} } else { end_within };
            Ok(Start { session, endpoint, api, clock, end_within })
        })
    }

    /// Reports on a task, given a `TaskStatus`, if the driver runs. Returns its status.
    pub fn update(&self, status: Bytes) -> Status {
        let uuid = Bytes::copy_from_slice(clock::uuid().as_bytes());
        self.update_as(status, clock::timestamp(), uuid)
    }

    /// Reports on a task as [`update`](Self::update) does, with a time in seconds since the epoch and the 16 bytes of a
    /// UUID of the caller's.
    pub fn update_as(&self, status: Bytes, timestamp: f64, uuid: Bytes) -> Status {
        self.request(Request::Update { status, timestamp, uuid })
    }

    /// Sends bytes to the scheduler, if the driver runs. Returns its status.
    pub fn message(&self, data: Bytes) -> Status {
        self.request(Request::Message(data))
    }
}

/// After the grace period this process and all that it started are killed, whatever it does meanwhile
/// (`ShutdownProcess` in `src/exec/exec.cpp`).
fn end_within(grace: Duration) {
    static ARMED: Mutex<bool> = Mutex::new(false);
    let mut armed = ARMED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if !std::mem::replace(&mut *armed, true) {
        tokio::spawn(async move {
            tokio::time::sleep(grace).await;
            tracing::warn!("Still running {grace:?} after the agent's SHUTDOWN: killing this process and its group");
            end();
        });
    }
}

/// An agent starts its executor in a session of its own. If someone else started it, the group may hold who knows what, and
/// only this process is killed.
fn end() {
    let group = getpgrp();
    if getsid(None).is_ok_and(|session| session == group) && (group == getpid() || is_of_executor(group)) {
        let _ = killpg(group, Signal::SIGKILL);
    }
    let _ = nix::sys::signal::kill(getpid(), Signal::SIGKILL);
}

/// Whether a process was started for this executor: the shell of its command, or the agent's `mesos-containerizer`.
fn is_of_executor(process: Pid) -> bool {
    let Some(id) = std::env::var_os("MESOS_EXECUTOR_ID") else {
        return false;
    };
    let own = [b"MESOS_EXECUTOR_ID=", id.as_encoded_bytes()].concat();
    let variables = std::fs::read(format!("/proc/{process}/environ")).unwrap_or_default();
    let for_us = |variable: &[u8]| variable == own || variable.starts_with(b"MESOS_CONTAINERIZER_LAUNCH_INFO=");
    variables.split(|byte| *byte == 0).any(for_us)
}
