//! How tasks wait for a time, and how the runtime hears of what comes from elsewhere.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::time::{Sleep, sleep};

use super::Skipping;

/// What nobody waits for begins after so much real time.
const PATIENCE: Duration = Duration::from_millis(100);

/// Is ready when it is so late.
#[derive(Debug)]
pub struct Alarm {
    clock: Arc<Skipping>,
    at: Instant,
    key: Option<(Instant, u64)>,
}

impl Alarm {
    /// An alarm for this time.
    pub(in crate::clock) fn new(clock: Arc<Skipping>, at: Instant) -> Self {
        Self { clock, at, key: None }
    }

    /// Sets it for another time.
    pub(in crate::clock) fn reset(&mut self, at: Instant) {
        self.cancel();
        self.at = at;
    }

    /// What it is set for.
    pub(in crate::clock) fn deadline(&self) -> Instant {
        self.at
    }

    fn cancel(&mut self) {
        if let Some(key) = self.key.take() {
            self.clock.lock().alarms.remove(&key);
        }
    }
}

impl Future for Alarm {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let alarm = &mut *self;
        let mut state = alarm.clock.lock();
        if state.now >= alarm.at {
            if let Some(key) = alarm.key.take() {
                state.alarms.remove(&key);
            }
            return Poll::Ready(());
        }
        let key = *alarm.key.get_or_insert_with(|| {
            state.next_alarm = state.next_alarm.saturating_add(1);
            (alarm.at, state.next_alarm)
        });
        state.alarms.insert(key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        self.cancel();
    }
}

/// Runs for as long as the runtime does, and is polled whenever something came from elsewhere. Never ready.
pub struct Attention {
    clock: Arc<Skipping>,
    patience: Option<Pin<Box<Sleep>>>,
}

impl Attention {
    /// For the runtime that this clock belongs to.
    pub fn new(clock: Arc<Skipping>) -> Self {
        Self { clock, patience: None }
    }
}

impl Future for Attention {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let mut state = this.clock.lock();
        if !state.runtime.as_ref().is_some_and(|runtime| runtime.will_wake(context.waker())) {
            state.runtime = Some(context.waker().clone());
        }
        state.unseen = false;
        let is_left = !state.inputs.is_empty() || !state.callbacks.is_empty();
        if !is_left || state.is_open() || state.goal.is_some() || state.busy > 0 {
            this.patience = None;
            return Poll::Pending;
        }
        let patience = this.patience.get_or_insert_with(|| Box::pin(sleep(PATIENCE)));
        if patience.as_mut().poll(context).is_ready() {
            state.patience_is_over = true;
            this.patience = None;
        }
        Poll::Pending
    }
}
