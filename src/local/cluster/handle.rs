//! How other threads reach the cluster's thread.

use std::time::Instant;

use tokio::sync::{mpsc, oneshot};

use super::machine::{Job, Machine};

/// How the server reaches the cluster's thread.
#[derive(Debug, Clone)]
pub struct Handle(mpsc::UnboundedSender<Job>);

impl Handle {
    /// A handle, and where its jobs come out.
    pub fn new() -> (Self, mpsc::UnboundedReceiver<Job>) {
        let (jobs, receiver) = mpsc::unbounded_channel();
        (Self(jobs), receiver)
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
        let _ = self.0.send(Box::new(job));
    }
}
