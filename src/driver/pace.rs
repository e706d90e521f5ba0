//! When a stream of events is read. Each read that brings a single event wakes two threads; in a burst of them it is
//! cheaper, and hardly later, to read once in a millisecond what has come meanwhile.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use crate::clock::{self, Clock, Timer};
use crate::wire::duration::Period;

/// A stream is read at once if it was read less than so often in this time.
const READS: u32 = 3;
/// How long a turn is.
pub const TURN: Period = Period::from_millis(1);
/// A read that brings so much is not one of few events, and counts as none.
const LARGE: usize = 4096;

/// The turns in which one stream is read.
pub struct Pace {
    /// Whether it is read in turns at all. A clock that is told to move stands still while anything waits.
    in_turns: bool,
    /// When the turn began, and the reads since.
    turn: Instant,
    reads: u32,
    /// Until the turn is over.
    pause: Option<Timer>,
}

impl Pace {
    /// Nothing is read yet.
    pub fn new(in_turns: bool) -> Self {
        Self { in_turns, turn: clock::now(), reads: 0, pause: None }
    }

    /// Is ready when the stream is to be read.
    pub fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(pause) = &mut self.pause {
            ready!(Pin::new(pause).poll(context));
            self.pause = None;
        }
        Poll::Ready(())
    }

    /// So many bytes were read.
    pub fn read(&mut self, bytes: usize) {
        if self.in_turns {
            self.count(bytes, clock::now());
        }
    }

    fn count(&mut self, bytes: usize, now: Instant) {
        if now >= self.turn + TURN || bytes >= LARGE {
            (self.turn, self.reads) = (now, 0);
        }
        self.reads = self.reads.saturating_add(1);
        if self.reads >= READS {
            self.pause = Some(Clock::real().timer(self.turn + TURN));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn small_reads_in_one_turn_are_followed_by_a_pause() {
        let mut pace = Pace::new(true);
        let now = clock::now();
        for _ in 1..READS {
            pace.count(1, now);
            assert!(pace.pause.is_none());
        }
        pace.count(LARGE, now);
        assert!(pace.pause.is_none(), "a large read has waited for nothing");
        for _ in 1..READS {
            pace.count(1, now);
        }
        assert_eq!(pace.pause.as_ref().map(Timer::deadline), Some(now + TURN));
        pace.pause = None;
        pace.count(1, now + TURN);
        assert!(pace.pause.is_none(), "another turn has begun");
    }
}
