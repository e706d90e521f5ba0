//! Calls on their way to the other side, without IO: which wait, which were written and are not answered, and what
//! becomes of these when their connection ends.
//!
//! May touch: bytes and time given to it. Follows RFC 9112, sections 9.3 to 9.6, on what a client may send again.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};

use crate::driver::http::request::HEAD_END;
use crate::driver::http::{self, Reply, bad_reply};
use crate::session::{Session, Unanswered};
use crate::wire::Post;
use crate::{Error, Result};

/// Calls are written in pieces of about this many bytes.
const BATCH: usize = 64 << 10;
/// A buffer that grew larger than this is given back once it is empty.
const BUFFER_KEPT: usize = 4 * BATCH;
/// At most so many calls are written and unanswered at a time, and at most about so many bytes of them.
const WINDOW: usize = 1000;
const WINDOW_BYTES: u64 = 16 << 20;
/// While no call is answered, at most so many bytes of calls wait.
const WAITING_MAX: usize = 64 << 20;
/// What a call takes in memory beside its bytes, about.
const CALL_OVERHEAD: usize = 512;
/// A call that a gateway could not pass on is tried so many times.
const TRIES: u32 = 8;
/// A connection that was not used for this long is not trusted with a call: something between here and the other side
/// may have forgotten it, or be about to close it.
const IDLE_MAX: Duration = Duration::from_secs(4);

/// A call, and the HTTP status and the body of the answer to it.
pub type Answer<C> = (C, u16, String);

/// A call, and what is known of it.
struct Entry<C> {
    call: C,
    /// What is to be sent once the call is answered.
    then: Option<Box<C>>,
    /// Where it ends among the bytes of its connection.
    end: u64,
    /// How often a gateway could not pass it on.
    tries: u32,
    /// The number of the head that it was written with.
    head: u64,
}

/// What every request begins with, up to the length of its body.
#[derive(Debug, Default)]
pub struct Head {
    pub bytes: Vec<u8>,
    /// Which of the subscription's it is.
    pub number: u64,
    /// Whether there may be another when this one is answered with 401.
    pub renews: bool,
}

/// What was not sent, or not answered, when there is nobody any more to send it to.
pub struct Left<C> {
    /// Calls that the other side has certainly not processed.
    pub unsent: Vec<C>,
    /// Calls that find out what became of others, to be sent when there is somebody again.
    pub inquiries: Vec<C>,
}

/// The calls of one subscription.
pub struct Pipeline<S: Session> {
    head: Head,
    /// Answered with 401, and so not processed, with the bodies of the answers: to be sent again, before all others,
    /// with another head.
    refused: Vec<(Entry<S::Call>, String)>,
    /// Whether a call was processed that was written with the head there is.
    accepted: bool,
    waiting: VecDeque<Entry<S::Call>>,
    /// Written and not answered yet, in order.
    outstanding: VecDeque<Entry<S::Call>>,
    answers: VecDeque<Answer<S::Call>>,
    output: BytesMut,
    /// What came and is not a whole reply yet.
    pub input: BytesMut,
    /// A reply, and its bytes.
    last: Option<(Box<[u8]>, Reply)>,
    /// The bytes of requests that were made, and those of them that the connection took.
    made: u64,
    taken: u64,
    /// How many replies came on this connection.
    answered: usize,
    /// How many calls are written on a connection, as far as former ones showed how many are taken.
    usual: usize,
    /// How many calls the other side takes on this connection, as it says.
    most: usize,
    idle_max: Duration,
    /// Since when the oldest unanswered call is waited for.
    since: Option<Instant>,
    /// Connections that ended, or could not be made, since the last answer.
    failures: u32,
    /// The bytes of what waits, counted while there are failures.
    waiting_bytes: usize,
}

impl<S: Session> Pipeline<S> {
    /// Nothing is waiting yet.
    pub fn new(head: Head) -> Self {
        Self {
            head,
            refused: Vec::new(),
            accepted: false,
            waiting: VecDeque::new(),
            outstanding: VecDeque::new(),
            answers: VecDeque::new(),
            output: BytesMut::new(),
            input: BytesMut::new(),
            last: None,
            made: 0,
            taken: 0,
            answered: 0,
            usual: usize::MAX,
            most: usize::MAX,
            idle_max: IDLE_MAX,
            since: None,
            failures: 0,
            waiting_bytes: 0,
        }
    }

    /// Adds a call behind the others.
    pub fn push(&mut self, call: S::Call) {
        if self.failures > 0 {
            self.waiting_bytes = self.waiting_bytes.saturating_add(size(&call));
        }
        self.waiting.push_back(unwritten(call));
    }

    /// Whether every call was written and answered.
    pub fn is_idle(&self) -> bool {
        !self.has_work() && self.answers.is_empty()
    }

    /// Whether a call waits that may be written now.
    pub fn has_to_write(&self) -> bool {
        !self.output.is_empty() || (!self.waiting.is_empty() && self.may_write())
    }

    /// Whether a call waits, or was not answered.
    pub fn has_work(&self) -> bool {
        !self.waiting.is_empty() || !self.outstanding.is_empty() || !self.refused.is_empty()
    }

    /// Whether answers are expected.
    pub fn expects(&self) -> bool {
        !self.outstanding.is_empty()
    }

    /// Whether calls wait only because too many are unanswered.
    pub fn is_held(&self) -> bool {
        !self.waiting.is_empty() && !self.may_write()
    }

    /// Whether [`Self::next_answer`] has one.
    pub fn has_answer(&self) -> bool {
        !self.answers.is_empty()
    }

    /// Since when an answer is waited for.
    pub fn since(&self) -> Option<Instant> {
        self.since
    }

    /// For how long the connection may be idle; not at all if the other side takes no further call on it.
    pub fn idle_max(&self) -> Duration {
        if self.answered < self.most { self.idle_max } else { Duration::ZERO }
    }

    /// How often in a row the next call could not be delivered.
    pub fn failures(&self) -> u32 {
        self.waiting.front().map_or(self.failures, |next| self.failures.max(next.tries))
    }

    /// The next answer that somebody waits for.
    pub fn next_answer(&mut self) -> Option<Answer<S::Call>> {
        self.answers.pop_front()
    }

    /// The number of the head that was refused, once all calls that were written with it are answered. Nothing is written
    /// until [`Self::resume`] or [`Self::give_up`] is called.
    pub fn refused(&self) -> Option<u64> {
        self.refused.iter().map(|(entry, _)| entry.head).max().filter(|_| self.outstanding.is_empty())
    }

    /// The number of the head there is.
    pub fn head(&self) -> u64 {
        self.head.number
    }

    /// Writes calls with this head from now on.
    pub fn set_head(&mut self, head: Head) {
        self.head = head;
    }

    /// Sends the calls again that were refused, in their order.
    pub fn resume(&mut self) {
        for (entry, _) in std::mem::take(&mut self.refused).into_iter().rev() {
            self.waiting.push_front(entry);
        }
    }

    /// There is no other head: the calls that were refused are answered so.
    pub fn give_up(&mut self) {
        let refused = std::mem::take(&mut self.refused);
        self.answers.extend(refused.into_iter().map(|(entry, body)| (entry.call, 401, body)));
    }

    /// Whether a call was processed, since this was last asked, that was written with the head there is.
    pub fn take_accepted(&mut self) -> bool {
        std::mem::take(&mut self.accepted)
    }

    /// Whether more waits than can be kept while nothing is answered.
    pub fn is_overfull(&self) -> bool {
        self.failures > 0 && self.waiting_bytes > WAITING_MAX
    }

    /// The next bytes to write, none if nothing may be written now.
    pub fn output(&mut self, now: Instant) -> &[u8] {
        while self.output.len() < BATCH && self.may_write() {
            let Some(entry) = self.waiting.pop_front() else { break };
            self.write(entry, now);
        }
        &self.output
    }

    /// So many bytes of the output were taken.
    pub fn written(&mut self, length: usize) {
        self.output.advance(length);
        self.taken = self.taken.saturating_add(length as u64);
        if self.output.is_empty() && self.output.capacity() > BUFFER_KEPT {
            self.output = BytesMut::new();
        }
    }

    /// Takes the replies that have come; true if this connection goes on. `ended` tells that nothing more comes.
    ///
    /// Fails if what came cannot be understood, or says that the call was not passed on.
    pub fn take_replies(&mut self, now: Instant, ended: bool) -> Result<bool> {
        while let Some(reply) = self.next_reply(ended)? {
            if reply.status >= 200 && !self.take_reply(reply, now)? {
                return Ok(false);
            }
        }
        Ok(!ended)
    }

    /// Cuts the next reply off the input. A master answers nearly all calls with the same bytes, of which the meaning is
    /// known then.
    fn next_reply(&mut self, ended: bool) -> Result<Option<Reply>> {
        if let Some((bytes, reply)) = &self.last
            && self.input.starts_with(bytes)
        {
            self.input.advance(bytes.len());
            return Ok(Some(reply.clone()));
        }
        let Some(reply) = http::parse(&self.input, ended)? else { return Ok(None) };
        let bytes = self.input.split_to(reply.length);
        // Without a length, its end may be that of the connection.
        if reply.body.is_empty() && !reply.close && !ended {
            self.last = Some((bytes.as_ref().into(), reply.clone()));
        }
        Ok(Some(reply))
    }

    /// Goes back to a state in which every call that is not answered waits, as after [`Session::unanswered`]. Returns
    /// how many calls' fate is not known.
    pub fn disconnected(&mut self) -> usize {
        let failed = self.answered == 0;
        let (taken, mut unknown) = (self.taken, 0_usize);
        for entry in std::mem::take(&mut self.outstanding).into_iter().rev() {
            // The other side cannot process a request that it has not got as a whole.
            let again = if entry.end > taken {
                Some(entry)
            } else {
                unknown = unknown.saturating_add(1);
                repeat::<S>(entry)
            };
            again.into_iter().for_each(|entry| self.waiting.push_front(entry));
        }
        (self.output, self.input) = (BytesMut::new(), BytesMut::new());
        (self.made, self.taken, self.answered, self.since) = (0, 0, 0, None);
        (self.most, self.idle_max) = (usize::MAX, IDLE_MAX);
        if failed {
            self.failed();
        }
        unknown
    }

    /// Another connection could not be made, or ended before anything was answered on it.
    pub fn failed(&mut self) {
        self.failures = self.failures.saturating_add(1);
        let calls = self.refused.iter().map(|(entry, _)| entry).chain(&self.waiting);
        self.waiting_bytes = calls.fold(0, |sum, entry| sum.saturating_add(size(&entry.call)));
    }

    /// Gives up.
    pub fn leave(mut self) -> Left<S::Call> {
        self.disconnected();
        self.resume();
        let mut left = Left { unsent: Vec::new(), inquiries: Vec::new() };
        for entry in self.waiting {
            match entry.then {
                Some(then) => left.inquiries.push(*then),
                None => left.unsent.push(entry.call),
            }
        }
        left
    }

    fn may_write(&self) -> bool {
        self.refused.is_empty()
            && self.answered.saturating_add(self.outstanding.len()) < self.usual.min(self.most)
            && self.outstanding.len() < WINDOW
            && self.outstanding.front().is_none_or(|oldest| self.made.saturating_sub(oldest.end) < WINDOW_BYTES)
    }

    fn write(&mut self, mut entry: Entry<S::Call>, now: Instant) {
        let (before, length) = (self.output.len(), entry.call.encoded_len());
        let digits = length.to_string();
        self.output.reserve(
            [self.head.bytes.len(), digits.len(), HEAD_END.len(), length].into_iter().fold(0, usize::saturating_add),
        );
        self.output.extend_from_slice(&self.head.bytes);
        self.output.extend_from_slice(digits.as_bytes());
        self.output.extend_from_slice(HEAD_END);
        entry.call.encode(&mut self.output);
        tracing::debug!("Sent {}", entry.call.name());
        self.made = self.made.saturating_add(self.output.len().saturating_sub(before) as u64);
        (entry.end, entry.head) = (self.made, self.head.number);
        self.outstanding.push_back(entry);
        self.since.get_or_insert(now);
    }

    fn take_reply(&mut self, reply: Reply, now: Instant) -> Result<bool> {
        let mut entry = self.outstanding.pop_front().ok_or_else(|| bad_reply("nothing was asked"))?;
        match reply.status {
            // Neither was processed: a request that did not come as a whole in time, and one to a former leader.
            307 | 308 | 408 => entry.end = u64::MAX,
            502..=504 if entry.tries < TRIES => entry.tries = entry.tries.saturating_add(1),
            _ => return Ok(self.answer(entry, reply, now)),
        }
        self.outstanding.push_front(entry);
        if reply.status == 408 {
            self.unprocessed();
        }
        Err(Error::connection(format!("HTTP {}: {}", reply.status, reply.body)))
    }

    /// Takes the answer to a call; true if this connection goes on.
    fn answer(&mut self, entry: Entry<S::Call>, reply: Reply, now: Instant) -> bool {
        self.answered = self.answered.saturating_add(1);
        self.failures = 0;
        self.since = (!self.outstanding.is_empty()).then_some(now);
        self.take_limits(&reply);
        if reply.status == 401 && self.head.renews {
            self.refused.push((entry, reply.body));
            return !reply.close;
        }
        self.accepted |= entry.head == self.head.number && reply.status < 500;
        if let Some(call) = entry.then {
            self.waiting.push_front(unwritten(*call));
        }
        if !(200..300).contains(&reply.status) || entry.call.answer_counts() {
            self.answers.push_back((entry.call, reply.status, reply.body));
        }
        !reply.close
    }

    /// What a reply says of further calls on its connection.
    fn take_limits(&mut self, reply: &Reply) {
        self.most = reply.more.map_or(self.most, |more| self.answered.saturating_add(more));
        let idle = reply.idle.map(|idle| idle.saturating_sub(Duration::from_secs(1)));
        self.idle_max = idle.map_or(self.idle_max, |idle| idle.min(IDLE_MAX));
        if reply.close {
            self.unprocessed();
            // No more than this connection took are written on the next one, at first: what is written behind the last
            // one that is taken has to be written again.
            self.usual = self.answered;
        } else if self.answered >= self.usual {
            self.usual = self.usual.saturating_mul(2);
        }
    }

    /// The other side has not processed, and will not process, what it has not answered.
    fn unprocessed(&mut self) {
        self.outstanding.iter_mut().for_each(|entry| entry.end = u64::MAX);
    }
}

/// A call that was not written yet.
fn unwritten<C>(call: C) -> Entry<C> {
    Entry { call, then: None, end: 0, tries: 0, head: 0 }
}

/// A call whose fate is unknown, as it may be sent again.
fn repeat<S: Session>(entry: Entry<S::Call>) -> Option<Entry<S::Call>> {
    let Entry { call, then, tries, head, .. } = entry;
    // It takes another's place already.
    if then.is_some() {
        return Some(Entry { call, then, end: 0, tries, head });
    }
    match S::unanswered(call) {
        Unanswered::Repeat(call) => Some(Entry { call, then: None, end: 0, tries, head }),
        Unanswered::Replace { by, then } => Some(Entry { call: by, then: then.map(Box::new), end: 0, tries, head }),
        Unanswered::GiveUp => None,
    }
}

fn size(call: &impl Post) -> usize {
    call.encoded_len().saturating_add(CALL_OVERHEAD)
}

#[cfg(test)]
mod tests;
