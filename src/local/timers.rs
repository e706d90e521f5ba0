//! Which of many things is due first, without a look at each.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::time::Instant;

/// The times of many things, by their keys. Of those that are due at the same time the one that was set first comes first.
#[derive(Debug)]
pub struct Timers<K> {
    places: HashMap<K, Place>,
    /// The same, the first of them first.
    order: BTreeMap<Place, K>,
    set: u64,
}

/// When a thing is due, and how many were set before.
type Place = (Instant, u64);

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Self { places: HashMap::new(), order: BTreeMap::new(), set: 0 }
    }
}

impl<K: Clone + Eq + Hash> Timers<K> {
    /// Sets when a thing is due; with `None` it is never.
    pub fn set(&mut self, key: &K, time: Option<Instant>) {
        let before = self.places.get(key).copied();
        if before.map(|(time, _)| time) == time {
            return;
        }
        if let Some(before) = before {
            self.order.remove(&before);
        }
        let Some(time) = time else {
            self.places.remove(key);
            return;
        };
        let place = (time, self.set);
        self.set = self.set.saturating_add(1);
        self.order.insert(place, key.clone());
        match self.places.get_mut(key) {
            Some(known) => *known = place,
            None => drop(self.places.insert(key.clone(), place)),
        }
    }

    /// When the first one is due.
    pub fn first(&self) -> Option<Instant> {
        self.order.first_key_value().map(|((time, _), _)| *time)
    }

    /// What is due first, if it is due at `now`.
    pub fn first_due(&self, now: Instant) -> Option<K> {
        self.order.first_key_value().filter(|((time, _), _)| *time <= now).map(|(_, key)| key.clone())
    }

    /// What is due at `now`, the first of it first.
    pub fn due(&self, now: Instant) -> Vec<K> {
        self.order.iter().take_while(|((time, _), _)| *time <= now).map(|(_, key)| key.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_due_first_comes_first() {
        let now = Instant::now();
        let at = |seconds| Some(now + Duration::from_secs(seconds));
        let mut timers = Timers::default();
        timers.set(&"a", at(3));
        timers.set(&"b", at(1));
        timers.set(&"c", at(1));
        assert_eq!((timers.first(), timers.due(now)), (at(1), vec![]));
        assert_eq!(timers.due(now + Duration::from_secs(1)), ["b", "c"]);
        timers.set(&"b", at(5));
        timers.set(&"c", None);
        assert_eq!(timers.first(), at(3));
        assert_eq!(timers.due(now + Duration::from_secs(9)), ["a", "b"]);
        timers.set(&"a", None);
        timers.set(&"b", None);
        assert_eq!(timers.first(), None);
    }
}
