//! The executor of a command task, which runs here. Follows `src/launcher/executor.cpp`.

use std::sync::Arc;
use std::time::Instant;

use super::launch::{RoleVolume, Start};
use super::{Cause, Context, Record, Runner, Stage, not_launched};
use crate::local::backend::{Event, Order, Stop};
use crate::local::resources::Amount;
use crate::local::task::{OWN_GRACE, TaskProcess};
use crate::proto::v1;
use crate::wire::duration::Period;

/// Runs one task, in the executor's own container.
#[derive(Debug)]
pub struct Command {
    container: String,
    process: TaskProcess,
}

impl Command {
    /// A task that does not run yet.
    pub fn new(record: &Record, task: Arc<v1::TaskInfo>) -> Self {
        Self { container: record.container.clone(), process: TaskProcess::new(task, record.tells_killing()) }
    }

    fn drive(&mut self, record: &mut Record, context: &mut Context, act: impl FnOnce(&mut TaskProcess, Instant)) {
        record.drive(context, &self.container, &mut self.process, act);
    }
}

impl Runner for Command {
    fn run(
        &mut self,
        record: &mut Record,
        context: &mut Context,
        tasks: Vec<Arc<v1::TaskInfo>>,
        _group: bool,
        volumes: &[RoleVolume],
    ) {
        let Some(task) = tasks.first() else { return };
        let (command, sandbox) = (task.command.clone().unwrap_or_default(), record.sandbox());
        let container_info = task.container.as_deref().cloned();
        let run = record.tasks.get_mut(&task.task_id.value).and_then(|task| task.run.take());
        let start = Start { container: &self.container, sandbox, command, container_info, volumes, run };
        record.start_container(context, start);
    }

    fn handle_backend(&mut self, record: &mut Record, context: &mut Context, event: Event) {
        match event {
            Event::Started { process, .. } => {
                record.pid = process;
                if record.stage == Stage::Registering {
                    record.stage = Stage::Running;
                }
                self.drive(record, context, |process, now| {
                    process.starting();
                    process.started(now);
                });
            }
            Event::Failed { why, .. } => {
                record.stage = Stage::Terminated;
                record.fail(context, not_launched(&why));
            }
            Event::Ended { exit, .. } => {
                record.stage = Stage::Terminated;
                self.drive(record, context, |process, _| process.exited(&exit));
            }
            Event::Reported { status, .. } => {
                // Its executor has its name.
                let task_id = v1::TaskId { value: record.info.executor_id.value.clone() };
                record.report(context, v1::TaskStatus { task_id, ..*status });
            }
            Event::Probed { subject, outcome, .. } => {
                self.drive(record, context, |process, now| process.probed(now, subject, &outcome));
            }
        }
    }

    fn kill(&mut self, record: &mut Record, context: &mut Context, task_id: &str, policy: Option<&v1::KillPolicy>) {
        if record.stage == Stage::Registering && !self.process.is_gone() {
            record.drop_before_delivery(context, &[task_id.to_owned()]);
            record.stage = Stage::Terminating;
        } else {
            self.drive(record, context, |process, now| process.kill(now, policy));
        }
    }

    fn kill_executor(&mut self, record: &mut Record, context: &mut Context, cause: Cause) {
        record.stage = Stage::Terminated;
        record.note_exit(&self.container, libc::SIGKILL);
        context.order(Order::Stop { container: self.container.clone(), how: Stop::Kill });
        record.fail(context, cause);
    }

    fn shut_down(&mut self, record: &mut Record, context: &mut Context, grace: Period) {
        self.drive(record, context, |process, now| process.shut_down(now, grace.saturating_sub(OWN_GRACE)));
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.process.poll_timeout()
    }

    fn handle_timeout(&mut self, record: &mut Record, context: &mut Context) {
        self.drive(record, context, |process, now| process.handle_timeout(now));
    }
}

/// What the program that runs a command task uses besides the task (`DEFAULT_EXECUTOR_CPUS`, `DEFAULT_EXECUTOR_MEM`).
const ALLOWANCE: [(&str, f64); 2] = [("cpus", 0.1), ("mem", 32.0)];

fn scalar((name, value): (&str, f64)) -> v1::Resource {
    Amount::of(value).fill(v1::Resource { name: name.to_owned(), ..Default::default() })
}

/// What the agent makes of a command task (`Slave::getExecutorInfo`).
#[allow(deprecated)]
pub fn executor_info(task: &v1::TaskInfo) -> v1::ExecutorInfo {
    let id = &task.task_id.value;
    v1::ExecutorInfo {
        executor_id: v1::ExecutorId { value: id.clone() },
        name: Some(format!("Command Executor (Task: {id}) (Command: {})", shown(task.command.as_ref()))),
        source: Some(id.clone()),
        labels: task.labels.clone(),
        resources: ALLOWANCE.map(scalar).into(),
        ..Default::default()
    }
}

/// The beginning of a command.
fn shown(command: Option<&v1::CommandInfo>) -> String {
    const LONGEST: usize = 15;
    let Some(command) = command else { return "NO COMMAND".to_owned() };
    let cut = |text: String| match text.chars().count() {
        count if count > LONGEST => format!("{}...", text.chars().take(LONGEST.saturating_sub(3)).collect::<String>()),
        _ => text,
    };
    match (command.shell(), &command.value) {
        (true, None) => "NO COMMAND".to_owned(),
        (false, None) => "NO EXECUTABLE".to_owned(),
        (true, Some(value)) => format!("sh -c '{}'", cut(value.clone())),
        (false, Some(value)) => format!("[{}]", cut(format!("{value}, {}", command.arguments.join(", ")))),
    }
}
