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
/// No header is renewed sooner than this, however soon it expires; one that had expired when it was made, as far as our
/// clock says, later.
const RENEW_MIN: Duration = Duration::from_secs(1);
const RENEW_EXPIRED: Duration = Duration::from_secs(10);
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
            Err(_) => Err(Error::connection(format!("{}: not within {ANSWER_TIMEOUT:?}", none()))),
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
        due = shared.take(answer, failures, refused);
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
    /// Takes in the answer to a question that told, or did not tell, of a refusal; returns when to ask for the next header.
    fn take(&self, answer: Result<Header>, failures: u32, told: bool) -> Option<Instant> {
        let now = self.clock.now();
        let answer = answer.and_then(|header| Ok((header_value(&header.value)?, header.expires())));
        match answer {
            Ok((value, expires)) => {
                let left = expires.map(|at| Period::from_seconds(at - clock::timestamp()).unwrap_or_default());
                self.known.send_modify(|known| known.renew(value, left.map(|left| now + left), told));
                let next = left.map(|left| renew_in(left.into())).into_iter().chain(self.source.period()).min()?;
                Some(now + Period::from(next))
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

/// How long after it was made a header is renewed that expires after so much time.
fn renew_in(left: Duration) -> Duration {
    if left.is_zero() {
        return RENEW_EXPIRED;
    }
    let margin = left.checked_div(MARGIN_PART).unwrap_or_default().min(MARGIN_MAX);
    left.saturating_sub(margin).max(RENEW_MIN)
}

impl Known {
    fn renew(&mut self, value: hyper::header::HeaderValue, expires: Option<Instant>, told: bool) {
        let number = self.shown.as_ref().map_or(0, |shown| shown.number);
        let same = self.shown.as_ref().is_some_and(|shown| shown.value == value);
        // One that was refused counts as new, so that the next 401 is the second.
        if !same || self.refused {
            self.shown = Some(Shown { value, number: number.saturating_add(1) });
        }
        self.refused = false;
        // One that was asked for before the refusal is no answer to it.
        self.after_refusal |= told;
        self.expires = expires;
        self.answers = self.answers.saturating_add(1);
        self.failure = None;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;

    use super::*;

    /// Answers as it is told, and then no more; notes what it was asked.
    #[derive(Default)]
    struct Source {
        answers: Mutex<VecDeque<Result<Header>>>,
        asked: Mutex<Vec<bool>>,
    }

    impl Authenticate for Source {
        fn identity(&self) -> String {
            "the source".to_owned()
        }

        fn header(&self, refused: bool) -> BoxFuture<'_, Result<Header>> {
            self.asked.lock().expect("asked").push(refused);
            match self.answers.lock().expect("asked").pop_front() {
                Some(answer) => async move { answer }.boxed(),
                None => std::future::pending().boxed(),
            }
        }
    }

    fn renewal(answers: impl IntoIterator<Item = Result<Header>>) -> (Renewal, Arc<Source>) {
        let answers = Mutex::new(answers.into_iter().collect());
        let source = Arc::new(Source { answers, ..Source::default() });
        (Renewal::new(source.clone(), Clock::real()), source)
    }

    fn given(value: &str) -> Result<Header> {
        Ok(Header::new(value))
    }

    fn asked(source: &Source) -> Vec<bool> {
        source.asked.lock().expect("asked").clone()
    }

    #[tokio::test]
    async fn a_header_is_asked_for_once_and_again_when_it_is_refused() {
        let (renewal, source) = renewal([given("a"), given("b")]);
        let first = renewal.header().await.expect("a header");
        assert_eq!(renewal.header().await.expect("the same").number, first.number);
        assert_eq!(asked(&source), [false]);
        assert!(renewal.refused(first.number));
        assert!(renewal.refused(first.number), "of many calls with the same header, each is tried again");
        let second = renewal.header().await.expect("another");
        assert_eq!((second.value.to_str().expect("text"), asked(&source).as_slice()), ("b", &[false, true][..]));
        assert!(renewal.refused(first.number), "a late answer to the first one says nothing of the second");
        assert!(!renewal.refused(second.number), "the second in a row");
    }

    #[tokio::test]
    async fn refusals_are_in_a_row_only_if_no_header_was_accepted_between_them() {
        let (renewal, source) = renewal([given("a"), given("a"), given("a")]);
        for _ in 0..2 {
            let shown = renewal.header().await.expect("a header");
            renewal.accepted();
            assert!(renewal.refused(shown.number));
        }
        let last = renewal.header().await.expect("a header");
        assert!(!renewal.refused(last.number), "though the value is the same, it was asked for anew");
        assert_eq!(asked(&source), [false, true, true]);
    }

    #[tokio::test]
    async fn a_header_that_was_asked_for_before_a_refusal_is_no_answer_to_it() {
        let (renewal, _) = renewal([given("a")]);
        let first = renewal.header().await.expect("a header");
        assert!(renewal.refused(first.number));
        renewal.shared.take(given("b"), 0, false);
        let second = renewal.newest().expect("the one that was on its way");
        assert!(renewal.refused(second.number), "it was made before anybody was told");
        renewal.shared.take(given("c"), 0, true);
        assert!(!renewal.refused(renewal.newest().expect("an answer").number));
    }

    #[tokio::test]
    async fn a_failure_is_told_to_who_asked_and_the_next_question_is_another() {
        let denied = Error::authentication("no such account");
        let (renewal, _) =
            renewal([Err(Error::connection("no route")), given("not\na header"), Err(denied), given("a")]);
        let error = renewal.header().await.err().expect("a failure");
        assert_eq!(error.to_string(), "the source gave no header: no route");
        assert!(error.is_connection());
        let error = renewal.header().await.err().expect("a failure").to_string();
        assert!(error.contains("is not valid") && !error.contains("not\na"), "{error}");
        assert!(renewal.header().await.is_err_and(|error| error.is_authentication()));
        assert!(renewal.header().await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_source_that_hangs_is_named_and_not_asked_twice() {
        let (renewal, source) = renewal([]);
        for _ in 0..2 {
            let error = renewal.header().await.err().expect("no answer");
            assert_eq!(error.to_string(), "the source gave no header: not within 10s");
        }
        assert_eq!(asked(&source), [false]);
    }

    #[test]
    fn headers_are_renewed_before_they_expire() {
        let seconds = Duration::from_secs;
        for (left, renewed) in [(3600, 3540), (40, 30), (1, 1), (0, 10)] {
            assert_eq!(renew_in(seconds(left)), seconds(renewed), "{left}");
        }
    }
}
