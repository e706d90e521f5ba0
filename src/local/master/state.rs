//! What `/state` and its kin show. Follows `src/master/readonly_handler.cpp`.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use serde_json::{Value, json};

use super::framework::{ExecutorRecord, Framework};
use super::placed::Task;
use super::{AgentRecord, MASTER_CAPABILITY_NAMES, MESOS_VERSION, Master, OfferRecord, Shown};
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
    pub fn state(&self) -> Shown {
        let inactive = self.agents.values().filter(|agent| !agent.is_active()).count();
        let domain = self.config.domain.as_ref().map(show::domain);
        let mut leader = json!({
            "id": self.id, "pid": self.pid(), "port": self.config.address.port(), "hostname": self.config.hostname,
        });
        show::add(&mut leader, "domain", domain.clone());
        let members = [
            ("version", Some(json!(MESOS_VERSION))),
            ("build_date", Some(json!(""))),
            ("build_time", Some(json!(0.0))),
            ("build_user", Some(json!("remesos"))),
            ("start_time", Some(json!(self.start_time))),
            ("elected_time", Some(json!(self.start_time))),
            ("id", Some(json!(self.id))),
            ("pid", Some(json!(self.pid()))),
            ("hostname", Some(json!(self.config.hostname))),
            ("capabilities", Some(json!(MASTER_CAPABILITY_NAMES))),
            ("activated_slaves", Some(json!(self.agents.len().saturating_sub(inactive) as f64))),
            ("deactivated_slaves", Some(json!(inactive as f64))),
            ("unreachable_slaves", Some(json!(self.absent.unreachable.len() as f64))),
            ("domain", domain),
            ("leader", Some(json!(self.pid()))),
            ("leader_info", Some(leader)),
            ("cluster", self.config.cluster.as_deref().map(Value::from)),
            ("flags", Some(json!(self.config.flags))),
            ("slaves", Some(self.agents.iter().map(|(id, agent)| self.agent_json(id, agent)).collect())),
            ("recovered_slaves", Some(self.recovered_json(None))),
        ];
        let made = members.into_iter().filter_map(|(name, value)| Some((name, Shown::Made(value?))));
        let frameworks = self.shown_frameworks(None).into_iter();
        let gone = [("orphan_tasks", json!([]).into()), ("unregistered_frameworks", json!([]).into())];
        Shown::Object(made.chain(frameworks).chain(gone).collect())
    }

    /// The frameworks and the completed ones, all or one.
    fn shown_frameworks(&self, only: Option<&str>) -> [(&'static str, Shown); 2] {
        let wanted = |framework: &&Framework| only.is_none_or(|only| only == framework.id());
        let shown = |framework| self.shown_framework(framework);
        [
            ("frameworks", Shown::List(self.frameworks.values().filter(wanted).map(shown).collect())),
            ("completed_frameworks", Shown::List(self.completed.iter().filter(wanted).map(shown).collect())),
        ]
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
    pub fn summary(&self) -> Shown {
        let mut agents: BTreeMap<&str, Sums> = BTreeMap::new();
        let mut frameworks: Vec<(&Framework, Sums)> = Vec::new();
        for framework in self.frameworks.values() {
            let (id, mut sums) = (framework.id(), Sums::default());
            for task in framework.all_tasks() {
                let of_agent = agents.entry(&task.agent_id).or_default();
                for (sums, other) in [(&mut sums, &task.agent_id), (of_agent, &id)] {
                    let count: &mut usize = sums.states.entry(task.state).or_default();
                    *count = count.saturating_add(1);
                    if !sums.others.contains(other) {
                        sums.others.insert(other.clone());
                    }
                }
            }
            frameworks.push((framework, sums));
        }
        let agent = |(id, agent): (&String, &AgentRecord)| {
            let mut json = self.agent_json(id, agent);
            let sums = agents.get(id.as_str()).cloned().unwrap_or_default();
            sums.members("framework_ids").for_each(|(name, value)| json[name] = value);
            json
        };
        let framework = |(framework, sums): &(&Framework, Sums)| {
            let sums = sums.members("slave_ids").map(|(name, value)| (name, value.into()));
            Shown::Object(self.framework_summary(framework).into_iter().chain(sums).collect())
        };
        let cluster = self.config.cluster.as_deref().map(|cluster| ("cluster", json!(cluster).into()));
        let mut members = vec![("hostname", json!(self.config.hostname).into())];
        members.extend(cluster);
        members.push(("slaves", self.agents.iter().map(agent).collect::<Value>().into()));
        members.push(("frameworks", Shown::List(frameworks.iter().map(framework).collect())));
        Shown::Object(members)
    }

    /// `/frameworks`, all or one.
    pub fn frameworks_json(&self, only: Option<&str>) -> Shown {
        let frameworks = self.shown_frameworks(only).into_iter();
        Shown::Object(frameworks.chain([("unregistered_frameworks", json!([]).into())]).collect())
    }

    /// `/tasks`.
    pub fn tasks_json(&self, filter: &TaskFilter) -> Shown {
        let mut tasks: Vec<(Arc<str>, &Arc<Task>)> = Vec::new();
        for framework in self.frameworks() {
            let id: Arc<str> = framework.id().into();
            if filter.framework_id.as_ref().is_none_or(|only| **only == *id) {
                let wanted =
                    |task: &&Arc<Task>| filter.task_id.as_ref().is_none_or(|id| *id == task.info.task_id.value);
                tasks.extend(framework.all_tasks().filter(wanted).map(|task| (id.clone(), task)));
            }
        }
        tasks.sort_by(|(_, one), (_, other)| {
            let order = one.started().total_cmp(&other.started());
            if filter.oldest_first { order } else { order.reverse() }
        });
        let part = tasks.get(filter.part(tasks.len())).unwrap_or_default();
        let part = part.iter().map(|(id, task)| (id.clone(), Arc::clone(task))).collect();
        Shown::Object(vec![("tasks", Shown::Tasks(part))])
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
        show::add(&mut json, "reregistered_time", agent.reregistered_time.map(Value::from));
        json["resources"] = show::resources(&agent.total);
        json["used_resources"] = show::resources(&self.used(id));
        json["offered_resources"] = show::resources(&self.offered(id));
        json["reserved_resources"] = show::reserved(&agent.total);
        json["unreserved_resources"] = show::resources(&agent.total.not_reserved());
        json["active"] = json!(agent.is_active());
        json["deactivated"] = json!(agent.deactivated);
        json["version"] = json!(MESOS_VERSION);
        json["capabilities"] = json!(show::AGENT_CAPABILITIES);
        if let Some(info) = &agent.drain {
            json["drain_info"] = show::message("mesos.v1.DrainInfo", info);
            show::add(&mut json, "estimated_drain_start_time_seconds", agent.drain_started.map(Value::from));
        }
        json
    }

    fn framework_summary(&self, framework: &Framework) -> Vec<(&'static str, Shown)> {
        let (used, offered) = self.held_by(framework);
        let capabilities = framework.info.capabilities.iter().map(|c| c.r#type().as_str_name()).collect::<Vec<_>>();
        let members = [
            ("id", json!(framework.id())),
            ("name", json!(framework.info.name)),
            ("used_resources", show::resources(&used)),
            ("offered_resources", show::resources(&offered)),
            ("capabilities", json!(capabilities)),
            ("hostname", json!(framework.info.hostname())),
            ("webui_url", json!(framework.info.webui_url())),
            ("active", json!(framework.connection.is_some())),
            ("connected", json!(framework.connection.is_some())),
            ("recovered", json!(framework.recovered)),
        ];
        members.map(|(name, value)| (name, value.into())).into()
    }

    fn held_by(&self, framework: &Framework) -> (Resources, Resources) {
        let (mut used, mut offered) = (Resources::default(), Resources::default());
        framework.held().for_each(|(_, resources)| used.add(resources));
        let id = framework.id();
        self.offers.of_framework(&id).for_each(|(_, offer)| offered.add(&offer.resources));
        (used, offered)
    }

    fn shown_framework(&self, framework: &Framework) -> Shown {
        let info = &framework.info;
        let id: Arc<str> = framework.id().into();
        let (mut held, offered) = self.held_by(framework);
        held.add(&offered);
        let mut members = self.framework_summary(framework);
        let mut add = |name, value: Value| members.push((name, value.into()));
        add("user", json!(info.user));
        add("failover_timeout", json!(info.failover_timeout()));
        add("checkpoint", json!(info.checkpoint()));
        add("registered_time", json!(framework.registered_time));
        add("unregistered_time", json!(framework.unregistered_time.unwrap_or(0.0)));
        if let Some(principal) = &info.principal {
            add("principal", json!(principal));
        }
        add("resources", show::resources(&held));
        if let Some(time) = framework.reregistered_time {
            add("reregistered_time", json!(time));
        }
        let (name, roles) = show::roles(info);
        add(name, roles);
        let tasks = |tasks: &mut dyn Iterator<Item = &Arc<Task>>| {
            Shown::Tasks(tasks.map(|task| (id.clone(), Arc::clone(task))).collect())
        };
        let (done, live): (Vec<_>, Vec<_>) = framework.tasks.values().partition(|task| is_terminal(task.state));
        members.push(("tasks", tasks(&mut live.into_iter().chain(done))));
        members.push(("unreachable_tasks", tasks(&mut framework.unreachable_tasks.values())));
        members.push(("completed_tasks", tasks(&mut framework.completed_tasks.iter())));
        members.push(("offers", self.offers_json(&id).into()));
        let executor = |((agent_id, _), executor): (&(String, String), &ExecutorRecord)| {
            let mut json = show::executor(&executor.info, &executor.role, &executor.resources);
            json["slave_id"] = json!(agent_id);
            json
        };
        members.push(("executors", framework.executors.iter().map(executor).collect::<Value>().into()));
        members.extend(info.labels.as_ref().map(|labels| ("labels", show::labels(labels).into())));
        let constraints = framework.offer_constraints.as_ref();
        let constraints = constraints.map(|given| show::message("mesos.v1.scheduler.OfferConstraints", given));
        members.push(("offer_constraints", constraints.unwrap_or_else(|| json!({})).into()));
        Shown::Object(members)
    }

    /// The offers that a framework has.
    fn offers_json(&self, framework_id: &str) -> Value {
        let offer = |(offer_id, offer): (&String, &OfferRecord)| {
            json!({
                "id": offer_id,
                "framework_id": framework_id,
                "allocation_info": { "role": offer.role },
                "slave_id": offer.agent_id,
                "resources": show::resources(&offer.resources),
            })
        };
        self.offers.of_framework(framework_id).map(offer).collect()
    }
}

/// How many tasks are in which state, and what else they belong to.
#[derive(Debug, Clone, Default)]
struct Sums {
    states: BTreeMap<TaskState, usize>,
    others: BTreeSet<String>,
}

impl Sums {
    /// How many tasks are in each state that counts, and the others by this name.
    fn members(&self, others: &'static str) -> impl Iterator<Item = (&'static str, Value)> {
        let number = |state: &TaskState| json!(self.states.get(state).copied().unwrap_or_default());
        let numbers = COUNTED.iter().map(move |state| (state.as_str_name(), number(state)));
        numbers.chain([(others, json!(self.others))])
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
    /// Returns which of so many items are asked for. Negative numbers count as very large ones, as in the real master.
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
