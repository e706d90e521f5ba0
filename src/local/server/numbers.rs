//! Numbers and durations in queries, refused in the words of the real one (`numify.hpp` and `duration.hpp` of stout).

use crate::wire::duration::Period;

/// A number, if it is one.
///
/// Fails with the words of `numify`.
pub fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("Failed to convert '{text}' to number"))
}

/// A duration such as `2secs`, if it is one.
///
/// Fails with the words of `Duration::parse`.
pub fn duration(text: &str) -> Result<Period, String> {
    let at =
        text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(|| format!("Invalid duration '{text}'"))?;
    let (amount, unit) = text.split_at(at);
    number::<f64>(amount)?;
    // Flags take a blank before the unit, and queries do not.
    let found = if unit.starts_with(char::is_alphabetic) { Period::parse(text).ok() } else { None };
    found.ok_or_else(|| {
        format!(
            "Unknown duration unit '{unit}'; supported units are 'ns', 'us', 'ms', 'secs', 'mins', 'hrs', 'days', and \
             'weeks'"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_duration_is_refused_in_the_real_one_s_words() {
        assert_eq!(duration("1.5secs"), Ok(Period::from_millis(1500)));
        for (text, why) in [
            ("", "Invalid duration ''"),
            ("1", "Invalid duration '1'"),
            ("x", "Failed to convert '' to number"),
            ("-1secs", "Failed to convert '' to number"),
            ("1.5.5secs", "Failed to convert '1.5.5' to number"),
        ] {
            assert_eq!(duration(text).expect_err(text), why);
        }
        assert!(duration("1 secs").expect_err("a blank").starts_with("Unknown duration unit ' secs'; supported"));
    }
}
