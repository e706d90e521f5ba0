//! How other threads reach the cluster's thread.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use super::machine::{Job, Machine};
use crate::clock::Clock;
use crate::clock::skipping::{Skipping, Waiting};

/// What comes of a question to a cluster.
#[derive(Debug)]
pub enum Answer<T> {
    /// The cluster's answer.
    Is(T),
    /// The cluster is gone.
    Gone,
    /// The cluster has not answered in time.
    Late,
}

/// How the server reaches the cluster's thread, and others do.
#[derive(Debug, Clone)]
pub struct Handle {
    jobs: mpsc::UnboundedSender<Job>,
    clock: Clock,
}

impl Handle {
    /// A handle of a cluster with this clock, and where its jobs come out.
    pub fn new(clock: Clock) -> (Self, mpsc::UnboundedReceiver<Job>) {
        let (jobs, receiver) = mpsc::unbounded_channel();
        (Self { jobs, clock }, receiver)
    }

    /// What the cluster asks for the time.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Runs a job on the cluster's thread and waits for its result; `None` if the cluster is gone. What drivers of this
    /// process were asked for before happens before, if time moves only when it is told to. Not to be called on the
    /// cluster's own thread.
    pub fn ask_and_wait<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Machine, Instant) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, _waiting) = self.question(job);
        answer.recv().ok()
    }

    /// Runs a job on the cluster's thread and waits at most so long for its result.
    pub fn ask_within<T: Send + 'static>(
        &self,
        at_most: Duration,
        job: impl FnOnce(&mut Machine, Instant) -> T + Send + 'static,
    ) -> Answer<T> {
        let (answer, _waiting) = self.question(job);
        match answer.recv_timeout(at_most) {
            Ok(answer) => Answer::Is(answer),
            Err(RecvTimeoutError::Disconnected) => Answer::Gone,
            Err(RecvTimeoutError::Timeout) => Answer::Late,
        }
    }

    /// Has a job run on the cluster's thread. Returns where its result comes out, and what shows that it is waited for.
    fn question<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Machine, Instant) -> T + Send + 'static,
    ) -> (Receiver<T>, Option<Waiting>) {
        let (reply, answer) = std::sync::mpsc::channel();
        let job = move |machine: &mut Machine, now| drop(reply.send(job(machine, now)));
        let waiting = self.clock.as_skipping().map(Skipping::wait);
        match self.clock.as_skipping() {
            None => self.tell(job),
            Some(clock) => {
                let own = self.clone();
                clock.input(move || own.tell(job));
            }
        }
        (answer, waiting)
    }

    /// Runs a job on the cluster's thread and returns its result; `None` if the cluster is gone.
    pub async fn ask<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Machine, Instant) -> T + Send + 'static,
    ) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.tell(move |machine, now| drop(reply.send(job(machine, now))));
        answer.await.ok()
    }

    /// Runs a job on the cluster's thread, later.
    pub fn tell(&self, job: impl FnOnce(&mut Machine, Instant) + Send + 'static) {
        // A cluster that is gone has nothing left to do.
        let _ = self.jobs.send(Box::new(job));
    }
}
