//! Tasks and offers by their ids, and by the agents and frameworks that have them: what happens to one of these costs as
//! much as it has, however many others there are.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::sync::Arc;

use super::OfferRecord;
use crate::local::messages::is_terminal;
use crate::local::resources::Resources;
use crate::proto::v1;
use crate::proto::v1::task_status::Reason;

/// A task that was launched.
#[derive(Debug, Clone)]
pub struct Task {
    pub info: v1::TaskInfo,
    pub agent_id: String,
    pub role: String,
    pub resources: Resources,
    /// Whether the resources are free again: it ended, perhaps without an acknowledgement yet.
    pub released: bool,
    /// The state of the last update that came.
    pub state: v1::TaskState,
    /// The state that the agent knows of; updates that are not acknowledged may be behind it.
    pub latest: v1::TaskState,
    /// The uuid of the last update that came from the agent.
    pub update_uuid: Option<Vec<u8>>,
    pub statuses: Vec<v1::TaskStatus>,
}

impl Task {
    /// When its first update was made; nothing is before all else.
    pub fn started(&self) -> f64 {
        self.statuses.first().map_or(0.0, |status| status.timestamp())
    }

    /// Takes an update in. Returns whether those who watch are to be told: not if it says what the last one said.
    pub fn update(&mut self, status: &v1::TaskStatus, latest_state: v1::TaskState) -> bool {
        self.state = status.state();
        if !is_terminal(self.latest) {
            self.latest = latest_state;
        }
        self.update_uuid = status.uuid.clone().or_else(|| self.update_uuid.take());
        self.released |= is_terminal(latest_state);
        // As `Master::updateTask`: without its bytes, and in place of one that says the same.
        let again = self.statuses.last().is_some_and(|last| last.state() == status.state());
        if again {
            self.statuses.pop();
        }
        self.statuses.push(v1::TaskStatus { data: None, ..status.clone() });
        let checked = [Reason::TaskCheckStatusUpdated, Reason::TaskHealthCheckStatusUpdated];
        !again || checked.contains(&status.reason())
    }
}

/// Ids by whom they belong to.
#[derive(Debug, Default)]
struct Index(BTreeMap<String, BTreeSet<String>>);

impl Index {
    fn add(&mut self, of: &str, id: &str) {
        match self.0.get_mut(of) {
            Some(ids) => drop(ids.insert(id.to_owned())),
            None => drop(self.0.insert(of.to_owned(), BTreeSet::from([id.to_owned()]))),
        }
    }

    fn remove(&mut self, of: &str, id: &str) {
        if let Some(ids) = self.0.get_mut(of) {
            ids.remove(id);
            if ids.is_empty() {
                self.0.remove(of);
            }
        }
    }

    fn ids(&self, of: &str) -> impl Iterator<Item = &String> {
        self.0.get(of).into_iter().flatten()
    }
}

/// The tasks of a framework that are not over, by their ids.
#[derive(Debug, Default)]
pub struct Tasks {
    // Shared with those who write them while the cluster goes on; a task that changes meanwhile is copied first.
    by_id: BTreeMap<String, Arc<Task>>,
    of_agents: Index,
}

impl Deref for Tasks {
    type Target = BTreeMap<String, Arc<Task>>;

    fn deref(&self) -> &Self::Target {
        &self.by_id
    }
}

impl Tasks {
    /// Adds a task, in place of one with its id.
    pub fn insert(&mut self, task: Task) {
        let id = task.info.task_id.value.clone();
        self.remove(&id);
        self.of_agents.add(&task.agent_id, &id);
        self.by_id.insert(id, Arc::new(task));
    }

    /// A task that is to be changed.
    pub fn get_mut(&mut self, id: &str) -> Option<&mut Task> {
        self.by_id.get_mut(id).map(Arc::make_mut)
    }

    /// Takes a task out.
    pub fn remove(&mut self, id: &str) -> Option<Arc<Task>> {
        let task = self.by_id.remove(id)?;
        self.of_agents.remove(&task.agent_id, id);
        Some(task)
    }

    /// The tasks on an agent.
    pub fn of_agent(&self, agent_id: &str) -> impl Iterator<Item = &Arc<Task>> {
        self.of_agents.ids(agent_id).filter_map(|id| self.by_id.get(id))
    }

    /// Takes the tasks of an agent out.
    pub fn take_of_agent(&mut self, agent_id: &str) -> Vec<Arc<Task>> {
        let ids = self.of_agents.0.remove(agent_id).unwrap_or_default();
        ids.iter().filter_map(|id| self.by_id.remove(id)).collect()
    }

    /// Takes all tasks out.
    pub fn take(&mut self) -> impl Iterator<Item = Arc<Task>> + use<> {
        std::mem::take(self).by_id.into_values()
    }
}

/// The outstanding offers, by their ids.
#[derive(Debug, Default)]
pub struct Offers {
    by_id: BTreeMap<String, OfferRecord>,
    of_frameworks: Index,
    of_agents: Index,
}

impl Deref for Offers {
    type Target = BTreeMap<String, OfferRecord>;

    fn deref(&self) -> &Self::Target {
        &self.by_id
    }
}

impl Offers {
    /// Adds an offer, whose id is a new one.
    pub fn insert(&mut self, id: String, offer: OfferRecord) {
        self.of_frameworks.add(&offer.framework_id, &id);
        self.of_agents.add(&offer.agent_id, &id);
        self.by_id.insert(id, offer);
    }

    /// Takes an offer out.
    pub fn remove(&mut self, id: &str) -> Option<OfferRecord> {
        let offer = self.by_id.remove(id)?;
        self.of_frameworks.remove(&offer.framework_id, id);
        self.of_agents.remove(&offer.agent_id, id);
        Some(offer)
    }

    /// The offers that a framework has, with their ids.
    pub fn of_framework(&self, framework_id: &str) -> impl Iterator<Item = (&String, &OfferRecord)> {
        self.of_frameworks.ids(framework_id).filter_map(|id| self.by_id.get_key_value(id))
    }

    /// The offers of what an agent has, with their ids.
    pub fn of_agent(&self, agent_id: &str) -> impl Iterator<Item = (&String, &OfferRecord)> {
        self.of_agents.ids(agent_id).filter_map(|id| self.by_id.get_key_value(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer(framework_id: &str, agent_id: &str) -> OfferRecord {
        let (framework_id, agent_id) = (framework_id.to_owned(), agent_id.to_owned());
        OfferRecord { framework_id, agent_id, role: "*".to_owned(), resources: Resources::default() }
    }

    fn ids<'a>(offers: impl Iterator<Item = (&'a String, &'a OfferRecord)>) -> Vec<&'a str> {
        offers.map(|(id, _)| id.as_str()).collect()
    }

    #[test]
    fn offers_are_found_by_whom_they_belong_to() {
        let mut offers = Offers::default();
        for (id, framework_id, agent_id) in [("O1", "F1", "S1"), ("O2", "F2", "S1"), ("O3", "F1", "S2")] {
            offers.insert(id.to_owned(), offer(framework_id, agent_id));
        }
        assert_eq!(ids(offers.of_framework("F1")), ["O1", "O3"]);
        assert_eq!(ids(offers.of_agent("S1")), ["O1", "O2"]);
        assert_eq!(offers.remove("O1").map(|offer| offer.agent_id), Some("S1".to_owned()));
        assert!(offers.remove("O1").is_none());
        assert_eq!((ids(offers.of_framework("F1")), ids(offers.of_agent("S1"))), (vec!["O3"], vec!["O2"]));
        offers.remove("O3");
        assert_eq!((offers.of_framework("F1").count(), offers.of_agent("S2").count(), offers.len()), (0, 0, 1));
        assert!(!offers.of_frameworks.0.contains_key("F1") && !offers.of_agents.0.contains_key("S2"));
    }
}
