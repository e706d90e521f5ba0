//! The tasks that run here and not in an executor's process: a command task, and those of groups. Follows
//! `src/launcher/executor.cpp` and `src/launcher/default_executor.cpp`.

use std::time::Instant;

use super::{Context, Executor, Member, Output, Runner, Stage};
use crate::local::agent::launch::{RoleVolume, launch};
use crate::local::backend::{Exit, Outcome, Subject};
use crate::local::task::{Action, TaskProcess};
use crate::proto::v1::TaskState;
use crate::proto::{has_capability, v1};

impl Executor {
    pub(super) fn run_group(&mut self, context: &mut Context, tasks: &[v1::TaskInfo], volumes: &[RoleVolume]) {
        self.stage = Stage::Running;
        let killing = has_capability(&self.framework, v1::framework_info::capability::Type::TaskKillingState);
        let group: Vec<String> = tasks.iter().map(|task| task.task_id.value.clone()).collect();
        for task in tasks {
            let container = context.world.uuid().to_string();
            let sandbox = self.sandbox_of(&task.task_id.value);
            let command = task.command.clone().unwrap_or_default();
            let launch = launch(context.config, self, &container, sandbox, &command, volumes);
            context.outputs.push_back(Output::Start(Box::new(launch)));
            let process = TaskProcess::new(task.clone(), killing);
            if let Runner::Groups(members) = &mut self.runner {
                members.insert(task.task_id.value.clone(), Member { container, process, group: group.clone() });
            }
        }
    }

    /// One task of a group that does not finish well ends all of it; the executor ends with its last task
    /// (`src/launcher/default_executor.cpp`).
    pub(super) fn group_member_ended(&mut self, context: &mut Context, container: &str) {
        let Runner::Groups(members) = &mut self.runner else { return };
        let Some((id, member)) = members.iter().find(|(_, member)| member.container == container) else { return };
        let finished = self.tasks.get(id).is_some_and(|task| task.state == TaskState::TaskFinished);
        let group = if finished { Vec::new() } else { member.group.clone() };
        for other in &group {
            self.kill_process(context, other, None);
        }
        let Runner::Groups(members) = &self.runner else { return };
        if members.values().all(|member| member.process.is_gone()) {
            self.terminated(context, &Exit::Exited(0));
        }
    }

    pub(super) fn kill_process(&mut self, context: &mut Context, task_id: &str, policy: Option<&v1::KillPolicy>) {
        let container = match &self.runner {
            Runner::Custom => return,
            Runner::Command(_) => self.container.clone(),
            Runner::Groups(members) => match members.get(task_id) {
                Some(member) => member.container.clone(),
                None => return,
            },
        };
        self.with_process(context, &container, |process, now| process.kill(now, policy));
    }

    /// What a probe of a task found.
    pub fn probed(&mut self, context: &mut Context, container: &str, subject: Subject, outcome: &Outcome) {
        self.with_process(context, container, |process, now| process.probed(now, subject, outcome));
    }

    /// Does something with the process of a container, and what that asks for.
    pub(super) fn with_process(
        &mut self,
        context: &mut Context,
        container: &str,
        act: impl FnOnce(&mut TaskProcess, Instant),
    ) {
        let process = match &mut self.runner {
            Runner::Custom => None,
            Runner::Command(process) => Some(&mut **process),
            Runner::Groups(members) => {
                members.values_mut().find(|m| m.container == container).map(|member| &mut member.process)
            }
        };
        let Some(process) = process else { return };
        act(process, context.now);
        let actions: Vec<Action> = std::iter::from_fn(|| process.poll_action()).collect();
        for action in actions {
            match action {
                Action::Stop(how) => context.outputs.push_back(Output::Stop(container.to_owned(), how)),
                Action::Probe(subject, probe) => {
                    context.outputs.push_back(Output::Probe(container.to_owned(), subject, probe));
                }
                Action::Report(status) => self.report(context, *status),
            }
        }
    }

    /// The containers that have, or had, processes.
    pub fn containers(&self) -> Vec<String> {
        match &self.runner {
            Runner::Custom | Runner::Command(_) => vec![self.container.clone()],
            Runner::Groups(members) => members.values().map(|member| member.container.clone()).collect(),
        }
    }
}
