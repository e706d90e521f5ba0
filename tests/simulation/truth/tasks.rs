//! Tasks: each is launched at most once, on offers that were open, and what becomes of it is told.

use remesos::local::simulation::Container;
use remesos::proto::v1;
use remesos::proto::v1::TaskState;
use remesos::proto::v1::scheduler::call;
use remesos::wire::states::is_terminal;
use tokio::time::Instant;

use super::said::launched;
use super::{Amount, Client, Truth};

/// A task that a framework has asked for.
#[derive(Debug, Clone)]
pub struct Task {
    pub framework_id: String,
    pub agent_id: String,
    pub amount: Amount,
    /// The executor of the framework's that it has, if it has one.
    executor_id: Option<String>,
    /// How often the ACCEPT has arrived, and why it could not be granted.
    accepts: u32,
    refused: Option<String>,
    launches: u32,
    /// The stream of an executor on which its LAUNCH was sent, until it has arrived.
    launching: Option<(Client, u32)>,
    /// Whether it runs, by what its container or its executor says.
    running: bool,
    /// Whether its framework was not connected for a while: so the master may know that it is over, which nobody was told.
    unseen: bool,
    /// When it was said last that it is over.
    over_at: Option<Instant>,
    /// Whether its executor has told its driver that it is over, or has ended.
    over: bool,
    /// Whether no master had the framework when it ended, or before. An agent that shuts a framework down tells nothing of its tasks
    /// (`Slave::executorTerminated`), not even a new master to which the framework has come back.
    abandoned: bool,
    /// The states that the framework was called back with, in order.
    pub told: Vec<TaskState>,
}

impl Task {
    /// Whether it holds its resources.
    pub fn runs(&self) -> bool {
        self.running && !self.unseen
    }

    /// Whether it is over, whoever knows.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Whether nobody need be told how it ended.
    pub fn is_abandoned(&self) -> bool {
        self.abandoned
    }

    fn ends(&mut self, told: bool) {
        if self.launches > 0 && !self.over {
            (self.over, self.abandoned) = (true, self.abandoned || !told);
        }
    }

    /// Whether the framework was told that it is over, and not since that it is not: so it may be of tasks of which a new
    /// master did not know.
    pub fn is_told_over(&self) -> bool {
        self.told.last().is_some_and(|state| is_terminal(*state))
    }
}

impl Truth {
    /// A framework asks for a task.
    pub fn wants(&mut self, framework_id: &str, task: &v1::TaskInfo) {
        let (framework_id, agent_id) = (framework_id.to_owned(), task.agent_id.value.clone());
        let executor_id = task.executor.as_ref().map(|executor| executor.executor_id.value.clone());
        let amount = Amount::of(&task.resources);
        let wanted = Task {
            framework_id,
            agent_id,
            amount,
            executor_id,
            accepts: 0,
            refused: None,
            launches: 0,
            launching: None,
            running: false,
            unseen: false,
            over_at: None,
            over: false,
            abandoned: false,
            told: Vec::new(),
        };
        self.tasks.insert(task.task_id.value.clone(), wanted);
    }

    /// A framework was called back with an update.
    pub fn told(&mut self, status: &v1::TaskStatus) {
        if let Some(task) = self.tasks.get_mut(&status.task_id.value) {
            task.told.push(status.state());
        }
    }

    pub(super) fn accepted(&mut self, accept: &call::Accept) {
        let refused = self.use_offers(&accept.offer_ids);
        for id in launched(&accept.operations).map(|task| task.task_id.value.clone()) {
            let Some(task) = self.tasks.get(&id) else { continue };
            // An agent ignores launches of a framework that it shuts down, and tells nobody (`Slave::run`).
            let shut_down = self.is_shut_down_at(&task.framework_id, &task.agent_id);
            let Some(task) = self.tasks.get_mut(&id) else { continue };
            task.abandoned |= shut_down;
            task.accepts += 1;
            task.refused.clone_from(&refused);
            if task.accepts > 1 {
                self.complain(format!("the ACCEPT of task {id} comes twice"));
            }
        }
    }

    /// A task is launched at an agent.
    fn launched(&mut self, id: &str) {
        let Some(task) = self.tasks.get_mut(id) else { return };
        task.launches += 1;
        let (launches, accepts, refused) = (task.launches, task.accepts, task.refused.clone());
        if launches > accepts {
            self.complain(format!("task {id} is launched {launches} times, of {accepts} ACCEPTs"));
        }
        if let Some(why) = refused {
            self.complain(format!("task {id} is launched, but {why}"));
        }
        let now = self.now();
        let connected = self.tasks.get(id).is_some_and(|task| self.is_connected(&task.framework_id));
        if let Some(task) = self.tasks.get_mut(id) {
            task.unseen |= !connected;
            // At one time nobody knows which came first.
            task.running = task.over_at != Some(now);
        }
        self.unsettled = true;
    }

    fn is_over(&mut self, id: &str) {
        let now = self.now();
        if let Some(task) = self.tasks.get_mut(id) {
            (task.running, task.over_at) = (false, Some(now));
        }
    }

    /// A container is started for an executor, which is named as its task if it has no other.
    pub fn container_started(&mut self, container: &Container) {
        self.containers.insert(container.id.clone(), container.clone());
        if container.described {
            self.launched(&container.executor_id);
        }
    }

    /// The container of an executor has ended, and with it its tasks.
    pub fn container_ended(&mut self, id: &str) {
        let Some(container) = self.containers.remove(id) else { return };
        let Container { agent_id, framework_id, executor_id, .. } = &container;
        let told = self.counts(framework_id);
        for (id, task) in &mut self.tasks {
            let here = task.agent_id == *agent_id && task.framework_id == *framework_id;
            if here && task.executor_id.as_ref().unwrap_or(id) == executor_id {
                task.running = false;
                task.ends(told);
            }
        }
    }

    /// Masters tell frameworks that are not connected nothing.
    pub(super) fn lose_sight(&mut self) {
        let frameworks = &self.frameworks;
        for task in self.tasks.values_mut() {
            task.unseen |= !frameworks.get(&task.framework_id).is_some_and(|framework| framework.is_connected());
        }
    }

    /// A framework comes back that its master had removed.
    pub(super) fn abandon_tasks(&mut self, framework_id: &str) {
        let of = self.tasks.values_mut().filter(|task| task.framework_id == framework_id && task.launches > 0);
        of.for_each(|task| task.abandoned = true);
    }

    /// An executor tells its driver of a task.
    pub fn says(&mut self, id: &str, state: TaskState) {
        let told = self.tasks.get(id).is_some_and(|task| self.counts(&task.framework_id));
        if let Some(task) = self.tasks.get_mut(id).filter(|_| is_terminal(state)) {
            task.ends(told);
        }
    }

    /// The executors of these frameworks whose containers run.
    pub fn containers_of(&self, framework: impl Fn(&str) -> bool) -> Vec<String> {
        let of = self.containers.values().filter(|container| framework(&container.framework_id));
        of.map(|container| container.executor_id.clone()).collect()
    }

    /// An agent is gone, with all that it ran.
    pub fn agent_gone(&mut self, agent_id: &str) {
        self.totals.remove(agent_id);
        self.containers.retain(|_, container| container.agent_id != agent_id);
        self.tasks.values_mut().filter(|task| task.agent_id == agent_id).for_each(|task| task.running = false);
    }

    /// An executor is told something. On another stream than the one before: so it has said what it has, and a task whose
    /// LAUNCH did not reach it is over for its agent.
    pub(super) fn told_executor(&mut self, client: Client, link: u32, event: &v1::executor::Event) {
        let before = |task: &&mut Task| task.launching.is_some_and(|(by, on)| by == client && on != link);
        self.tasks.values_mut().filter(before).for_each(|task| task.running = false);
        if let Some(launch) = &event.launch {
            self.launched(&launch.task.task_id.value);
            if let Some(task) = self.tasks.get_mut(&launch.task.task_id.value) {
                task.launching = Some((client, link));
            }
        }
    }

    pub(super) fn executor_knows(&mut self, event: &v1::executor::Event) {
        let launch = event.launch.as_ref();
        if let Some(task) = launch.and_then(|launch| self.tasks.get_mut(&launch.task.task_id.value)) {
            task.launching = None;
        }
    }

    pub(super) fn executor_called(&mut self, call: &v1::executor::Call) {
        let updates = call.subscribe.iter().flat_map(|subscribe| &subscribe.unacknowledged_updates);
        for update in call.update.iter().map(|update| &update.status).chain(updates.map(|update| &update.status)) {
            if is_terminal(update.state()) {
                self.is_over(&update.task_id.value);
            }
        }
    }

    /// The master takes back what a task holds when its agent says that it is over, though its container may still end
    /// (`Slave::killTask` of a task that has not reached its executor).
    pub(super) fn update_sent(&mut self, status: &v1::TaskStatus) {
        if let Some(task) = self.tasks.get_mut(&status.task_id.value) {
            task.unseen &= is_terminal(status.state());
        }
        if status.uuid.is_some() && is_terminal(status.state()) {
            self.is_over(&status.task_id.value);
        }
    }
}
