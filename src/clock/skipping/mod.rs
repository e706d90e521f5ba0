//! A clock that moves only when it is told to, and the order in which things happen on it.
//!
//! Everything that the clock belongs to runs on one runtime of one thread. What comes from other threads waits here: what
//! frameworks ask of their drivers (inputs), and callbacks to be made. Whenever that thread is about to sleep, so that all
//! that could follow from the last thing has happened, [`Skipping::on_idle`] lets the next thing happen: the first input,
//! else the first callback, else the next time. The same program therefore gives the same events in the same order.
//!
//! Inputs and callbacks are taken while somebody waits for the cluster. If nobody does, a thread may be about to ask for
//! more, and what it asks for next has to come before what follows from the first: it is given a moment (`PATIENCE` in `alarm.rs`).

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use super::EPOCH;

mod alarm;
mod guards;

pub use alarm::{Alarm, Attention};
pub use guards::{Busy, Moving, Running, Waiting};

/// A condition is looked at after so many inputs and callbacks at one time, though more are to come.
const LOOK_AFTER: u64 = 1000;
/// So many inputs and callbacks at one time are taken for ones without end.
const ENDLESS: u64 = 1_000_000;

type Input = Box<dyn FnOnce() + Send>;
type Callback = Box<dyn FnOnce(Busy) + Send>;

/// A clock that moves only when it is told to.
pub struct Skipping {
    begin: Instant,
    state: Mutex<State>,
    /// For threads that wait for a goal.
    changed: Condvar,
}

struct State {
    now: Instant,
    alarms: BTreeMap<(Instant, u64), Waker>,
    next_alarm: u64,
    inputs: VecDeque<Input>,
    callbacks: VecDeque<Callback>,
    /// How many things are being done elsewhere.
    busy: usize,
    /// How many real processes run.
    running: usize,
    /// Whether the runtime may not have seen yet what came from elsewhere.
    unseen: bool,
    runtime: Option<Waker>,
    /// How many threads wait for the cluster, those in a callback apart.
    waiting: usize,
    waiting_in_callback: usize,
    /// The thread that makes the callback which is in progress.
    caller: Option<ThreadId>,
    /// Whether what nobody waits for may begin.
    patience_is_over: bool,
    /// Counts what can be seen from outside.
    happened: u64,
    /// Counts inputs and callbacks since time moved.
    steps: u64,
    /// Counts how often nothing was left to do.
    settled: u64,
    goal: Option<Goal>,
    next_goal: u64,
    random: fastrand::Rng,
    ended: bool,
}

/// How far time is to move.
#[derive(Debug, Clone, Copy)]
pub struct Move {
    /// At most to this time.
    pub until: Instant,
    /// Given to stop when more than so much has happened ([`Skipping::count`]), and to wait while real processes run.
    pub watching: Option<u64>,
}

#[derive(Debug)]
struct Goal {
    number: u64,
    wanted: Move,
    /// How many inputs and callbacks there had been at that time.
    steps: u64,
    outcome: Option<Outcome>,
}

/// What a move came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is as late as it was to be.
    Arrived,
    /// Something happened before.
    Happened,
    /// Something happens again and again, so that no time passes.
    Endless,
    /// The cluster has ended.
    Ended,
}

impl Skipping {
    /// A clock whose time begins at this one.
    pub(super) fn new(begin: Instant, seed: u64) -> Self {
        let state = State {
            now: begin,
            alarms: BTreeMap::new(),
            next_alarm: 0,
            inputs: VecDeque::new(),
            callbacks: VecDeque::new(),
            busy: 0,
            running: 0,
            unseen: true,
            runtime: None,
            waiting: 0,
            waiting_in_callback: 0,
            caller: None,
            patience_is_over: false,
            happened: 0,
            steps: 0,
            settled: 0,
            goal: None,
            next_goal: 0,
            random: fastrand::Rng::with_seed(seed),
            ended: false,
        };
        Self { begin, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// The time now.
    pub fn now(&self) -> Instant {
        self.lock().now
    }

    /// The wall time now, in seconds since the epoch.
    pub fn timestamp(&self) -> f64 {
        EPOCH + self.now().saturating_duration_since(self.begin).as_secs_f64()
    }

    /// The next of the numbers that follow from the seed.
    pub fn seed(&self) -> u64 {
        self.lock().random.u64(..)
    }

    /// Does something on the runtime when all that was asked for before is done.
    pub fn input(&self, what: impl FnOnce() + Send + 'static) {
        let mut state = self.lock();
        if state.ended {
            drop(state);
            return what();
        }
        state.inputs.push_back(Box::new(what));
        self.look(state);
    }

    /// Has a callback made when nothing else is left to do. It is over when the guard is dropped.
    pub fn callback(self: &Arc<Self>, what: impl FnOnce(Busy) + Send + 'static) {
        let mut state = self.lock();
        if state.ended {
            drop(state);
            return what(self.busy());
        }
        state.callbacks.push_back(Box::new(what));
        self.look(state);
    }

    /// Something is being done elsewhere.
    pub fn busy(self: &Arc<Self>) -> Busy {
        let mut state = self.lock();
        state.busy = state.busy.saturating_add(1);
        Busy(self.clone())
    }

    /// A real process runs.
    pub fn running(self: &Arc<Self>) -> Running {
        let mut state = self.lock();
        state.running = state.running.saturating_add(1);
        Running(self.clone())
    }

    /// This thread waits for the cluster.
    pub fn wait(self: &Arc<Self>) -> Waiting {
        let in_callback = self.is_in_callback();
        let mut state = self.lock();
        let count = if in_callback { &mut state.waiting_in_callback } else { &mut state.waiting };
        *count = count.saturating_add(1);
        self.look(state);
        Waiting { clock: self.clone(), in_callback }
    }

    /// Whether this thread makes a callback of a driver that this clock belongs to.
    pub fn is_in_callback(&self) -> bool {
        self.lock().caller == Some(std::thread::current().id())
    }

    /// This thread makes the callback that another one was to make, if one is being made.
    pub fn take_over_callback(&self) {
        let mut state = self.lock();
        if state.caller.is_some() {
            state.caller = Some(std::thread::current().id());
        }
    }

    /// Something can be seen from outside that could not before.
    pub fn happened(&self) {
        let mut state = self.lock();
        state.happened = state.happened.saturating_add(1);
    }

    /// How much has happened that can be seen from outside.
    pub fn count(&self) -> u64 {
        self.lock().happened
    }

    /// Whether real processes run, for which time waits.
    pub fn has_running(&self) -> bool {
        self.lock().running > 0
    }

    /// Begins to move the time, unless somebody else does.
    pub fn start_move(self: &Arc<Self>, wanted: Move) -> Option<Moving> {
        let mut state = self.lock();
        if state.goal.is_some() {
            return None;
        }
        let number = state.next_goal;
        state.next_goal = number.saturating_add(1);
        let outcome = state.ended.then_some(Outcome::Ended);
        state.goal = Some(Goal { number, wanted, steps: state.steps, outcome });
        self.look(state);
        Some(Moving { clock: self.clone(), number })
    }

    /// Waits, so much real time at most, until nobody moves the time.
    pub fn wait_for_mover(&self, at_most: Duration) {
        let state = self.lock();
        if state.goal.is_some() {
            drop(self.changed.wait_timeout(state, at_most));
        }
    }

    /// Waits, so much real time at most, until nothing is left to do at this time; whether that is so.
    pub fn settle(self: &Arc<Self>, at_most: Duration) -> bool {
        let before = self.lock().settled;
        let _waiting = self.wait();
        let state = self.lock();
        let unsettled = |state: &mut State| state.settled == before && !state.ended;
        let waited = self.changed.wait_timeout_while(state, at_most, unsettled);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// The runtime is about to sleep, so all that could follow from the last thing has happened. Lets the next one happen.
    pub fn on_idle(self: &Arc<Self>) {
        let mut state = self.lock();
        if state.unseen || state.ended || state.busy > state.waiting_in_callback {
            return;
        }
        if !state.is_open() && state.goal.is_none() {
            return;
        }
        if state.busy == 0 && state.is_to_be_looked_at() {
            drop(state);
            return self.changed.notify_all();
        }
        if let Some(input) = state.inputs.pop_front() {
            state.steps = state.steps.saturating_add(1);
            self.look(state);
            return input();
        }
        if state.busy > 0 {
            return;
        }
        if let Some(callback) = state.callbacks.pop_front() {
            state.happened = state.happened.saturating_add(1);
            state.steps = state.steps.saturating_add(1);
            state.busy = 1;
            self.look(state);
            return callback(Busy(self.clone()));
        }
        state.patience_is_over = false;
        state.settled = state.settled.saturating_add(1);
        let due = state.advance();
        let is_over = due.is_empty();
        if is_over {
            drop(state);
        } else {
            self.look(state);
        }
        if is_over {
            self.changed.notify_all();
        }
        due.into_iter().for_each(Waker::wake);
    }

    /// Has the runtime look at what has come from elsewhere.
    fn look(&self, mut state: MutexGuard<'_, State>) {
        state.unseen = true;
        let runtime = state.runtime.clone();
        drop(state);
        if let Some(runtime) = runtime {
            runtime.wake();
        }
    }

    /// The runtime is gone: what still comes happens at once.
    pub fn end(self: &Arc<Self>) {
        let mut state = self.lock();
        state.ended = true;
        let (inputs, callbacks) = (std::mem::take(&mut state.inputs), std::mem::take(&mut state.callbacks));
        let alarms = std::mem::take(&mut state.alarms);
        if let Some(goal) = &mut state.goal {
            goal.outcome = Some(Outcome::Ended);
        }
        drop(state);
        self.changed.notify_all();
        inputs.into_iter().for_each(|input| input());
        callbacks.into_iter().for_each(|callback| callback(self.busy()));
        drop(alarms);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether inputs and callbacks may be taken.
    fn is_open(&self) -> bool {
        self.waiting > 0 || self.waiting_in_callback > 0 || self.patience_is_over
    }

    /// Whether the mover has its say before the next thing happens. It takes a new goal then.
    fn is_to_be_looked_at(&mut self) -> bool {
        let Some(goal) = &mut self.goal else { return false };
        if goal.outcome.is_some() {
            return true;
        }
        if self.steps >= ENDLESS {
            goal.outcome = Some(Outcome::Endless);
            self.steps = 0;
        } else if goal.wanted.watching.is_some()
            && self.steps.checked_rem(LOOK_AFTER) == Some(0)
            && self.steps > goal.steps
        {
            goal.outcome = Some(Outcome::Happened);
        }
        goal.outcome.is_some()
    }

    /// Moves the time to the next alarm that somebody wants to get to, and returns those that are due; none if there is
    /// nothing to move to.
    fn advance(&mut self) -> Vec<Waker> {
        let Some(goal) = &mut self.goal else { return Vec::new() };
        if goal.outcome.is_some() {
            return Vec::new();
        }
        if goal.wanted.watching.is_some_and(|count| count != self.happened) {
            goal.outcome = Some(Outcome::Happened);
            return Vec::new();
        }
        if goal.wanted.watching.is_some() && self.running > 0 {
            return Vec::new();
        }
        match self.alarms.first_key_value() {
            Some((&(at, _), _)) if at <= goal.wanted.until => {
                self.now = self.now.max(at);
                self.steps = 0;
                goal.steps = 0;
                let later = self.alarms.split_off(&(at, u64::MAX));
                std::mem::replace(&mut self.alarms, later).into_values().collect()
            }
            _ => {
                self.now = self.now.max(goal.wanted.until);
                goal.outcome = Some(Outcome::Arrived);
                Vec::new()
            }
        }
    }
}

impl std::fmt::Debug for Skipping {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Skipping").finish_non_exhaustive()
    }
}
