//! Work of the runtime that threads wait for, or tasks await.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker, ready};
use std::thread::{self, Thread};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};

use crate::clock;
use crate::clock::Clock;
use crate::clock::places::Place;
use crate::clock::skipping::{Busy, Waiting};
use crate::driver::transport::Api;
use crate::session::Candidates;
use crate::{Error, Result};

/// What all requests of an operator share.
#[derive(Clone)]
pub struct Link {
    pub runtime: Handle,
    pub clock: Clock,
    pub place: Option<Arc<Place>>,
    pub api: Api,
    pub detected: watch::Receiver<Candidates>,
}

impl Link {
    /// Starts work. If the cluster's clock is its own, that is one of its inputs.
    pub fn start(&self, work: impl Future<Output: Send + 'static> + Send + 'static) {
        let runtime = self.runtime.clone();
        let spawn = move || drop(runtime.spawn(work));
        match self.clock.as_skipping() {
            None => spawn(),
            Some(clock) => clock.input(spawn),
        }
    }

    /// Starts work that somebody waits for: it is made of what ends when it is given up.
    pub fn run<T, W>(&self, work: impl FnOnce(watch::Receiver<()>) -> W) -> Pending<T>
    where
        T: Send + 'static,
        W: Future<Output = Result<T>> + Send + 'static,
    {
        let (give_up, given_up) = watch::channel(());
        let (sender, outcome) = oneshot::channel();
        let clock = self.clock.as_skipping().cloned();
        // What a callback asks belongs to it, and is answered before it is over.
        let at_once = clock.as_ref().is_none_or(|clock| clock.is_in_callback());
        let waiting = clock.as_ref().map(|clock| clock.wait());
        let work = work(given_up.clone());
        let work = async move {
            let outcome = work.await;
            // Nobody listens any more if it was given up.
            let send = move |busy| drop(sender.send((outcome, busy)));
            match clock.filter(|_| !at_once) {
                None => send(None),
                Some(clock) => clock.callback(move |busy| send(Some(busy))),
            }
        };
        self.start(until_dropped(work, given_up));
        Pending { outcome, _give_up: give_up, _waiting: waiting }
    }
}

/// Does something until the other end is dropped; returns its outcome if it has one by then.
pub async fn until_dropped<T>(work: impl Future<Output = T>, mut given_up: watch::Receiver<()>) -> Option<T> {
    tokio::select! {
        biased;
        // It is an error if the other end is gone, which is what is waited for.
        _ = given_up.changed() => None,
        // Dropping it may itself have ended the work, with an error.
        outcome = work => given_up.has_changed().is_ok().then_some(outcome),
    }
}

/// Something that is being done. It may be awaited on any runtime. See [`Operator`](super::Operator) for an example.
pub struct Pending<T> {
    outcome: oneshot::Receiver<(Result<T>, Option<Busy>)>,
    /// Dropping it gives up the work.
    _give_up: watch::Sender<()>,
    _waiting: Option<Waiting>,
}

impl<T> Pending<T> {
    /// Waits at most so long; `None` if there is no outcome yet. Returns it once.
    pub fn wait(&mut self, at_most: Duration) -> Option<Result<T>> {
        let until = clock::now().checked_add(at_most);
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(outcome) = pin!(&mut *self).poll(&mut context) {
                return Some(outcome);
            }
            let left = until.map_or(at_most, |until| until.saturating_duration_since(clock::now()));
            if left.is_zero() {
                return None;
            }
            thread::park_timeout(left);
        }
    }
}

impl<T> Future for Pending<T> {
    type Output = Result<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = ready!(Pin::new(&mut self.outcome).poll(context));
        Poll::Ready(match outcome {
            Ok((outcome, _busy)) => outcome,
            Err(_) => Err(Error::connection("the cluster has ended")),
        })
    }
}

/// Wakes the thread that waits.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
