//! Durations from outside: numbers in messages, and what flags and environment variables write as `<number><unit>`.
//! Follows `3rdparty/stout/include/stout/duration.hpp`.
#![expect(clippy::disallowed_methods, reason = "the only place that makes durations of numbers from outside")]

use std::fmt;
use std::ops::{Add, Mul};
use std::time::{Duration, Instant};

use crate::{Error, Result};

const YEAR: u64 = 365 * 86_400;
const UNITS: [(&str, f64); 8] = [
    ("weeks", 604_800.0),
    ("days", 86_400.0),
    ("hrs", 3_600.0),
    ("mins", 60.0),
    ("secs", 1.0),
    ("ms", 1e-3),
    ("us", 1e-6),
    ("ns", 1e-9),
];

/// A duration that comes from outside: at least zero, and at most [`Period::MAX`].
///
/// Longer ones become `Period::MAX`, which nobody outlives. So neither adding a period to an `Instant` nor multiplying
/// it can overflow, which with a plain `Duration` panics.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(Duration);

impl Period {
    /// No time at all.
    pub const ZERO: Self = Self(Duration::ZERO);
    /// A hundred years.
    pub const MAX: Self = Self(Duration::from_secs(100 * YEAR));

    /// A period of so many seconds, for constants.
    pub const fn from_secs(seconds: u64) -> Self {
        if seconds > 100 * YEAR { Self::MAX } else { Self(Duration::from_secs(seconds)) }
    }

    /// A period of so many milliseconds, for constants.
    pub const fn from_millis(milliseconds: u64) -> Self {
        if milliseconds > 100 * YEAR * 1000 { Self::MAX } else { Self(Duration::from_millis(milliseconds)) }
    }

    /// Takes a message's seconds. `None` when they are negative or not a number.
    pub fn from_seconds(seconds: f64) -> Option<Self> {
        (seconds >= 0.0).then(|| Self(Duration::from_secs_f64(seconds.min(Self::MAX.as_secs_f64()))))
    }

    /// Takes a `DurationInfo`'s nanoseconds; zero when they are negative.
    pub fn from_nanoseconds(nanoseconds: i64) -> Self {
        u64::try_from(nanoseconds).map_or(Self::ZERO, |nanoseconds| Duration::from_nanos(nanoseconds).into())
    }

    /// Reads a duration such as `2secs` or `1.5mins`.
    ///
    /// Fails when the text is not a number followed by one of Mesos' units. A number that is too large for stout's
    /// 64 bits of nanoseconds is not an error there, and becomes `Period::MAX` here.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = || {
            Error::invalid(format!(
                "'{text}' is not a valid duration: expected a number and one of ns, us, ms, secs, mins, hrs, days, weeks"
            ))
        };
        let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(bad)?;
        let (number, unit) = text.split_at(unit_at);
        let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(bad)?;
        let number: f64 = number.trim().parse().map_err(|_| bad())?;
        Self::from_seconds(number * seconds).ok_or_else(bad)
    }

    /// As a plain duration.
    pub const fn get(self) -> Duration {
        self.0
    }

    /// In seconds.
    pub const fn as_secs_f64(self) -> f64 {
        self.0.as_secs_f64()
    }

    /// Whether it is zero.
    pub const fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// What is left of it after another one; zero when nothing is.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// This much of it; zero when the factor is negative or not a number.
    pub fn scaled(self, factor: f64) -> Self {
        Self::from_seconds(self.as_secs_f64() * factor).unwrap_or_default()
    }
}

impl From<Duration> for Period {
    fn from(duration: Duration) -> Self {
        Self(duration.min(Self::MAX.0))
    }
}

impl From<Period> for Duration {
    fn from(period: Period) -> Self {
        period.0
    }
}

impl Add<Period> for Instant {
    type Output = Self;

    #[expect(clippy::arithmetic_side_effects, reason = "the clock has room for a hundred years")]
    fn add(self, period: Period) -> Self {
        self + period.0
    }
}

impl Mul<u32> for Period {
    type Output = Self;

    fn mul(self, times: u32) -> Self {
        self.0.saturating_mul(times).into()
    }
}

impl fmt::Debug for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// As Mesos writes it: a whole number of the largest unit in which it is one.
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NANOSECONDS: [(&str, u128); 8] = [
            ("weeks", 604_800_000_000_000),
            ("days", 86_400_000_000_000),
            ("hrs", 3_600_000_000_000),
            ("mins", 60_000_000_000),
            ("secs", 1_000_000_000),
            ("ms", 1_000_000),
            ("us", 1_000),
            ("ns", 1),
        ];
        let all = self.0.as_nanos();
        let (name, unit) =
            NANOSECONDS.iter().find(|(_, unit)| all > 0 && all.is_multiple_of(*unit)).unwrap_or(&("ns", 1));
        write!(f, "{}{name}", all.checked_div(*unit).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Period {
        Period::parse(text).expect(text)
    }

    #[test]
    fn a_duration_is_shown_in_the_largest_unit_that_fits() {
        for text in ["5secs", "1mins", "90secs", "15mins", "1500ms", "0ns", "1weeks"] {
            assert_eq!(parse(text).to_string(), text);
        }
    }

    #[test]
    fn units_are_those_of_mesos() {
        assert_eq!(parse("2secs"), Period::from_secs(2));
        assert_eq!(parse("1.5mins"), Period::from_secs(90));
        assert_eq!(parse("250ms"), Period::from_millis(250));
        for bad in ["", "2", "secs", "2s", "-1secs", "2 lightyears", "nansecs", "infsecs", "9e18secs", "1e19secs"] {
            assert!(Period::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_is_too_long_becomes_the_maximum() {
        let digits = format!("1{}weeks", "0".repeat(400));
        for text in ["9000000000000000000secs", "5300weeks", "99999999999999999999999999ns", &digits] {
            assert_eq!(parse(text), Period::MAX, "{text}");
        }
        for seconds in [3.2e9, 9.2e9, 2e18, 9.2e18, 1e19, 1.8e19, 1.9e19, 1e300, f64::MAX, f64::INFINITY] {
            assert_eq!(Period::from_seconds(seconds), Some(Period::MAX), "{seconds}");
        }
        assert_eq!(Period::from_nanoseconds(i64::MAX), Period::MAX);
        assert_eq!(Period::from(Duration::MAX), Period::MAX);
        assert_eq!(Period::from_secs(u64::MAX), Period::MAX);
        assert_eq!(Period::from_millis(u64::MAX), Period::MAX);
    }

    #[test]
    fn what_is_no_duration_is_told() {
        for seconds in [-1.0, -1e300, f64::NEG_INFINITY, f64::NAN, -f64::MIN_POSITIVE] {
            assert_eq!(Period::from_seconds(seconds), None, "{seconds}");
        }
        assert_eq!(Period::from_seconds(-0.0), Some(Period::ZERO));
        assert_eq!(Period::from_nanoseconds(i64::MIN), Period::ZERO);
        assert_eq!(Period::from_nanoseconds(-1), Period::ZERO);
    }

    #[test]
    fn no_arithmetic_overflows() {
        let now = Instant::now();
        for period in [Period::ZERO, Period::from_nanoseconds(1), Period::from_secs(7), Period::MAX] {
            for times in [0, 1, 5, u32::MAX] {
                assert!(period * times <= Period::MAX && now + period * times >= now);
            }
            for factor in [0.0, 0.1, 1.0, 1e300, f64::INFINITY, f64::NAN, -1.0] {
                assert!(period.scaled(factor) <= Period::MAX);
            }
            assert_eq!(Period::ZERO.saturating_sub(period), Period::ZERO);
        }
        assert_eq!(Period::from_secs(5).scaled(0.1), Period::from_millis(500));
    }
}
