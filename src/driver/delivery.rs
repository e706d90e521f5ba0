//! Callbacks on their way from a driver to whoever makes them, and the driver's rules for that: none is made once the
//! driver is stopped or aborted, an error aborts the driver before its callback, and an update is acknowledged when its
//! callback has returned.

use std::collections::VecDeque;

use super::handle::Handle;
use super::queue::Waiting;
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
/// #     credential: None,
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
    _busy: Option<Busy>,
}

impl<S: Session> Handle<S> {
    /// Waits for callbacks and returns all that wait; `None` once the driver is stopped or aborted.
    pub fn blocking_recv(&self) -> Option<impl Iterator<Item = Delivery<'_, S>>> {
        Some(self.queue().blocking_recv()?.into_iter().map(|(callback, busy)| {
            if let Some(busy) = &busy {
                busy.enter();
            }
            Delivery { driver: self, callback, _busy: busy }
        }))
    }

    /// All callbacks that wait, for an event loop; none if the driver is stopped or aborted.
    pub fn try_recv(&self) -> VecDeque<Waiting<S::Callback>> {
        if self.status() == Status::Running { self.queue().try_recv().unwrap_or_default() } else { VecDeque::new() }
    }

    /// Whether a callback waits, or none comes any more because the driver is stopped or aborted.
    pub fn is_ready(&self) -> bool {
        self.status() != Status::Running || self.queue().is_ready()
    }

    /// As [`Delivery::begin`].
    pub fn begin(&self, callback: &S::Callback, before_abort: impl FnOnce(&Error)) -> bool {
        if self.status() != Status::Running {
            return false;
        }
        if let Some(error) = callback.error() {
            before_abort(error);
            self.abort();
        }
        true
    }

    /// As [`Delivery::ack`].
    pub fn ack(&self, callback: S::Callback) {
        if let Some(request) = callback.when_returned() {
            self.request(request);
        }
    }

    /// Waits for callbacks and returns all that wait; `None` once the driver is stopped or aborted. May be dropped at
    /// any time: nothing is lost.
    pub async fn recv(&self) -> Option<impl Iterator<Item = Delivery<'_, S>>> {
        Some(self.queue().recv().await?.into_iter().map(|(callback, busy)| Delivery {
            driver: self,
            callback,
            _busy: busy,
        }))
    }
}

impl<S: Session> Delivery<'_, S> {
    /// Returns whether the callback is to be made. Has to be called before the callback is made.
    ///
    /// An error aborts the driver, which wakes the threads that wait for it; `before_abort` is called before that.
    pub fn begin(&self, before_abort: impl FnOnce(&Error)) -> bool {
        self.driver.begin(&self.callback, before_abort)
    }

    /// The callback and its arguments.
    pub fn callback(&self) -> &S::Callback {
        &self.callback
    }

    /// The callback has returned: an update is acknowledged, unless the framework does that itself.
    pub fn ack(self) {
        self.driver.ack(self.callback);
    }
}
