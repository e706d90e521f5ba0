//! What the agent has not acknowledged yet, in the order in which it came.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;

/// Messages by a key: updates by uuid, tasks by id.
#[derive(Debug, Default)]
pub struct Unacknowledged {
    next: u64,
    order: BTreeMap<u64, Bytes>,
    places: HashMap<Bytes, u64>,
}

impl Unacknowledged {
    /// Keeps a message; a key that is known keeps its place.
    pub fn insert(&mut self, key: Bytes, message: Bytes) {
        let place = *self.places.entry(key).or_insert(self.next);
        self.next = self.next.max(place.saturating_add(1));
        self.order.insert(place, message);
    }

    /// Forgets a message.
    pub fn remove(&mut self, key: &[u8]) {
        if let Some(place) = self.places.remove(key) {
            self.order.remove(&place);
        }
    }

    /// The messages, the oldest first.
    pub fn messages(&self) -> impl Iterator<Item = Bytes> {
        self.order.values().cloned()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}
