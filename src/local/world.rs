//! What master and agents know of the world: the wall time, and random numbers. Both are handed in, so that a run in
//! virtual time with the same seed gives the same answers.

use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::proto::v1;

/// How far the wall clock may be from what is told before it is told anew.
const DRIFT_MAX: Duration = Duration::from_millis(1);

/// The wall time at one moment, from which that of any other follows.
#[derive(Debug, Clone, Copy)]
pub struct WallClock {
    at: Instant,
    /// In seconds since the epoch.
    wall: f64,
}

impl WallClock {
    /// A wall clock that shows this many seconds since the epoch at `at`.
    pub fn new(at: Instant, wall: f64) -> Self {
        Self { at, wall }
    }

    /// What it shows at `now`, in seconds since the epoch.
    pub fn timestamp(&self, now: Instant) -> f64 {
        self.wall + now.saturating_duration_since(self.at).as_secs_f64()
    }

    /// Whether it is to be set, since the wall time at `now` is another: someone set the clock, or the machine slept.
    pub fn is_off(&self, now: Instant, wall: f64) -> bool {
        (self.timestamp(now) - wall).abs() > DRIFT_MAX.as_secs_f64()
    }
}

/// The wall clock and the random numbers of one state machine.
#[derive(Debug)]
pub struct World {
    /// The wall clock, which whoever drives the state machine sets when it is off.
    pub clock: WallClock,
    /// Decides what is left to chance.
    pub random: fastrand::Rng,
}

impl World {
    /// A world with this clock, in which this seed decides what is left to chance.
    pub fn new(clock: WallClock, seed: u64) -> Self {
        Self { clock, random: fastrand::Rng::with_seed(seed) }
    }

    /// A world for another state machine that takes the place of this one.
    pub fn fork(&mut self) -> Self {
        Self { clock: self.clock, random: self.random.fork() }
    }

    /// A world for tests, which is the same in each.
    #[cfg(test)]
    pub fn of_tests(now: Instant) -> Self {
        Self::new(WallClock::new(now, 1e9), 7)
    }

    /// The wall time at `now`, in seconds since the epoch, as statuses have it.
    pub fn timestamp(&self, now: Instant) -> f64 {
        self.clock.timestamp(now)
    }

    /// A random UUID.
    pub fn uuid(&mut self) -> Uuid {
        uuid::Builder::from_random_bytes(self.random.u128(..).to_ne_bytes()).into_uuid()
    }
}

/// A wall time in seconds since the epoch, as messages have it.
#[expect(clippy::cast_possible_truncation, reason = "the time since 1970 in nanoseconds fits until 2262")]
pub fn time_info(seconds: f64) -> v1::TimeInfo {
    v1::TimeInfo { nanoseconds: (seconds * 1e9) as i64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_goes_on_from_where_it_was_set() {
        let now = Instant::now();
        let clock = WallClock::new(now, 1e9);
        let later = now + Duration::from_secs(90);
        assert!((clock.timestamp(later) - (1e9 + 90.0)).abs() < 1e-6);
        assert!(!clock.is_off(later, 1e9 + 90.0));
        assert!(clock.is_off(later, 1e9 + 90.01), "it was set");
        assert!(clock.is_off(later, 1e9 + 89.0), "it was set back");
    }

    #[test]
    fn the_same_seed_gives_the_same_random_uuids() {
        let clock = WallClock::new(Instant::now(), 0.0);
        let (mut one, mut other) = (World::new(clock, 7), World::new(clock, 7));
        let first = one.uuid();
        assert_eq!(first, other.uuid());
        assert_ne!(first, one.uuid());
        assert_eq!(first.get_version(), Some(uuid::Version::Random));
    }
}
