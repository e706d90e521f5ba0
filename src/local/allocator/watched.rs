//! Leaves out the batches that would give what the last one gave: nothing. An idle cluster has nothing to do then, and a
//! clock that is told to move does not stop at every batch.

use std::ops::{Deref, DerefMut};
use std::time::Instant;

use super::{Allocation, Allocator, Options, next_beat};

/// An allocator of which it is known whether it was changed since a batch that gave nothing.
#[derive(Debug)]
pub struct Watched {
    allocator: Allocator,
    /// Whether nothing has changed since a batch that gave nothing.
    barren: bool,
    /// Set while batches are left out: until when, if not for ever.
    asleep: Option<Option<Instant>>,
}

impl Deref for Watched {
    type Target = Allocator;

    fn deref(&self) -> &Allocator {
        &self.allocator
    }
}

/// Whoever gets hold of it to change it is taken to have changed it.
impl DerefMut for Watched {
    fn deref_mut(&mut self) -> &mut Allocator {
        self.barren = false;
        &mut self.allocator
    }
}

impl Watched {
    /// As [`Allocator::new`].
    pub fn new(options: Options, seed: u64) -> Self {
        Self { allocator: Allocator::new(options, seed), barren: false, asleep: None }
    }

    /// When to call `allocate` at the latest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.asleep.filter(|_| self.barren) {
            Some(until) => until,
            None => self.allocator.poll_timeout(),
        }
    }

    /// As [`Allocator::allocate`].
    pub fn allocate(&mut self, now: Instant) -> Vec<Allocation> {
        let allocator = &mut self.allocator;
        if let (Some(until), Some(batch)) = (self.asleep, allocator.next_batch) {
            let over = until.filter(|until| *until <= now);
            allocator.next_batch = over.or_else(|| Some(beat_from(batch, now, allocator.options.interval)));
            // From now on batches are due as usual, or one that is waited for would be put off each time it is due.
            self.asleep = self.asleep.filter(|_| self.barren);
        }
        let is_batch = allocator.next_batch.is_some_and(|due| due <= now);
        let offers = allocator.allocate(now);
        if is_batch {
            self.barren = offers.is_empty() && allocator.asked.is_empty() && !allocator.plans_maintenance();
            // Nothing but the end of a refusal changes what a batch gives.
            let ends = allocator.first_end_of_refusals();
            let until =
                allocator.next_batch.zip(ends).map(|(batch, ends)| beat_from(batch, ends, allocator.options.interval));
            self.asleep = self.barren.then_some(until);
        } else if !offers.is_empty() {
            self.barren = false;
        }
        offers
    }

    /// As [`Allocator::take_asked`].
    pub fn take_asked(&mut self) -> Vec<(String, String)> {
        self.allocator.take_asked()
    }
}

/// The first beat that is not before `earliest`, of those that go on from `beat`.
fn beat_from(beat: Instant, earliest: Instant, interval: crate::wire::duration::Period) -> Instant {
    let next = next_beat(beat, earliest, interval);
    // One that is just then is the one.
    if earliest <= beat {
        beat
    } else if next == earliest + interval {
        earliest
    } else {
        next
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{FrameworkOptions, Was};
    use super::*;
    use crate::local::resources::Resources;
    use crate::proto::v1;
    use crate::wire::duration::Period;

    const INTERVAL: Period = Period::from_millis(50);

    fn world(now: Instant) -> Watched {
        let options = Options {
            interval: INTERVAL,
            on_recovery: false,
            min_allocatable: Vec::new(),
            weights: BTreeMap::new(),
            filter_gpus: true,
            domain: None,
        };
        let mut watched = Watched::new(options, 7);
        let info = v1::AgentInfo { hostname: "localhost".to_owned(), ..Default::default() };
        watched.add_agent(now, "S0", info, Resources::parse("cpus:2;mem:100").expect("valid"));
        watched
    }

    #[test]
    fn batches_are_left_out_until_a_refusal_ends_and_come_at_the_beat_again() {
        let begin = Instant::now();
        let mut watched = world(begin);
        let info = v1::FrameworkInfo { name: "F".to_owned(), user: String::new(), ..Default::default() };
        watched.add_framework(begin, "F", &info, FrameworkOptions::default());
        let offers = watched.allocate(begin);
        let [offer] = &offers[..] else { panic!("one offer: {offers:?}") };
        let declined = begin + Period::from_millis(10);
        watched.recover("F", "S0", "*", &offer.resources, Was::Offered);
        watched.refuse(declined, "F", "S0", "*", offer.resources.clone(), Some(2.0));
        let first = watched.poll_timeout().expect("a batch");
        assert_eq!(first, begin + INTERVAL);
        assert!(watched.allocate(first).is_empty());
        let next = watched.poll_timeout().expect("the refusal ends");
        assert_eq!(next, begin + INTERVAL * 41, "the first beat when 2.01 s are over");
        // Something changes between two beats: the next beat is the time, not now.
        let changed = begin + Period::from_millis(120);
        watched.set_weight("*", 2.0);
        assert!(watched.allocate(changed).is_empty());
        assert_eq!(watched.poll_timeout(), Some(begin + INTERVAL * 3));
        assert!(watched.allocate(begin + INTERVAL * 3 + Period::from_millis(1)).is_empty());
        assert_eq!(watched.poll_timeout(), Some(next), "that was the batch, though it was late");
        let late = next + Period::from_millis(1);
        assert_eq!(watched.poll_timeout(), Some(next));
        assert_eq!(watched.allocate(late).len(), 1, "a timer is never early, and often late");
    }

    #[test]
    fn a_batch_that_is_waited_for_comes_although_its_timer_is_late() {
        let begin = Instant::now();
        let mut watched = world(begin);
        let info = v1::FrameworkInfo { name: "F".to_owned(), user: String::new(), ..Default::default() };
        watched.add_framework(begin, "F", &info, FrameworkOptions::default());
        let offers = watched.allocate(begin);
        assert!(watched.allocate(begin + INTERVAL).is_empty());
        assert_eq!(watched.poll_timeout(), None, "nothing will change by itself");
        watched.recover("F", "S0", "*", &offers[0].resources, Was::Offered);
        assert!(watched.allocate(begin + Period::from_millis(110)).is_empty());
        let due = watched.poll_timeout().expect("a batch");
        assert_eq!(due, begin + INTERVAL * 3);
        assert_eq!(watched.allocate(due + Period::from_millis(1)).len(), 1);
    }
}
