//! Reading a stream of events in turns. Each read that brings a single event wakes two threads; in a burst of them it
//! is cheaper, and hardly later, to read once in a millisecond what has come meanwhile.

use std::future::Future;
use std::io::Result;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::clock::{self, Clock, Timer};
use crate::wire::duration::Period;

/// A stream is read at once if it was read less than so often in this time.
const READS: u32 = 3;
/// How long a turn is.
pub const TURN: Period = Period::from_millis(1);
/// A read that brings so much is not one of few events, and counts as none.
const LARGE: usize = 4096;

/// A connection that is read in turns.
pub struct Paced<T> {
    inner: T,
    /// Whether it is read in turns at all. A clock that is told to move stands still while anything waits.
    in_turns: bool,
    /// When the turn began, and the reads since.
    turn: Instant,
    reads: u32,
    /// Until the turn is over.
    pause: Option<Timer>,
}

impl<T> Paced<T> {
    /// Nothing is read yet.
    pub fn new(inner: T, in_turns: bool) -> Self {
        Self { inner, in_turns, turn: clock::now(), reads: 0, pause: None }
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

impl<T: AsyncRead + Unpin> AsyncRead for Paced<T> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        if let Some(pause) = &mut self.pause {
            ready!(Pin::new(pause).poll(context));
            self.pause = None;
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        if self.in_turns {
            self.count(buffer.filled().len().saturating_sub(before), clock::now());
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Paced<T> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, data)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[std::io::IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn small_reads_in_one_turn_are_followed_by_a_pause() {
        let mut paced = Paced::new((), true);
        let now = clock::now();
        for _ in 1..READS {
            paced.count(1, now);
            assert!(paced.pause.is_none());
        }
        paced.count(LARGE, now);
        assert!(paced.pause.is_none(), "a large read has waited for nothing");
        for _ in 1..READS {
            paced.count(1, now);
        }
        assert_eq!(paced.pause.as_ref().map(Timer::deadline), Some(now + TURN));
        paced.pause = None;
        paced.count(1, now + TURN);
        assert!(paced.pause.is_none(), "another turn has begun");
    }
}
