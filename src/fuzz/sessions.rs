//! What happens to a session, and what it is asked for, in any order.

use std::time::{Duration, Instant};

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use prost::Message;

use crate::proto::v1;
use crate::session::executor::{self, ExecutorSession};
use crate::session::framework::Framework;
use crate::session::operator::{self, OperatorSession};
use crate::session::scheduler::{self, SchedulerSession};
use crate::session::{Callback as _, Candidates, Endpoint, Notice, Output, Session, StreamEvent};
use crate::wire::duration::Period;
use crate::wire::operator::Format;
use crate::wire::scheduler::{Call, call};
use crate::wire::{Post, recordio, scheduler as wire};
use crate::{Error, clock};

/// The most steps of an input.
const STEPS_MAX: usize = 500;
/// How many waits of a session follow at the end of an input.
const TIMEOUTS_MAX: usize = 1000;

/// What a scheduler's session promises, whatever happens.
pub fn scheduler_session(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let _ = scheduler(&mut input);
}

fn scheduler(input: &mut Unstructured<'_>) -> Result<()> {
    let info = v1::FrameworkInfo { name: "fuzz".to_owned(), failover_timeout: Some(60.0), ..Default::default() };
    let framework = Framework::new(info.encode_to_vec().into(), "user", "host").expect("a framework");
    let mut session = SchedulerSession::new(scheduler::Config {
        framework,
        suppressed_roles: Vec::new(),
        implicit_acknowledgements: input.arbitrary()?,
        identity: None,
        backoff_factor: Period::from_secs(2),
        seed: 7,
    });
    if input.arbitrary()? {
        session.deliver_all();
        session.deliver_heartbeats();
    }
    Watched::new(session).run(input, scheduler_event, |input| {
        Ok(if input.ratio(1, 3)? {
            scheduler::Request::Acknowledge(status(input)?)
        } else {
            let call = scheduler_call(input)?;
            scheduler::Request::Call { call, timestamp: 1e9 }
        })
    })
}

/// What an executor's session promises, whatever happens.
pub fn executor_session(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let _ = executor(&mut input);
}

fn executor(input: &mut Unstructured<'_>) -> Result<()> {
    let mut session = ExecutorSession::new(executor::Config {
        framework_id: "framework".to_owned(),
        executor_id: "executor".to_owned(),
        agent_id: "agent".to_owned(),
        recovery_timeout: if input.arbitrary()? { Some(Period::from_secs(900)) } else { None },
        backoff_max: Period::from_secs(2),
        shutdown_grace_period: Period::from_secs(5),
        seed: 7,
    });
    if input.arbitrary()? {
        session.deliver_all();
    }
    Watched::new(session).run(input, executor_event, |input| {
        Ok(if input.ratio(1, 4)? {
            executor::Request::Message(some_bytes(input)?)
        } else {
            let uuid = vec![input.int_in_range(0..=7)?; 16].into();
            executor::Request::Update { status: status(input)?, timestamp: 1e9, uuid }
        })
    })
}

/// What an operator's session promises, whatever happens.
pub fn operator_session(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let format = if input.arbitrary().unwrap_or_default() { Format::Json } else { Format::Protobuf };
    let subscribe = Bytes::from_static(b"{}");
    let session = OperatorSession::new(operator::Config { format, subscribe, identity: None, seed: 7 });
    let _ = Watched::new(session).run(&mut input, operator_event, |_| Err(arbitrary::Error::IncorrectFormat));
}

/// A session, and what it said so far.
struct Watched<S: Session> {
    session: S,
    now: Instant,
    /// The attempt to subscribe whose stream counts.
    attempt: Option<u64>,
    last_attempt: u64,
    /// Calls that were sent, which may be answered, or not.
    sent: Vec<S::Call>,
    /// What was asked for when a callback has returned.
    returned: Vec<S::Request>,
    is_told_to_end: bool,
    is_finished: bool,
}

impl<S: Session> Watched<S> {
    fn new(session: S) -> Self {
        Self {
            session,
            now: clock::now(),
            attempt: None,
            last_attempt: 0,
            sent: Vec::new(),
            returned: Vec::new(),
            is_told_to_end: false,
            is_finished: false,
        }
    }

    fn run(
        mut self,
        input: &mut Unstructured<'_>,
        event: fn(&mut Unstructured<'_>) -> Result<Bytes>,
        request: fn(&mut Unstructured<'_>) -> Result<S::Request>,
    ) -> Result<()> {
        for _ in 0..STEPS_MAX {
            if input.is_empty() || self.is_finished {
                break;
            }
            match input.int_in_range(0..=9_u8)? {
                0..=2 if self.last_attempt > 0 => {
                    let events = self.stream(input, event)?;
                    self.notice(events);
                }
                3 | 4 => {
                    if let Ok(request) = request(input) {
                        self.session.handle_request(self.now, request);
                    }
                }
                5 => self.pass(input)?,
                6 => {
                    if let Some(request) = self.returned.pop() {
                        self.session.handle_request(self.now, request);
                    }
                }
                7 => self.answer(input)?,
                _ => {
                    let notice = self.other(input)?;
                    self.notice(notice);
                }
            }
            self.take_outputs();
        }
        self.wait();
        Ok(())
    }

    fn notice(&mut self, notice: Notice<S::Call>) {
        self.is_told_to_end |= matches!(notice, Notice::Abort | Notice::Stop { .. });
        self.session.handle_notice(self.now, notice);
    }

    /// Something happens to the stream, mostly to that which counts.
    fn stream(
        &self,
        input: &mut Unstructured<'_>,
        event: fn(&mut Unstructured<'_>) -> Result<Bytes>,
    ) -> Result<Notice<S::Call>> {
        let attempt = match self.attempt {
            Some(attempt) if input.ratio(9, 10)? => attempt,
            _ => input.int_in_range(1..=self.last_attempt)?,
        };
        let happened = match input.int_in_range(0..=15_u8)? {
            0 | 1 => StreamEvent::Connected,
            2 => StreamEvent::Opened(None),
            3 => StreamEvent::Redirected(endpoint(input)?),
            4 => StreamEvent::Refused(*input.choose(&[400, 401, 403, 404, 500, 503])?, "why".to_owned()),
            5 => StreamEvent::Unauthorized,
            6 => StreamEvent::Denied(Error::authentication("why")),
            7 => StreamEvent::Closed("why".to_owned()),
            8 => StreamEvent::Data(some_bytes(input)?),
            _ => StreamEvent::Data(recordio::encode(&event(input)?)),
        };
        Ok(Notice::Stream(attempt, happened))
    }

    /// Time passes: as much as there is to wait for, or any.
    fn pass(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        let some = self.now + Duration::from_millis(input.arbitrary::<u16>()?.into());
        self.now = match self.session.poll_timeout() {
            Some(due) if input.arbitrary()? => due.max(self.now),
            _ => some,
        };
        self.notice(Notice::Timeout);
        Ok(())
    }

    /// A call that was sent is answered, or was not.
    fn answer(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        if self.sent.is_empty() {
            return Ok(());
        }
        let call = self.sent.swap_remove(0);
        let notice = match input.int_in_range(0..=3_u8)? {
            0 => Notice::Unsent { calls: vec![call], timestamp: 1e9 },
            1 => Notice::Inquiries(vec![call]),
            _ => {
                let status = *input.choose(&[200, 202, 400, 401, 403, 404, 500])?;
                Notice::Answered { call, status, body: "why".to_owned() }
            }
        };
        self.notice(notice);
        Ok(())
    }

    fn other(&self, input: &mut Unstructured<'_>) -> Result<Notice<S::Call>> {
        Ok(match input.int_in_range(0..=15_u8)? {
            0 => Notice::Abort,
            1 => Notice::Stop { failover: input.arbitrary()? },
            2..=4 => Notice::ReadingResumed,
            5 | 6 => Notice::Detected(Candidates::default()),
            7 => Notice::Detected(vec![endpoint(input)?, endpoint(input)?].into()),
            _ => Notice::Detected(endpoint(input)?.into()),
        })
    }

    fn take_outputs(&mut self) {
        while let Some(output) = self.session.poll_output() {
            assert!(!self.is_finished, "nothing follows the end");
            match output {
                Output::Subscribe(attempt, endpoint, body) => {
                    assert!(attempt > self.last_attempt && !body.is_empty() && endpoint.port != 0, "{attempt}");
                    (self.attempt, self.last_attempt) = (Some(attempt), attempt);
                }
                Output::Transmit(call) => {
                    assert_eq!(call.to_bytes().len(), call.encoded_len());
                    assert!(self.attempt.is_some(), "{} without a stream", call.name());
                    self.sent.push(call);
                }
                Output::Disconnect => self.attempt = None,
                Output::Deliver(callback) => {
                    assert!(!self.is_told_to_end, "a callback after the end");
                    self.returned.extend(callback.when_returned());
                }
                Output::EndWithin(_) => {}
                Output::Finished { .. } => {
                    assert!(self.is_told_to_end, "nobody has asked for the end");
                    self.is_finished = true;
                }
            }
        }
        if self.is_finished {
            assert!(self.session.poll_output().is_none());
        }
    }

    /// Time alone never makes a session busy: each of its waits is followed by another.
    fn wait(&mut self) {
        for _ in 0..TIMEOUTS_MAX {
            let Some(due) = self.session.poll_timeout().filter(|_| !self.is_finished) else { return };
            self.now = due.max(self.now) + Period::from_nanoseconds(1);
            self.session.handle_notice(self.now, Notice::Timeout);
            self.take_outputs();
            let waits = self.session.poll_timeout().is_none_or(|next| next > due);
            assert!(waits || self.is_finished, "it waits for what has come");
        }
    }
}

fn endpoint(input: &mut Unstructured<'_>) -> Result<Endpoint> {
    Ok(Endpoint::new(input.ratio(1, 8)?, ["a", "b", "c"][input.choose_index(3)?], 5050))
}

fn id(input: &mut Unstructured<'_>) -> Result<String> {
    Ok(input.int_in_range(0..=3_u8)?.to_string())
}

fn some_bytes(input: &mut Unstructured<'_>) -> Result<Bytes> {
    let length = input.int_in_range(0..=31_u8)?;
    let length = usize::from(length).min(input.len());
    Ok(Bytes::copy_from_slice(input.bytes(length)?))
}

fn status(input: &mut Unstructured<'_>) -> Result<Bytes> {
    let status = v1::TaskStatus {
        task_id: v1::TaskId { value: id(input)? },
        state: input.int_in_range(0..=14)?,
        agent_id: if input.arbitrary()? { Some(v1::AgentId { value: id(input)? }) } else { None },
        uuid: if input.arbitrary()? { Some(vec![input.int_in_range(0..=7)?; 16]) } else { None },
        ..Default::default()
    };
    Ok(status.encode_to_vec().into())
}

fn task(input: &mut Unstructured<'_>) -> Result<v1::TaskInfo> {
    Ok(v1::TaskInfo { task_id: v1::TaskId { value: id(input)? }, ..Default::default() })
}

fn scheduler_event(input: &mut Unstructured<'_>) -> Result<Bytes> {
    use v1::scheduler::event::{self, Type};
    let mut event = v1::scheduler::Event { r#type: Some(input.int_in_range(0..=12)?), ..Default::default() };
    let offer =
        |input: &mut Unstructured<'_>| Ok(v1::Offer { id: v1::OfferId { value: id(input)? }, ..Default::default() });
    match event.r#type() {
        Type::Subscribed => {
            let master_info = Some(v1::MasterInfo { id: id(input)?, ..Default::default() });
            let framework_id = v1::FrameworkId { value: id(input)? };
            let heartbeat_interval_seconds = if input.arbitrary()? { Some(input.arbitrary()?) } else { Some(15.0) };
            event.subscribed = Some(event::Subscribed { framework_id, heartbeat_interval_seconds, master_info });
        }
        Type::Offers => event.offers = Some(event::Offers { offers: vec![offer(input)?, offer(input)?] }),
        Type::Rescind => event.rescind = Some(event::Rescind { offer_id: v1::OfferId { value: id(input)? } }),
        Type::Update => {
            let status = v1::TaskStatus::decode(status(input)?).unwrap_or_default();
            event.update = Some(event::Update { status });
        }
        Type::Failure => {
            let agent_id = if input.arbitrary()? { Some(v1::AgentId { value: id(input)? }) } else { None };
            let executor_id = if input.arbitrary()? { Some(v1::ExecutorId { value: id(input)? }) } else { None };
            event.failure = Some(event::Failure { agent_id, executor_id, ..Default::default() });
        }
        // The others have nothing in them that counts, or have nothing in them at all.
        _ => {}
    }
    Ok(event.encode_to_vec().into())
}

fn scheduler_call(input: &mut Unstructured<'_>) -> Result<Call> {
    let offer_ids = vec![v1::OfferId { value: id(input)? }.encode_to_vec().into()];
    Ok(match input.int_in_range(0..=8_u8)? {
        0 => Call::Revive(call::Roles { roles: vec![id(input)?] }),
        1 => Call::Suppress(call::Roles::default()),
        2 => Call::Teardown,
        3 => Call::Decline(call::Decline { offer_ids, filters: None }),
        4 => Call::from(wire::FrameworkMessage { data: some_bytes(input)?, ..Default::default() }),
        5 => {
            let framework_info = v1::FrameworkInfo { name: "new".to_owned(), ..Default::default() };
            let id = Some(v1::FrameworkId { value: id(input)? });
            let framework_info = v1::FrameworkInfo { id, ..framework_info }.encode_to_vec().into();
            Call::UpdateFramework(call::Subscribe { framework_info, ..Default::default() })
        }
        6 => Call::from(call::Accept { offer_ids, operations: vec![some_bytes(input)?], filters: None }),
        _ => {
            let operations = vec![call::launch_operation(vec![task(input)?.encode_to_vec().into()])];
            Call::from(call::Accept { offer_ids, operations, filters: None })
        }
    })
}

fn executor_event(input: &mut Unstructured<'_>) -> Result<Bytes> {
    use v1::executor::event::{self, Type};
    let mut event = v1::executor::Event { r#type: Some(input.int_in_range(0..=9)?), ..Default::default() };
    match event.r#type() {
        Type::Subscribed => event.subscribed = Some(event::Subscribed::default()),
        Type::Launch => event.launch = Some(event::Launch { task: task(input)? }),
        Type::LaunchGroup => {
            let task_group = v1::TaskGroupInfo { tasks: vec![task(input)?, task(input)?] };
            event.launch_group = Some(event::LaunchGroup { task_group });
        }
        Type::Kill => {
            event.kill = Some(event::Kill { task_id: v1::TaskId { value: id(input)? }, ..Default::default() })
        }
        Type::Acknowledged => {
            let uuid = vec![input.int_in_range(0..=7)?; 16];
            event.acknowledged = Some(event::Acknowledged { task_id: v1::TaskId { value: id(input)? }, uuid });
        }
        // The others have nothing in them that counts, or have nothing in them at all.
        _ => {}
    }
    Ok(event.encode_to_vec().into())
}

fn operator_event(input: &mut Unstructured<'_>) -> Result<Bytes> {
    let heartbeat: f64 = input.arbitrary()?;
    Ok(match input.int_in_range(0..=3_u8)? {
        0 => format!(r#"{{"type":"SUBSCRIBED","subscribed":{{"heartbeat_interval_seconds":{heartbeat:e}}}}}"#).into(),
        1 => Bytes::from_static(br#"{"type":"HEARTBEAT"}"#),
        2 => {
            let subscribed =
                v1::master::event::Subscribed { heartbeat_interval_seconds: Some(heartbeat), ..Default::default() };
            let r#type = Some(v1::master::event::Type::Subscribed.into());
            v1::master::Event { r#type, subscribed: Some(subscribed), ..Default::default() }.encode_to_vec().into()
        }
        _ => some_bytes(input)?,
    })
}
