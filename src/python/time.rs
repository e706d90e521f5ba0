//! `mesos._core.Time`: the clock of an embedded cluster.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pyo3::prelude::*;

use super::dispatcher::SIGNAL_CHECK;
use super::guarded;
use crate::clock::skipping::{Move, Moving, Outcome, Skipping};
use crate::local::LocalCluster;
use crate::wire::duration::Period;
use crate::{Error, clock};

/// A condition that is waited for is looked at this often, in the time that moves, though nothing happened.
const LOOK: Duration = Duration::from_secs(1);

/// Why time does not move.
const ENDLESS: &str = "time does not move on, because calls and callbacks follow one another without end at one time: a \
                       framework that tries again has to wait in between, as with call_later()";

/// The clock of one cluster.
#[pyclass(frozen, module = "mesos._core")]
pub struct Time(pub Arc<LocalCluster>);

#[pymethods]
impl Time {
    /// The wall time, in seconds since the epoch.
    fn now(&self) -> f64 {
        self.0.clock().timestamp()
    }

    /// Whether it moves only when it is told to.
    fn skips(&self) -> bool {
        self.0.clock().as_skipping().is_some()
    }

    /// Whether this thread makes a callback for which time waits.
    fn in_callback(&self) -> bool {
        self.0.clock().as_skipping().is_some_and(|clock| clock.is_in_callback())
    }

    /// Moves the time on, through everything that is due meanwhile. False if the cluster stopped, or is another process's.
    fn advance(&self, py: Python<'_>, seconds: f64) -> PyResult<bool> {
        let Some(clock) = self.own_clock() else { return Ok(false) };
        let until = clock.now() + period(seconds)?;
        Ok(go(py, clock, Move { until, watching: None }, None)? != Some(Outcome::Ended))
    }

    /// Moves the time on until a condition is true, for so many seconds at most; whether it is. None if the cluster
    /// stopped before.
    fn run_until(&self, py: Python<'_>, condition: &Bound<'_, PyAny>, seconds: f64) -> PyResult<Option<bool>> {
        let Some(clock) = self.own_clock() else { return Ok(None) };
        let found = run_until(py, clock, period(seconds)?, |_| {
            let holds = guarded::call(condition, ())?.is_truthy()?;
            Ok(holds.then_some(()))
        })?;
        Ok(match found {
            Reached::There(()) => Some(true),
            Reached::TimedOut => Some(false),
            Reached::Stopped => None,
        })
    }

    /// Has a call made later. Its number.
    fn call_later(&self, seconds: f64) -> PyResult<u64> {
        Ok(self.0.call_later(period(seconds)?))
    }

    /// Has a call not made; whether it was still to be made.
    fn cancel_call(&self, number: u64) -> bool {
        self.0.cancel_call(number)
    }

    /// Waits for the next call that is due, after the one before. None if the cluster has stopped.
    fn next_call(&self, py: Python<'_>) -> Option<u64> {
        py.detach(|| self.0.next_call())
    }
}

impl Time {
    /// The clock, if this process can move it: in a forked child there is nobody who would.
    fn own_clock(&self) -> Option<&Arc<Skipping>> {
        self.0.clock().as_skipping().filter(|_| !self.0.is_inherited())
    }
}

fn period(seconds: f64) -> PyResult<Period> {
    let invalid = || Error::invalid(format!("{seconds} is not a valid number of seconds"));
    Ok(Period::from_seconds(seconds).ok_or_else(invalid)?)
}

/// What came of waiting while time moves.
pub enum Reached<T> {
    There(T),
    TimedOut,
    Stopped,
}

/// Moves the time on until a condition gives something. It is asked when something has happened and nothing is left to do.
/// Signals are handled meanwhile. While real processes run, time does not move, and real seconds count as well.
pub fn run_until<T>(
    py: Python<'_>,
    clock: &Arc<Skipping>,
    at_most: Period,
    mut condition: impl FnMut(Python<'_>) -> PyResult<Option<T>>,
) -> PyResult<Reached<T>> {
    let until = clock.now() + at_most;
    let real = clock::now() + at_most;
    let mut outcome = go(py, clock, Move { until: clock.now(), watching: Some(clock.count()) }, Some(real))?;
    loop {
        let count = clock.count();
        if let Some(found) = condition(py)? {
            return Ok(Reached::There(found));
        }
        if outcome == Some(Outcome::Ended) {
            return Ok(Reached::Stopped);
        }
        if outcome.is_none() || clock.now() >= until {
            return Ok(Reached::TimedOut);
        }
        let next = until.min(clock.now() + Period::from(LOOK));
        outcome = go(py, clock, Move { until: next, watching: Some(count) }, Some(real))?;
    }
}

/// Moves the time on, and handles signals meanwhile. `None` if so much real time has passed.
fn go(py: Python<'_>, clock: &Arc<Skipping>, wanted: Move, real: Option<Instant>) -> PyResult<Option<Outcome>> {
    let begin = || -> PyResult<Moving> {
        loop {
            if let Some(moving) = clock.start_move(wanted) {
                return Ok(moving);
            }
            py.detach(|| clock.wait_for_mover(SIGNAL_CHECK));
            py.check_signals()?;
        }
    };
    let moving = begin()?;
    loop {
        if let Some(outcome) = py.detach(|| moving.wait(SIGNAL_CHECK)) {
            if outcome == Outcome::Endless {
                Err(Error::cluster(ENDLESS))?;
            }
            return Ok(Some(outcome));
        }
        py.check_signals()?;
        if clock.has_running() && real.is_some_and(|real| clock::now() > real) {
            return Ok(None);
        }
    }
}
