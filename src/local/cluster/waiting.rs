//! Those who wait for something in the cluster, on other threads.

use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::handle::Handle;
use super::machine::Machine;

impl Machine {
    /// Tells those who wait for what is there now.
    pub(super) fn tell_waiters(&mut self) {
        if self.waiters.is_empty() {
            return;
        }
        let mut waiters = std::mem::take(&mut self.waiters);
        waiters.retain_mut(|waiter| !waiter(self));
        self.waiters.extend(waiters);
    }

    /// Gives what a condition gives, as soon as it does. It is asked each time that something has happened.
    pub fn when<T: Send + 'static>(
        &mut self,
        mut condition: impl FnMut(&Self) -> Option<T> + Send + 'static,
    ) -> oneshot::Receiver<T> {
        let (reply, answer) = oneshot::channel();
        let mut reply = Some(reply);
        let waiter = move |machine: &Self| {
            // Who asked may have left.
            if reply.as_ref().is_none_or(oneshot::Sender::is_closed) {
                return true;
            }
            condition(machine).is_some_and(|found| {
                reply.take().map(|reply| reply.send(found));
                true
            })
        };
        self.waiters.push(Box::new(waiter));
        self.tell_waiters();
        answer
    }
}

/// What came of waiting.
pub enum Waited<T> {
    /// It is there.
    Found(T),
    /// Not yet.
    TimedOut,
    /// There is no cluster any more in which it could happen.
    Stopped,
}

/// Waits at most so long until a condition gives something. It is asked each time that something has happened.
pub fn wait<T: Send + 'static>(
    handle: &Handle,
    at_most: Duration,
    mut condition: impl FnMut(&Machine) -> Option<T> + Send + 'static,
) -> Waited<T> {
    let (reply, answer) = mpsc::channel();
    let waits = Arc::new(());
    let weak = Arc::downgrade(&waits);
    handle.tell(move |machine, _| {
        let waiter = move |machine: &Machine| {
            if weak.strong_count() == 0 {
                return true;
            }
            let found = condition(machine);
            let is_found = found.is_some();
            // Nobody listens any more if the time is up.
            found.map(|found| reply.send(found));
            is_found
        };
        machine.waiters.push(Box::new(waiter));
        machine.tell_waiters();
    });
    let answer = answer.recv_timeout(at_most);
    drop(waits);
    match answer {
        Ok(found) => Waited::Found(found),
        Err(RecvTimeoutError::Timeout) => Waited::TimedOut,
        Err(RecvTimeoutError::Disconnected) => Waited::Stopped,
    }
}
