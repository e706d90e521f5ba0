//! The driver loop: one task that feeds a session with what happens and does what it says.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{sleep_until, timeout};

use super::calls::{Calls, Progress};
use super::handle::Finish;
use super::queue::CallbackQueue;
use super::transport::{self, Api, Report};
use crate::session::{Endpoint, Notice, Output, Session, StreamEvent};

/// How long the last calls, TEARDOWN among them, may take to be answered.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);
/// Pieces of the stream read ahead of the session.
const READ_AHEAD: usize = 16;
/// A time that is noticed this late shows that the process was paused.
const LATE: Duration = Duration::from_secs(1);
/// How often the tasks that read a connection are given a turn before a time counts as over: what waits in the socket
/// passes three of them.
const TURNS: usize = 8;

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
    /// Whether nobody holds the driver's handle any more.
    pub let_go: bool,
}

/// The connections of one attempt to subscribe.
struct Link<S: Session> {
    attempt: u64,
    endpoint: Endpoint,
    reports: mpsc::Receiver<Report>,
    stream: JoinHandle<()>,
    /// When the stream last brought something.
    heard: Instant,
    /// From when the stream stands.
    calls: Option<Calls<S>>,
}

impl<S: Session> Drop for Link<S> {
    fn drop(&mut self) {
        self.stream.abort();
    }
}

enum Wake<S: Session> {
    Input(Option<S::Input>),
    Detected(bool),
    Report(Option<Report>),
    Progress(Progress<S::Call>),
    Drained,
    Timeout,
}

impl<S: Session> Loop<S> {
    /// Runs until the session is finished and, if it lingers, the driver is gone. A panic, should there be one, ends
    /// this driver with an error, and no other.
    pub async fn run(self) {
        let (queue, finish) = (self.queue.clone(), self.finish.clone());
        if let Err(panic) = AssertUnwindSafe(self.run_session()).catch_unwind().await {
            let text = panic.downcast_ref::<&str>().map(ToString::to_string);
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            tracing::error!("The driver's task panicked, which is a bug in remesos: {text}");
            queue.push(S::error(format!("Internal error of the driver, a bug in remesos: {text}")), 0);
            finish.set();
        }
    }

    async fn run_session(mut self) {
        let mut link = None;
        self.on_detected();
        loop {
            if let Some(linger) = self.flush_outputs(&mut link) {
                self.finish(link, linger).await;
                return;
            }
            match self.wake(&mut link).await {
                Wake::Input(Some(input)) => self.handle_inputs(input),
                Wake::Input(None) => self.on_let_go(),
                Wake::Detected(true) => self.on_detected(),
                Wake::Detected(false) => return self.on_detector_lost(),
                Wake::Report(report) => self.on_report(&mut link, report),
                Wake::Progress(progress) => self.on_progress(&link, progress),
                Wake::Drained => self.notice(Notice::Held),
                Wake::Timeout => self.on_timeout(&mut link).await,
            }
        }
    }

    /// What has come is read first: no time counts as over because of what waits in a socket, and no framework that is
    /// to be removed is left at a master that has just got its SUBSCRIBE.
    async fn wake(&mut self, link: &mut Option<Link<S>>) -> Wake<S> {
        let deadline = self.session.poll_timeout().map(tokio::time::Instant::from_std);
        let full = self.queue.is_full();
        let (mut reports, mut calls) = (None, None);
        if let Some(link) = link {
            let heard = link.heard;
            reports = Some(&mut link.reports);
            calls = link.calls.as_mut().map(|calls| (calls, heard));
        }
        tokio::select! {
            biased;
            report = async { present(reports).await.recv().await }, if !full => Wake::Report(report),
            changed = self.endpoint.changed() => Wake::Detected(changed.is_ok()),
            progress = async {
                let (calls, heard) = present(calls).await;
                calls.progress(heard).await
            } => Wake::Progress(progress),
            input = self.inputs.recv(), if !self.let_go => Wake::Input(input),
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

    /// Nobody is left who could stop the driver: it leaves its master as it is.
    fn on_let_go(&mut self) {
        self.let_go = true;
        self.notice(Notice::Stop { failover: true });
    }

    fn on_detector_lost(&mut self) {
        let message = "Internal error of the driver, a bug in remesos: the detector of masters ended".to_owned();
        self.queue.push(S::error(message), 0);
        self.finish.set();
    }

    /// Takes in all that waits, so that many calls share one write.
    fn handle_inputs(&mut self, first: S::Input) {
        self.handle(first);
        while let Ok(input) = self.inputs.try_recv() {
            self.handle(input);
        }
    }

    fn on_report(&mut self, link: &mut Option<Link<S>>, report: Option<Report>) {
        let Some(link) = link else { return };
        let event = match report {
            Some(Report::Opened(id)) => {
                link.calls = Some(Calls::new(self.api.clone(), link.endpoint.clone(), id.as_deref()));
                StreamEvent::Opened
            }
            Some(Report::Event(event)) => event,
            None => StreamEvent::Closed("the stream's task ended".to_owned()),
        };
        link.heard = Instant::now();
        self.session.handle_input(link.heard, Notice::Stream(link.attempt, event).into());
    }

    fn on_progress(&mut self, link: &Option<Link<S>>, progress: Progress<S::Call>) {
        match (progress, link) {
            (Progress::Answered((call, status, body)), _) => self.notice(Notice::Answered(call, status, body)),
            (Progress::Stuck(why), Some(link)) => {
                self.notice(Notice::Stream(link.attempt, StreamEvent::Closed(why)));
            }
            (Progress::Stuck(_), None) => {}
        }
    }

    /// A time is over, unless something came that waits to be read.
    async fn on_timeout(&mut self, link: &mut Option<Link<S>>) {
        for _ in 0..TURNS {
            if let Some(report) = link.as_mut().and_then(|link| link.reports.try_recv().ok()) {
                return self.on_report(link, Some(report));
            }
            yield_now().await;
        }
        let now = Instant::now();
        if self.session.poll_timeout().is_some_and(|due| now.saturating_duration_since(due) > LATE) {
            tracing::info!("This process was paused; what came meanwhile is still to come in");
            self.notice(Notice::Held);
        }
        self.notice(Notice::Timeout);
    }

    /// Does what the session says; `Some` when it is finished, with whether to linger.
    fn flush_outputs(&mut self, link: &mut Option<Link<S>>) -> Option<bool> {
        while let Some(output) = self.session.poll_output() {
            match output {
                Output::Subscribe(attempt, endpoint, call) => {
                    self.leave(link);
                    *link = Some(self.open(attempt, endpoint, call));
                }
                Output::Transmit(call) => self.transmit(link.as_mut(), call),
                Output::Disconnect => self.leave(link),
                Output::Deliver(delivery) => {
                    let size = S::size(&delivery);
                    self.queue.push(delivery, size);
                }
                Output::EndWithin(grace) => (self.end_within)(grace),
                Output::Finished { linger } => return Some(linger),
            }
        }
        None
    }

    fn open(&self, attempt: u64, endpoint: Endpoint, call: bytes::Bytes) -> Link<S> {
        tracing::debug!("Subscribing at {endpoint}, attempt {attempt}");
        let (sender, reports) = mpsc::channel(READ_AHEAD);
        let stream = tokio::spawn(transport::subscribe(self.api.clone(), endpoint.clone(), call, sender));
        Link { attempt, endpoint, reports, stream, heard: Instant::now(), calls: None }
    }

    /// Drops the connections; calls that were accepted and not processed are answered by the session.
    fn leave(&mut self, link: &mut Option<Link<S>>) {
        if let Some(calls) = link.take().and_then(|mut link| link.calls.take()) {
            let left = calls.leave();
            self.notice(Notice::Unsent(left.unsent));
            self.notice(Notice::Inquiries(left.inquiries));
        }
    }

    fn transmit(&mut self, link: Option<&mut Link<S>>, call: Box<S::Call>) {
        match link.and_then(|link| link.calls.as_mut()) {
            Some(calls) => calls.push(call),
            None => self.notice(Notice::Unsent(vec![*call])),
        }
    }

    async fn finish(mut self, link: Option<Link<S>>, linger: bool) {
        let Some(mut link) = link else {
            return self.finish.set();
        };
        if let Some(calls) = &mut link.calls
            && timeout(FLUSH_TIMEOUT, calls.flush()).await.is_err()
        {
            tracing::warn!("The last calls were not answered within {FLUSH_TIMEOUT:?}");
        }
        self.finish.set();
        if linger {
            self.drain(&mut link).await;
        }
    }

    /// Keeps the stream open and reads it, until the master closes it or the driver is gone.
    async fn drain(&mut self, link: &mut Link<S>) {
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
