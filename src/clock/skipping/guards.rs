//! What others hold while something of theirs keeps the time from moving, or moves it.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::{Outcome, Skipping, State};

/// Something is being done elsewhere, for as long as this lives.
pub struct Busy(pub(super) Arc<Skipping>);

/// Somebody waits for the cluster, for as long as this lives.
pub struct Waiting {
    pub(super) clock: Arc<Skipping>,
    pub(super) in_callback: bool,
}

/// A real process runs, for as long as this lives.
pub struct Running(pub(super) Arc<Skipping>);

/// A move in progress. Dropping it gives it up.
pub struct Moving {
    pub(super) clock: Arc<Skipping>,
    pub(super) number: u64,
}

impl Busy {
    /// This thread does it: it makes a callback.
    pub fn enter(&self) {
        self.0.lock().caller = Some(std::thread::current().id());
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.busy = state.busy.saturating_sub(1);
        if state.caller == Some(std::thread::current().id()) {
            state.caller = None;
        }
        self.0.look(state);
    }
}

impl std::fmt::Debug for Busy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Busy")
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut state = self.clock.lock();
        let count = if self.in_callback { &mut state.waiting_in_callback } else { &mut state.waiting };
        *count = count.saturating_sub(1);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.running = state.running.saturating_sub(1);
        self.0.look(state);
    }
}

impl Moving {
    /// What it came to; `None` if it is still in progress after so much real time.
    pub fn wait(&self, at_most: Duration) -> Option<Outcome> {
        let state = self.clock.lock();
        let mine = |state: &State| {
            let goal = state.goal.as_ref().filter(|goal| goal.number == self.number);
            goal.map_or(Some(Outcome::Ended), |goal| goal.outcome)
        };
        let waited = self.clock.changed.wait_timeout_while(state, at_most, |state| mine(state).is_none());
        mine(&waited.unwrap_or_else(PoisonError::into_inner).0)
    }
}

impl Drop for Moving {
    fn drop(&mut self) {
        let mut state = self.clock.lock();
        state.goal.take_if(|goal| goal.number == self.number);
        drop(state);
        self.clock.changed.notify_all();
    }
}
