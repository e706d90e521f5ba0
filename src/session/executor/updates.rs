//! Updates on their way to the agent: kept until it acknowledged them, and of each task one at a time.
//!
//! One at a time, because an agent whose connection breaks while it handles pipelined calls can lose the first of them
//! and still take the others (libprocess discards the request whose reply is due next). The lost one is told again, but
//! after those that came later, the end of the task among them. Updates of different tasks need no order.

use std::collections::{BTreeMap, HashMap, VecDeque};

use bytes::Bytes;

use super::unacknowledged::Unacknowledged;

/// Serialized updates, each with its uuid and its task's serialized id.
#[derive(Debug, Default)]
pub struct Updates {
    kept: Unacknowledged,
    /// Each update's task.
    tasks: HashMap<Bytes, Bytes>,
    /// How many of a task's updates the agent was told and did not acknowledge.
    told: HashMap<Bytes, usize>,
    /// A task's updates that wait for those.
    waiting: BTreeMap<Bytes, VecDeque<Bytes>>,
}

impl Updates {
    /// Keeps an update, which waits to be told.
    pub fn insert(&mut self, uuid: Bytes, task: Bytes, update: Bytes) {
        self.tasks.insert(uuid.clone(), task.clone());
        self.waiting.entry(task).or_default().push_back(update.clone());
        self.kept.insert(uuid, update);
    }

    /// A task's next update, if it may be told now; it counts as told then.
    pub fn tell(&mut self, task: &Bytes) -> Option<Bytes> {
        if self.told.contains_key(task) {
            return None;
        }
        let waiting = self.waiting.get_mut(task)?;
        let update = waiting.pop_front();
        if waiting.is_empty() {
            self.waiting.remove(task);
        }
        if update.is_some() {
            self.told.insert(task.clone(), 1);
        }
        update
    }

    /// The next update of every task that may be told one now.
    pub fn tell_each(&mut self) -> Vec<Bytes> {
        let tasks: Vec<_> = self.waiting.keys().cloned().collect();
        tasks.iter().filter_map(|task| self.tell(task)).collect()
    }

    /// All updates, the oldest first, for a call that tells them all.
    pub fn tell_all(&mut self) -> Vec<Bytes> {
        self.waiting.clear();
        self.told.clear();
        for task in self.tasks.values() {
            *self.told.entry(task.clone()).or_default() += 1;
        }
        self.kept.messages().collect()
    }

    /// Forgets an update; its task, where it was known.
    pub fn remove(&mut self, uuid: &Bytes) -> Option<Bytes> {
        self.kept.remove(uuid);
        let task = self.tasks.remove(uuid)?;
        if let Some(told) = self.told.get_mut(&task) {
            *told -= 1;
            if *told == 0 {
                self.told.remove(&task);
            }
        }
        Some(task)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}
