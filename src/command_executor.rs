//! The program `mesos-executor`: the command executor as a process of its own, for agents of Apache's.
//!
//! Puts together the executor's driver and the life of a task's process that embedded agents use too. Follows
//! `src/launcher/executor.cpp`.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bytes::Bytes;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use prost::Message;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::sleep_until;

use crate::driver::{Delivery, Environment, ExecutorDriver};
use crate::environment::Variables;
use crate::local::containerizer::{lead_session, program};
use crate::local::prober::{self, Surroundings};
use crate::local::task::{Action, OWN_GRACE, Outcome, Subject, TaskProcess};
use crate::proto::v1::task_status::Reason;
use crate::proto::{has_capability, v1};
use crate::session::executor::{Callback, ExecutorSession};
use crate::wire::duration::Period;
use crate::{Error, Result, clock};

/// The last updates have so long to be acknowledged.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// Runs one command task for the agent that these variables are from, until it is over.
///
/// Fails where a variable is missing, or the operating system gives no thread.
pub fn run(variables: &Variables) -> Result<()> {
    let environment = Environment::read(variables)?;
    let runtime = crate::runtime::build().map_err(|e| Error::connection("cannot start").caused_by(e))?;
    let driver = std::sync::Arc::new(ExecutorDriver::default());
    driver.start(&environment)?;
    let (probes, probed) = mpsc::unbounded_channel();
    let grace = environment.shutdown_grace_period().saturating_sub(OWN_GRACE);
    let directory = variables.get(OsStr::new("MESOS_SANDBOX")).map_or_else(|| PathBuf::from("."), PathBuf::from);
    let inherited = variables.iter().filter(|(name, _)| *name != "MESOS_EXECUTOR_AUTHENTICATION_TOKEN");
    let surroundings =
        Surroundings { directory, environment: inherited.map(|(name, value)| (name.clone(), value.clone())).collect() };
    let executor = CommandExecutor {
        driver: driver.clone(),
        surroundings,
        grace,
        tells_killing: false,
        task: None,
        child: None,
        group: None,
        probes,
    };
    runtime.block_on(executor.run(probed));
    driver.stop(false);
    driver.wait(LAST_WORDS);
    Ok(())
}

struct CommandExecutor {
    driver: std::sync::Arc<ExecutorDriver>,
    surroundings: Surroundings,
    grace: Period,
    tells_killing: bool,
    task: Option<TaskProcess>,
    child: Option<Child>,
    group: Option<Pid>,
    probes: mpsc::UnboundedSender<(Subject, Outcome)>,
}

impl CommandExecutor {
    async fn run(mut self, mut probed: mpsc::UnboundedReceiver<(Subject, Outcome)>) {
        let driver = self.driver.clone();
        while !self.is_over() {
            let due = self.task.as_ref().and_then(TaskProcess::poll_timeout);
            tokio::select! {
                deliveries = driver.recv() => {
                    let Some(deliveries) = deliveries else { return };
                    for delivery in deliveries {
                        if self.is_over() || self.on_delivery(delivery) {
                            return;
                        }
                    }
                }
                status = exited(self.child.as_mut()) => {
                    self.child = None;
                    self.with_task(|task, _| task.exited(status));
                }
                Some((subject, outcome)) = probed.recv() => {
                    self.with_task(|task, now| task.probed(now, subject, &outcome));
                }
                () = async { match due {
                    Some(due) => sleep_until(due.into()).await,
                    None => std::future::pending().await,
                } } => self.with_task(TaskProcess::handle_timeout),
            }
        }
    }

    fn is_over(&self) -> bool {
        self.task.as_ref().is_some_and(TaskProcess::is_gone)
    }

    /// Returns whether there is nothing more to do.
    fn on_delivery(&mut self, delivery: Delivery<'_, ExecutorSession>) -> bool {
        if !delivery.begin(|why| tracing::error!("{why}")) {
            return true;
        }
        match delivery.callback() {
            Callback::Registered { framework_info, .. } => {
                let framework = v1::FrameworkInfo::decode(framework_info.clone()).unwrap_or_default();
                let killing = v1::framework_info::capability::Type::TaskKillingState;
                self.tells_killing = has_capability(&framework, killing);
            }
            Callback::LaunchTask(task) => self.launch(v1::TaskInfo::decode(task.clone()).unwrap_or_default()),
            Callback::KillTask { kill_policy, .. } => {
                let policy = kill_policy.as_ref().and_then(|policy| v1::KillPolicy::decode(policy.clone()).ok());
                self.with_task(|task, now| task.kill(now, policy.as_ref()));
            }
            Callback::Shutdown => {
                let grace = self.grace;
                self.with_task(|task, now| task.shut_down(now, grace));
                return self.task.is_none();
            }
            Callback::Error(_) => {
                self.signal(libc::SIGKILL);
                return true;
            }
            Callback::Reregistered { .. } | Callback::Disconnected | Callback::FrameworkMessage(_) => {}
        }
        delivery.ack();
        false
    }

    fn launch(&mut self, info: v1::TaskInfo) {
        if self.task.is_some() {
            let message = "Attempted to run multiple tasks using a \"command\" executor".to_owned();
            let state = v1::TaskState::TaskFailed.into();
            let status = v1::TaskStatus { task_id: info.task_id, state, message: Some(message), ..Default::default() };
            return self.report(&status);
        }
        let command = info.command.clone().unwrap_or_default();
        self.task = Some(TaskProcess::new(info, self.tells_killing));
        self.with_task(|task, _| task.starting());
        match self.spawn(&command) {
            Ok(child) => {
                self.group = child.id().map(|id| Pid::from_raw(id.cast_signed()));
                self.child = Some(child);
                self.with_task(TaskProcess::started);
            }
            Err(why) => {
                let why = format!("Failed to launch the task: {why}");
                self.with_task(|task, _| task.failed(Reason::CommandExecutorFailed, why));
            }
        }
    }

    fn spawn(&mut self, info: &v1::CommandInfo) -> std::result::Result<Child, String> {
        let variables = info.environment.iter().flat_map(|e| &e.variables);
        let variables = variables.map(|v| (v.name.clone().into(), v.value().into()));
        self.surroundings.environment.extend(variables);
        let mut command: Command = program(info, &self.surroundings.directory)?;
        command.env_clear().envs(self.surroundings.environment.iter().map(|(name, value)| (name, value)));
        // SAFETY: it is made for this.
        unsafe { command.pre_exec(|| lead_session()) };
        command.spawn().map_err(|e| e.to_string())
    }

    /// Does something with the task, and what that asks for.
    fn with_task(&mut self, act: impl FnOnce(&mut TaskProcess, Instant)) {
        let Some(task) = &mut self.task else { return };
        act(task, clock::now());
        let actions: Vec<Action> = std::iter::from_fn(|| task.poll_action()).collect();
        for action in actions {
            match action {
                Action::Signal(signal) => self.signal(signal),
                Action::Report(status) => self.report(&status),
                Action::Probe(subject, probe) => {
                    let (surroundings, probes) = (self.surroundings.clone(), self.probes.clone());
                    tokio::spawn(async move {
                        // Nobody listens where the task is over.
                        let _ = probes.send((subject, prober::probe(*probe, surroundings).await));
                    });
                }
            }
        }
    }

    fn report(&self, status: &v1::TaskStatus) {
        self.driver.update(Bytes::from(status.encode_to_vec()));
    }

    fn signal(&self, signal: i32) {
        if let (Some(group), Ok(signal)) = (self.group, Signal::try_from(signal)) {
            // ESRCH: all are gone already.
            let _ = killpg(group, signal);
        }
    }
}

/// The status of the process when it ended; never where there is none.
async fn exited(child: Option<&mut Child>) -> Option<i32> {
    use std::os::unix::process::ExitStatusExt;
    match child {
        Some(child) => child.wait().await.ok().map(ExitStatusExt::into_raw),
        None => std::future::pending().await,
    }
}
