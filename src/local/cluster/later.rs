//! Functions that are called later, by the cluster's clock, one at a time: when each is due. Another thread calls them.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;

use super::LocalCluster;
use crate::clock::skipping::Busy;
use crate::wire::duration::Period;

/// The calls of one cluster.
#[derive(Debug, Default)]
pub struct Calls {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    /// Those that are not due yet.
    timers: HashMap<u64, Option<AbortHandle>>,
    due: VecDeque<(u64, Option<Busy>)>,
    /// What keeps time from moving during the call in progress.
    busy: Option<Busy>,
    closed: bool,
}

impl Calls {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, number: u64, busy: Option<Busy>) {
        let mut state = self.lock();
        if state.timers.remove(&number).is_some() && !state.closed {
            state.due.push_back((number, busy));
            self.changed.notify_all();
        }
    }

    /// No call comes after this.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let dropped = (std::mem::take(&mut state.due), state.busy.take());
        drop(state);
        drop(dropped);
        self.changed.notify_all();
    }
}

impl LocalCluster {
    /// Has a call made after a while. Returns its number, with which [`Self::next_call`] gives it out.
    pub fn call_later(&self, after: Period) -> u64 {
        let (at, calls) = (self.clock().now() + after, Arc::clone(&self.calls));
        let mut state = calls.lock();
        state.next = state.next.saturating_add(1);
        let number = state.next;
        state.timers.insert(number, None);
        drop(state);
        let clock = self.clock().clone();
        self.handle.tell(move |_, _| {
            let due = calls.clone();
            let waiting = tokio::spawn(async move {
                clock.sleep_until(at).await;
                match clock.as_skipping() {
                    None => due.add(number, None),
                    Some(clock) => clock.callback(move |busy| due.add(number, Some(busy))),
                }
            });
            if let Some(timer) = calls.lock().timers.get_mut(&number) {
                *timer = Some(waiting.abort_handle());
            } else {
                waiting.abort();
            }
        });
        number
    }

    /// Has a call not made; whether it was still to be made.
    pub fn cancel_call(&self, number: u64) -> bool {
        let mut state = self.calls.lock();
        let timer = state.timers.remove(&number);
        let waited = state.due.iter().position(|(due, _)| *due == number).and_then(|at| state.due.remove(at));
        drop(state);
        if let Some(Some(timer)) = &timer {
            timer.abort();
        }
        timer.is_some() || waited.is_some()
    }

    /// Waits for the next call that is due, on the thread that makes them; the call before is over. `None` if the cluster
    /// has stopped.
    pub fn next_call(&self) -> Option<u64> {
        let mut state = self.calls.lock();
        let over = state.busy.take();
        drop(state);
        drop(over);
        let mut state = self.calls.lock();
        while !state.closed {
            if let Some((number, busy)) = state.due.pop_front() {
                if let Some(busy) = &busy {
                    busy.enter();
                }
                state.busy = busy;
                return Some(number);
            }
            state = self.calls.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        None
    }
}
