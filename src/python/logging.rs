//! The crate's log, through Python's `logging`, logger `mesos`.
//!
//! Records are handed over by a thread of their own, so that no IO waits for the interpreter.

use std::fmt::{self, Write};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use pyo3::prelude::*;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record as SpanRecord};
use tracing::{Event, Level, Metadata, Subscriber};

const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// The lowest of Python's levels that is wanted.
static WANTED: AtomicU8 = AtomicU8::new(30);
/// Which process the thread belongs to, and how to reach it.
static THREAD: Mutex<Option<(u32, Sender<Message>)>> = Mutex::new(None);

enum Message {
    Record(u8, String),
    Flush(Sender<()>),
}

struct Forward;

/// Sets the lowest level, in Python's numbers, that is worth handing over; starts the log with the first call.
#[pyfunction]
pub fn set_log_level(level: u8) {
    static INSTALL: Once = Once::new();
    let changed = WANTED.swap(level, Ordering::Relaxed) != level;
    // Fails only where this process has a subscriber already, which is then the one that was wanted.
    INSTALL.call_once(|| drop(tracing::subscriber::set_global_default(Forward)));
    if changed {
        // What was not wanted before is remembered at each place that logs.
        tracing::callsite::rebuild_interest_cache();
    }
}

/// Waits, not for long, until what was logged so far is handed over.
pub fn flush() {
    let (done, waiting) = channel();
    let thread = THREAD.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some((pid, sender)) = thread
        && pid == std::process::id()
        && sender.send(Message::Flush(done)).is_ok()
    {
        // Too late to do anything about a log that does not keep up.
        let _ = waiting.recv_timeout(FLUSH_TIMEOUT);
    }
}

impl Subscriber for Forward {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        number(*metadata.level()) >= WANTED.load(Ordering::Relaxed) && metadata.target().starts_with("remesos")
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        send(Message::Record(number(*event.metadata().level()), one_line(text.0)));
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
/// terminal.
fn one_line(text: String) -> String {
    let unfit = |c: char| (c.is_control() && c != '\t') || matches!(c, '\u{2028}' | '\u{2029}');
    if !text.contains(unfit) {
        return text;
    }
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        if unfit(c) { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line
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

fn send(message: Message) {
    let mut thread = THREAD.lock().unwrap_or_else(PoisonError::into_inner);
    let pid = std::process::id();
    if thread.as_ref().is_none_or(|(owner, _)| *owner != pid) {
        let (sender, receiver) = channel();
        let spawned = std::thread::Builder::new().name("mesos-log".to_owned()).spawn(move || hand_over(receiver));
        if spawned.is_err() {
            return;
        }
        *thread = Some((pid, sender));
    }
    if let Some((_, sender)) = &*thread {
        // The thread ends only with the interpreter.
        let _ = sender.send(message);
    }
}

fn hand_over(receiver: Receiver<Message>) {
    while let Ok(message) = receiver.recv() {
        match message {
            Message::Record(level, text) => {
                let logged = Python::try_attach(|py| log(py, level, &text).map_err(|e| e.display(py)));
                if logged.is_none() {
                    return;
                }
            }
            Message::Flush(done) => drop(done.send(())),
        }
    }
}

fn log(py: Python<'_>, level: u8, text: &str) -> PyResult<()> {
    let logger = py.import("logging")?.call_method1("getLogger", ("mesos",))?;
    logger.call_method1("log", (level, "%s", text)).map(drop)
}
