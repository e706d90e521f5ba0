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

use self::seeded::Seeded;
use self::skipping::{Alarm, Skipping};

pub mod places;
mod seeded;
pub mod skipping;

/// What a cluster, or a driver, asks for the time. Clones show the same time.
#[derive(Debug, Clone, Default)]
pub struct Clock(Kind);

#[derive(Debug, Clone, Default)]
enum Kind {
    /// The world's.
    #[default]
    Real,
    /// The runtime's, which may be paused.
    Seeded(Arc<Seeded>),
    /// One that is told to move.
    Skipping(Arc<Skipping>),
}

impl Clock {
    /// The clock of the world.
    pub const fn real() -> Self {
        Self(Kind::Real)
    }

    /// The clock of the Tokio runtime, whose time a simulation has paused. The wall time and everything that is left to
    /// chance follow from its start and the seed. To be called within the runtime.
    pub fn seeded(seed: u64) -> Self {
        Self(Kind::Seeded(Arc::new(Seeded::new(now(), seed))))
    }

    /// A clock that moves only when it is told to. Everything that is left to chance follows from the seed.
    pub fn skipping(seed: u64) -> Self {
        Self(Kind::Skipping(Arc::new(Skipping::new(now(), seed))))
    }

    /// The clock that is told to move; `None` if it is another one.
    pub fn as_skipping(&self) -> Option<&Arc<Skipping>> {
        if let Kind::Skipping(clock) = &self.0 { Some(clock) } else { None }
    }

    /// The time now.
    pub fn now(&self) -> Instant {
        match &self.0 {
            Kind::Real | Kind::Seeded(_) => now(),
            Kind::Skipping(clock) => clock.now(),
        }
    }

    /// The wall time now, in seconds since the epoch.
    pub fn timestamp(&self) -> f64 {
        match &self.0 {
            Kind::Real => timestamp(),
            Kind::Seeded(clock) => clock.timestamp(now()),
            Kind::Skipping(clock) => clock.timestamp(),
        }
    }

    /// A number for a state machine to start its random numbers from.
    pub fn seed(&self) -> u64 {
        match &self.0 {
            Kind::Real => seed(),
            Kind::Seeded(clock) => clock.seed(),
            Kind::Skipping(clock) => clock.seed(),
        }
    }

    /// Waits until it is so late. To be called within a Tokio runtime.
    pub async fn sleep_until(&self, at: Instant) {
        match &self.0 {
            Kind::Real | Kind::Seeded(_) => tokio::time::sleep_until(at.into()).await,
            Kind::Skipping(clock) => Alarm::new(clock.clone(), at).await,
        }
    }

    /// A timer for this time. To be called within a Tokio runtime.
    pub fn timer(&self, at: Instant) -> Timer {
        match &self.0 {
            Kind::Real | Kind::Seeded(_) => Timer::Real(Box::pin(tokio::time::sleep_until(at.into()))),
            Kind::Skipping(clock) => Timer::Skipping(Alarm::new(clock.clone(), at)),
        }
    }
}

impl From<Arc<Skipping>> for Clock {
    fn from(clock: Arc<Skipping>) -> Self {
        Self(Kind::Skipping(clock))
    }
}

/// Is ready when it is so late.
#[derive(Debug)]
pub enum Timer {
    /// Of the runtime's clock.
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

/// The time now. Tokio's is the world's, unless a simulation has paused it.
pub fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// What the wall clock shows at first where it is not the world's: the beginning of the year 2000, in seconds since the
/// epoch.
const EPOCH: f64 = 946_684_800.0;

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
