//! A command task: the part of Mesos' command executor, with its updates and messages.
//! Follows `src/launcher/executor.cpp`.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::updates::Updates;
use super::{Config, Output};
use crate::local::containerizer::Launch;
use crate::local::messages::{ToMaster, timestamp};
use crate::proto::v1::task_status::{Reason, Source};
use crate::proto::{has_capability, v1};

/// `DEFAULT_KILL_GRACE_PERIOD` of the command executor.
const KILL_GRACE: Duration = Duration::from_secs(3);
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where the task's process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Launching,
    Running,
    Gone,
}

/// A task that runs a command.
#[derive(Debug)]
pub struct CommandTask {
    pub info: v1::TaskInfo,
    pub framework_id: String,
    pub framework_name: String,
    pub container: String,
    /// The sandbox.
    pub directory: PathBuf,
    pub role: String,
    pub state: v1::TaskState,
    pub(super) kill_due: Option<Instant>,
    pub(super) updates: Updates,
    tells_killing: bool,
    agent_id: String,
    stage: Stage,
    pid: Option<u32>,
    killed: bool,
    /// The framework is removed: nobody is to be told.
    abandoned: bool,
}

impl CommandTask {
    /// A task in a new container.
    pub fn new(config: &Config, framework: &v1::FrameworkInfo, info: v1::TaskInfo, role: String) -> Self {
        let framework_id = framework.id.clone().unwrap_or_default().value;
        let container = uuid::Uuid::new_v4().to_string();
        let directory = config.work_dir.join("slaves").join(&config.id).join("frameworks").join(&framework_id);
        let directory = directory.join("executors").join(&info.task_id.value).join("runs").join(&container);
        let killing = v1::framework_info::capability::Type::TaskKillingState;
        Self {
            framework_id,
            framework_name: framework.name.clone(),
            container,
            directory,
            role,
            state: v1::TaskState::TaskStaging,
            kill_due: None,
            updates: Updates::default(),
            tells_killing: has_capability(framework, killing),
            agent_id: config.id.clone(),
            stage: Stage::Launching,
            pid: None,
            killed: false,
            abandoned: false,
            info,
        }
    }

    /// What the containerizer has to start. The agent's own environment is not inherited (`executorEnvironment`).
    pub fn launch(&self, config: &Config) -> Launch {
        let sandbox = self.directory.display().to_string();
        let own = [
            ("LIBPROCESS_PORT", "0".to_owned()),
            ("MESOS_AGENT_ENDPOINT", config.endpoint.clone()),
            ("MESOS_ALLOCATION_ROLE", self.role.clone()),
            ("MESOS_CHECKPOINT", "0".to_owned()),
            ("MESOS_DIRECTORY", sandbox.clone()),
            ("MESOS_EXECUTOR_ID", self.info.task_id.value.clone()),
            ("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", "5secs".to_owned()),
            ("MESOS_FRAMEWORK_ID", self.framework_id.clone()),
            ("MESOS_HTTP_COMMAND_EXECUTOR", "0".to_owned()),
            ("MESOS_SANDBOX", sandbox),
            ("MESOS_SLAVE_ID", config.id.clone()),
            ("MESOS_SLAVE_PID", format!("{}@{}", config.path, config.endpoint)),
            ("PATH", PATH.to_owned()),
        ];
        let command = self.info.command.clone().unwrap_or_default();
        let given = command.environment.iter().flat_map(|e| &e.variables);
        let given = given.map(|v| (v.name.clone(), v.value.clone().unwrap_or_default()));
        let environment = own.map(|(name, value)| (name.to_owned(), value)).into_iter().chain(given).collect();
        let (container, directory) = (self.container.clone(), self.directory.clone());
        Launch { container, directory, command, environment, mounts: Vec::new() }
    }

    /// The process runs, or could not be started.
    pub fn launched(&mut self, now: Instant, outcome: Result<u32, String>, outputs: &mut VecDeque<Output>) {
        match outcome {
            Ok(pid) => {
                self.stage = Stage::Running;
                self.pid = Some(pid);
                self.update(now, v1::TaskState::TaskStarting, None, None, outputs);
                self.update(now, v1::TaskState::TaskRunning, None, None, outputs);
                if self.killed || self.abandoned {
                    self.terminate(now, self.grace(None), outputs);
                }
            }
            Err(why) => {
                self.stage = Stage::Gone;
                let why = format!("Failed to launch container: {why}");
                self.update(now, v1::TaskState::TaskFailed, Some(Reason::ContainerLaunchFailed), Some(why), outputs);
            }
        }
    }

    /// The process ended.
    pub fn exited(&mut self, now: Instant, status: Option<i32>, outputs: &mut VecDeque<Output>) {
        // What it left behind goes with it.
        outputs.push_back(Output::Signal(self.container.clone(), libc::SIGKILL));
        self.stage = Stage::Gone;
        self.kill_due = None;
        let message = Some(describe(status));
        let (state, reason) = match status {
            _ if self.killed => (v1::TaskState::TaskKilled, None),
            Some(0) => (v1::TaskState::TaskFinished, None),
            _ => (v1::TaskState::TaskFailed, Some(Reason::CommandExecutorFailed)),
        };
        self.update(now, state, reason, message, outputs);
    }

    /// KILL: SIGTERM now, SIGKILL after the grace period. A second kill may only shorten it.
    pub fn kill(&mut self, now: Instant, policy: Option<&v1::KillPolicy>, outputs: &mut VecDeque<Output>) {
        if self.stage == Stage::Gone {
            return;
        }
        let grace = self.grace(policy);
        if !std::mem::replace(&mut self.killed, true) && self.tells_killing {
            self.update(now, v1::TaskState::TaskKilling, None, None, outputs);
        }
        self.terminate(now, grace, outputs);
    }

    /// The framework is removed: end, and tell nobody.
    pub fn abandon(&mut self, now: Instant, outputs: &mut VecDeque<Output>) {
        self.abandoned = true;
        self.updates.clear();
        self.terminate(now, self.grace(None), outputs);
    }

    /// An acknowledgement; the next update goes out.
    pub fn acknowledge(&mut self, now: Instant, uuid: &[u8], outputs: &mut VecDeque<Output>) {
        if let Some(status) = self.updates.acknowledge(now, uuid) {
            self.tell(status, outputs);
        }
    }

    /// The scheduler is back: what is outstanding goes out again.
    pub fn resume(&mut self, now: Instant, outputs: &mut VecDeque<Output>) {
        if let Some(status) = self.updates.resume(now) {
            self.tell(status, outputs);
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant, outputs: &mut VecDeque<Output>) {
        if self.kill_due.is_some_and(|due| due <= now) {
            self.kill_due = None;
            outputs.push_back(Output::Signal(self.container.clone(), libc::SIGKILL));
        }
        if let Some(status) = self.updates.repeat(now) {
            self.tell(status, outputs);
        }
    }

    /// Whether the process is gone and nothing waits for an acknowledgement.
    pub fn is_over(&self) -> bool {
        self.stage == Stage::Gone && self.updates.is_empty()
    }

    fn grace(&self, policy: Option<&v1::KillPolicy>) -> Duration {
        let period = |p: &v1::KillPolicy| p.grace_period.as_ref().map(|g| g.nanoseconds);
        let nanoseconds = policy.and_then(period).or_else(|| self.info.kill_policy.as_ref().and_then(period));
        nanoseconds.map_or(KILL_GRACE, |n| Duration::from_nanos(n.try_into().unwrap_or(0)))
    }

    fn terminate(&mut self, now: Instant, grace: Duration, outputs: &mut VecDeque<Output>) {
        if self.stage == Stage::Running {
            if self.kill_due.is_none() {
                outputs.push_back(Output::Signal(self.container.clone(), libc::SIGTERM));
            }
            let due = now + grace;
            self.kill_due = Some(self.kill_due.map_or(due, |before| before.min(due)));
        }
    }

    fn update(
        &mut self,
        now: Instant,
        state: v1::TaskState,
        reason: Option<Reason>,
        message: Option<String>,
        outputs: &mut VecDeque<Output>,
    ) {
        self.state = state;
        if self.abandoned {
            return;
        }
        let launch_failed = reason == Some(Reason::ContainerLaunchFailed);
        let status = v1::TaskStatus {
            task_id: self.info.task_id.clone(),
            state: state.into(),
            message,
            reason: reason.map(Into::into),
            source: Some(if launch_failed { Source::Agent } else { Source::Executor }.into()),
            agent_id: Some(v1::AgentId { value: self.agent_id.clone() }),
            executor_id: Some(v1::ExecutorId { value: self.info.task_id.value.clone() }),
            timestamp: Some(timestamp()),
            uuid: Some(uuid::Uuid::new_v4().into_bytes().to_vec()),
            container_status: Some(v1::ContainerStatus {
                container_id: Some(v1::ContainerId { value: self.container.clone(), parent: None }),
                executor_pid: self.pid,
                network_infos: vec![v1::NetworkInfo {
                    ip_addresses: vec![v1::network_info::IpAddress {
                        ip_address: Some("127.0.0.1".to_owned()),
                        ..Default::default()
                    }],
                    ..Default::default()
                }],
                ..Default::default()
            }),
            ..Default::default()
        };
        if let Some(status) = self.updates.push(now, status) {
            self.tell(status, outputs);
        }
    }

    fn tell(&self, status: v1::TaskStatus, outputs: &mut VecDeque<Output>) {
        outputs.push_back(Output::Tell(ToMaster::StatusUpdate {
            framework_id: self.framework_id.clone(),
            status: Box::new(status),
            latest_state: self.state,
        }));
    }
}

/// `Command exited with status 1`, `Command terminated with signal Killed`: as `WSTRINGIFY` in stout.
fn describe(status: Option<i32>) -> String {
    use nix::sys::wait::WaitStatus;
    let Some(raw) = status else {
        return "Command ended, its status is not known".to_owned();
    };
    match WaitStatus::from_raw(nix::unistd::Pid::from_raw(1), raw) {
        Ok(WaitStatus::Exited(_, code)) => format!("Command exited with status {code}"),
        Ok(WaitStatus::Signaled(_, signal, core)) => {
            let core = if core { " (core dumped)" } else { "" };
            format!("Command terminated with signal {}{core}", signal_name(signal as i32))
        }
        _ => format!("Command ended with wait status {raw}"),
    }
}

fn signal_name(signal: i32) -> String {
    // SAFETY: strsignal gives a string that stays until the next call on this thread, or null.
    let name = unsafe { libc::strsignal(signal) };
    if name.is_null() {
        return signal.to_string();
    }
    // SAFETY: not null, and NUL-terminated as C strings are.
    unsafe { std::ffi::CStr::from_ptr(name) }.to_string_lossy().into_owned()
}
