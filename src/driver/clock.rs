//! What state machines are told of the world's time.

use std::time::{SystemTime, UNIX_EPOCH};

/// Seconds since the epoch.
pub fn timestamp() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
