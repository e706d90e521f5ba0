//! How long to wait before subscribing again: uniform over a window that doubles.
//! Follows `SchedulerProcess::doReliableRegistration` in `src/sched/sched.cpp`.

use crate::wire::duration::Period;

const WINDOW_MAX: Period = Period::from_secs(60);

/// Draws random delays from a window that doubles with each delay. The same seed yields the same delays.
///
/// ```
/// use remesos::session::backoff::Backoff;
/// use remesos::wire::duration::Period;
///
/// let mut backoff = Backoff::new(Period::from_secs(2), Period::ZERO, 7);
/// assert!(backoff.next_delay() <= Period::from_secs(2));
/// assert!(backoff.next_delay() <= Period::from_secs(4));
/// backoff.reset();
/// assert!(backoff.next_delay() <= Period::from_secs(2));
/// ```
#[derive(Debug)]
pub struct Backoff {
    factor: Period,
    cap: Period,
    window: Period,
    random: fastrand::Rng,
}

impl Backoff {
    /// A window that starts at `factor` and ends at a minute, or at a tenth of `failover_timeout` if one is set.
    pub fn new(factor: Period, failover_timeout: Period, seed: u64) -> Self {
        let tenth = failover_timeout.scaled(0.1);
        let cap = if tenth.is_zero() { WINDOW_MAX } else { WINDOW_MAX.min(tenth) };
        Self { factor, cap, window: factor.min(cap), random: fastrand::Rng::with_seed(seed) }
    }

    /// Returns the delay before the next attempt, and doubles the window.
    pub fn next_delay(&mut self) -> Period {
        let delay = self.window.scaled(self.random.f64());
        self.window = (self.window * 2).min(self.cap);
        delay
    }

    /// Returns to the first window, after a success.
    pub fn reset(&mut self) {
        self.window = self.factor.min(self.cap);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_doubles_up_to_its_cap_and_starts_anew_after_a_success() {
        let second = Period::from_secs(1);
        let mut backoff = Backoff::new(second * 2, Period::ZERO, 7);
        for window in [2, 4, 8, 16, 32, 60, 60] {
            assert!(backoff.next_delay() <= second * window);
        }
        assert_eq!(backoff.window, second * 60);
        backoff.reset();
        assert_eq!(backoff.window, second * 2);
        assert_eq!(Backoff::new(second * 2, second * 5, 7).window, Period::from_millis(500));
    }
}
