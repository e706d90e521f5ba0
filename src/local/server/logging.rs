//! How much is logged, for a while: `/logging/toggle`, and what the operator APIs have of it. Follows libprocess' `logging.cpp`.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::answer::Arguments;
use super::stream::stopping;
use super::{Context, numbers};
use crate::local::refusal::Refusal;

/// `/logging/toggle?level=&duration=` sets the level for a while; without both it tells the level.
pub async fn toggle(context: State<Context>, arguments: Arguments) -> Result<Response, Refusal> {
    let bad = |why: String| Refusal::new(400, why);
    let (level, duration) = match (arguments.get("level"), arguments.get("duration")) {
        (None, None) => {
            let level = level(&context).await?;
            return Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], format!("{level}\n")).into_response());
        }
        (Some(_), None) => return Err(bad("Expecting 'duration=value' in query.\n".to_owned())),
        (None, Some(_)) => return Err(bad("Expecting 'level=value' in query.\n".to_owned())),
        (Some(level), Some(duration)) => (level, duration),
    };
    let level: i32 = numbers::number(level).map_err(|why| bad(format!("{why}.\n")))?;
    let level = u32::try_from(level).map_err(|_| bad(format!("Invalid level '{level}'.\n")))?;
    let period = numbers::duration(duration).map_err(|why| bad(format!("{why}.\n")))?;
    set_level(&context, level, period.get().as_secs_f64()).await?;
    Ok(StatusCode::OK.into_response())
}

/// How much is logged.
pub async fn level(context: &Context) -> Result<u32, Refusal> {
    context.cluster.ask(|machine, now| machine.logging_level(now)).await.ok_or_else(stopping)
}

/// Sets how much is logged for so many seconds.
pub async fn set_level(context: &Context, level: u32, seconds: f64) -> Result<(), Refusal> {
    let set = context.cluster.ask(move |machine, now| machine.set_logging_level(now, level, seconds));
    set.await.ok_or_else(stopping)
}
