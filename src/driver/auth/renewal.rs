//! Headers that expire: asks what makes them, one question at a time, and remembers what the master said of the last.
//!
//! A task of its own asks, so that whoever makes headers may take its time: calls go on with the header that there is.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::{Authenticate, Header, Shown, header_value};
use crate::clock::skipping::Skipping;
use crate::clock::{self, Clock};
use crate::wire::duration::Period;
use crate::{Error, Result};

/// A request waits so long for a header; SUBSCRIBE has fifteen seconds in all.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// A header is renewed when a quarter of its time is left, and at most so long before it expires.
const MARGIN_MAX: Duration = Duration::from_secs(60);
const MARGIN_PART: u32 = 4;
/// No header is renewed sooner than this, however soon it expires.
const RENEW_MIN: Duration = Duration::from_secs(1);
/// After a failure a header that is still good is renewed so much later; it doubles up to the second.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);

/// The headers of one driver.
pub struct Renewal {
    shared: Arc<Shared>,
    task: OnceLock<AbortHandle>,
}

struct Shared {
    source: Arc<dyn Authenticate>,
    clock: Clock,
    known: watch::Sender<Known>,
    /// Wakes the task: a header is wanted.
    wanted: Notify,
}

/// What is known of the headers.
#[derive(Default)]
struct Known {
    /// The last one.
    shown: Option<Shown>,
    expires: Option<Instant>,
    /// The master answered 401 to it.
    refused: bool,
    /// It was made because another was refused, and the master has taken none since.
    after_refusal: bool,
    /// How many answers came, and what was wrong with the last.
    answers: u64,
    failure: Option<Error>,
}

impl Known {
    fn usable(&self, now: Instant) -> Option<&Shown> {
        self.shown.as_ref().filter(|_| !self.refused && self.expires.is_none_or(|expires| now < expires))
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        if let Some(task) = self.task.get() {
            task.abort();
        }
    }
}

impl Renewal {
    /// Nothing is asked yet.
    pub fn new(source: Arc<dyn Authenticate>, clock: Clock) -> Self {
        let (known, _) = watch::channel(Known::default());
        let shared = Shared { source, clock, known, wanted: Notify::new() };
        Self { shared: Arc::new(shared), task: OnceLock::new() }
    }

    /// The header to send. Has to be called within a tokio runtime.
    ///
    /// Fails if none comes in time, or what makes it fails.
    pub async fn header(&self) -> Result<Shown> {
        self.task.get_or_init(|| tokio::spawn(run(self.shared.clone())).abort_handle());
        let mut known = self.shared.known.subscribe();
        let answers = {
            let known = known.borrow_and_update();
            if let Some(shown) = known.usable(self.shared.clock.now()) {
                return Ok(shown.clone());
            }
            known.answers
        };
        self.shared.wanted.notify_one();
        let none = || Error::connection(format!("{} gave no header", self.shared.source.identity()));
        match timeout(ANSWER_TIMEOUT, known.wait_for(|known| known.answers > answers)).await {
            Ok(Ok(known)) => match &known.failure {
                Some(failure) => Err(failure.clone()),
                // A new one is used, whatever our clock says.
                None => known.shown.clone().ok_or_else(none),
            },
            Ok(Err(_)) => Err(none()),
            Err(_) => Err(Error::connection(format!("{} within {ANSWER_TIMEOUT:?}", none()))),
        }
    }

    /// The last header.
    pub fn newest(&self) -> Option<Shown> {
        self.shared.known.borrow().shown.clone()
    }

    /// See [`super::Authorization::refused`].
    pub fn refused(&self, number: u64) -> bool {
        let mut again = true;
        self.shared.known.send_if_modified(|known| {
            // Only the last one says anything: the others were replaced, or are about to be.
            if known.refused || known.shown.as_ref().is_none_or(|shown| shown.number != number) {
                return false;
            }
            again = !known.after_refusal;
            known.refused = true;
            true
        });
        again
    }

    /// See [`super::Authorization::accepted`].
    pub fn accepted(&self) {
        if self.shared.known.borrow().after_refusal {
            self.shared.known.send_modify(|known| known.after_refusal = false);
        }
    }
}

/// Asks whenever a header is wanted, and before the last one expires.
async fn run(shared: Arc<Shared>) {
    let mut failures = 0_u32;
    let mut due: Option<Instant> = None;
    loop {
        let wanted = tokio::select! {
            () = shared.wanted.notified() => true,
            () = sleep_until(&shared.clock, due) => false,
        };
        let refused = {
            let known = shared.known.borrow();
            // It may have come since it was wanted.
            if wanted && known.usable(shared.clock.now()).is_some() {
                continue;
            }
            known.refused
        };
        // The time does not move while somebody elsewhere makes a header.
        let busy = shared.clock.as_skipping().map(Skipping::busy);
        let answer = shared.source.header(refused).await;
        failures = if answer.is_ok() { 0 } else { failures.saturating_add(1) };
        due = shared.take(answer, failures);
        drop(busy);
    }
}

async fn sleep_until(clock: &Clock, due: Option<Instant>) {
    match due {
        Some(due) => clock.sleep_until(due).await,
        None => std::future::pending().await,
    }
}

impl Shared {
    /// Takes an answer in; returns when to ask for the next header.
    fn take(&self, answer: Result<Header>, failures: u32) -> Option<Instant> {
        let now = self.clock.now();
        let answer = answer.and_then(|header| Ok((header_value(&header.value)?, header.expires())));
        match answer {
            Ok((value, expires)) => {
                let left = expires.map(|at| Period::from_seconds(at - clock::timestamp()).unwrap_or_default());
                self.known.send_modify(|known| known.renew(value, left.map(|left| now + left)));
                let margin = |left: Period| Duration::from(left).checked_div(MARGIN_PART).unwrap_or_default();
                let renew = left.map(|left| Duration::from(left).saturating_sub(margin(left).min(MARGIN_MAX)));
                let next = renew.into_iter().chain(self.source.period()).min()?;
                Some(now + Period::from(next.max(RENEW_MIN)))
            }
            Err(error) => {
                let error = self.failure(error);
                let goes_on = self.known.borrow().usable(now).is_some();
                if goes_on {
                    tracing::warn!("{error}; going on with the last header");
                }
                self.known.send_modify(|known| {
                    known.answers = known.answers.saturating_add(1);
                    known.failure = Some(error);
                });
                let delay = RETRY_MIN.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1)));
                goes_on.then(|| now + Period::from(delay.min(RETRY_MAX)))
            }
        }
    }

    fn failure(&self, error: Error) -> Error {
        let what = format!("{} gave no header", self.source.identity());
        let denied = error.is_authentication();
        (if denied { Error::authentication(what) } else { Error::connection(what) }).caused_by(error)
    }
}

impl Known {
    fn renew(&mut self, value: hyper::header::HeaderValue, expires: Option<Instant>) {
        let number = self.shown.as_ref().map_or(0, |shown| shown.number);
        let same = self.shown.as_ref().is_some_and(|shown| shown.value == value);
        // One that was refused counts as new, so that the next 401 is the second.
        if !same || self.refused {
            self.shown = Some(Shown { value, number: number.saturating_add(1) });
        }
        self.after_refusal |= std::mem::take(&mut self.refused);
        self.expires = expires;
        self.answers = self.answers.saturating_add(1);
        self.failure = None;
    }
}
