//! A request and its answer as streams of records.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::{Frame, Incoming};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::exchange::{Exchange, Fed, begun, broken};
use super::pending::{Link, Pending, until_dropped};
use super::request::{Answer, Request};
use crate::per_process;
use crate::wire::recordio::{self, Decoder};
use crate::{Error, Result};

/// A request of which the answer is a stream of records, or the body, or both. Nothing is read ahead: whoever does not take
/// records holds back the other side. Dropping it closes its connection.
///
/// ```
/// use std::time::Duration;
///
/// use remesos::driver::operator::{Operator, Options, Request, Within};
///
/// let operator = Operator::new(Options { daemon: "localhost:1".to_owned(), authentication: None })?;
/// let request = Request {
///     method: "POST".to_owned(),
///     path: "/api/v1".to_owned(),
///     headers: Vec::new(),
///     body: br#"{"type":"SUBSCRIBE"}"#.as_slice().into(),
/// };
/// let stream = operator.open(request, false, Within::default())?;
/// let outcome = stream.answer(None)?.wait(Duration::from_secs(20)).expect("an outcome");
/// assert!(outcome.expect_err("nobody listens there").is_connection());
/// # Ok::<(), remesos::Error>(())
/// ```
///
/// It belongs to the process that made it, as the [`Operator`](super::Operator) does.
pub struct Stream {
    process: u32,
    link: Link,
    shared: Arc<Shared>,
    feed: Mutex<Option<mpsc::Sender<Bytes>>>,
    /// Dropping it ends the exchange and all that waits for it.
    give_up: Mutex<Option<watch::Sender<()>>>,
    given_up: watch::Receiver<()>,
}

/// What the exchange and those who wait share.
struct Shared {
    /// The answer, without its body if that is a stream.
    answer: watch::Sender<Option<Result<Answer>>>,
    /// What is still to be read of it.
    body: tokio::sync::Mutex<Option<Incoming>>,
    records: Mutex<Records>,
}

#[derive(Default)]
struct Records {
    decoder: Decoder,
    whole: VecDeque<Bytes>,
    error: Option<Error>,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}

impl Stream {
    /// Begins it.
    pub(super) fn begin(
        link: Link,
        exchange: Exchange,
        give_up: watch::Sender<()>,
        request: Request,
        is_fed: bool,
    ) -> Self {
        let given_up = exchange.given_up.clone();
        let (feed, fed) = is_fed.then(|| mpsc::channel(1)).unzip();
        let shared = Arc::new(Shared {
            answer: watch::channel(None).0,
            body: tokio::sync::Mutex::default(),
            records: Mutex::default(),
        });
        let opening = open(exchange, request, fed.map(Fed), shared.clone());
        link.start(until_dropped(opening, given_up.clone()));
        let (feed, give_up) = (Mutex::new(feed), Mutex::new(Some(give_up)));
        Self { process: per_process::id(), link, shared, feed, give_up, given_up }
    }

    /// Waits for the answer. If its status is 200, the body is empty and [`Stream::readable`] waits for its records; if not,
    /// the body is whole.
    ///
    /// Fails, or what is returned does, if the stream belongs to another process, is closed, or is not answered in time.
    pub fn answer(&self, within: Option<Duration>) -> Result<Pending<Answer>> {
        let shared = self.shared.clone();
        let closed = || Err(Error::connection("the stream was closed"));
        self.step(within, async move { shared.answered().await }, closed)
    }

    /// Returns the next record that has been read, unless the stream is closed. Does not wait.
    pub fn take(&self) -> Option<Bytes> {
        if self.is_closed() { None } else { self.shared.records().whole.pop_front() }
    }

    /// Waits until there is a record to take. Otherwise it is the end, or the stream was closed.
    ///
    /// Fails as [`Stream::answer`] does, or if the connection breaks.
    pub fn readable(&self, within: Option<Duration>) -> Result<Pending<bool>> {
        let shared = self.shared.clone();
        self.step(within, async move { shared.read().await }, || Ok(false))
    }

    /// Waits until there is room for a record in the body of a request that is fed, and adds it. Returns whether it was added:
    /// it is not if the request was answered or has failed, or the stream was closed.
    ///
    /// Fails as [`Stream::answer`] does, or if the body is whole.
    pub fn send(&self, record: &[u8], within: Option<Duration>) -> Result<Pending<bool>> {
        let feed = lock(&self.feed).clone();
        if feed.is_none() && !self.is_closed() {
            return Err(Error::invalid("the body of the request is complete"));
        }
        let record = recordio::encode(record);
        let mut answer = self.shared.answer.subscribe();
        let send = async move {
            let Some(feed) = feed else { return Ok(false) };
            tokio::select! {
                biased;
                _ = answer.wait_for(Option::is_some) => Ok(false),
                sent = feed.send(record) => Ok(sent.is_ok()),
            }
        };
        self.step(within, send, || Ok(false))
    }

    /// Ends the body of a request that is fed.
    pub fn end(&self) {
        drop(lock(&self.feed).take());
    }

    /// Gives up the exchange, and closes its connection: all that waits for it ends.
    pub fn close(&self) {
        if self.process == per_process::id() {
            drop(lock(&self.give_up).take());
            self.end();
        }
    }

    fn is_closed(&self) -> bool {
        lock(&self.give_up).is_none()
    }

    fn step<T: Send + 'static>(
        &self,
        within: Option<Duration>,
        work: impl Future<Output = Result<T>> + Send + 'static,
        closed: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<Pending<T>> {
        if self.process != per_process::id() {
            return Err(Error::invalid("the stream was opened in the process that forked this one: open another here"));
        }
        let until_closed = until_dropped(work, self.given_up.clone());
        Ok(self.link.run(move |_| async move {
            let outcome = match within {
                None => until_closed.await,
                Some(within) => timeout(within, until_closed)
                    .await
                    .map_err(|_| Error::timed_out(format!("waited {within:?} in vain")))?,
            };
            outcome.unwrap_or_else(closed)
        }))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        if self.process != per_process::id() {
            // A thread that is not here may have held what dropping them needs.
            std::mem::forget((lock(&self.give_up).take(), lock(&self.feed).take()));
        }
    }
}

/// Waits for the answer, and hands on what is to be read of it.
async fn open(mut exchange: Exchange, request: Request, fed: Option<Fed>, shared: Arc<Shared>) {
    let answer = async {
        let response = exchange.open(&request, fed).await?;
        if response.status() != StatusCode::OK {
            return exchange.read(response).await;
        }
        let answer = begun(&response);
        *shared.body.lock().await = Some(response.into_body());
        Ok(answer)
    };
    let answer = answer.await;
    shared.answer.send_replace(Some(answer));
}

impl Shared {
    async fn answered(&self) -> Result<Answer> {
        let mut answer = self.answer.subscribe();
        let known = answer.wait_for(Option::is_some).await.ok().and_then(|answer| answer.clone());
        known.unwrap_or_else(|| Err(Error::bug("an exchange ended without an answer")))
    }

    /// Reads until there is a record; returns whether there is. One at a time reads, and nothing is lost if it is dropped.
    async fn read(&self) -> Result<bool> {
        self.answered().await?;
        let mut body = self.body.lock().await;
        loop {
            {
                let records = self.records();
                if !records.whole.is_empty() {
                    return Ok(true);
                }
                if let Some(error) = &records.error {
                    return Err(error.clone());
                }
            }
            let Some(reading) = &mut *body else { return Ok(false) };
            let frame = reading.frame().await;
            if !self.records().take_in(frame) {
                *body = None;
            }
        }
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        lock(&self.records)
    }
}

impl Records {
    /// Takes in what was read; returns whether there may be more to read.
    fn take_in(&mut self, frame: Option<std::result::Result<Frame<Bytes>, hyper::Error>>) -> bool {
        let taken = match frame {
            None if self.decoder.is_between_records() => return false,
            None => Err(Error::connection("the answer ended within a record")),
            Some(Err(error)) => Err(broken(error)),
            Some(Ok(frame)) => frame.into_data().map_or(Ok(()), |data| self.feed(&data)),
        };
        self.error = taken.err();
        self.error.is_none()
    }

    fn feed(&mut self, data: &[u8]) -> Result<()> {
        self.decoder.feed(data);
        while let Some(record) = self.decoder.next_record()? {
            self.whole.push_back(record);
        }
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
