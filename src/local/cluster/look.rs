//! What is seen of a cluster when somebody looks at it.

use std::collections::BTreeMap;

use super::machine::Machine;
use super::view::{AgentView, Counts, FrameworkView, OfferView, Overview, TaskKey, TaskView, View};
use crate::local::agent::{Agent, AgentTask, Record};
use crate::local::master::{Framework, OfferRecord};
use crate::local::resources::Resources;
use crate::local::show;
use crate::proto::v1;

impl Machine {
    /// All that is shown of the cluster.
    pub fn view(&self) -> View {
        View {
            agents: self.agent_views(),
            frameworks: self.framework_views(),
            tasks: self.tasks(),
            offers: self.offer_views(),
        }
    }

    /// The cluster as a whole.
    pub fn overview(&self) -> Overview {
        let mut counts = Counts::new();
        for agent in self.all_agents() {
            let told = self.told_of(agent);
            for executor in agent.executors() {
                for task in executor.all_tasks() {
                    let key = (executor.framework_id(), task.info.task_id.value.clone());
                    let state = told.as_ref().and_then(|told| told.get(&key)).copied().unwrap_or(task.state);
                    let count = counts.entry((key.0, state)).or_default();
                    *count = count.saturating_add(1);
                }
            }
        }
        Overview { agents: self.agent_views(), frameworks: self.framework_views(), counts, stopped: false }
    }

    /// Every agent, in the order in which they were added, those that are gone last.
    pub fn agent_views(&self) -> Vec<AgentView> {
        let known = self.agents.values().map(|agent| {
            let (total, state) = self.master.seen_of_agent(&agent.config().id);
            // The master does not know one that registers for the first time, and a new one does not know any.
            let state = if state == "removed" { "disconnected" } else { state };
            agent_view(agent, total, &self.master.used_of_agent(&agent.config().id), state)
        });
        let departed =
            self.departed.iter().map(|departed| agent_view(&departed.agent, None, &Resources::default(), departed.how));
        let mut views: Vec<_> = known.chain(departed).collect();
        // Their places end in numbers.
        let is_gone = |view: &AgentView| matches!(view.state, "killed" | "removed" | "gone");
        views.sort_by_key(|view| (is_gone(view), view.path.len(), view.path.clone()));
        views
    }

    /// Every framework, the completed ones last.
    pub fn framework_views(&self) -> Vec<FrameworkView> {
        let view = |framework: &Framework| FrameworkView {
            id: framework.id(),
            name: framework.info.name.clone(),
            roles: framework.roles(),
            principal: framework.info.principal.clone(),
            connected: framework.connection.is_some(),
            completed: framework.unregistered_time.is_some(),
        };
        self.master.frameworks().map(view).collect()
    }

    /// Every offer that is not answered.
    pub fn offer_views(&self) -> Vec<OfferView> {
        let view = |(id, offer): (&String, &OfferRecord)| OfferView {
            id: id.clone(),
            framework_id: offer.framework_id.clone(),
            agent_id: offer.agent_id.clone(),
            role: offer.role.clone(),
            resources: show::resources(&offer.resources),
        };
        self.master.offers().map(view).collect()
    }

    /// Every task that an agent remembers, over or not.
    pub fn tasks(&self) -> Vec<TaskView> {
        let mut views = Vec::new();
        for agent in self.all_agents() {
            let told = self.told_of(agent);
            for executor in agent.executors() {
                views.extend(executor.all_tasks().map(|task| self.task_view(agent, executor, task, told.as_ref())));
            }
        }
        views
    }

    /// A task, if its agent remembers it.
    pub fn task(&self, key: &TaskKey) -> Option<TaskView> {
        let agent = self.all_agents().find(|agent| agent.config().id == key.agent_id)?;
        let told = self.told_of(agent);
        let mut executors = agent.executors_named(&key.framework_id, &key.executor_id);
        executors.find_map(|executor| Some(self.task_view(agent, executor, executor.task(&key.id)?, told.as_ref())))
    }

    /// A task, and what the master says of it if it does not reach the agent.
    pub(super) fn task_view(
        &self,
        agent: &Agent,
        executor: &Record,
        task: &AgentTask,
        told: Option<&Told>,
    ) -> TaskView {
        let (framework_id, id) = (executor.framework_id(), task.info.task_id.value.clone());
        let told = told.and_then(|told| told.get(&(framework_id.clone(), id.clone())));
        TaskView {
            name: task.info.name.clone(),
            framework: executor.framework.name.clone(),
            agent_id: agent.config().id.clone(),
            executor_id: executor.info.executor_id.value.clone(),
            state: told.copied().unwrap_or(task.state),
            states: task.statuses.iter().map(v1::TaskStatus::state).collect(),
            resources: show::resources(&Resources::from_proto(&task.info.resources).unwrap_or_default()),
            sandbox: self.files(&agent.config().id, &executor.sandbox_of(task)),
            framework_id,
            id,
        }
    }

    fn all_agents(&self) -> impl Iterator<Item = &Agent> {
        self.agents.values().chain(self.departed.iter().map(|departed| &departed.agent))
    }

    /// What the master says of the tasks of an agent that it does not reach.
    fn told_of(&self, agent: &Agent) -> Option<Told> {
        let id = &agent.config().id;
        let is_here = self.agents.get(id).is_some() && self.master.reaches(id);
        (!is_here).then(|| self.master.states_of_tasks(id))
    }
}

/// The states of tasks by their framework's id and their own.
pub type Told = BTreeMap<(String, String), v1::TaskState>;

fn agent_view(agent: &Agent, total: Option<&Resources>, used: &Resources, state: &'static str) -> AgentView {
    let info = &agent.config().info;
    AgentView {
        id: agent.config().id.clone(),
        hostname: info.hostname.clone(),
        path: agent.config().path.clone(),
        resources: total.map_or_else(|| show::resources(agent.total()), show::resources),
        used: show::resources(used),
        attributes: show::attributes(&info.attributes),
        state,
    }
}
