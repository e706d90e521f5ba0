//! An embedded agent, without IO: command tasks, their updates, their end.
//!
//! `handle_master`, `launched`, `exited` and `handle_timeout` take in what happened at `now`; `poll_output` gives out
//! what to do. Follows `src/slave/slave.cpp`, and for command tasks `src/launcher/executor.cpp`.

mod command;
mod state;
mod updates;

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::time::Instant;

use super::containerizer::{Launch, Mount};
use super::messages::{ToAgent, ToMaster, is_terminal};
use crate::proto::v1;

pub use command::CommandTask;

/// Tasks that are over and still shown with their sandboxes.
const MAX_COMPLETED_TASKS: usize = 1000;

/// What to do.
#[derive(Debug)]
pub enum Output {
    /// Tell the master.
    Tell(ToMaster),
    /// Start this container; answered by `launched`, and later by `exited`.
    Launch(Box<Launch>),
    /// Signal all processes of a container.
    Signal(String, i32),
    /// Remove this directory with all that is in it.
    Remove(PathBuf),
}

/// Who an agent is.
#[derive(Debug, Clone)]
pub struct Config {
    pub id: String,
    /// Its place in URLs and its libprocess name, `slave(1)`.
    pub path: String,
    /// `ip:port` of the server.
    pub endpoint: String,
    /// Where its sandboxes are.
    pub work_dir: PathBuf,
}

impl Config {
    /// Where a persistent volume is (`getPersistentVolumePath` in `src/slave/paths.cpp`).
    fn volume(&self, role: &str, disk: &v1::resource::DiskInfo) -> PathBuf {
        let id = disk.persistence.clone().unwrap_or_default().id;
        // Neither may lead out of the directory; a role has slashes of its own.
        let plain = |name: &str| name.replace('/', " ").replace("..", ". .");
        self.work_dir.join("volumes").join("roles").join(plain(role)).join(plain(&id))
    }
}

/// The state machine.
#[derive(Debug)]
pub struct Agent {
    config: Config,
    /// By container.
    tasks: BTreeMap<String, CommandTask>,
    completed: VecDeque<CommandTask>,
    outputs: VecDeque<Output>,
}

impl Agent {
    /// An agent without tasks.
    pub fn new(config: Config) -> Self {
        Self { config, tasks: BTreeMap::new(), completed: VecDeque::new(), outputs: VecDeque::new() }
    }

    /// Who it is.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Tasks, running and over.
    pub fn tasks(&self) -> impl Iterator<Item = &CommandTask> {
        self.completed.iter().chain(self.tasks.values())
    }

    /// The next thing to do, in order.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call `handle_timeout` at the latest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.tasks.values().flat_map(|task| [task.kill_due, task.updates.due()]).flatten().min()
    }

    /// Takes in what the master says.
    pub fn handle_master(&mut self, now: Instant, message: ToAgent) {
        match message {
            ToAgent::RunTask { framework, task, role, volumes } => self.run(&framework, *task, role, &volumes),
            ToAgent::DestroyVolumes { volumes } => {
                let paths = volumes.iter().map(|(role, disk)| self.config.volume(role, disk));
                self.outputs.extend(paths.map(Output::Remove));
            }
            ToAgent::KillTask { framework_id, task_id, kill_policy } => {
                self.kill(now, &framework_id, &task_id, kill_policy.as_ref());
            }
            ToAgent::Acknowledge { framework_id, task_id, uuid } => {
                self.acknowledge(now, &framework_id, &task_id, &uuid)
            }
            ToAgent::UpdateFramework { framework_id } => {
                let tasks = self.tasks.values_mut().filter(|task| task.framework_id == framework_id);
                tasks.for_each(|task| task.resume(now, &mut self.outputs));
            }
            ToAgent::ShutdownFramework { framework_id } => self.shutdown(now, &framework_id),
        }
    }

    /// A container runs under this process id, or could not be started.
    pub fn launched(&mut self, now: Instant, container: &str, outcome: Result<u32, String>) {
        let Some(task) = self.tasks.get_mut(container) else {
            return;
        };
        task.launched(now, outcome, &mut self.outputs);
        self.retire(container);
    }

    /// A container's process ended, with a status as wait(2) gives it; `None` where it is not known.
    pub fn exited(&mut self, now: Instant, container: &str, status: Option<i32>) {
        let Some(task) = self.tasks.get_mut(container) else {
            return;
        };
        task.exited(now, status, &mut self.outputs);
        self.retire(container);
    }

    /// Does what is due: repeats updates, kills what was given its time.
    pub fn handle_timeout(&mut self, now: Instant) {
        for task in self.tasks.values_mut() {
            task.handle_timeout(now, &mut self.outputs);
        }
    }

    fn run(
        &mut self,
        framework: &v1::FrameworkInfo,
        task: v1::TaskInfo,
        role: String,
        volumes: &[(String, v1::resource::DiskInfo)],
    ) {
        let task = CommandTask::new(&self.config, framework, task, role);
        let mounted = |(role, disk): &(String, v1::resource::DiskInfo)| Mount {
            source: self.config.volume(role, disk),
            target: disk.volume.clone().unwrap_or_default().container_path.into(),
        };
        let launch = Launch { mounts: volumes.iter().map(mounted).collect(), ..task.launch(&self.config) };
        self.outputs.push_back(Output::Launch(Box::new(launch)));
        self.tasks.insert(task.container.clone(), task);
    }

    fn kill(&mut self, now: Instant, framework_id: &str, task_id: &str, policy: Option<&v1::KillPolicy>) {
        if let Some(container) = self.find(framework_id, task_id) {
            let task = self.tasks.get_mut(&container).expect("find gives a key of tasks");
            task.kill(now, policy, &mut self.outputs);
        }
    }

    fn acknowledge(&mut self, now: Instant, framework_id: &str, task_id: &str, uuid: &[u8]) {
        if let Some(container) = self.find(framework_id, task_id) {
            let task = self.tasks.get_mut(&container).expect("find gives a key of tasks");
            task.acknowledge(now, uuid, &mut self.outputs);
            self.retire(&container);
        }
    }

    fn shutdown(&mut self, now: Instant, framework_id: &str) {
        let of_framework = |task: &&CommandTask| task.framework_id == framework_id;
        let containers: Vec<String> = self.tasks.values().filter(of_framework).map(|t| t.container.clone()).collect();
        for container in containers {
            let task = self.tasks.get_mut(&container).expect("just listed");
            task.abandon(now, &mut self.outputs);
            self.retire(&container);
        }
    }

    fn find(&self, framework_id: &str, task_id: &str) -> Option<String> {
        let found = self.tasks.values().find(|t| t.framework_id == framework_id && t.info.task_id.value == task_id);
        found.map(|task| task.container.clone())
    }

    /// A task whose process is gone and whose updates are all acknowledged is over.
    fn retire(&mut self, container: &str) {
        if self.tasks.get(container).is_some_and(CommandTask::is_over)
            && let Some(task) = self.tasks.remove(container)
        {
            self.completed.push_back(task);
            if self.completed.len() > MAX_COMPLETED_TASKS {
                self.completed.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests;
