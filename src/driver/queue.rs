//! Where callbacks wait for the one who makes them; bounded by not reading on while it is full.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::Notify;

use super::bell::Bell;
use crate::clock::skipping::Busy;
use crate::session::Callback;

/// Past so many undelivered callbacks, or so many bytes of them, reading from the master stops until the framework
/// catches up.
const BOUND: usize = 1000;
const BOUND_BYTES: usize = 64 << 20;

/// A callback, and what keeps the time from moving until it is made.
pub type Waiting<C> = (C, Option<Busy>);

/// A queue between the IO thread and one thread, one task, or one event loop, that makes the callbacks.
#[derive(Debug)]
pub struct CallbackQueue<C> {
    state: Mutex<State<C>>,
    /// For a thread that waits, and for a task.
    filled: Condvar,
    filled_for_task: Notify,
    filled_for_loop: OnceLock<Arc<Bell>>,
    taken: Notify,
}

#[derive(Debug)]
struct State<C> {
    waiting: VecDeque<Waiting<C>>,
    bytes: usize,
    closed: bool,
}

impl<C> Default for CallbackQueue<C> {
    fn default() -> Self {
        let state = State { waiting: VecDeque::new(), bytes: 0, closed: false };
        Self {
            state: Mutex::new(state),
            filled: Condvar::new(),
            filled_for_task: Notify::new(),
            filled_for_loop: OnceLock::new(),
            taken: Notify::new(),
        }
    }
}

impl<C: Callback> CallbackQueue<C> {
    /// Adds a callback, and what keeps the time from moving until it is made. Never blocks; after `close` it is dropped.
    pub fn push(&self, callback: C, busy: Option<Busy>) {
        let size = callback.size();
        let mut state = self.lock();
        if state.closed {
            return;
        }
        state.waiting.push_back((callback, busy));
        state.bytes = state.bytes.saturating_add(size);
        // Told after the lock is free: a thread woken earlier would only go to sleep on it again.
        drop(state);
        self.filled.notify_one();
        self.filled_for_task.notify_one();
        self.ring();
    }

    /// Has a bell ring when a callback comes, or the queue is closed.
    pub fn ring_for_loop(&self, bell: Arc<Bell>) {
        let _ = self.filled_for_loop.set(bell);
    }

    fn ring(&self) {
        if let Some(bell) = self.filled_for_loop.get() {
            bell.ring();
        }
    }

    /// All callbacks that wait, if any do.
    pub fn try_recv(&self) -> Option<VecDeque<Waiting<C>>> {
        self.take(self.lock())
    }

    /// Waits for callbacks and returns all that wait; `None` once the queue is closed.
    pub fn blocking_recv(&self) -> Option<VecDeque<Waiting<C>>> {
        let mut state = self.lock();
        while state.waiting.is_empty() && !state.closed {
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        self.take(state)
    }

    /// Waits for callbacks and returns all that wait; `None` once the queue is closed. May be dropped at any time:
    /// nothing is lost.
    pub async fn recv(&self) -> Option<VecDeque<Waiting<C>>> {
        while !self.is_ready() {
            self.filled_for_task.notified().await;
        }
        self.take(self.lock())
    }

    /// No callback comes after this; who waits for one is woken.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let waiting = std::mem::take(&mut state.waiting);
        state.bytes = 0;
        drop(state);
        drop(waiting);
        self.filled.notify_all();
        self.filled_for_task.notify_one();
        self.ring();
    }

    /// Whether a callback waits, or none comes any more.
    pub fn is_ready(&self) -> bool {
        let state = self.lock();
        !state.waiting.is_empty() || state.closed
    }

    /// Whether reading should stop.
    pub fn is_full(&self) -> bool {
        let state = self.lock();
        state.waiting.len() >= BOUND || state.bytes >= BOUND_BYTES
    }

    /// Waits until someone takes callbacks.
    pub async fn taken(&self) {
        self.taken.notified().await;
    }

    fn take(&self, mut state: MutexGuard<'_, State<C>>) -> Option<VecDeque<Waiting<C>>> {
        let taken = std::mem::take(&mut state.waiting);
        state.bytes = 0;
        drop(state);
        self.taken.notify_one();
        (!taken.is_empty()).then_some(taken)
    }

    fn lock(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::Error;
    use crate::session::executor::Callback;

    fn message(size: usize) -> Callback {
        Callback::FrameworkMessage(vec![0; size].into())
    }

    #[tokio::test]
    async fn a_task_and_a_thread_get_the_same_callbacks() {
        let queue = Arc::new(CallbackQueue::default());
        let waiting = tokio::spawn({
            let queue = queue.clone();
            async move { queue.recv().await }
        });
        tokio::task::yield_now().await;
        queue.push(Callback::Shutdown, None);
        let first = |batch: Option<VecDeque<(Callback, Option<Busy>)>>| {
            batch.and_then(|mut batch| batch.pop_front()).map(|(c, _)| c)
        };
        assert_eq!(first(waiting.await.expect("no panic")), Some(Callback::Shutdown));
        queue.push(Callback::Disconnected, None);
        queue.push(Callback::Shutdown, None);
        assert_eq!(queue.recv().await.map(|batch| batch.len()), Some(2));
        queue.push(Callback::Disconnected, None);
        assert_eq!(first(queue.blocking_recv()), Some(Callback::Disconnected));
        queue.push(Callback::Error(Error::bug("dropped")), None);
        queue.close();
        queue.push(Callback::Shutdown, None);
        assert!(queue.recv().await.is_none());
        assert!(queue.blocking_recv().is_none());
    }

    #[tokio::test]
    async fn a_task_that_waits_is_woken_by_the_end() {
        let queue = Arc::new(CallbackQueue::<Callback>::default());
        let waiting = tokio::spawn({
            let queue = queue.clone();
            async move { queue.recv().await }
        });
        tokio::task::yield_now().await;
        queue.close();
        assert!(waiting.await.expect("no panic").is_none());
    }

    #[tokio::test]
    async fn a_full_queue_is_so_until_its_callbacks_are_taken() {
        let queue = CallbackQueue::default();
        queue.push(message(BOUND_BYTES), None);
        assert!(queue.is_full());
        assert!(queue.recv().await.is_some());
        queue.taken().await;
        assert!(!queue.is_full());
        for _ in 0..BOUND {
            queue.push(message(0), None);
        }
        assert!(queue.is_full());
    }
}
