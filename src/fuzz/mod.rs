//! What is fuzzed: a function for each kind of bytes that come from outside, which panics if the code that reads them does,
//! or if what it makes of them is not what is promised. `fuzz/` runs them with libFuzzer, and `tests.rs` here, on every
//! test run, with the corpus and some thousand mutations of it. No build of the library contains them.

#[cfg(test)]
mod tests;

mod json;
mod sessions;
mod wire;

pub use self::json::json;
pub use self::sessions::{executor_session, operator_session, scheduler_session};
pub use self::wire::{calls, durations, events, recordio};
pub use crate::driver::fuzz::{masters, nodes, redirects, replies};
pub use crate::local::fuzz::{bodies, options, resources};

/// A target: its name, which is that of its corpus, and its function.
pub type Target = (&'static str, fn(&[u8]));

/// All targets.
pub const TARGETS: [Target; 15] = [
    ("bodies", bodies),
    ("calls", calls),
    ("durations", durations),
    ("events", events),
    ("executor_session", executor_session),
    ("json", json),
    ("masters", masters),
    ("nodes", nodes),
    ("operator_session", operator_session),
    ("options", options),
    ("recordio", recordio),
    ("redirects", redirects),
    ("replies", replies),
    ("resources", resources),
    ("scheduler_session", scheduler_session),
];
