//! Calls on their way, in virtual time.

use bytes::Bytes;
use prost::Message;

use super::*;
use crate::clock;
use crate::proto::v1;
use crate::proto::v1::scheduler::Call as Real;
use crate::session::scheduler::SchedulerSession;
use crate::wire::scheduler::{Call, CallType, Envelope, FrameworkMessage, call};
use crate::wire::views::Wrapped;

const ACCEPTED: &str = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
const LAST: &str = "HTTP/1.1 202 Accepted\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
const UNAUTHORIZED: &str = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\n\r\nwho?";
const BAD_GATEWAY: &str = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n";

struct World {
    pipeline: Pipeline<SchedulerSession>,
    now: Instant,
}

fn world() -> World {
    World { pipeline: Pipeline::new(Head { bytes: b"L:".to_vec(), ..Head::default() }), now: clock::now() }
}

impl World {
    fn push(&mut self, call: Call) {
        self.pipeline.push(envelope(call));
    }

    /// The types of the calls that are written now, and the last part of each one's bytes.
    fn write(&mut self) -> Vec<Real> {
        let output = Bytes::copy_from_slice(self.pipeline.output(self.now));
        self.pipeline.written(output.len());
        calls(output)
    }

    fn kinds(&mut self) -> Vec<CallType> {
        self.write().iter().map(Real::r#type).collect()
    }

    fn reply(&mut self, bytes: &str) -> Result<bool> {
        self.pipeline.input.extend_from_slice(bytes.as_bytes());
        self.pipeline.take_replies(self.now, false)
    }
}

/// Reads `L:<length>\r\n\r\n<body>` again and again.
fn calls(mut output: Bytes) -> Vec<Real> {
    let mut calls = Vec::new();
    while !output.is_empty() {
        let end = output.windows(HEAD_END.len()).position(|w| w == HEAD_END).expect("a head");
        let head = output.split_to(end);
        let length = std::str::from_utf8(&head[2..]).expect("text").parse().expect("a length");
        output.advance(HEAD_END.len());
        let body = output.split_to(length);
        calls.push(Real::decode(body).expect("a call"));
    }
    calls
}

fn envelope(call: Call) -> Envelope {
    Envelope { framework_id: None, call }
}

/// What the master gets.
fn real(call: Call) -> Real {
    Real::decode(envelope(call).to_bytes()).expect("a call")
}

fn kill(task: &str) -> Call {
    Call::Kill(Wrapped { inner: v1::TaskId { value: task.into() }.encode_to_vec().into() })
}

fn roles() -> call::Roles {
    call::Roles::default()
}

fn accept(offer: &str, task: &str) -> Call {
    let task = v1::TaskInfo {
        task_id: v1::TaskId { value: task.into() },
        agent_id: v1::AgentId { value: "a".into() },
        ..Default::default()
    };
    Call::from(call::Accept {
        offer_ids: vec![v1::OfferId { value: offer.into() }.encode_to_vec().into()],
        operations: vec![call::launch_operation(vec![task.encode_to_vec().into()])],
        filters: None,
    })
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
    assert_eq!(world.write(), [real(accept("o", "t"))], "one at a time now, since one was taken");
    assert!(world.reply(ACCEPTED).expect("valid"));
    assert_eq!(world.write(), [real(kill("2"))]);
    assert!(world.reply(ACCEPTED).expect("valid"));
    for number in 0..6 {
        world.push(kill(&number.to_string()));
    }
    assert_eq!(world.write().len(), 2, "and more of them the longer a connection lasts");
}

#[test]
fn what_may_be_processed_twice_is_sent_again_and_an_accept_is_not() {
    let mut world = world();
    for call in [Call::Suppress(roles()), accept("o", "t"), Call::Message(Box::default()), Call::Revive(roles())] {
        world.push(call);
    }
    world.write();
    assert_eq!(world.pipeline.disconnected(), 4);
    let sent = world.write();
    assert_eq!(
        sent.iter().map(Real::r#type).collect::<Vec<_>>(),
        [CallType::Suppress, CallType::Decline, CallType::Revive]
    );
    let decline = sent[1].decline.as_ref().expect("a decline");
    assert_eq!(decline.offer_ids, real(accept("o", "t")).accept.expect("an accept").offer_ids);
    assert_eq!(decline.filters.expect("filters").refuse_seconds(), 0.0);
    world.reply(ACCEPTED).expect("valid");
    assert_eq!(world.kinds(), [], "the tasks are asked for when the decline is answered");
    world.reply(ACCEPTED).expect("valid");
    let inquiry = world.write().remove(0).reconcile.expect("a reconciliation");
    assert_eq!(inquiry.tasks[0].task_id.value, "t");
    assert_eq!(inquiry.tasks[0].agent_id.as_ref().expect("an agent").value, "a");
}

#[test]
fn a_decline_that_takes_an_accept_s_place_is_repeated_until_it_is_answered() {
    let mut world = world();
    world.push(accept("o", "t"));
    world.write();
    for _ in 0..3 {
        world.pipeline.disconnected();
        assert_eq!(world.kinds(), [CallType::Decline]);
    }
    world.reply(ACCEPTED).expect("valid");
    assert_eq!(world.kinds(), [CallType::Reconcile]);
}

#[test]
fn an_accept_that_was_not_written_as_a_whole_is_sent_again() {
    let mut world = world();
    world.push(accept("o", "t"));
    let length = world.pipeline.output(world.now).len();
    world.pipeline.written(length - 1);
    assert_eq!(world.pipeline.disconnected(), 0);
    assert_eq!(world.write(), [real(accept("o", "t"))]);
}

#[test]
fn a_request_that_was_refused_for_its_time_was_not_processed() {
    let mut world = world();
    world.push(accept("o", "t"));
    world.write();
    assert!(world.reply("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n").is_err());
    assert_eq!(world.pipeline.disconnected(), 0);
    assert_eq!(world.write(), [real(accept("o", "t"))]);
}

#[test]
fn a_gateway_s_error_counts_as_no_answer_until_it_comes_again_and_again() {
    let mut world = world();
    world.push(kill("1"));
    for attempt in 0..TRIES {
        assert_eq!(world.write(), [real(kill("1"))], "attempt {attempt}");
        assert!(world.reply(BAD_GATEWAY).is_err());
        world.pipeline.disconnected();
        assert!(world.pipeline.failures() > attempt);
    }
    world.write();
    assert!(world.reply(BAD_GATEWAY).expect("valid"));
    let (refused, status, _) = world.pipeline.next_answer().expect("an answer");
    assert_eq!((refused, status), (envelope(kill("1")), 502));
    assert!(world.pipeline.is_idle());
}

/// A world whose head may be replaced.
fn renewing() -> World {
    let mut world = world();
    world.pipeline.set_head(head(1));
    world
}

fn head(number: u64) -> Head {
    Head { bytes: b"L:".to_vec(), number, renews: true }
}

#[test]
fn calls_that_are_refused_are_sent_again_before_all_others() {
    let mut world = renewing();
    for task in ["1", "2", "3"] {
        world.push(kill(task));
    }
    assert_eq!(world.write().len(), 3);
    assert!(world.reply(ACCEPTED).expect("valid"));
    assert!(world.pipeline.take_accepted());
    assert!(world.reply(UNAUTHORIZED).expect("valid"));
    world.push(kill("4"));
    assert_eq!(world.kinds(), [], "nothing is written with a head that is refused");
    assert_eq!(world.pipeline.refused(), None, "another answer is to come");
    assert!(world.reply(UNAUTHORIZED).expect("valid"));
    assert_eq!(world.pipeline.refused(), Some(1));
    world.pipeline.set_head(head(2));
    world.pipeline.resume();
    assert_eq!(world.write(), ["2", "3", "4"].map(|task| real(kill(task))));
    assert!(!world.pipeline.take_accepted());
    assert!(world.pipeline.next_answer().is_none(), "nobody is told");
}

#[test]
fn refused_calls_survive_the_end_of_their_connection() {
    let mut world = renewing();
    for task in ["1", "2"] {
        world.push(accept(task, task));
    }
    world.write();
    let last = UNAUTHORIZED.replace("Content", "Connection: close\r\nContent");
    assert!(!world.reply(&last).expect("valid"), "the connection is over");
    assert_eq!(world.pipeline.disconnected(), 0);
    assert_eq!(world.pipeline.refused(), Some(1));
    world.pipeline.set_head(head(2));
    world.pipeline.resume();
    assert_eq!(world.write(), [real(accept("1", "1"))], "one at a time now, since one was taken");
    assert!(world.reply(ACCEPTED).expect("valid"));
    assert_eq!(world.write(), [real(accept("2", "2"))]);
}

#[test]
fn refused_calls_are_answered_so_when_there_is_no_other_head() {
    let mut world = renewing();
    world.push(kill("1"));
    world.write();
    assert!(world.reply(UNAUTHORIZED).expect("valid"));
    assert!(!world.pipeline.is_idle());
    world.pipeline.give_up();
    let (refused, status, body) = world.pipeline.next_answer().expect("an answer");
    assert_eq!((refused, status, body.as_str()), (envelope(kill("1")), 401, "who?"));
    assert!(world.pipeline.is_idle());
}

#[test]
fn refused_calls_are_left_as_calls_that_were_not_sent() {
    let mut world = renewing();
    for task in ["1", "2"] {
        world.push(accept(task, task));
    }
    world.write();
    assert!(world.reply(UNAUTHORIZED).expect("valid"));
    assert!(world.reply(UNAUTHORIZED).expect("valid"));
    let left = world.pipeline.leave();
    assert_eq!(left.unsent, ["1", "2"].map(|task| envelope(accept(task, task))));
    assert!(left.inquiries.is_empty());
}

#[test]
fn interim_responses_answer_nothing() {
    let mut world = world();
    world.push(kill("1"));
    world.write();
    assert!(world.reply("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n").expect("valid"));
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
    let big = || Call::from(FrameworkMessage { data: data.clone(), ..Default::default() });
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
    assert_eq!(left.unsent, [envelope(accept("p", "u"))]);
    assert_eq!(left.inquiries.iter().map(|inquiry| inquiry.call.kind()).collect::<Vec<_>>(), [CallType::Reconcile]);
}

#[test]
fn a_reply_that_begins_like_the_last_one_is_read_for_what_it_is() {
    let mut world = world();
    for task in ["a", "b", "c", "d"] {
        world.push(kill(task));
    }
    assert_eq!(world.write().len(), 4);
    let accepted = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
    let refused = "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno";
    assert!(world.reply(&[accepted, accepted, refused, &accepted[..40]].concat()).expect("valid"));
    let (call, status, body) = world.pipeline.next_answer().expect("a refusal");
    assert_eq!((call, status, body.as_str()), (envelope(kill("c")), 400, "no"));
    assert!(world.pipeline.expects(), "the last reply is not whole");
    assert!(world.reply(&accepted[40..]).expect("valid"));
    assert!(!world.pipeline.expects());
}
