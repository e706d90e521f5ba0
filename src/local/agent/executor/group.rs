//! The default executor, which runs groups of tasks here. Follows `src/launcher/default_executor.cpp`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::launch::{RoleVolume, Start};
use super::{Cause, Context, Record, Runner, Stage};
use crate::local::backend::{Event, Exit};
use crate::local::task::{OWN_GRACE, TaskProcess};
use crate::local::timers::Timers;
use crate::proto::v1;
use crate::proto::v1::TaskState;
use crate::wire::duration::Period;

/// Runs tasks in containers within the executor's, which has no process of its own.
#[derive(Debug, Default)]
pub struct Group {
    /// By container.
    members: BTreeMap<String, Member>,
    /// When something is to be done for a member, by its container.
    timers: Timers<String>,
}

#[derive(Debug)]
struct Member {
    task_id: String,
    process: TaskProcess,
    /// The tasks of its group, itself among them.
    group: Vec<String>,
}

impl Group {
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

    fn kill_one(&mut self, record: &mut Record, context: &mut Context, task_id: &str, policy: Option<&v1::KillPolicy>) {
        if let Some(container) = record.tasks.get(task_id).and_then(|task| task.container.clone()) {
            self.drive(record, context, &container, |process, now| process.kill(now, policy));
        }
    }

    /// One task of a group that does not finish well ends all of it; the executor ends with its last task.
    fn ended(&mut self, record: &mut Record, context: &mut Context, container: &str) {
        let Some(Member { task_id, group, .. }) = self.members.remove(container) else { return };
        self.timers.set(&container.to_owned(), None);
        let finished = record.tasks.get(&task_id).is_some_and(|task| task.state == TaskState::TaskFinished);
        for other in group.iter().filter(|_| !finished) {
            self.kill_one(record, context, other, None);
        }
        if self.members.is_empty() {
            record.terminated(context, &Exit::Exited(0), None);
        }
    }
}

impl Runner for Group {
    fn run(
        &mut self,
        record: &mut Record,
        context: &mut Context,
        tasks: Vec<Arc<v1::TaskInfo>>,
        _group: bool,
        volumes: &[RoleVolume],
    ) {
        record.stage = Stage::Running;
        let group: Vec<String> = tasks.iter().map(|task| task.task_id.value.clone()).collect();
        for task in tasks {
            let container = context.world.uuid().to_string();
            let Some(kept) = record.tasks.get_mut(&task.task_id.value) else { continue };
            kept.container = Some(container.clone());
            let run = kept.run.take();
            let sandbox = record.sandbox_of(&record.tasks[&task.task_id.value]);
            let (command, container_info) =
                (task.command.clone().unwrap_or_default(), task.container.as_deref().cloned());
            let start = Start { container: &container, sandbox, command, container_info, volumes, run };
            record.start_container(context, start);
            let task_id = task.task_id.value.clone();
            let process = TaskProcess::new(task, record.tells_killing());
            self.members.insert(container, Member { task_id, process, group: group.clone() });
        }
    }

    fn handle_backend(&mut self, record: &mut Record, context: &mut Context, event: Event) {
        match event {
            Event::Started { container, .. } => self.drive(record, context, &container, |process, now| {
                process.starting();
                process.started(now);
            }),
            Event::Failed { container, why } => {
                self.drive(record, context, &container, |process, _| {
                    process.starting();
                    process.failed(None, why.to_string());
                });
                self.ended(record, context, &container);
            }
            Event::Ended { container, exit } => {
                self.drive(record, context, &container, |process, _| process.exited(&exit));
                self.ended(record, context, &container);
            }
            Event::Reported { container, status } => {
                if let Some(member) = self.members.get(&container) {
                    let task_id = v1::TaskId { value: member.task_id.clone() };
                    record.report(context, v1::TaskStatus { task_id, ..*status });
                }
            }
            Event::Probed { container, subject, outcome } => {
                self.drive(record, context, &container, |process, now| process.probed(now, subject, &outcome));
            }
        }
    }

    fn kill(&mut self, record: &mut Record, context: &mut Context, task_id: &str, policy: Option<&v1::KillPolicy>) {
        let member = self.members.values().find(|member| member.task_id == task_id);
        for other in member.map(|member| member.group.clone()).unwrap_or_default() {
            self.kill_one(record, context, &other, policy);
        }
    }

    fn kill_executor(&mut self, record: &mut Record, context: &mut Context, cause: Cause) {
        self.timers = Timers::default();
        record.killed(context, std::mem::take(&mut self.members).into_keys(), cause);
    }

    fn shut_down(&mut self, record: &mut Record, context: &mut Context, grace: Period) {
        // Mesos' own executors keep so much for their own end.
        let grace = grace.saturating_sub(OWN_GRACE);
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
    }
}
