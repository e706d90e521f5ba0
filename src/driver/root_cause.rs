//! What is at the bottom of an error.

use std::error::Error;

/// An error that shows what the operating system, the resolver or TLS said, without what was said around it.
#[derive(Debug, thiserror::Error)]
#[error("{}", innermost(.0))]
pub struct RootCause<E: Error + 'static>(#[source] pub E);

fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause
}
