//! Updates on their way to the agent: kept until it acknowledged them, and of each task one at a time.
//!
//! One at a time, because an agent whose connection breaks while it handles pipelined calls can lose the first of them
//! and still take the others (libprocess discards the request whose reply is due next). The lost one is told again, but
//! after those that came later, the end of the task among them. Updates of different tasks need no order. What has to
//! be waited for is the answer to the call; an acknowledgement, which comes sooner, tells as much, but of a task that
//! the agent does not know there is none.

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;

use super::unacknowledged::Unacknowledged;

/// Serialized updates, each with its uuid and its task's serialized id.
#[derive(Debug, Default)]
pub struct Updates {
    kept: Unacknowledged,
    /// Each update's task.
    tasks: HashMap<Bytes, Bytes>,
    /// The update of a task that is under way.
    told: HashMap<Bytes, Bytes>,
    /// A task's updates that wait for it, with their uuids.
    waiting: BTreeMap<Bytes, VecDeque<(Bytes, Bytes)>>,
}

impl Updates {
    /// Keeps an update, which waits to be told.
    pub fn insert(&mut self, uuid: Bytes, task: Bytes, update: Bytes) {
        self.tasks.insert(uuid.clone(), task.clone());
        self.waiting.entry(task).or_default().push_back((uuid.clone(), update.clone()));
        self.kept.insert(uuid, update);
    }

    /// A task's next update, if it may be told now; it is under way then.
    pub fn tell(&mut self, task: &Bytes) -> Option<Bytes> {
        if self.told.contains_key(task) {
            return None;
        }
        let waiting = self.waiting.get_mut(task)?;
        let next = waiting.pop_front();
        if waiting.is_empty() {
            self.waiting.remove(task);
        }
        let (uuid, update) = next?;
        self.told.insert(task.clone(), uuid);
        Some(update)
    }

    /// The next update of every task that may be told one now.
    pub fn tell_each(&mut self) -> Vec<Bytes> {
        let tasks: Vec<_> = self.waiting.keys().cloned().collect();
        tasks.iter().filter_map(|task| self.tell(task)).collect()
    }

    /// All updates, the oldest first, for a SUBSCRIBE: the agent has taken all when it answers that.
    pub fn tell_all(&mut self) -> Vec<Bytes> {
        self.waiting.clear();
        self.told.clear();
        self.kept.messages().collect()
    }

    /// The agent answered the call with this update; its task, where it was under way.
    pub fn answered(&mut self, uuid: &Bytes) -> Option<Bytes> {
        let task = self.tasks.get(uuid).filter(|task| self.told.get(*task) == Some(uuid))?.clone();
        self.told.remove(&task);
        Some(task)
    }

    /// Forgets an update; its task, where it was under way.
    pub fn remove(&mut self, uuid: &Bytes) -> Option<Bytes> {
        let task = self.answered(uuid);
        self.kept.remove(uuid);
        self.tasks.remove(uuid);
        task
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}
