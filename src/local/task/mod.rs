//! One task that runs a command, without IO: the part of Mesos' command executor. Embedded agents run it for command
//! tasks and for the tasks of a group, and the program `mesos-executor` for an agent of Apache's.
//!
//! `started`, `exited`, `probed`, `kill` and `handle_timeout` take in what happened at `now`; `poll_action` gives out
//! what to do. Follows `src/launcher/executor.cpp`.

mod checks;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use self::checks::Checker;
use crate::local::backend::{Exit, Outcome, Probe, Stop, Subject};
use crate::proto::v1;
use crate::proto::v1::TaskState;
use crate::proto::v1::task_status::Reason;
use crate::wire::duration::Period;

/// `DEFAULT_KILL_GRACE_PERIOD` of the command executor.
const KILL_GRACE: Period = Period::from_secs(3);

/// Of an executor's grace period so much is kept for its own end, and is not its tasks'.
pub const OWN_GRACE: Period = Period::from_secs(2);

/// What to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// End all processes of the task.
    Stop(Stop),
    /// Report this; ids, uuid, source and time are the owner's to fill in.
    Report(Box<v1::TaskStatus>),
    /// Look how the task is; answered by `probed` with the same subject.
    Probe(Subject, Box<Probe>),
}

/// Where the task's process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Starting,
    Running,
    Gone,
}

/// Why a task is being ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Kill,
    Unhealthy,
    Overtime,
}

/// The life of a task's process.
#[derive(Debug)]
pub struct TaskProcess {
    info: Arc<v1::TaskInfo>,
    tells_killing: bool,
    stage: Stage,
    ending: Option<Cause>,
    kill_due: Option<Instant>,
    completion_due: Option<Instant>,
    checkers: Vec<Checker>,
    /// The last status, which the reports of checks repeat.
    last: v1::TaskStatus,
    actions: VecDeque<Action>,
}

impl TaskProcess {
    /// A task whose process is about to be started; `tells_killing` if the framework knows TASK_KILLING.
    pub fn new(info: impl Into<Arc<v1::TaskInfo>>, tells_killing: bool) -> Self {
        Self {
            info: info.into(),
            tells_killing,
            stage: Stage::Starting,
            ending: None,
            kill_due: None,
            completion_due: None,
            checkers: Vec::new(),
            last: v1::TaskStatus::default(),
            actions: VecDeque::new(),
        }
    }

    /// The next thing to do, in order.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When to call `handle_timeout` at the latest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let checks = self.checkers.iter().filter_map(Checker::due);
        checks.chain(self.kill_due).chain(self.completion_due).min()
    }

    /// Whether the process is over, or never was.
    pub fn is_gone(&self) -> bool {
        self.stage == Stage::Gone
    }

    /// The process is about to be started.
    pub fn starting(&mut self) {
        self.report(TaskState::TaskStarting, None, None);
    }

    /// The process runs.
    pub fn started(&mut self, now: Instant) {
        self.stage = Stage::Running;
        self.report(TaskState::TaskRunning, None, None);
        self.checkers = Checker::all(now, &self.info);
        let limit = self.info.max_completion_time.as_ref();
        self.completion_due = limit.map(|limit| now + duration(limit));
        if self.ending.is_some() {
            self.terminate(now, self.grace(None));
        }
    }

    /// The process could not be started.
    pub fn failed(&mut self, reason: Option<Reason>, why: String) {
        self.stage = Stage::Gone;
        self.report(TaskState::TaskFailed, reason, Some(why));
    }

    /// The task's processes are gone; how its command ended.
    pub fn exited(&mut self, exit: &Exit) {
        self.stage = Stage::Gone;
        (self.kill_due, self.completion_due) = (None, None);
        self.checkers.clear();
        let (state, reason) = match (self.ending, exit) {
            (Some(Cause::Overtime), _) => (TaskState::TaskFailed, Some(Reason::MaxCompletionTimeReached)),
            (Some(_), _) => (TaskState::TaskKilled, None),
            (None, Exit::Exited(0)) => (TaskState::TaskFinished, None),
            (None, _) => (TaskState::TaskFailed, Some(Reason::CommandExecutorFailed)),
        };
        self.report(state, reason, Some(describe(exit)));
    }

    /// KILL: SIGTERM now, SIGKILL after the grace period. A second kill may only shorten it.
    pub fn kill(&mut self, now: Instant, policy: Option<&v1::KillPolicy>) {
        self.end(now, Cause::Kill, self.grace(policy));
    }

    /// The executor is shut down: as `kill`, with the time that the agent leaves it.
    pub fn shut_down(&mut self, now: Instant, grace: Period) {
        self.end(now, Cause::Kill, grace);
    }

    /// What a probe found.
    pub fn probed(&mut self, now: Instant, subject: Subject, outcome: &Outcome) {
        let Some(checker) = self.checkers.iter_mut().find(|checker| checker.subject() == subject) else {
            return;
        };
        let Some(news) = checker.probed(now, outcome) else {
            return;
        };
        // Once it is being killed nobody is told how it fares.
        if self.ending.is_some() {
            return;
        }
        let mut status = self.last.clone();
        match news {
            checks::News::Check(check_status) => {
                status.check_status = Some(check_status);
                status.reason = Some(Reason::TaskCheckStatusUpdated.into());
            }
            checks::News::Health { healthy, .. } => {
                status.healthy = Some(healthy);
                status.reason = Some(Reason::TaskHealthCheckStatusUpdated.into());
            }
        }
        self.tell(status);
        if matches!(news, checks::News::Health { kill: true, .. }) {
            self.end(now, Cause::Unhealthy, self.grace(None));
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.kill_due.is_some_and(|due| due <= now) {
            self.kill_due = None;
            self.actions.push_back(Action::Stop(Stop::Kill));
        }
        if self.completion_due.is_some_and(|due| due <= now) {
            self.completion_due = None;
            self.end(now, Cause::Overtime, Period::ZERO);
        }
        for checker in &mut self.checkers {
            if let Some(probe) = checker.handle_timeout(now) {
                self.actions.push_back(Action::Probe(checker.subject(), Box::new(probe)));
            }
        }
    }

    fn end(&mut self, now: Instant, cause: Cause, grace: Period) {
        if self.stage == Stage::Gone {
            return;
        }
        if self.ending.is_none() {
            self.ending = Some(cause);
            if self.tells_killing {
                let overtime = (cause == Cause::Overtime).then_some(Reason::MaxCompletionTimeReached);
                self.report(TaskState::TaskKilling, overtime, None);
            }
        }
        self.terminate(now, grace);
    }

    fn terminate(&mut self, now: Instant, grace: Period) {
        if self.stage != Stage::Running {
            return;
        }
        if self.kill_due.is_none() {
            self.actions.push_back(Action::Stop(Stop::Ask));
        }
        let due = now + grace;
        self.kill_due = Some(self.kill_due.map_or(due, |before| before.min(due)));
        self.checkers.clear();
    }

    fn grace(&self, policy: Option<&v1::KillPolicy>) -> Period {
        let period = |policy: &v1::KillPolicy| policy.grace_period.as_ref().map(duration);
        policy.and_then(period).or_else(|| self.info.kill_policy.as_ref().and_then(period)).unwrap_or(KILL_GRACE)
    }

    fn report(&mut self, state: TaskState, reason: Option<Reason>, message: Option<String>) {
        let unhealthy = self.ending == Some(Cause::Unhealthy);
        self.tell(v1::TaskStatus {
            task_id: self.info.task_id.clone(),
            state: state.into(),
            reason: reason.map(Into::into),
            message,
            healthy: unhealthy.then_some(false),
            check_status: self.info.check.as_ref().map(checks::nothing_known),
            ..Default::default()
        });
    }

    fn tell(&mut self, status: v1::TaskStatus) {
        self.last.clone_from(&status);
        self.actions.push_back(Action::Report(Box::new(status)));
    }
}

/// Converts a `DurationInfo`; `None` if it is negative.
pub fn duration(info: &v1::DurationInfo) -> Period {
    Period::from_nanoseconds(info.nanoseconds)
}

/// `Command exited with status 1`, `Command terminated with signal Killed`: as `WSTRINGIFY` in stout.
fn describe(exit: &Exit) -> String {
    match exit {
        Exit::Exited(status) => format!("Command exited with status {status}"),
        Exit::Signaled { name, core_dumped, .. } => {
            format!("Command terminated with signal {name}{}", if *core_dumped { " (core dumped)" } else { "" })
        }
        Exit::Unknown => "Command ended, its status is not known".to_owned(),
    }
}

#[cfg(test)]
mod tests;
