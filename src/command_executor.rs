//! The program `mesos-executor`: the command executor as a process of its own, for agents of Apache's.
//!
//! Puts together the executor's driver and the life of a task's process that embedded agents use too. Follows
//! `src/launcher/executor.cpp`.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use prost::Message;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use crate::driver::{Delivery, Environment, ExecutorDriver};
use crate::environment::Variables;
use crate::local::backend::StartError;
use crate::local::backend::posix::command::{Surroundings, program};
use crate::local::backend::posix::reaper::{Ending, Output, Reaper, Spawner, Ties};
use crate::local::backend::posix::{exit, prober, signal};
use crate::local::backend::{Outcome, Stop, Subject};
use crate::local::task::{Action, OWN_GRACE, TaskProcess};
use crate::proto::v1::task_status::Reason;
use crate::proto::{has_capability, v1};
use crate::session::executor::{Callback, ExecutorSession};
use crate::wire::duration::Period;
use crate::{Error, Result, clock};

/// The last updates have so long to be acknowledged.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// Runs one command task for the agent that these variables are from, until it is over.
///
/// Fails if a variable is missing or no thread can be started.
pub fn run(variables: &Variables) -> Result<()> {
    let environment = Environment::read(variables)?;
    let runtime = crate::runtime::build().map_err(|e| Error::connection("cannot start").caused_by(e))?;
    let driver = Arc::new(ExecutorDriver::default());
    driver.start(&environment)?;
    let (probes, probed) = mpsc::unbounded_channel();
    let grace = environment.shutdown_grace_period().saturating_sub(OWN_GRACE);
    let directory = variables.get(OsStr::new("MESOS_SANDBOX")).map_or_else(|| PathBuf::from("."), PathBuf::from);
    let inherited = variables.iter().filter(|(name, _)| *name != "MESOS_EXECUTOR_AUTHENTICATION_TOKEN");
    let environment = inherited.map(|(name, value)| (name.clone(), value.clone())).collect();
    runtime.block_on(async {
        let spawner = Spawner::start(Ties::Streams);
        let spawner = spawner.map_err(|e| Error::connection("cannot start").caused_by(e))?;
        let surroundings =
            Surroundings { directory, environment, identity: None, spawner: Arc::new(spawner), inside: None };
        let executor = CommandExecutor {
            driver: driver.clone(),
            surroundings,
            grace,
            tells_killing: false,
            task: None,
            reaper: None,
            ending: None,
            probing: JoinSet::new(),
            probes,
        };
        executor.run(probed).await;
        Result::Ok(())
    })?;
    driver.stop(false);
    driver.wait(LAST_WORDS);
    Ok(())
}

struct CommandExecutor {
    driver: Arc<ExecutorDriver>,
    surroundings: Surroundings,
    grace: Period,
    tells_killing: bool,
    task: Option<TaskProcess>,
    reaper: Option<Reaper>,
    ending: Option<Ending>,
    /// Checks under way, which end with the task.
    probing: JoinSet<()>,
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
                        if self.is_over() || self.on_delivery(delivery).await {
                            return;
                        }
                    }
                }
                status = ended(self.ending.as_mut()) => {
                    self.ending = None;
                    self.with_task(|task, _| task.exited(&exit(status)));
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
    async fn on_delivery(&mut self, delivery: Delivery<'_, ExecutorSession>) -> bool {
        if !delivery.begin(|why| tracing::error!("{why}")) {
            return true;
        }
        match delivery.callback() {
            Callback::Registered(subscribed) => {
                let info = subscribed.framework_info.clone();
                let framework = v1::FrameworkInfo::decode(info).unwrap_or_default();
                let killing = v1::framework_info::capability::Type::TaskKillingState;
                self.tells_killing = has_capability(&framework, killing);
            }
            Callback::LaunchTask(task) => self.launch(v1::TaskInfo::decode(task.clone()).unwrap_or_default()).await,
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
                self.stop(Stop::Kill);
                return true;
            }
            Callback::Reregistered(_)
            | Callback::Disconnected
            | Callback::FrameworkMessage(_)
            | Callback::LaunchGroup(_)
            | Callback::Acknowledged(_) => {}
        }
        delivery.ack();
        false
    }

    async fn launch(&mut self, info: v1::TaskInfo) {
        if self.task.is_some() {
            let message = "Attempted to run multiple tasks using a \"command\" executor".to_owned();
            let state = v1::TaskState::TaskFailed.into();
            let status = v1::TaskStatus { task_id: info.task_id, state, message: Some(message), ..Default::default() };
            return self.report(&status);
        }
        let command = info.command.clone().unwrap_or_default();
        self.task = Some(TaskProcess::new(info, self.tells_killing));
        self.with_task(|task, _| task.starting());
        match self.spawn(&command).await {
            Ok((reaper, ending)) => {
                (self.reaper, self.ending) = (Some(reaper), Some(ending));
                self.with_task(TaskProcess::started);
            }
            Err(why) => {
                let why = format!("Failed to launch the task: {why}");
                self.with_task(|task, _| task.failed(Some(Reason::CommandExecutorFailed), why));
            }
        }
    }

    async fn spawn(&mut self, info: &v1::CommandInfo) -> std::result::Result<(Reaper, Ending), StartError> {
        let variables = info.environment.iter().flat_map(|e| &e.variables);
        let variables = variables.map(|v| (v.name.clone().into(), v.value().into()));
        self.surroundings.environment.extend(variables);
        let program = program(info, &self.surroundings, Output::Inherited)?;
        Ok(self.surroundings.spawner.spawn(&program).await?)
    }

    /// Does something with the task, and what that asks for.
    fn with_task(&mut self, act: impl FnOnce(&mut TaskProcess, Instant)) {
        let Some(task) = &mut self.task else { return };
        act(task, clock::now());
        let actions: Vec<Action> = std::iter::from_fn(|| task.poll_action()).collect();
        for action in actions {
            match action {
                Action::Stop(how) => self.stop(how),
                Action::Report(status) => self.report(&status),
                Action::Probe(subject, probe) => {
                    let (surroundings, probes) = (self.surroundings.clone(), self.probes.clone());
                    while self.probing.try_join_next().is_some() {}
                    self.probing.spawn(async move {
                        // Nobody listens if the task is over.
                        let _ = probes.send((subject, prober::probe(*probe, surroundings).await));
                    });
                }
            }
        }
    }

    fn report(&self, status: &v1::TaskStatus) {
        self.driver.update(Bytes::from(status.encode_to_vec()));
    }

    fn stop(&self, how: Stop) {
        if let Some(reaper) = &self.reaper {
            reaper.signal(signal(how));
        }
    }
}

/// The status of the task's first process when all have ended; never if there are none.
async fn ended(ending: Option<&mut Ending>) -> Option<i32> {
    match ending {
        Some(ending) => ending.wait().await,
        None => std::future::pending().await,
    }
}
