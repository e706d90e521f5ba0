//! What a driver is asked to do, on its way from the driver's handle to its task.
//!
//! Waking the task and writing a call cost several times what the call itself costs. A call that nobody waits for, an
//! acknowledgement, may therefore be patient: in a burst of them the task is woken once in [`TURN`].

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Instant;

use crate::wire::duration::Period;

/// How long patient commands wait in a burst.
const TURN: Period = Period::from_millis(1);

#[derive(Debug)]
struct Queue<C>(Mutex<State<C>>);

#[derive(Debug)]
struct State<C> {
    waiting: VecDeque<C>,
    /// Whether one of them is to be taken at once.
    urgent: bool,
    /// Whether patient commands wait until the receiver looks.
    held: bool,
    waker: Option<Waker>,
    has_sender: bool,
    has_receiver: bool,
}

impl<C> Queue<C> {
    fn lock(&self) -> MutexGuard<'_, State<C>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A queue with nothing in it.
pub fn queue<C>() -> (Sender<C>, Receiver<C>) {
    let waiting = VecDeque::new();
    let state = State { waiting, urgent: false, held: false, waker: None, has_sender: true, has_receiver: true };
    let queue = Arc::new(Queue(Mutex::new(state)));
    (Sender(Arc::new(Sending(queue.clone()))), Receiver { queue, taken: None })
}

/// The end of a driver's handle, with all its clones.
#[derive(Debug)]
pub struct Sender<C>(Arc<Sending<C>>);

#[derive(Debug)]
struct Sending<C>(Arc<Queue<C>>);

impl<C> Clone for Sender<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C> Sender<C> {
    /// Adds a command after those before it. Returns false if the driver's task is gone.
    pub fn send(&self, command: C, patient: bool) -> bool {
        let mut state = self.0.0.lock();
        if !state.has_receiver {
            return false;
        }
        state.waiting.push_back(command);
        state.urgent |= !patient;
        let waker = if patient && state.held { None } else { state.waker.take() };
        drop(state);
        waker.into_iter().for_each(Waker::wake);
        true
    }
}

impl<C> Drop for Sending<C> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.has_sender = false;
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }
}

/// The end of a driver's task.
#[derive(Debug)]
pub struct Receiver<C> {
    queue: Arc<Queue<C>>,
    /// When commands were taken last.
    taken: Option<Instant>,
}

impl<C> Receiver<C> {
    /// Waits for commands and returns all that wait; `None` if there will be none any more. May be dropped at any time:
    /// nothing is lost.
    pub async fn recv(&self) -> Option<VecDeque<C>> {
        poll_fn(|context| {
            let mut state = self.queue.lock();
            let due = state.urgent || !state.held || !state.has_sender;
            if due && !state.waiting.is_empty() {
                state.urgent = false;
                return Poll::Ready(Some(std::mem::take(&mut state.waiting)));
            }
            if !state.has_sender {
                return Poll::Ready(None);
            }
            state.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// Commands were taken now. Returns until when patient ones wait, if it is a burst.
    pub fn taken(&mut self, now: Instant) -> Option<Instant> {
        let burst = self.taken.is_some_and(|taken| now < taken + TURN);
        self.taken = Some(now);
        if burst {
            self.queue.lock().held = true;
        }
        burst.then(|| now + TURN)
    }

    /// Patient commands wait no more.
    pub fn release(&mut self) {
        self.queue.lock().held = false;
    }
}

impl<C> Drop for Receiver<C> {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        state.has_receiver = false;
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        drop(waiting);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::clock;

    fn take(receiver: &Receiver<u32>) -> Option<Vec<u32>> {
        receiver.recv().now_or_never().map(|taken| taken.expect("a sender").into())
    }

    #[test]
    fn patient_commands_of_a_burst_wait_for_their_turn_or_for_an_urgent_one() {
        let (sender, mut receiver) = queue();
        let now = clock::now();
        for number in [1, 2] {
            assert!(sender.send(number, true));
            assert_eq!(take(&receiver), Some(vec![number]), "nothing is held before there is a burst");
            assert_eq!(receiver.taken(now).is_some(), number == 2);
        }
        assert!(sender.send(3, true));
        assert_eq!(take(&receiver), None);
        receiver.release();
        assert_eq!(take(&receiver), Some(vec![3]));
        assert_eq!(receiver.taken(now), Some(now + TURN));
        assert!(sender.send(4, true) && sender.send(5, false));
        assert_eq!(take(&receiver), Some(vec![4, 5]), "the order stays");
        assert_eq!(receiver.taken(now + TURN), None, "a turn without commands ends the burst");
    }

    #[test]
    fn what_was_sent_is_received_though_its_sender_is_gone() {
        let (sender, mut receiver) = queue();
        let now = clock::now();
        assert!(receiver.taken(now).is_none());
        assert!(receiver.taken(now).is_some());
        let clone = sender.clone();
        assert!(clone.send(1, true));
        drop(clone);
        assert_eq!(take(&receiver), None);
        drop(sender);
        assert_eq!(take(&receiver), Some(vec![1]));
        assert_eq!(receiver.recv().now_or_never(), Some(None));
    }

    #[test]
    fn nothing_can_be_sent_to_a_task_that_is_gone() {
        let (sender, receiver) = queue();
        drop(receiver);
        assert!(!sender.send(1, false));
    }
}
