//! `/logging/toggle`: how much is logged for a while. Follows libprocess' `logging.cpp`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::answer::Arguments;
use super::{Context, numbers};
use crate::local::refusal::Refusal;
use crate::wire::duration::Period;

/// How much is logged: at level 1 and above, every request.
#[derive(Debug, Clone, Default)]
pub struct Verbosity(Arc<Mutex<Option<(u32, Instant)>>>);

impl Verbosity {
    /// The level now: 0 unless another one was set and its time is not over.
    pub fn level(&self, now: Instant) -> u32 {
        let set = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        set.filter(|(_, until)| *until > now).map_or(0, |(level, _)| level)
    }

    /// Sets the level for so long.
    pub fn set(&self, now: Instant, level: u32, period: Period) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((level, now + period));
    }
}

/// `/logging/toggle?level=&duration=` sets the level for a while; without both it tells the level.
pub async fn toggle(context: State<Context>, arguments: Arguments) -> Result<Response, Refusal> {
    let now = context.cluster.clock().now();
    let bad = |why: String| Refusal::new(400, why);
    let (level, duration) = match (arguments.get("level"), arguments.get("duration")) {
        (None, None) => {
            let level = context.verbosity.level(now);
            return Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], format!("{level}\n")).into_response());
        }
        (Some(_), None) => return Err(bad("Expecting 'duration=value' in query.\n".to_owned())),
        (None, Some(_)) => return Err(bad("Expecting 'level=value' in query.\n".to_owned())),
        (Some(level), Some(duration)) => (level, duration),
    };
    let level: i32 = numbers::number(level).map_err(|why| bad(format!("{why}.\n")))?;
    let level = u32::try_from(level).map_err(|_| bad(format!("Invalid level '{level}'.\n")))?;
    let period = numbers::duration(duration).map_err(|why| bad(format!("{why}.\n")))?;
    context.verbosity.set(now, level, period);
    Ok(StatusCode::OK.into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_holds_for_its_time() {
        let (now, verbosity) = (Instant::now(), Verbosity::default());
        assert_eq!(verbosity.level(now), 0);
        verbosity.set(now, 2, Period::from_secs(1));
        assert_eq!(verbosity.level(now), 2);
        assert_eq!(verbosity.level(now + Period::from_secs(1)), 0);
    }
}
