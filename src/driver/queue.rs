//! Where callbacks wait for the one who makes them; bounded by not reading on while it is full.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use tokio::sync::Notify;

use crate::clock::skipping::Busy;
use crate::session::Callback;

/// Past so many undelivered callbacks, or so many bytes of them, reading from the master stops until the framework
/// catches up.
const BOUND: usize = 1000;
const BOUND_BYTES: usize = 64 << 20;
/// The memory of more callbacks than this is not kept.
const SPARE_MAX: usize = 4 * BOUND;

/// A queue between the IO thread and whoever makes the callbacks: one thread, one task, or one asyncio loop.
#[derive(Debug)]
pub struct CallbackQueue<C> {
    state: Mutex<State<C>>,
    /// For a thread that waits.
    filled: Condvar,
    taken: Notify,
}

#[derive(Debug)]
struct State<C> {
    waiting: VecDeque<(C, Option<Busy>)>,
    /// The memory of the last batch, for the next one.
    spare: VecDeque<(C, Option<Busy>)>,
    bytes: usize,
    closed: bool,
    /// Whether a thread waits. Telling one that does not wait costs as much as telling one that does.
    is_awaited: bool,
    /// Wakes the task or the loop that waits.
    waker: Option<Waker>,
}

impl<C> State<C> {
    /// Whether half of what fits waits, or more.
    fn is_behind(&self) -> bool {
        self.waiting.len() >= BOUND / 2 || self.bytes >= BOUND_BYTES / 2
    }
}

impl<C> Default for CallbackQueue<C> {
    fn default() -> Self {
        let (waiting, spare) = (VecDeque::new(), VecDeque::new());
        let state = State { waiting, spare, bytes: 0, closed: false, is_awaited: false, waker: None };
        Self { state: Mutex::new(state), filled: Condvar::new(), taken: Notify::new() }
    }
}

impl<C: Callback> CallbackQueue<C> {
    /// Adds a callback, and what keeps the time from moving until it is made. Never blocks; after `close` it is dropped.
    /// Whoever waits has to be told of it: see [`CallbackQueue::tell`].
    pub fn push(&self, callback: C, busy: Option<Busy>) {
        let size = callback.size();
        let mut state = self.lock();
        if state.closed {
            return;
        }
        state.waiting.push_back((callback, busy));
        state.bytes = state.bytes.saturating_add(size);
    }

    /// Wakes whoever waits, if a callback does too. Once for many callbacks: one that is woken for the first of them would
    /// go to sleep again before the next.
    pub fn tell(&self) {
        let mut state = self.lock();
        if state.waiting.is_empty() {
            return;
        }
        // Told after the lock is free: a thread woken earlier would only go to sleep on it again.
        let (waker, is_awaited) = (state.waker.take(), std::mem::take(&mut state.is_awaited));
        drop(state);
        if is_awaited {
            self.filled.notify_one();
        }
        waker.into_iter().for_each(Waker::wake);
    }

    /// Waits for callbacks and returns all that wait; `None` once the queue is closed. One thread waits at a time.
    pub fn blocking_recv(&self) -> Option<Batch<'_, C>> {
        let mut state = self.lock();
        while state.waiting.is_empty() && !state.closed {
            state.is_awaited = true;
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.is_awaited = false;
        self.take(state)
    }

    /// Waits for callbacks and returns all that wait; `None` once the queue is closed. May be dropped at any time:
    /// nothing is lost.
    pub async fn recv(&self) -> Option<Batch<'_, C>> {
        poll_fn(|context| self.poll_ready(context.waker())).await;
        self.take(self.lock())
    }

    /// Takes the first callback, if one waits.
    pub fn try_next(&self) -> Option<(C, Option<Busy>)> {
        let mut state = self.lock();
        let was_behind = state.is_behind();
        let (callback, busy) = state.waiting.pop_front()?;
        state.bytes = state.bytes.saturating_sub(callback.size());
        // Told once, not at each callback: the driver's task would be woken for each.
        let caught_up = was_behind && !state.is_behind();
        drop(state);
        if caught_up {
            self.taken.notify_one();
        }
        Some((callback, busy))
    }

    /// Whether a callback waits or the queue is closed. If not, the waker is woken when that is so; one waits at a time.
    pub fn poll_ready(&self, waker: &Waker) -> Poll<()> {
        let mut state = self.lock();
        if state.closed || !state.waiting.is_empty() {
            return Poll::Ready(());
        }
        state.waker = Some(waker.clone());
        Poll::Pending
    }

    /// No callback comes after this; who waits for one is woken.
    pub fn close(&self) {
        let mut state = self.lock();
        state.closed = true;
        let waiting = std::mem::take(&mut state.waiting);
        state.bytes = 0;
        let waker = state.waker.take();
        drop(state);
        drop(waiting);
        self.filled.notify_all();
        waker.into_iter().for_each(Waker::wake);
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

    fn take(&self, mut state: MutexGuard<'_, State<C>>) -> Option<Batch<'_, C>> {
        let spare = std::mem::take(&mut state.spare);
        let callbacks = std::mem::replace(&mut state.waiting, spare);
        state.bytes = 0;
        drop(state);
        self.taken.notify_one();
        (!callbacks.is_empty()).then_some(Batch { queue: self, callbacks })
    }

    fn lock(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Callbacks that were taken together. Their memory goes back to the queue: a batch under load is so large that the
/// allocator would ask the operating system for the memory of each.
pub struct Batch<'a, C: Callback> {
    queue: &'a CallbackQueue<C>,
    callbacks: VecDeque<(C, Option<Busy>)>,
}

impl<C: Callback> Iterator for Batch<'_, C> {
    type Item = (C, Option<Busy>);

    fn next(&mut self) -> Option<Self::Item> {
        self.callbacks.pop_front()
    }
}

impl<C: Callback> Drop for Batch<'_, C> {
    fn drop(&mut self) {
        self.callbacks.clear();
        if self.callbacks.capacity() <= SPARE_MAX {
            self.queue.lock().spare = std::mem::take(&mut self.callbacks);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tokio::time::timeout;

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
            async move { queue.recv().await.and_then(|mut batch| batch.next()).map(|(callback, _)| callback) }
        });
        tokio::task::yield_now().await;
        queue.push(Callback::Shutdown, None);
        queue.tell();
        let first = |batch: Option<Batch<'_, Callback>>| batch.and_then(|mut batch| batch.next()).map(|(c, _)| c);
        assert_eq!(waiting.await.expect("no panic"), Some(Callback::Shutdown));
        queue.push(Callback::Disconnected, None);
        queue.push(Callback::Shutdown, None);
        assert_eq!(queue.recv().await.map(Iterator::count), Some(2));
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
            async move { queue.recv().await.is_none() }
        });
        tokio::task::yield_now().await;
        queue.close();
        assert!(waiting.await.expect("no panic"));
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

    #[tokio::test]
    async fn callbacks_are_taken_one_by_one_and_the_others_stay() {
        let queue = CallbackQueue::default();
        assert!(queue.try_next().is_none());
        for _ in 0..BOUND {
            queue.push(message(1), None);
        }
        assert!(queue.poll_ready(Waker::noop()).is_ready());
        for _ in 0..BOUND / 2 {
            assert!(timeout(Duration::ZERO, queue.taken()).await.is_err(), "the driver reads on when half is free");
            assert_eq!(queue.try_next().map(|(callback, _)| callback), Some(message(1)));
        }
        assert!(timeout(Duration::ZERO, queue.taken()).await.is_err());
        assert!(queue.try_next().is_some());
        queue.taken().await;
        assert_eq!(queue.recv().await.map(Iterator::count), Some(BOUND / 2 - 1));
        queue.push(message(BOUND_BYTES), None);
        assert!(queue.is_full());
        assert!(queue.try_next().is_some());
        queue.taken().await;
        assert!(!queue.is_full());
    }
}
