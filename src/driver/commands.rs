//! What a driver is asked to do, on its way from the driver's handle to its task.
//!
//! Waking the task and writing a call cost several times what the call itself costs. A call that nobody waits for, an
//! acknowledgement, may therefore be patient: in a burst of them the task is woken once in a turn, as for the events.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use super::pace::TURN;
use crate::clock::{Clock, Timer};
use crate::wire::duration::Period;

/// The memory of more commands than this is not kept.
const SPARE_MAX: usize = 4000;

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

/// A queue with nothing in it, for a driver that goes by this clock.
pub fn queue<C>(clock: Clock) -> (Sender<C>, Receiver<C>) {
    let waiting = VecDeque::new();
    let state = State { waiting, urgent: false, held: false, waker: None, has_sender: true, has_receiver: true };
    let queue = Arc::new(Queue(Mutex::new(state)));
    (
        Sender(Arc::new(Sending(queue.clone()))),
        Receiver { queue, clock, turn: None, taken: None, pause: None, spare: VecDeque::new() },
    )
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
    clock: Clock,
    /// How long a turn is, while events come in turns.
    turn: Option<Period>,
    /// When commands were taken last.
    taken: Option<Instant>,
    /// Until when patient commands wait, if they do.
    pause: Option<Timer>,
    /// The memory of the commands that were taken last, for the next ones.
    spare: VecDeque<C>,
}

impl<C> Receiver<C> {
    /// From now on a turn is so long; `None` if events do not come in turns.
    pub fn set_turn(&mut self, turn: Option<Period>) {
        self.turn = turn;
    }

    /// Waits for commands and returns all that wait; `None` if there will be none any more. May be dropped at any time:
    /// nothing is lost.
    pub async fn recv(&mut self) -> Option<VecDeque<C>> {
        let commands = poll_fn(|context| self.poll_recv(context)).await;
        // A clock that is told to move stands still while anything waits.
        if self.clock.as_skipping().is_none() {
            self.taken_at(self.clock.now());
        }
        commands
    }

    fn poll_recv(&mut self, context: &mut Context<'_>) -> Poll<Option<VecDeque<C>>> {
        if self.pause.as_mut().is_some_and(|pause| Pin::new(pause).poll(context).is_ready()) || self.is_nearly_due() {
            self.pause = None;
        }
        let mut state = self.queue.lock();
        state.held = self.pause.is_some();
        let due = state.urgent || !state.held || !state.has_sender;
        if due && !state.waiting.is_empty() {
            state.urgent = false;
            let spare = std::mem::take(&mut self.spare);
            return Poll::Ready(Some(std::mem::replace(&mut state.waiting, spare)));
        }
        if !state.has_sender {
            return Poll::Ready(None);
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }

    /// Takes the memory of commands that were received back, for the next ones.
    pub fn reuse(&mut self, mut commands: VecDeque<C>) {
        commands.clear();
        if commands.capacity() <= SPARE_MAX {
            self.spare = commands;
        }
    }

    /// Commands were taken. In a burst, patient ones wait after that.
    fn taken_at(&mut self, now: Instant) {
        let close = self.turn.map_or(TURN, |turn| turn * 2);
        if self.taken.is_some_and(|taken| now < taken + close) {
            self.queue.lock().held = true;
            self.pause = Some(self.clock.timer(now + self.turn.unwrap_or(TURN)));
        }
        self.taken = Some(now);
    }

    /// Whether there is no point in waking up again for the rest of the pause: the task is awake for another reason, such
    /// as events of the same turn.
    fn is_nearly_due(&self) -> bool {
        let due = self.pause.as_ref().map(Timer::deadline);
        due.is_some_and(|due| self.clock.now() + self.turn.unwrap_or(TURN).scaled(0.5) >= due)
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
    use super::*;
    use crate::clock;
    use crate::wire::duration::Period;

    /// A time so far away that no pause ends by itself.
    fn later() -> Instant {
        clock::now() + Period::from_secs(3600)
    }

    fn poll(receiver: &mut Receiver<u32>) -> Poll<Option<Vec<u32>>> {
        receiver.poll_recv(&mut Context::from_waker(Waker::noop())).map(|taken| taken.map(Into::into))
    }

    fn pause(receiver: &Receiver<u32>) -> Option<Instant> {
        receiver.pause.as_ref().map(Timer::deadline)
    }

    #[tokio::test]
    async fn patient_commands_of_a_burst_wait_for_their_turn_or_for_an_urgent_one() {
        let (sender, mut receiver) = queue(Clock::real());
        let now = later();
        for number in [1, 2] {
            assert!(sender.send(number, true));
            assert_eq!(poll(&mut receiver), Poll::Ready(Some(vec![number])), "nothing is held before there is a burst");
            receiver.taken_at(now);
            assert_eq!(pause(&receiver).is_some(), number == 2);
        }
        assert!(sender.send(3, true));
        assert_eq!(poll(&mut receiver), Poll::Pending);
        receiver.pause = None;
        assert_eq!(poll(&mut receiver), Poll::Ready(Some(vec![3])));
        receiver.taken_at(now);
        assert_eq!(pause(&receiver), Some(now + TURN));
        assert!(sender.send(4, true) && sender.send(5, false));
        assert_eq!(poll(&mut receiver), Poll::Ready(Some(vec![4, 5])), "the order stays");
        receiver.pause = None;
        receiver.taken_at(now + TURN);
        assert_eq!(pause(&receiver), None, "a turn without commands ends the burst");
    }

    #[tokio::test]
    async fn a_pause_ends_by_itself() {
        let (sender, mut receiver) = queue(Clock::real());
        for number in 0..100 {
            assert!(sender.send(number, true));
            assert_eq!(receiver.recv().await, Some(VecDeque::from([number])));
        }
    }

    #[tokio::test]
    async fn what_was_sent_is_received_though_its_sender_is_gone() {
        let (sender, mut receiver) = queue(Clock::real());
        let now = later();
        receiver.taken_at(now);
        assert!(pause(&receiver).is_none());
        receiver.taken_at(now);
        assert!(pause(&receiver).is_some());
        let clone = sender.clone();
        assert!(clone.send(1, true));
        drop(clone);
        assert_eq!(poll(&mut receiver), Poll::Pending);
        drop(sender);
        assert_eq!(poll(&mut receiver), Poll::Ready(Some(vec![1])));
        assert_eq!(poll(&mut receiver), Poll::Ready(None));
    }

    #[test]
    fn nothing_can_be_sent_to_a_task_that_is_gone() {
        let (sender, receiver) = queue(Clock::real());
        drop(receiver);
        assert!(!sender.send(1, false));
    }
}
