//! Where callbacks wait for the thread that makes them; bounded by not reading on while it is full.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Past so many undelivered callbacks, or so many bytes of them, reading from the master stops until the framework
/// catches up.
const BOUND: usize = 1000;
const BOUND_BYTES: usize = 64 << 20;

/// A queue between the IO thread and one dispatching thread.
#[derive(Debug)]
pub struct CallbackQueue<D> {
    state: Mutex<State<D>>,
    filled: Condvar,
    drained: Notify,
}

#[derive(Debug)]
struct State<D> {
    waiting: VecDeque<D>,
    bytes: usize,
    closed: bool,
}

impl<D> Default for CallbackQueue<D> {
    fn default() -> Self {
        let state = State { waiting: VecDeque::new(), bytes: 0, closed: false };
        Self { state: Mutex::new(state), filled: Condvar::new(), drained: Notify::new() }
    }
}

impl<D> CallbackQueue<D> {
    /// Adds a callback that keeps about `size` bytes. Never blocks; after `close` it is dropped.
    pub fn push(&self, delivery: D, size: usize) {
        let mut state = self.lock();
        if state.closed {
            return;
        }
        state.waiting.push_back(delivery);
        state.bytes += size;
        // Told after the lock is free: a thread woken earlier would only go to sleep on it again.
        drop(state);
        self.filled.notify_one();
    }

    /// Waits for callbacks and takes all that wait; `None` once the queue is closed.
    pub fn take(&self) -> Option<VecDeque<D>> {
        let mut state = self.lock();
        while state.waiting.is_empty() && !state.closed {
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let taken = std::mem::take(&mut state.waiting);
        state.bytes = 0;
        drop(state);
        self.drained.notify_one();
        (!taken.is_empty()).then_some(taken)
    }

    /// No callback comes after this; the one who waits in `take` is woken.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        state.waiting.clear();
        state.bytes = 0;
        self.filled.notify_all();
    }

    /// Whether reading should stop.
    pub fn is_full(&self) -> bool {
        let state = self.lock();
        state.waiting.len() >= BOUND || state.bytes >= BOUND_BYTES
    }

    /// Waits until someone took callbacks.
    pub async fn drained(&self) {
        self.drained.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State<D>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
