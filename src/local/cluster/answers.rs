//! Requests that are refused on request.

use std::time::Instant;

/// What the master answers to schedulers on request.
#[derive(Debug, Default)]
pub struct Answers {
    /// Frameworks that may not subscribe, by id, and until when.
    pub refused: Vec<(String, Instant)>,
    /// Until when no credential is accepted.
    pub unauthorized: Option<Instant>,
}
