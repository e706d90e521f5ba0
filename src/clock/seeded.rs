//! The wall clock and the chance of a simulation, whose time is that of a Tokio runtime which is paused.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::EPOCH;

/// A wall clock that begins at [`EPOCH`], and random numbers that follow from a seed.
#[derive(Debug)]
pub struct Seeded {
    begin: Instant,
    random: Mutex<fastrand::Rng>,
}

impl Seeded {
    /// A clock that begins at this time.
    pub fn new(begin: Instant, seed: u64) -> Self {
        Self { begin, random: Mutex::new(fastrand::Rng::with_seed(seed)) }
    }

    /// The wall time at `now`, in seconds since the epoch.
    pub fn timestamp(&self, now: Instant) -> f64 {
        EPOCH + now.saturating_duration_since(self.begin).as_secs_f64()
    }

    /// The next of the numbers that follow from the seed.
    pub fn seed(&self) -> u64 {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).u64(..)
    }
}
