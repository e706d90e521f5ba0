//! The driver loop: one task that feeds a session with what happens and does what it says.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep_until, timeout};

use super::calls::{self, Answer, CallQueue};
use super::handle::Finish;
use super::queue::CallbackQueue;
use super::transport::{self, Api, Report};
use crate::session::{Endpoint, Notice, Output, Session, StreamEvent};
use crate::{Error, Result};

/// How long the last calls, TEARDOWN among them, may take to be answered.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);
/// Pieces of the stream read ahead of the session.
const READ_AHEAD: usize = 16;

/// Everything a driver's task works with.
pub struct Loop<S: Session> {
    pub session: S,
    pub inputs: mpsc::UnboundedReceiver<S::Input>,
    /// Who is to be talked to.
    pub endpoint: watch::Receiver<Option<Endpoint>>,
    pub queue: Arc<CallbackQueue<S::Delivery>>,
    pub api: Api,
    pub finish: Finish,
    /// What `Output::EndWithin` asks for.
    pub end_within: fn(Duration),
}

/// The connections of one attempt to subscribe.
struct Link<C> {
    attempt: u64,
    endpoint: Endpoint,
    reports: mpsc::Receiver<Report>,
    stream: JoinHandle<()>,
    calls: Option<Calls<C>>,
    answers: Option<mpsc::UnboundedReceiver<Answer<C>>>,
}

/// The calls that wait, and the task that writes them.
type Calls<C> = (Arc<CallQueue<C>>, JoinHandle<Result<()>>);

impl<C> Drop for Link<C> {
    fn drop(&mut self) {
        self.stream.abort();
        if let Some((_, task)) = &self.calls {
            task.abort();
        }
    }
}

enum Wake<S: Session> {
    Input(Option<S::Input>),
    Detected(bool),
    Report(Option<Report>),
    CallsEnded(Result<()>),
    Answered(Answer<S::Call>),
    Drained,
    Timeout,
}

impl<S: Session> Loop<S> {
    /// Runs until the session is finished and, where it lingers, the driver is gone.
    pub async fn run(mut self) {
        let mut link = None;
        self.on_detected();
        loop {
            if let Some(linger) = self.flush_outputs(&mut link) {
                self.finish(link, linger).await;
                return;
            }
            match self.wake(&mut link).await {
                Wake::Input(Some(input)) => self.handle_inputs(input),
                Wake::Input(None) => return self.finish.set(),
                Wake::Detected(true) => self.on_detected(),
                Wake::Detected(false) => return self.finish.set(),
                Wake::Report(report) => self.on_report(&mut link, report),
                Wake::CallsEnded(outcome) => self.on_calls_ended(&mut link, outcome),
                Wake::Answered((call, status, body)) => self.notice(Notice::Answered(call, status, body)),
                Wake::Drained => self.notice(Notice::Held),
                Wake::Timeout => self.notice(Notice::Timeout),
            }
        }
    }

    async fn wake(&mut self, link: &mut Option<Link<S::Call>>) -> Wake<S> {
        let deadline = self.session.poll_timeout().map(tokio::time::Instant::from_std);
        let full = self.queue.is_full();
        let (mut reports, mut calls, mut answers) = (None, None, None);
        if let Some(link) = link {
            reports = Some(&mut link.reports);
            calls = link.calls.as_mut().map(|(_, task)| task);
            answers = link.answers.as_mut();
        }
        tokio::select! {
            input = self.inputs.recv() => Wake::Input(input),
            changed = self.endpoint.changed() => Wake::Detected(changed.is_ok()),
            report = async { present(reports).await.recv().await }, if !full => Wake::Report(report),
            ended = async { present(calls).await.await } => {
                Wake::CallsEnded(ended.unwrap_or_else(|e| Err(Error::connection(e))))
            }
            Some(answer) = async { present(answers).await.recv().await } => Wake::Answered(answer),
            () = self.queue.drained(), if full => Wake::Drained,
            () = async { sleep_until(present(deadline).await).await }, if !full => Wake::Timeout,
        }
    }

    fn handle(&mut self, input: S::Input) {
        self.session.handle_input(Instant::now(), input);
    }

    fn notice(&mut self, notice: Notice<S::Call>) {
        self.handle(notice.into());
    }

    fn on_detected(&mut self) {
        let detected = self.endpoint.borrow_and_update().clone();
        self.notice(Notice::Detected(detected));
    }

    /// Takes in all that waits, so that many calls share one write.
    fn handle_inputs(&mut self, first: S::Input) {
        self.handle(first);
        while let Ok(input) = self.inputs.try_recv() {
            self.handle(input);
        }
    }

    fn on_report(&mut self, link: &mut Option<Link<S::Call>>, report: Option<Report>) {
        let Some(link) = link else { return };
        match report {
            Some(Report::Opened(id)) => {
                let queue = Arc::<CallQueue<S::Call>>::default();
                let (sender, answers) = mpsc::unbounded_channel();
                link.answers = Some(answers);
                let calls = calls::run(self.api.clone(), link.endpoint.clone(), id, queue.clone(), sender);
                link.calls = Some((queue, tokio::spawn(calls)));
                self.notice(Notice::Stream(link.attempt, StreamEvent::Opened));
            }
            Some(Report::Event(event)) => {
                self.notice(Notice::Stream(link.attempt, event));
            }
            None => {
                let event = StreamEvent::Closed("the stream's task ended".to_owned());
                self.notice(Notice::Stream(link.attempt, event));
            }
        }
    }

    /// The loss of either connection is a disconnection, as in `src/scheduler/scheduler.cpp`.
    fn on_calls_ended(&mut self, link: &mut Option<Link<S::Call>>, outcome: Result<()>) {
        let Some(link) = link else { return };
        let ended = "the connection for calls ended".to_owned();
        let reason = outcome.map_or_else(|error| error.to_string(), |()| ended);
        let closed = Notice::Stream(link.attempt, StreamEvent::Closed(reason));
        let unsent = link.calls.take().map(|(queue, _)| queue.take_unsent());
        self.notice(closed);
        self.notice(Notice::Unsent(unsent.unwrap_or_default()));
    }

    /// Does what the session says; `Some` when it is finished, with whether to linger.
    fn flush_outputs(&mut self, link: &mut Option<Link<S::Call>>) -> Option<bool> {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Subscribe(attempt, endpoint, call) => {
                    self.leave(link);
                    *link = Some(self.open(attempt, endpoint, call));
                }
                Output::Transmit(call) => self.transmit(link.as_ref(), call),
                Output::Disconnect => self.leave(link),
                Output::Deliver(delivery) => self.queue.push(delivery),
                Output::EndWithin(grace) => (self.end_within)(grace),
                Output::Finished { linger } => return Some(linger),
            }
        }
        None
    }

    fn open(&self, attempt: u64, endpoint: Endpoint, call: bytes::Bytes) -> Link<S::Call> {
        tracing::debug!("Subscribing at {endpoint}, attempt {attempt}");
        let (sender, reports) = mpsc::channel(READ_AHEAD);
        let stream = tokio::spawn(transport::subscribe(self.api.clone(), endpoint.clone(), call, sender));
        Link { attempt, endpoint, reports, stream, calls: None, answers: None }
    }

    /// Drops the connections; calls that were accepted and not written are answered by the session.
    fn leave(&mut self, link: &mut Option<Link<S::Call>>) {
        let calls = link.take().and_then(|mut link| link.calls.take());
        if let Some((queue, task)) = calls {
            task.abort();
            self.notice(Notice::Unsent(queue.take_unsent()));
        }
    }

    fn transmit(&mut self, link: Option<&Link<S::Call>>, call: Box<S::Call>) {
        let queue = link.and_then(|link| link.calls.as_ref()).map(|(queue, _)| queue);
        let unsent = match queue {
            Some(queue) => queue.push(call),
            None => Some(call),
        };
        if let Some(call) = unsent {
            self.notice(Notice::Unsent(vec![*call]));
        }
    }

    async fn finish(mut self, link: Option<Link<S::Call>>, linger: bool) {
        let Some(mut link) = link else {
            return self.finish.set();
        };
        if let Some((queue, mut task)) = link.calls.take() {
            queue.close();
            if timeout(FLUSH_TIMEOUT, &mut task).await.is_err() {
                tracing::warn!("The last calls were not answered within {FLUSH_TIMEOUT:?}");
                task.abort();
            }
        }
        self.finish.set();
        if linger {
            self.drain(&mut link).await;
        }
    }

    /// Keeps the stream open and reads it, until the master closes it or the driver is gone.
    async fn drain(&mut self, link: &mut Link<S::Call>) {
        loop {
            tokio::select! {
                report = link.reports.recv() => {
                    if matches!(report, None | Some(Report::Event(StreamEvent::Closed(_)))) {
                        return;
                    }
                }
                input = self.inputs.recv() => if input.is_none() { return },
            }
        }
    }
}

/// What is there; for ever pending where nothing is, so that a branch of `select!` never fires.
async fn present<T>(thing: Option<T>) -> T {
    match thing {
        Some(thing) => thing,
        None => std::future::pending().await,
    }
}
