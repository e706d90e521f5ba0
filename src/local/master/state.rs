//! What `/state` and its kin show. Follows `src/master/readonly_handler.cpp`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use serde_json::{Value, json};

use super::framework::{Framework, Task};
use super::{AgentRecord, MASTER_CAPABILITY_NAMES, MESOS_VERSION, Master};
use crate::local::allocator::OfRole;
use crate::local::messages::is_terminal;
use crate::local::resources::Resources;
use crate::local::show;
use crate::proto::v1::{self, TaskState};

/// How many tasks `/tasks` shows unless it is told otherwise (`TASK_LIMIT`).
const TASK_LIMIT: i64 = 100;

/// The states that `/state-summary` counts.
const COUNTED: [TaskState; 10] = [
    TaskState::TaskStaging,
    TaskState::TaskStarting,
    TaskState::TaskRunning,
    TaskState::TaskKilling,
    TaskState::TaskFinished,
    TaskState::TaskKilled,
    TaskState::TaskFailed,
    TaskState::TaskLost,
    TaskState::TaskError,
    TaskState::TaskUnreachable,
];

impl Master {
    /// `/state`.
    pub fn state(&self) -> Value {
        let inactive = self.agents.values().filter(|agent| !agent.is_active()).count();
        let mut state = json!({
            "version": MESOS_VERSION,
            "build_date": "",
            "build_time": 0.0,
            "build_user": "remesos",
            "start_time": self.start_time,
            "elected_time": self.start_time,
            "id": self.id,
            "pid": self.pid(),
            "hostname": self.config.hostname,
            "capabilities": MASTER_CAPABILITY_NAMES,
            "activated_slaves": self.agents.len().saturating_sub(inactive) as f64,
            "deactivated_slaves": inactive as f64,
            "unreachable_slaves": self.absent.unreachable.len() as f64,
        });
        let domain = self.config.domain.as_ref().map(show::domain);
        show::add(&mut state, "domain", domain.clone());
        state["leader"] = json!(self.pid());
        state["leader_info"] = json!({
            "id": self.id, "pid": self.pid(), "port": self.config.address.port(), "hostname": self.config.hostname,
        });
        show::add(&mut state["leader_info"], "domain", domain);
        show::add(&mut state, "cluster", self.config.cluster.as_deref().map(Value::from));
        state["flags"] = json!(self.config.flags);
        state["slaves"] = self.agents.iter().map(|(id, agent)| self.agent_json(id, agent)).collect();
        state["recovered_slaves"] = self.recovered_json(None);
        state["frameworks"] = self.frameworks.values().map(|f| self.framework_json(f)).collect();
        state["completed_frameworks"] = self.completed.iter().map(|f| self.framework_json(f)).collect();
        state["orphan_tasks"] = json!([]);
        state["unregistered_frameworks"] = json!([]);
        state
    }

    /// `/flags`.
    pub fn flags(&self) -> Value {
        json!({ "flags": self.config.flags })
    }

    /// `/slaves`, all or one.
    pub fn slaves(&self, only: Option<&str>) -> Value {
        let slave = |(id, agent): (&String, &AgentRecord)| {
            let mut json = self.agent_json(id, agent);
            let held = |what: fn(&OfRole) -> &Resources| {
                let by_role = self.allocator.held_by_role(id);
                by_role.iter().flat_map(|(role, held)| show::full_list(what(held), Some(role))).collect::<Value>()
            };
            json["reserved_resources_full"] = show::reserved_full(&agent.total);
            json["unreserved_resources_full"] = show::full(&agent.total.not_reserved(), None);
            json["used_resources_full"] = held(|of_role| &of_role.used);
            json["offered_resources_full"] = held(|of_role| &of_role.offered);
            json
        };
        let slaves = self.agents.iter().filter(|(id, _)| only.is_none_or(|only| only == id.as_str()));
        json!({ "slaves": slaves.map(slave).collect::<Vec<_>>(), "recovered_slaves": self.recovered_json(only) })
    }

    /// The agents that were registered with an earlier master, and are not yet with this one.
    fn recovered_json(&self, only: Option<&str>) -> Value {
        let recovered = self.absent.recovered.iter().filter(|(id, _)| only.is_none_or(|only| only == id.as_str()));
        recovered.map(|(id, known)| self.agent_info(id, &known.info)).collect()
    }

    /// `/state-summary`.
    pub fn summary(&self) -> Value {
        let mut agents: BTreeMap<&str, Sums> = BTreeMap::new();
        let mut frameworks: Vec<(&Framework, Sums)> = Vec::new();
        for framework in self.frameworks.values() {
            let (id, mut sums) = (framework.id(), Sums::default());
            for task in framework.all_tasks() {
                let of_agent = agents.entry(&task.agent_id).or_default();
                for (sums, other) in [(&mut sums, &task.agent_id), (of_agent, &id)] {
                    *sums.states.entry(task.state).or_default() += 1_usize;
                    if !sums.others.contains(other) {
                        sums.others.insert(other.clone());
                    }
                }
            }
            frameworks.push((framework, sums));
        }
        let agent = |(id, agent): (&String, &AgentRecord)| {
            let sums = agents.get(id.as_str()).cloned().unwrap_or_default();
            sums.add_to(self.agent_json(id, agent), "framework_ids")
        };
        let mut summary = json!({ "hostname": self.config.hostname });
        show::add(&mut summary, "cluster", self.config.cluster.as_deref().map(Value::from));
        summary["slaves"] = self.agents.iter().map(agent).collect();
        let framework =
            |(framework, sums): &(&Framework, Sums)| sums.add_to(self.framework_summary(framework), "slave_ids");
        summary["frameworks"] = frameworks.iter().map(framework).collect();
        summary
    }

    /// `/frameworks`, all or one.
    pub fn frameworks_json(&self, only: Option<&str>) -> Value {
        let wanted = |framework: &&Framework| only.is_none_or(|only| only == framework.id());
        let (frameworks, completed) = (self.frameworks.values(), self.completed.iter());
        json!({
            "frameworks": frameworks.filter(wanted).map(|f| self.framework_json(f)).collect::<Vec<_>>(),
            "completed_frameworks": completed.filter(wanted).map(|f| self.framework_json(f)).collect::<Vec<_>>(),
            "unregistered_frameworks": [],
        })
    }

    /// `/tasks`.
    pub fn tasks_json(&self, filter: &TaskFilter) -> Value {
        let mut tasks: Vec<(String, &Task)> = Vec::new();
        for framework in self.frameworks() {
            let id = framework.id();
            if filter.framework_id.as_ref().is_none_or(|only| *only == id) {
                let wanted = |task: &&Task| filter.task_id.as_ref().is_none_or(|id| *id == task.info.task_id.value);
                tasks.extend(framework.all_tasks().filter(wanted).map(|task| (id.clone(), task)));
            }
        }
        tasks.sort_by(|(_, one), (_, other)| {
            let order = one.started().total_cmp(&other.started());
            if filter.oldest_first { order } else { order.reverse() }
        });
        let part = tasks.get(filter.part(tasks.len())).unwrap_or_default();
        json!({ "tasks": part.iter().map(|(id, task)| task_json(id, task)).collect::<Vec<_>>() })
    }

    /// What is told of an agent whether it is registered or not (`json(ObjectWriter*, const SlaveInfo&)`).
    fn agent_info(&self, id: &str, info: &v1::AgentInfo) -> Value {
        let mut json = json!({
            "id": id,
            "hostname": info.hostname,
            "port": self.config.address.port(),
            "attributes": show::attributes(&info.attributes),
        });
        show::add(&mut json, "domain", info.domain.as_ref().map(show::domain));
        json
    }

    fn agent_json(&self, id: &str, agent: &AgentRecord) -> Value {
        let mut json = self.agent_info(id, &agent.info);
        json["pid"] = json!(format!("{}@{}", agent.path, self.config.address));
        json["registered_time"] = json!(agent.registered_time);
        json["resources"] = show::resources(&agent.total);
        json["used_resources"] = show::resources(&self.used(id));
        json["offered_resources"] = show::resources(&self.offered(id));
        json["reserved_resources"] = show::reserved(&agent.total);
        json["unreserved_resources"] = show::resources(&agent.total.not_reserved());
        json["active"] = json!(agent.is_active());
        json["deactivated"] = json!(agent.deactivated);
        json["version"] = json!(MESOS_VERSION);
        json["capabilities"] = json!(show::AGENT_CAPABILITIES);
        show::add(&mut json, "drain_info", agent.drain.as_ref().map(|info| show::message("mesos.v1.DrainInfo", info)));
        json
    }

    fn framework_summary(&self, framework: &Framework) -> Value {
        let (used, offered) = self.held_by(framework);
        json!({
            "id": framework.id(),
            "name": framework.info.name,
            "used_resources": show::resources(&used),
            "offered_resources": show::resources(&offered),
            "capabilities": framework.info.capabilities.iter().map(|c| c.r#type().as_str_name()).collect::<Vec<_>>(),
            "hostname": framework.info.hostname(),
            "webui_url": framework.info.webui_url(),
            "active": framework.connection.is_some(),
            "connected": framework.connection.is_some(),
            "recovered": framework.recovered,
        })
    }

    fn held_by(&self, framework: &Framework) -> (Resources, Resources) {
        let (mut used, mut offered) = (Resources::default(), Resources::default());
        framework.held(None).for_each(|(_, resources)| used.add(resources));
        let id = framework.id();
        let offers = self.offers.values().filter(|offer| offer.framework_id == id);
        offers.for_each(|offer| offered.add(&offer.resources));
        (used, offered)
    }

    fn framework_json(&self, framework: &Framework) -> Value {
        let id = framework.id();
        let (mut held, offered) = self.held_by(framework);
        held.add(&offered);
        let tasks = |tasks: &mut dyn Iterator<Item = &Task>| tasks.map(|t| task_json(&id, t)).collect::<Value>();
        let (done, live): (Vec<_>, Vec<_>) = framework.live_tasks().partition(|task| is_terminal(task.state));
        let mut json = self.framework_summary(framework);
        json["user"] = json!(framework.info.user);
        json["failover_timeout"] = json!(framework.info.failover_timeout());
        json["checkpoint"] = json!(framework.info.checkpoint());
        json["registered_time"] = json!(framework.registered_time);
        json["unregistered_time"] = json!(framework.unregistered_time.unwrap_or(0.0));
        show::add(&mut json, "principal", framework.info.principal.as_deref().map(Value::from));
        json["resources"] = show::resources(&held);
        show::add(&mut json, "reregistered_time", framework.reregistered_time.map(Value::from));
        let (name, roles) = show::roles(&framework.info);
        json[name] = roles;
        json["tasks"] = tasks(&mut live.into_iter().chain(done));
        json["unreachable_tasks"] = tasks(&mut framework.unreachable_tasks.values());
        json["completed_tasks"] = tasks(&mut framework.completed_tasks.iter());
        let offers = self.offers.iter().filter(|(_, offer)| offer.framework_id == id);
        json["offers"] = offers
            .map(|(offer_id, offer)| {
                json!({
                    "id": offer_id,
                    "framework_id": id,
                    "allocation_info": { "role": offer.role },
                    "slave_id": offer.agent_id,
                    "resources": show::resources(&offer.resources),
                })
            })
            .collect();
        let executor = |((agent_id, _), executor): (&(String, String), &super::framework::ExecutorRecord)| {
            let mut json = show::executor(&executor.info, &executor.role, &executor.resources);
            json["slave_id"] = json!(agent_id);
            json
        };
        json["executors"] = framework.executors.iter().map(executor).collect();
        show::add(&mut json, "labels", framework.info.labels.as_ref().map(show::labels));
        let constraints = framework.offer_constraints.as_ref();
        let constraints = constraints.map(|given| show::message("mesos.v1.scheduler.OfferConstraints", given));
        json["offer_constraints"] = constraints.unwrap_or_else(|| json!({}));
        json
    }
}

fn task_json(framework_id: &str, task: &Task) -> Value {
    show::task(&show::Task {
        info: &task.info,
        framework_id,
        agent_id: &task.agent_id,
        state: task.state,
        role: &task.role,
        resources: &task.resources,
        statuses: &task.statuses,
    })
}

/// How many tasks are in which state, and what else they belong to.
#[derive(Debug, Clone, Default)]
struct Sums {
    states: BTreeMap<TaskState, usize>,
    others: BTreeSet<String>,
}

impl Sums {
    fn add_to(&self, mut json: Value, others: &str) -> Value {
        for state in COUNTED {
            json[state.as_str_name()] = json!(self.states.get(&state).copied().unwrap_or_default());
        }
        json[others] = json!(self.others);
        json
    }
}

/// Which tasks `/tasks` shows.
#[derive(Debug, Default)]
pub struct TaskFilter {
    pub framework_id: Option<String>,
    pub task_id: Option<String>,
    /// How many at most, 100 unless it is given.
    pub limit: Option<i64>,
    /// How many are left out at the beginning.
    pub offset: i64,
    /// Whether the newest come last.
    pub oldest_first: bool,
}

impl TaskFilter {
    /// Which of so many. Numbers below zero are very large ones, as for the real master, which adds them up as such.
    fn part(&self, all: usize) -> Range<usize> {
        let (limit, offset) = (self.limit.unwrap_or(TASK_LIMIT).cast_unsigned(), self.offset.cast_unsigned());
        let end = usize::try_from(offset.wrapping_add(limit)).map_or(all, |end| end.min(all));
        usize::try_from(offset).unwrap_or(all).min(end)..end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_tasks_are_those_of_the_real_master() {
        let part = |limit, offset| TaskFilter { limit, offset, ..TaskFilter::default() }.part(150);
        assert_eq!(part(None, 0), 0..100);
        assert_eq!(part(None, 100), 100..150);
        assert_eq!(part(Some(0), 3), 3..3);
        assert_eq!(part(Some(-1), 0), 0..150);
        assert_eq!(part(Some(-1), 3), 2..2, "the sum is smaller than the offset");
        assert_eq!(part(Some(10), -1), 9..9);
        assert_eq!(part(Some(10), 1000), 150..150);
    }
}
