//! The clock and the randomness of the world: the one place that asks for them. State machines are handed what they need
//! of it, and name nothing of this.
#![expect(clippy::disallowed_methods, reason = "the only place that asks the world")]

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use uuid::Uuid;

/// The time now.
pub fn now() -> Instant {
    Instant::now()
}

/// The wall time now, in seconds since the epoch.
pub fn timestamp() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// A number for a state machine to start its random numbers from.
pub fn seed() -> u64 {
    fastrand::u64(..)
}

/// A random UUID.
pub fn uuid() -> Uuid {
    Uuid::new_v4()
}
