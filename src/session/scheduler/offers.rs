//! Offers that the framework has neither accepted nor declined, and since when.

use std::collections::HashMap;
use std::time::Instant;

use bytes::Bytes;
use foldhash::fast::RandomState;

use crate::wire::duration::Period;

/// Offers that are not answered within this time are worth a warning.
pub const OFFERS_TIMEOUT: Period = Period::from_secs(10);

/// The unanswered offers of one subscription, by their serialized ids.
#[derive(Debug, Default)]
pub struct Offers {
    since: HashMap<Bytes, Instant, RandomState>,
    /// Nobody could answer before.
    resumed: Option<Instant>,
    due: Due,
}

/// When unanswered offers are looked for.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
enum Due {
    /// Nothing is offered.
    #[default]
    Unset,
    At(Instant),
    /// Some were found before.
    Never,
}

impl Offers {
    /// These came.
    pub fn offered(&mut self, now: Instant, ids: impl Iterator<Item = Bytes>) {
        self.since.extend(ids.map(|id| (id, now)));
        if self.due == Due::Unset {
            self.due = Due::At(now + OFFERS_TIMEOUT);
        }
    }

    /// This one was answered, or rescinded.
    pub fn remove(&mut self, id: &Bytes) {
        self.since.remove(id);
    }

    /// Forgets all of them; returns their ids, in an order that only they decide.
    pub fn take(&mut self) -> Vec<Bytes> {
        let mut ids: Vec<_> = self.since.drain().map(|(id, _)| id).collect();
        ids.sort_unstable();
        ids
    }

    /// Nobody could answer until now.
    pub fn reading_resumed(&mut self, now: Instant) {
        self.resumed = Some(now);
    }

    /// When to look for unanswered offers.
    pub fn due(&self) -> Option<Instant> {
        if let Due::At(due) = self.due { Some(due) } else { None }
    }

    /// Looks for unanswered offers, if it is time to; returns how many there are the first time that there are any.
    pub fn look(&mut self, now: Instant) -> Option<usize> {
        if self.due().is_none_or(|due| now < due) {
            return None;
        }
        let dues = self.since.values().map(|since| self.resumed.map_or(*since, |resumed| resumed.max(*since)));
        let dues = dues.map(|since| since + OFFERS_TIMEOUT);
        let late = dues.clone().filter(|due| *due <= now).count();
        let first = dues.min();
        self.due = if late > 0 { Due::Never } else { first.map_or(Due::Unset, Due::At) };
        (late > 0).then_some(late)
    }
}
