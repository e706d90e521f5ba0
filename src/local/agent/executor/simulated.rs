//! An executor of the framework's own whose tasks are described instead of run. It has no process: each of its tasks is
//! a container for the backend, and it lives until it is shut down.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::launch::{RoleVolume, Start};
use super::{Cause, Context, Record, Runner, Stage};
use crate::local::backend::{Event, Exit, Run};
use crate::local::task::TaskProcess;
use crate::local::timers::Timers;
use crate::proto::v1;
use crate::wire::duration::Period;

/// Why a task fails that is to be run by an executor that is not.
const NOT_DESCRIBED: &str = "the tasks of its executor are simulated, and it was not said how it goes";

/// Pretends to run tasks.
#[derive(Debug, Default)]
pub struct Simulated {
    /// By container.
    members: BTreeMap<String, Member>,
    containers: BTreeMap<String, String>,
    /// When something is to be done for a member, by its container.
    timers: Timers<String>,
}

#[derive(Debug)]
struct Member {
    task_id: String,
    process: TaskProcess,
}

impl Simulated {
    fn drive(
        &mut self,
        record: &mut Record,
        context: &mut Context,
        container: &str,
        act: impl FnOnce(&mut TaskProcess, Instant),
    ) {
        if let Some(member) = self.members.get_mut(container) {
            record.drive(context, container, &mut member.process, act);
            self.timers.set(&container.to_owned(), member.process.poll_timeout());
        }
    }

    fn ended(&mut self, record: &mut Record, context: &mut Context, container: &str) {
        self.timers.set(&container.to_owned(), None);
        if let Some(member) = self.members.remove(container) {
            self.containers.remove(&member.task_id);
        }
        self.end_if_idle(record, context);
    }

    /// One that is shut down ends with its last task.
    fn end_if_idle(&self, record: &mut Record, context: &mut Context) {
        if record.stage == Stage::Terminating && self.members.is_empty() {
            record.terminated(context, &Exit::Exited(0), None);
        }
    }
}

impl Runner for Simulated {
    fn run(
        &mut self,
        record: &mut Record,
        context: &mut Context,
        tasks: Vec<Arc<v1::TaskInfo>>,
        _group: bool,
        volumes: &[RoleVolume],
    ) {
        record.stage = Stage::Running;
        for task in tasks {
            let container = context.world.uuid().to_string();
            let described = record.tasks.get_mut(&task.task_id.value).and_then(|task| task.run.take());
            let run =
                described.unwrap_or_else(|| Arc::new(Run { error: Some(NOT_DESCRIBED.to_owned()), ..Run::default() }));
            let (sandbox, command) = (record.sandbox(), v1::CommandInfo::default());
            let start =
                Start { container: &container, sandbox, command, container_info: None, volumes, run: Some(run) };
            record.start_container(context, start);
            let task_id = task.task_id.value.clone();
            let process = TaskProcess::new(task, record.tells_killing());
            self.containers.insert(task_id.clone(), container.clone());
            self.members.insert(container, Member { task_id, process });
        }
    }

    fn handle_backend(&mut self, record: &mut Record, context: &mut Context, event: Event) {
        match event {
            Event::Started { container, .. } => {
                self.drive(record, context, &container, |process, now| process.started(now));
            }
            Event::Failed { container, why } => {
                self.drive(record, context, &container, |process, _| process.failed(None, why.to_string()));
                self.ended(record, context, &container);
            }
            Event::Reported { container, status } => {
                if let Some(member) = self.members.get(&container) {
                    let task_id = v1::TaskId { value: member.task_id.clone() };
                    record.report(context, v1::TaskStatus { task_id, ..*status });
                }
            }
            Event::Ended { container, exit } => {
                self.drive(record, context, &container, |process, _| process.exited(&exit));
                self.ended(record, context, &container);
            }
            Event::Probed { container, subject, outcome } => {
                self.drive(record, context, &container, |process, now| process.probed(now, subject, &outcome));
            }
        }
    }

    fn kill(&mut self, record: &mut Record, context: &mut Context, task_id: &str, policy: Option<&v1::KillPolicy>) {
        if let Some(container) = self.containers.get(task_id).cloned() {
            self.drive(record, context, &container, |process, now| process.kill(now, policy));
        }
    }

    fn kill_executor(&mut self, record: &mut Record, context: &mut Context, cause: Cause) {
        self.containers.clear();
        self.timers = Timers::default();
        record.killed(context, std::mem::take(&mut self.members).into_keys(), cause);
    }

    fn shut_down(&mut self, record: &mut Record, context: &mut Context, grace: Period) {
        for container in self.members.keys().cloned().collect::<Vec<_>>() {
            self.drive(record, context, &container, |process, now| process.shut_down(now, grace));
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.timers.first()
    }

    fn handle_timeout(&mut self, record: &mut Record, context: &mut Context) {
        for container in self.timers.due(context.now) {
            self.drive(record, context, &container, |process, now| process.handle_timeout(now));
        }
        self.end_if_idle(record, context);
    }
}
