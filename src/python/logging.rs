//! The crate's log, through Python's `logging`, logger `mesos`.
//!
//! Records are handed over by a thread of their own, so that no IO waits for the interpreter.

use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record as SpanRecord};
use tracing::{Event, Level, Metadata, Subscriber};

use super::dispatcher::report;
use super::guarded;
use super::threads::{self, PythonThread};
use crate::clock;
use crate::per_process::PerProcess;

/// How long the interpreter's exit lets records be handed over; what is left then is dropped.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// So many records wait for slow handlers at most; further ones are dropped, and counted.
const WAITING_MAX: usize = 10_000;

/// The lowest of Python's levels that is wanted.
static WANTED: AtomicU8 = AtomicU8::new(30);
static LOG: PerProcess<Mutex<Log>> = PerProcess::new();

/// A level in Python's numbers, and a text.
type Record = (u8, String);

/// How far the log's thread is.
#[derive(Default)]
enum Log {
    /// Nothing was logged yet.
    #[default]
    Quiet,
    Running {
        records: SyncSender<Record>,
        dropped: Arc<AtomicUsize>,
        thread: PythonThread,
        /// Set at the interpreter's exit: no record is handed over after that.
        until: Arc<OnceLock<Instant>>,
    },
    /// The interpreter is about to end: records are dropped.
    Ended,
}

struct Forward;

/// Sets the lowest level, in Python's numbers, that is worth handing over; starts the log with the first call.
#[pyfunction]
pub fn set_log_level(level: u8) {
    static INSTALL: Once = Once::new();
    let changed = WANTED.swap(level, Ordering::Relaxed) != level;
    // Fails only if this process has a subscriber already, which is then the one that was wanted.
    INSTALL.call_once(|| drop(tracing::subscriber::set_global_default(Forward)));
    if changed {
        // What was not wanted before is remembered at each place that logs.
        tracing::callsite::rebuild_interest_cache();
    }
}

/// Ends the log for the interpreter's exit: hands over what was logged so far, within bounds. Whether the thread has
/// ended; if not, a handler does not return.
pub fn shutdown() -> bool {
    let log = std::mem::replace(&mut *LOG.get().lock().unwrap_or_else(PoisonError::into_inner), Log::Ended);
    let Log::Running { records, thread, until, .. } = log else { return true };
    let due = *until.get_or_init(|| clock::now() + FLUSH_TIMEOUT);
    // The thread ends when nobody is left who sends.
    drop(records);
    while !thread.is_over() && clock::now() < due {
        std::thread::sleep(Duration::from_millis(1));
    }
    threads::end(&[&thread])
}

impl Subscriber for Forward {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        number(*metadata.level()) >= WANTED.load(Ordering::Relaxed) && metadata.target().starts_with("remesos")
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        send((number(*event.metadata().level()), escaped(text.0)));
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &SpanRecord<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let written = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
        written.expect("a String takes all");
    }
}

/// Escapes line ends and control characters: what a master says must neither look like further records nor drive a
/// terminal. A record of several lines indents them, and what is indented looks like no record.
fn escaped(text: String) -> String {
    let unfit = |c: char| (c.is_control() && c != '\t') || matches!(c, '\u{2028}' | '\u{2029}');
    if !text.contains(unfit) {
        return text;
    }
    let mut fit = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        if unfit(c) && !text[at..].starts_with("\n    ") { fit.extend(c.escape_default()) } else { fit.push(c) }
    }
    fit
}

fn number(level: Level) -> u8 {
    match level {
        Level::ERROR => 40,
        Level::WARN => 30,
        Level::INFO => 20,
        Level::DEBUG => 10,
        Level::TRACE => 5,
    }
}

fn send(record: Record) {
    let mut log = LOG.get().lock().unwrap_or_else(PoisonError::into_inner);
    if matches!(*log, Log::Quiet) {
        // Without a thread there is nobody to tell.
        let Ok(running) = start() else { return };
        *log = running;
    }
    if let Log::Running { records, dropped, .. } = &*log
        && records.try_send(record).is_err()
    {
        dropped.fetch_add(1, Ordering::Relaxed);
    }
}

fn start() -> std::io::Result<Log> {
    let (records, receiver) = sync_channel(WAITING_MAX);
    let (dropped, until) = (Arc::<AtomicUsize>::default(), Arc::<OnceLock<Instant>>::default());
    let (count, due) = (dropped.clone(), until.clone());
    let thread = PythonThread::spawn("mesos-log", move || hand_over(receiver, &count, &due))?;
    Ok(Log::Running { records, dropped, thread, until })
}

/// Attaches once: to make a thread state takes a lock of the interpreter's that a forked child would find taken.
fn hand_over(mut records: Receiver<Record>, dropped: &AtomicUsize, until: &OnceLock<Instant>) {
    // `None`: the interpreter is gone, and nobody is left who would read the log.
    let _ = Python::try_attach(|py| {
        while let Some((level, text)) = py.detach(|| next(&mut records, until)) {
            let lost = match dropped.swap(0, Ordering::Relaxed) {
                0 => Ok(()),
                lost => {
                    log(py, number(Level::WARN), &format!("{lost} log records were dropped: the handlers are too slow"))
                }
            };
            if let Err(error) = lost.and_then(|()| log(py, level, &text))
                && until.get().is_none()
            {
                report(py, "Failed to log\n", &error);
            }
        }
    });
}

/// The next record; none once nobody is left who sends, and when it is too late.
fn next(records: &mut Receiver<Record>, until: &OnceLock<Instant>) -> Option<Record> {
    let record = records.recv().ok()?;
    until.get().is_none_or(|until| clock::now() < *until).then_some(record)
}

fn log(py: Python<'_>, level: u8, text: &str) -> PyResult<()> {
    let logger = guarded::call_method(&guarded::import(py, "logging")?, "getLogger", ("mesos",))?;
    guarded::call_method(&logger, "log", (level, "%s", text)).map(drop)
}
