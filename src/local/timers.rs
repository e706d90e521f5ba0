//! Which of many things is due first, without a look at each.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::time::Instant;

/// The times of many things, by their keys.
#[derive(Debug)]
pub struct Timers<K> {
    times: HashMap<K, Instant>,
    /// The same, the first of them first.
    order: BTreeSet<(Instant, K)>,
}

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Self { times: HashMap::new(), order: BTreeSet::new() }
    }
}

impl<K: Clone + Eq + Hash + Ord> Timers<K> {
    /// Sets when a thing is due; with `None` it is never.
    pub fn set(&mut self, key: &K, time: Option<Instant>) {
        if self.times.get(key).copied() == time {
            return;
        }
        if let Some(before) = self.times.remove(key) {
            self.order.remove(&(before, key.clone()));
        }
        if let Some(time) = time {
            self.times.insert(key.clone(), time);
            self.order.insert((time, key.clone()));
        }
    }

    /// When the first one is due.
    pub fn first(&self) -> Option<Instant> {
        self.order.first().map(|(time, _)| *time)
    }

    /// What is due first, if it is due at `now`.
    pub fn first_due(&self, now: Instant) -> Option<K> {
        self.order.first().filter(|(time, _)| *time <= now).map(|(_, key)| key.clone())
    }

    /// What is due at `now`, the first of it first.
    pub fn due(&self, now: Instant) -> Vec<K> {
        self.order.iter().take_while(|(time, _)| *time <= now).map(|(_, key)| key.clone()).collect()
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
