//! Clocks, and the randomness of the world: the one place that asks for them. State machines are handed what they need
//! of it, and name nothing of this.
#![expect(clippy::disallowed_methods, reason = "the only place that asks the world")]

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tokio::time::Sleep;
use uuid::Uuid;

/// What a cluster, or a driver, asks for the time. Clones show the same time.
#[derive(Debug, Clone, Default)]
pub struct Clock;

impl Clock {
    /// The clock of the world.
    pub fn real() -> Self {
        Self
    }

    /// The time now.
    pub fn now(&self) -> Instant {
        now()
    }

    /// The wall time now, in seconds since the epoch.
    pub fn timestamp(&self) -> f64 {
        timestamp()
    }

    /// A number for a state machine to start its random numbers from.
    pub fn seed(&self) -> u64 {
        seed()
    }

    /// Waits until it is so late. To be called within a Tokio runtime.
    pub async fn sleep_until(&self, at: Instant) {
        tokio::time::sleep_until(at.into()).await;
    }

    /// A timer for this time. To be called within a Tokio runtime.
    pub fn timer(&self, at: Instant) -> Timer {
        Timer(Box::pin(tokio::time::sleep_until(at.into())))
    }
}

/// Is ready when it is so late.
#[derive(Debug)]
pub struct Timer(Pin<Box<Sleep>>);

impl Timer {
    /// Sets it for another time.
    pub fn reset(&mut self, at: Instant) {
        self.0.as_mut().reset(at.into());
    }

    /// What it is set for.
    pub fn deadline(&self) -> Instant {
        self.0.deadline().into_std()
    }
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(context)
    }
}

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
