//! Calls on their way to the other side, without IO: which wait, which were written and are not answered, and what
//! becomes of these when their connection ends.
//!
//! May touch: bytes and time given to it. Follows RFC 9112, sections 9.3 to 9.6, on what a client may send again.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use prost::Message;

use super::reply::{self, Reply, bad_reply};
use crate::session::{Session, Unanswered};
use crate::wire::Post;
use crate::{Error, Result};

/// Calls are written in pieces of about this many bytes.
const BATCH: usize = 64 << 10;
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
pub type Answer<C> = (Box<C>, u16, String);

/// A call, and what is known of it.
struct Entry<C> {
    call: Box<C>,
    /// What is to be sent once the call is answered.
    then: Option<Box<C>>,
    /// Where it ends among the bytes of its connection.
    end: u64,
    /// How often a gateway could not pass it on.
    tries: u32,
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
    head: Vec<u8>,
    waiting: VecDeque<Entry<S::Call>>,
    /// Written and not answered yet, in order.
    outstanding: VecDeque<Entry<S::Call>>,
    answers: VecDeque<Answer<S::Call>>,
    output: BytesMut,
    /// What came and is not a whole reply yet.
    pub input: BytesMut,
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
    /// Nothing is waiting yet. `head` is what every request begins with, up to the length of its body.
    pub fn new(head: Vec<u8>) -> Self {
        Self {
            head,
            waiting: VecDeque::new(),
            outstanding: VecDeque::new(),
            answers: VecDeque::new(),
            output: BytesMut::new(),
            input: BytesMut::new(),
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
    pub fn push(&mut self, call: Box<S::Call>) {
        if self.failures > 0 {
            self.waiting_bytes += size(call.as_ref());
        }
        self.waiting.push_back(Entry { call, then: None, end: 0, tries: 0 });
    }

    /// Whether every call was written and answered.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.outstanding.is_empty() && self.answers.is_empty()
    }

    /// Whether a call waits that may be written now.
    pub fn has_to_write(&self) -> bool {
        !self.output.is_empty() || (!self.waiting.is_empty() && self.may_write())
    }

    /// Whether a call waits, or was not answered.
    pub fn has_work(&self) -> bool {
        !self.waiting.is_empty() || !self.outstanding.is_empty()
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
        self.taken += length as u64;
        if self.output.is_empty() && self.output.capacity() > 4 * BATCH {
            self.output = BytesMut::new();
        }
    }

    /// Takes the replies that have come; true if this connection goes on. `ended` tells that nothing more comes.
    ///
    /// Fails if what came cannot be understood, or says that the call was not passed on.
    pub fn take_replies(&mut self, now: Instant, ended: bool) -> Result<bool> {
        while let Some(reply) = reply::parse(&self.input, ended)? {
            self.input.advance(reply.length);
            if reply.status >= 200 && !self.take_reply(reply, now)? {
                return Ok(false);
            }
        }
        Ok(!ended)
    }

    /// Goes back to a state in which every call that is not answered waits, as after [`Session::unanswered`]. Returns
    /// how many calls' fate is not known.
    pub fn disconnected(&mut self) -> usize {
        let failed = self.answered == 0;
        let (taken, mut unknown) = (self.taken, 0);
        for entry in std::mem::take(&mut self.outstanding).into_iter().rev() {
            // The other side cannot process a request that it has not got as a whole.
            let again = if entry.end > taken {
                Some(entry)
            } else {
                unknown += 1;
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
        self.waiting_bytes = self.waiting.iter().map(|entry| size(entry.call.as_ref())).sum();
    }

    /// Gives up.
    pub fn leave(mut self) -> Left<S::Call> {
        self.disconnected();
        let mut left = Left { unsent: Vec::new(), inquiries: Vec::new() };
        for entry in self.waiting {
            match entry.then {
                Some(then) => left.inquiries.push(*then),
                None => left.unsent.push(*entry.call),
            }
        }
        left
    }

    fn may_write(&self) -> bool {
        self.answered + self.outstanding.len() < self.usual.min(self.most)
            && self.outstanding.len() < WINDOW
            && self.outstanding.front().is_none_or(|oldest| self.made - oldest.end < WINDOW_BYTES)
    }

    fn write(&mut self, mut entry: Entry<S::Call>, now: Instant) {
        let (before, length) = (self.output.len(), entry.call.encoded_len());
        self.output.reserve(self.head.len() + 32 + length);
        self.output.extend_from_slice(&self.head);
        self.output.extend_from_slice(length.to_string().as_bytes());
        self.output.extend_from_slice(b"\r\n\r\n");
        entry.call.encode(&mut self.output).expect("BytesMut grows");
        tracing::debug!("Sent {}", entry.call.name());
        self.made += (self.output.len() - before) as u64;
        entry.end = self.made;
        self.outstanding.push_back(entry);
        self.since.get_or_insert(now);
    }

    fn take_reply(&mut self, reply: Reply, now: Instant) -> Result<bool> {
        let mut entry = self.outstanding.pop_front().ok_or_else(|| bad_reply("nothing was asked"))?;
        match reply.status {
            // Neither was processed: a request that did not come as a whole in time, and one to a former leader.
            307 | 308 | 408 => entry.end = u64::MAX,
            502..=504 if entry.tries < TRIES => entry.tries += 1,
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
        self.answered += 1;
        self.failures = 0;
        self.since = (!self.outstanding.is_empty()).then_some(now);
        if let Some(call) = entry.then {
            self.waiting.push_front(Entry { call, then: None, end: 0, tries: 0 });
        }
        if !(200..300).contains(&reply.status) || entry.call.answer_counts() {
            self.answers.push_back((entry.call, reply.status, reply.body));
        }
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
        !reply.close
    }

    /// The other side has not processed, and will not process, what it has not answered.
    fn unprocessed(&mut self) {
        self.outstanding.iter_mut().for_each(|entry| entry.end = u64::MAX);
    }
}

/// A call whose fate is unknown, as it may be sent again.
fn repeat<S: Session>(entry: Entry<S::Call>) -> Option<Entry<S::Call>> {
    let Entry { call, then, tries, .. } = entry;
    // It takes another's place already.
    if then.is_some() {
        return Some(Entry { call, then, end: 0, tries });
    }
    match S::unanswered(call) {
        Unanswered::Repeat(call) => Some(Entry { call, then: None, end: 0, tries }),
        Unanswered::Replace { by, then } => Some(Entry { call: by, then, end: 0, tries }),
        Unanswered::GiveUp => None,
    }
}

fn size(call: &impl Message) -> usize {
    call.encoded_len() + CALL_OVERHEAD
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::proto::v1;
    use crate::session::scheduler::SchedulerSession;
    use crate::wire::call::{self, Call, Type};
    use crate::wire::envelope::Wrapped;

    const ACCEPTED: &str = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
    const LAST: &str = "HTTP/1.1 202 Accepted\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
    const BAD_GATEWAY: &str = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n";

    struct World {
        pipeline: Pipeline<SchedulerSession>,
        now: Instant,
    }

    fn world() -> World {
        World { pipeline: Pipeline::new(b"L:".to_vec()), now: Instant::now() }
    }

    impl World {
        fn push(&mut self, call: Call) {
            self.pipeline.push(Box::new(call));
        }

        /// The types of the calls that are written now, and the last part of each one's bytes.
        fn write(&mut self) -> Vec<Call> {
            let output = Bytes::copy_from_slice(self.pipeline.output(self.now));
            self.pipeline.written(output.len());
            calls(output)
        }

        fn kinds(&mut self) -> Vec<Type> {
            self.write().iter().map(Call::kind).collect()
        }

        fn reply(&mut self, bytes: &str) -> Result<bool> {
            self.pipeline.input.extend_from_slice(bytes.as_bytes());
            self.pipeline.take_replies(self.now, false)
        }
    }

    /// Reads `L:<length>\r\n\r\n<body>` again and again.
    fn calls(mut output: Bytes) -> Vec<Call> {
        let mut calls = Vec::new();
        while !output.is_empty() {
            let end = output.windows(4).position(|w| w == b"\r\n\r\n").expect("a head");
            let length: usize = std::str::from_utf8(&output[2..end]).expect("text").parse().expect("a length");
            let body = output.slice(end + 4..end + 4 + length);
            output.advance(end + 4 + length);
            calls.push(Call::decode(body).expect("a call"));
        }
        calls
    }

    fn call(kind: Type) -> Call {
        Call { kind: kind.into(), ..Call::default() }
    }

    fn kill(task: &str) -> Call {
        let inner = v1::TaskId { value: task.into() }.encode_to_vec().into();
        Call { kill: Some(Wrapped { inner }), ..call(Type::Kill) }
    }

    fn accept(offer: &str, task: &str) -> Call {
        let task = v1::TaskInfo {
            task_id: v1::TaskId { value: task.into() },
            agent_id: v1::AgentId { value: "a".into() },
            ..Default::default()
        };
        let accept = call::Accept {
            offer_ids: vec![v1::OfferId { value: offer.into() }.encode_to_vec().into()],
            operations: vec![call::launch_operation(vec![task.encode_to_vec().into()])],
            filters: None,
        };
        Call { accept: Some(accept), ..call(Type::Accept) }
    }

    #[test]
    fn calls_behind_the_last_answer_of_a_connection_are_sent_again_as_they_were() {
        let mut world = world();
        for call in [kill("1"), accept("o", "t"), kill("2")] {
            world.push(call);
        }
        assert_eq!(world.write().len(), 3);
        assert!(!world.reply(LAST).expect("valid"), "the connection is over");
        assert_eq!(world.pipeline.disconnected(), 0, "and nobody wonders what became of the others");
        assert_eq!(world.write(), [accept("o", "t")], "one at a time now, since one was taken");
        assert!(world.reply(ACCEPTED).expect("valid"));
        assert_eq!(world.write(), [kill("2")]);
        assert!(world.reply(ACCEPTED).expect("valid"));
        for number in 0..6 {
            world.push(kill(&number.to_string()));
        }
        assert_eq!(world.write().len(), 2, "and more of them the longer a connection lasts");
    }

    #[test]
    fn what_may_be_processed_twice_is_sent_again_and_an_accept_is_not() {
        let mut world = world();
        for call in [call(Type::Suppress), accept("o", "t"), call(Type::Message), call(Type::Revive)] {
            world.push(call);
        }
        world.write();
        assert_eq!(world.pipeline.disconnected(), 4);
        let sent = world.write();
        assert_eq!(sent.iter().map(Call::kind).collect::<Vec<_>>(), [Type::Suppress, Type::Decline, Type::Revive]);
        let decline = sent[1].decline.as_ref().expect("a decline");
        assert_eq!(decline.offer_ids, accept("o", "t").accept.expect("an accept").offer_ids);
        let filters = v1::Filters::decode(decline.filters.clone().expect("filters")).expect("valid");
        assert_eq!(filters.refuse_seconds(), 0.0);
        world.reply(ACCEPTED).expect("valid");
        assert_eq!(world.kinds(), [], "the tasks are asked for when the decline is answered");
        world.reply(ACCEPTED).expect("valid");
        let inquiry = world.write().remove(0).reconcile.expect("a reconciliation");
        assert_eq!(inquiry.tasks[0].task_id, v1::TaskId { value: "t".into() }.encode_to_vec());
        assert_eq!(inquiry.tasks[0].agent_id, Some(v1::AgentId { value: "a".into() }.encode_to_vec().into()));
    }

    #[test]
    fn a_decline_that_takes_an_accept_s_place_is_repeated_until_it_is_answered() {
        let mut world = world();
        world.push(accept("o", "t"));
        world.write();
        for _ in 0..3 {
            world.pipeline.disconnected();
            assert_eq!(world.kinds(), [Type::Decline]);
        }
        world.reply(ACCEPTED).expect("valid");
        assert_eq!(world.kinds(), [Type::Reconcile]);
    }

    #[test]
    fn an_accept_that_was_not_written_as_a_whole_is_sent_again() {
        let mut world = world();
        world.push(accept("o", "t"));
        let length = world.pipeline.output(world.now).len();
        world.pipeline.written(length - 1);
        assert_eq!(world.pipeline.disconnected(), 0);
        assert_eq!(world.write(), [accept("o", "t")]);
    }

    #[test]
    fn a_request_that_was_refused_for_its_time_was_not_processed() {
        let mut world = world();
        world.push(accept("o", "t"));
        world.write();
        assert!(world.reply("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n").is_err());
        assert_eq!(world.pipeline.disconnected(), 0);
        assert_eq!(world.write(), [accept("o", "t")]);
    }

    #[test]
    fn a_gateway_s_error_counts_as_no_answer_until_it_comes_again_and_again() {
        let mut world = world();
        world.push(kill("1"));
        for attempt in 0..TRIES {
            assert_eq!(world.write(), [kill("1")], "attempt {attempt}");
            assert!(world.reply(BAD_GATEWAY).is_err());
            world.pipeline.disconnected();
            assert!(world.pipeline.failures() > attempt);
        }
        world.write();
        assert!(world.reply(BAD_GATEWAY).expect("valid"));
        let (refused, status, _) = world.pipeline.next_answer().expect("an answer");
        assert_eq!((*refused, status), (kill("1"), 502));
        assert!(world.pipeline.is_idle());
    }

    #[test]
    fn interim_responses_answer_nothing() {
        let mut world = world();
        world.push(kill("1"));
        world.write();
        assert!(
            world.reply("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n").expect("valid")
        );
        assert!(world.pipeline.expects());
        assert!(world.reply(ACCEPTED).expect("valid"));
        assert!(world.pipeline.is_idle());
        assert!(world.reply(ACCEPTED).is_err(), "an answer to nothing");
    }

    #[test]
    fn the_other_side_s_limits_are_kept() {
        let mut world = world();
        world.push(kill("1"));
        world.write();
        let limits = "HTTP/1.1 202 Accepted\r\nKeep-Alive: timeout=3, max=2\r\nContent-Length: 0\r\n\r\n";
        world.reply(limits).expect("valid");
        assert_eq!(world.pipeline.idle_max(), Duration::from_secs(2));
        for number in 0..3 {
            world.push(kill(&number.to_string()));
        }
        assert_eq!(world.write().len(), 2);
        world.reply(&ACCEPTED.repeat(2)).expect("valid");
        assert_eq!(world.pipeline.idle_max(), Duration::ZERO, "this connection is of no use any more");
        world.pipeline.disconnected();
        assert_eq!(world.write().len(), 1);
    }

    #[test]
    fn only_so_many_calls_are_unanswered_at_a_time() {
        let mut world = world();
        for number in 0..WINDOW + 10 {
            world.push(kill(&number.to_string()));
        }
        let mut written = 0;
        while world.pipeline.has_to_write() {
            written += world.write().len();
        }
        assert_eq!(written, WINDOW);
        world.reply(&ACCEPTED.repeat(4)).expect("valid");
        assert_eq!(world.write().len(), 4);
    }

    #[test]
    fn too_much_waits_only_if_nothing_is_answered() {
        let mut world = world();
        let data = Bytes::from(vec![0; 1 << 20]);
        let message = || call::Type::Message;
        let big = || Call {
            message: Some(crate::wire::envelope::FrameworkMessage { data: data.clone(), ..Default::default() }),
            ..call(message())
        };
        for _ in 0..70 {
            world.push(big());
        }
        assert!(!world.pipeline.is_overfull());
        world.pipeline.failed();
        assert!(world.pipeline.is_overfull());
    }

    #[test]
    fn what_is_left_is_told_apart_by_whether_it_was_written() {
        let mut world = world();
        world.push(accept("o", "t"));
        world.write();
        world.push(accept("p", "u"));
        let left = world.pipeline.leave();
        assert_eq!(left.unsent, [accept("p", "u")]);
        assert_eq!(left.inquiries.iter().map(Call::kind).collect::<Vec<_>>(), [Type::Reconcile]);
    }
}
