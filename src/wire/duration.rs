//! Durations as Mesos' flags and environment variables write them: `<number><unit>`.
//! Follows `3rdparty/stout/include/stout/duration.hpp`.

use std::time::Duration;

use crate::{Error, Result};

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

/// Reads a duration such as `2secs` or `1.5mins`.
pub fn parse(text: &str) -> Result<Duration> {
    let bad = || {
        Error::invalid(format!(
            "'{text}' is no duration: expected a number and one of ns, us, ms, secs, mins, hrs, days, weeks"
        ))
    };
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(bad)?;
    let (number, unit) = text.split_at(unit_at);
    let seconds = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(bad)?.1;
    let number: f64 = number.trim().parse().map_err(|_| bad())?;
    Duration::try_from_secs_f64(number * seconds).map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_those_of_mesos() {
        assert_eq!(parse("2secs").expect("valid"), Duration::from_secs(2));
        assert_eq!(parse("1.5mins").expect("valid"), Duration::from_secs(90));
        assert_eq!(parse("250ms").expect("valid"), Duration::from_millis(250));
        for bad in ["", "2", "secs", "2s", "-1secs", "2 lightyears"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
