//! Clocks, and the randomness of the world: the one place that asks for them. State machines are handed what they need
//! of it, and name nothing of this.
#![expect(clippy::disallowed_methods, reason = "the only place that asks the world")]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tokio::time::Sleep;
use uuid::Uuid;

use self::skipping::{Alarm, Skipping};

pub mod places;
pub mod skipping;

/// What a cluster, or a driver, asks for the time. Clones show the same time.
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<Skipping>>);

impl Clock {
    /// The clock of the world.
    pub const fn real() -> Self {
        Self(None)
    }

    /// A clock that moves only when it is told to. Everything that is left to chance follows from the seed.
    pub fn skipping(seed: u64) -> Self {
        Self(Some(Arc::new(Skipping::new(now(), seed))))
    }

    /// The clock that is told to move; `None` if it is the world's.
    pub fn as_skipping(&self) -> Option<&Arc<Skipping>> {
        self.0.as_ref()
    }

    /// The time now.
    pub fn now(&self) -> Instant {
        match &self.0 {
            None => now(),
            Some(clock) => clock.now(),
        }
    }

    /// The wall time now, in seconds since the epoch.
    pub fn timestamp(&self) -> f64 {
        match &self.0 {
            None => timestamp(),
            Some(clock) => clock.timestamp(),
        }
    }

    /// A number for a state machine to start its random numbers from.
    pub fn seed(&self) -> u64 {
        match &self.0 {
            None => seed(),
            Some(clock) => clock.seed(),
        }
    }

    /// Waits until it is so late. To be called within a Tokio runtime.
    pub async fn sleep_until(&self, at: Instant) {
        match &self.0 {
            None => tokio::time::sleep_until(at.into()).await,
            Some(clock) => Alarm::new(clock.clone(), at).await,
        }
    }

    /// A timer for this time. To be called within a Tokio runtime.
    pub fn timer(&self, at: Instant) -> Timer {
        match &self.0 {
            None => Timer::Real(Box::pin(tokio::time::sleep_until(at.into()))),
            Some(clock) => Timer::Skipping(Alarm::new(clock.clone(), at)),
        }
    }
}

impl From<Arc<Skipping>> for Clock {
    fn from(clock: Arc<Skipping>) -> Self {
        Self(Some(clock))
    }
}

/// Is ready when it is so late.
#[derive(Debug)]
pub enum Timer {
    /// Of the world's clock.
    Real(Pin<Box<Sleep>>),
    /// Of a clock that is told to move.
    Skipping(Alarm),
}

impl Timer {
    /// Sets it for another time.
    pub fn reset(&mut self, at: Instant) {
        match self {
            Self::Real(sleep) => sleep.as_mut().reset(at.into()),
            Self::Skipping(alarm) => alarm.reset(at),
        }
    }

    /// What it is set for.
    pub fn deadline(&self) -> Instant {
        match self {
            Self::Real(sleep) => sleep.deadline().into_std(),
            Self::Skipping(alarm) => alarm.deadline(),
        }
    }
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        match &mut *self {
            Self::Real(sleep) => sleep.as_mut().poll(context),
            Self::Skipping(alarm) => Pin::new(alarm).poll(context),
        }
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
