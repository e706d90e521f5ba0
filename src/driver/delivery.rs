//! Callbacks on their way from a driver to whoever makes them, and the driver's rules for that: none is made once the
//! driver is stopped or aborted, an error aborts the driver before its callback, and an update is acknowledged when its
//! callback has returned.

use std::task::{Poll, Waker};

use super::handle::Handle;
use super::status::Status;
use crate::Error;
use crate::clock::skipping::Busy;
use crate::session::{Callback, Session};

/// A callback that the owner of a driver is to make.
///
/// A framework's thread makes callbacks in a loop like this one, which ends when the driver is stopped or aborted. This
/// driver is stopped already, so the loop ends at once:
///
/// ```
/// use remesos::driver::{Options, SchedulerDriver, Status};
/// use remesos::session::scheduler::Callback;
///
/// # let options = Options {
/// #     framework: Default::default(),
/// #     master: "no master".to_owned(),
/// #     authentication: None,
/// #     trust: Default::default(),
/// #     suppressed_roles: Vec::new(),
/// # };
/// let driver = SchedulerDriver::new(options)?;
/// # assert!(driver.start(true).is_err());
/// # driver.stop(false);
/// while let Some(deliveries) = driver.blocking_recv() {
///     for delivery in deliveries {
///         if delivery.begin(|error| eprintln!("{error}")) {
///             match delivery.callback() {
///                 Callback::ResourceOffers(offers) => println!("{} offers", offers.len()),
///                 other => println!("{other:?}"),
///             }
///             delivery.ack();
///         }
///     }
/// }
/// assert_eq!(driver.status(), Status::Stopped);
/// # Ok::<(), remesos::Error>(())
/// ```
pub struct Delivery<'a, S: Session> {
    driver: &'a Handle<S>,
    callback: S::Callback,
    /// Keeps the time from moving, if the driver's clock moves only when it is told to.
    busy: Option<Busy>,
}

/// A callback that was handed out as an event, and lasts until the next event is asked for. See [`Delivery`] for an
/// example.
pub struct HandedOut<S: Session> {
    when_returned: Option<S::Request>,
    busy: Option<Busy>,
}

impl<S: Session> Handle<S> {
    /// Waits for callbacks and returns all that wait; `None` once the driver is stopped or aborted.
    pub fn blocking_recv(&self) -> Option<impl Iterator<Item = Delivery<'_, S>>> {
        Some(self.queue().blocking_recv()?.map(|callback| self.delivery_here(callback)))
    }

    /// Waits for callbacks and returns all that wait; `None` once the driver is stopped or aborted. May be dropped at
    /// any time: nothing is lost.
    pub async fn recv(&self) -> Option<impl Iterator<Item = Delivery<'_, S>>> {
        Some(self.queue().recv().await?.map(|(callback, busy)| Delivery { driver: self, callback, busy }))
    }

    /// Returns the next callback if one waits. The others stay in the queue.
    pub fn try_recv(&self) -> Option<Delivery<'_, S>> {
        if !self.is_running() {
            return None;
        }
        self.queue().try_next().map(|callback| self.delivery_here(callback))
    }

    /// A delivery of which this thread makes the callback.
    fn delivery_here(&self, (callback, busy): (S::Callback, Option<Busy>)) -> Delivery<'_, S> {
        if let Some(busy) = &busy {
            busy.enter();
        }
        Delivery { driver: self, callback, busy }
    }

    /// Whether a callback waits, or the driver is stopped or aborted. If not, the waker is woken when that is so; one
    /// waits at a time.
    pub fn poll_ready(&self, waker: &Waker) -> Poll<()> {
        if self.is_running() { self.queue().poll_ready(waker) } else { Poll::Ready(()) }
    }

    /// Ends what was handed out: an update is acknowledged, unless the framework does that itself.
    pub fn ack(&self, handed_out: HandedOut<S>) {
        self.ack_and_hold(handed_out);
    }

    fn ack_and_hold(&self, handed_out: HandedOut<S>) -> Option<Busy> {
        if let Some(request) = handed_out.when_returned {
            self.request(request);
        }
        handed_out.busy
    }
}

impl<S: Session> Delivery<'_, S> {
    /// Returns whether the callback is to be made. Has to be called before the callback is made.
    ///
    /// An error aborts the driver, which wakes the threads that wait for it; `before_abort` is called before that.
    pub fn begin(&self, before_abort: impl FnOnce(&Error)) -> bool {
        if self.driver.status() != Status::Running {
            return false;
        }
        if let Some(error) = self.callback.error() {
            before_abort(error);
            self.driver.abort();
        }
        true
    }

    /// The callback and its arguments.
    pub fn callback(&self) -> &S::Callback {
        &self.callback
    }

    /// The callback has returned: an update is acknowledged, unless the framework does that itself.
    pub fn ack(self) {
        self.driver.ack(self.hand_out());
    }

    /// Does what [`Delivery::ack`] does. If the driver's clock moves only when it is told to, the time moves when what is
    /// returned is dropped.
    pub(crate) fn ack_and_hold(self) -> Option<Busy> {
        self.driver.ack_and_hold(self.hand_out())
    }

    /// Ends this delivery without an acknowledgement, which [`Handle::ack`] sends.
    pub fn hand_out(self) -> HandedOut<S> {
        HandedOut { when_returned: self.callback.when_returned(), busy: self.busy }
    }
}

impl<S: Session> HandedOut<S> {
    /// Nothing is acknowledged when it ends.
    pub fn without_request(self) -> Self {
        Self { when_returned: None, ..self }
    }

    /// The time moves though it has not ended.
    pub fn without_busy(self) -> Self {
        Self { busy: None, ..self }
    }
}
