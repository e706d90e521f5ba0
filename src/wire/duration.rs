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

/// Writes a duration as Mesos does: a whole number of the largest unit in which it is one.
pub fn show(duration: Duration) -> String {
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
    let all = duration.as_nanos();
    let whole = NANOSECONDS.iter().find(|(_, unit)| all > 0 && all.is_multiple_of(*unit));
    whole.map_or_else(|| "0ns".to_owned(), |(name, unit)| format!("{}{name}", all / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_shown_in_the_largest_unit_that_fits() {
        for text in ["5secs", "1mins", "90secs", "15mins", "1500ms", "0ns", "1weeks"] {
            assert_eq!(show(parse(text).expect("valid")), text);
        }
    }

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
