//! When a stream of events is read. Each read that brings a single event wakes two threads; in a burst of them it is
//! cheaper, and hardly later, to read once in a turn what has come meanwhile. Network cards moderate their interrupts in
//! the same way.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use crate::clock::{self, Clock, Timer};
use crate::wire::duration::Period;

/// A burst begins with so many reads that are not in turns, on average in two of the shortest turns each.
const READS: u32 = 16;
/// How long the first turns of a burst are.
pub const TURN: Period = Period::from_millis(1);
/// How long turns become if as much comes in the same time.
const TURN_MAX: Period = Period::from_millis(4);
/// How many turns are compared with how many.
const COMPARED: u32 = 8;
/// After turns that were too long, so many comparisons pass before they are tried again.
const RESTS: u32 = 32;
/// Turns are too long if less than this part comes of what came before.
const FIRST_LEAST: f64 = 0.7;
const LEAST: f64 = 0.8;

/// The turns in which one stream is read.
pub struct Pace {
    /// Whether it is read in turns at all. A clock that is told to move stands still while anything waits.
    in_turns: bool,
    /// What was read since then, not in turns.
    since: Instant,
    reads: u32,
    bytes: usize,
    /// So many reads pass before a burst may begin.
    rest: u32,
    burst: Option<Burst>,
    /// Until the turn is over.
    pause: Option<Timer>,
}

/// Turns without a break.
struct Burst {
    turn: Period,
    /// When something was read.
    last: Instant,
    /// What came since then, in so many turns.
    since: Instant,
    turns: u32,
    bytes: usize,
    /// In bytes per second: the turns are too long if less comes.
    least: Option<f64>,
    rests: u32,
}

impl Pace {
    /// Nothing is read yet.
    pub fn new(in_turns: bool) -> Self {
        Self { in_turns, since: clock::now(), reads: 0, bytes: 0, rest: 0, burst: None, pause: None }
    }

    /// Is ready when the stream is to be read.
    pub fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(pause) = &mut self.pause {
            ready!(Pin::new(pause).poll(context));
            self.pause = None;
        }
        Poll::Ready(())
    }

    /// Whether the stream is read in turns at the moment, and so need not be watched.
    pub fn is_in_turns(&self) -> bool {
        self.burst.is_some()
    }

    /// How long a turn is, while the stream is read in turns.
    pub fn turn(&self) -> Option<Period> {
        self.burst.as_ref().map(|burst| burst.turn)
    }

    /// So many bytes were read; `more` if there may be more, which is not waited for then.
    pub fn read(&mut self, bytes: usize, more: bool) {
        if self.in_turns {
            self.count(bytes, more, clock::now());
        }
    }

    /// There was nothing to read. Returns whether the burst goes on: the last read was in this turn and found more than it
    /// took.
    pub fn idle(&mut self) -> bool {
        self.idle_at(clock::now())
    }

    fn idle_at(&mut self, now: Instant) -> bool {
        self.burst.take_if(|burst| now >= burst.last + burst.turn);
        self.pause = self.burst.as_ref().map(|burst| Clock::real().timer(burst.last + burst.turn));
        self.burst.is_some()
    }

    fn count(&mut self, bytes: usize, more: bool, now: Instant) {
        let Some(burst) = &mut self.burst else { return self.look_for_burst(bytes, now) };
        if !burst.count(bytes, more, now) {
            (self.burst, self.rest) = (None, RESTS * COMPARED);
        } else if !more {
            self.pause = Some(Clock::real().timer(now + burst.turn));
        }
    }

    fn look_for_burst(&mut self, bytes: usize, now: Instant) {
        self.rest = self.rest.saturating_sub(1);
        if self.rest > 0 || now >= self.since + TURN * (2 * READS) {
            (self.since, self.reads, self.bytes) = (now, 0, 0);
        }
        self.reads = self.reads.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
        if self.reads >= READS {
            let burst = Burst::new(now, FIRST_LEAST * rate(self.bytes, self.since, now));
            self.pause = Some(Clock::real().timer(now + burst.turn));
            (self.burst, self.reads) = (Some(burst), 0);
        }
    }
}

impl Burst {
    fn new(now: Instant, least: f64) -> Self {
        Self { turn: TURN, last: now, since: now, turns: 0, bytes: 0, least: Some(least), rests: 0 }
    }

    /// Makes turns longer, unless less comes then: the other side waits for what follows from the events, for example for
    /// acknowledgements. Returns false if even the shortest turns are too long.
    fn count(&mut self, bytes: usize, more: bool, now: Instant) -> bool {
        self.last = now;
        self.bytes = self.bytes.saturating_add(bytes);
        self.turns = self.turns.saturating_add(u32::from(!more));
        if self.turns < COMPARED {
            return true;
        }
        let rate = rate(self.bytes, self.since, now);
        (self.since, self.turns, self.bytes) = (now, 0, 0);
        if self.least.take().is_some_and(|least| rate < least) {
            self.rests = RESTS;
            self.turn = self.turn.scaled(0.5);
            return self.turn >= TURN;
        }
        if self.rests > 0 {
            self.rests = self.rests.saturating_sub(1);
        } else if self.turn < TURN_MAX {
            self.turn = self.turn * 2;
            self.least = Some(LEAST * rate);
        }
        true
    }
}

/// Bytes per second.
fn rate(bytes: usize, since: Instant, now: Instant) -> f64 {
    bytes as f64 / now.saturating_duration_since(since).as_secs_f64().max(f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads so many bytes each turn, for so many turns; returns how long turns are then.
    fn turns(pace: &mut Pace, now: &mut Instant, number: u32, bytes: impl Fn(Period) -> usize) -> Period {
        for _ in 0..number {
            let turn = pace.turn().expect("a burst");
            *now = *now + turn;
            pace.pause = None;
            pace.count(bytes(turn), false, *now);
        }
        pace.turn().unwrap_or_default()
    }

    /// As much as comes in half a turn if it is read in no turns.
    const BYTES: usize = 100;

    fn burst(now: &mut Instant) -> Pace {
        let mut pace = Pace::new(true);
        for _ in 0..READS {
            *now = *now + TURN.scaled(0.4);
            assert!(!pace.is_in_turns() && pace.pause.is_none());
            pace.count(BYTES, false, *now);
        }
        assert!(pace.is_in_turns());
        pace
    }

    #[tokio::test]
    async fn many_reads_in_quick_succession_are_followed_by_turns() {
        let mut now = clock::now();
        let mut pace = burst(&mut now);
        assert_eq!(pace.pause.take().map(|pause| pause.deadline()), Some(now + TURN));
        pace.count(BYTES, true, now + TURN);
        assert!(pace.pause.is_none(), "more is there");
        assert!(pace.idle_at(now + TURN), "but it was all");
        assert_eq!(pace.pause.take().map(|pause| pause.deadline()), Some(now + TURN * 2));
        assert!(!pace.idle_at(now + TURN * 2), "nothing has come for a turn");
        assert!(!pace.is_in_turns() && pace.pause.is_none());
    }

    #[tokio::test]
    async fn reads_now_and_then_are_not_in_turns() {
        let mut now = clock::now();
        let mut pace = Pace::new(true);
        for _ in 0..10 * READS {
            now = now + TURN * 3;
            pace.count(BYTES, false, now);
            assert!(!pace.is_in_turns());
        }
    }

    #[tokio::test]
    async fn turns_become_longer_while_as_much_comes() {
        let mut now = clock::now();
        let mut pace = burst(&mut now);
        let bytes = |turn: Period| usize::try_from(turn.get().as_micros()).expect("a short turn");
        assert_eq!(turns(&mut pace, &mut now, 4 * COMPARED, bytes), TURN_MAX);
    }

    #[tokio::test]
    async fn turns_stay_short_if_the_other_side_waits_for_us() {
        let mut now = clock::now();
        let mut pace = burst(&mut now);
        assert_eq!(turns(&mut pace, &mut now, COMPARED, |_| 2 * BYTES), TURN * 2, "they are tried");
        assert_eq!(turns(&mut pace, &mut now, COMPARED, |_| 2 * BYTES), TURN, "and come back");
        assert_eq!(turns(&mut pace, &mut now, COMPARED * RESTS, |_| 2 * BYTES), TURN);
    }

    #[tokio::test]
    async fn there_are_no_turns_if_the_other_side_waits_for_each_answer() {
        let mut now = clock::now();
        let mut pace = burst(&mut now);
        turns(&mut pace, &mut now, COMPARED, |_| BYTES);
        assert!(!pace.is_in_turns() && pace.pause.is_none());
        for _ in 0..RESTS * COMPARED {
            now = now + TURN.scaled(0.4);
            pace.count(BYTES, false, now);
            assert!(!pace.is_in_turns() && pace.pause.is_none());
        }
    }
}
