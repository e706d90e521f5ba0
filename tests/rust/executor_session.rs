//! The executor's session in virtual time: every loss of the agent can be replayed.

use std::time::{Duration, Instant};

use bytes::Bytes;
use prost::Message;
use remesos::Error;
use remesos::proto::v1;
use remesos::proto::v1::executor::{Event, call, event};
use remesos::session::executor::{Callback, Config, ExecutorSession, Output, Request};
use remesos::session::{Endpoint, Notice, Session as _, StreamEvent};
use remesos::wire::duration::Period;
use remesos::wire::executor::Envelope;
use remesos::wire::{Post as _, recordio};

const SECOND: Duration = Duration::from_secs(1);
const GRACE: Duration = Duration::from_secs(5);

struct World {
    session: ExecutorSession,
    now: Instant,
    attempt: u64,
    /// How many updates were made: the next one's uuid.
    updates: u8,
    outputs: Vec<Output>,
}

fn config(checkpoint: bool) -> Config {
    Config {
        framework_id: "f".into(),
        executor_id: "e".into(),
        agent_id: "s".into(),
        recovery_timeout: checkpoint.then_some((900 * SECOND).into()),
        backoff_max: (2 * SECOND).into(),
        shutdown_grace_period: GRACE.into(),
        seed: 7,
    }
}

fn world(checkpoint: bool) -> World {
    world_of(config(checkpoint))
}

fn world_of(config: Config) -> World {
    let mut world = World {
        session: ExecutorSession::new(config),
        now: Instant::now(),
        attempt: 0,
        updates: 0,
        outputs: Vec::new(),
    };
    world.notice(Notice::Detected(Endpoint::new(false, "agent", 5051).into()));
    world
}

impl World {
    fn subscribed(checkpoint: bool) -> Self {
        let mut world = world(checkpoint);
        world.event(subscribed());
        world.outputs.clear();
        world
    }

    fn notice(&mut self, notice: Notice<Envelope>) {
        self.session.handle_notice(self.now, notice);
        self.take_outputs();
    }

    fn request(&mut self, request: Request) {
        self.session.handle_request(self.now, request);
        self.take_outputs();
    }

    fn take_outputs(&mut self) {
        while let Some(output) = self.session.poll_output() {
            if let Output::Subscribe(attempt, ..) = &output {
                self.attempt = *attempt;
            }
            self.outputs.push(output);
        }
    }

    fn stream(&mut self, event: StreamEvent) {
        self.notice(Notice::Stream(self.attempt, event));
    }

    fn event(&mut self, event: Event) {
        let bytes = recordio::encode(&event.encode_to_vec());
        let (head, tail) = bytes.split_at(bytes.len() / 2);
        self.stream(StreamEvent::Data(Bytes::copy_from_slice(head)));
        self.stream(StreamEvent::Data(Bytes::copy_from_slice(tail)));
    }

    /// Lets the next timeout come.
    fn wait(&mut self) {
        self.now = self.session.poll_timeout().expect("a timeout");
        self.notice(Notice::Timeout);
    }

    fn launch(&mut self, id: &str) {
        let task = v1::TaskInfo { task_id: v1::TaskId { value: id.into() }, ..Default::default() };
        self.event(Event { launch: Some(event::Launch { task }), ..of(event::Type::Launch) });
    }

    fn update(&mut self, id: &str) {
        let status = v1::TaskStatus {
            task_id: v1::TaskId { value: id.into() },
            state: v1::TaskState::TaskRunning.into(),
            ..Default::default()
        };
        self.updates += 1;
        let uuid = vec![self.updates; 16].into();
        self.request(Request::Update { status: status.encode_to_vec().into(), timestamp: 1.5, uuid });
    }

    /// The agent acknowledges every update that it is told, as it is told it.
    fn acknowledge_all(&mut self) {
        let mut told = 0;
        loop {
            let updates: Vec<_> = self.sent().into_iter().filter_map(|call| call.update).collect();
            let Some(update) = updates.get(told) else { return };
            self.event(acknowledged(&update.status));
            told += 1;
        }
    }

    fn sent(&self) -> Vec<v1::executor::Call> {
        let sent = self.outputs.iter().filter_map(|output| match output {
            Output::Transmit(call) => Some(call.to_bytes()),
            Output::Subscribe(_, _, call) => Some(call.clone()),
            _ => None,
        });
        sent.map(|bytes| v1::executor::Call::decode(bytes).expect("a v1 call")).collect()
    }

    fn delivered(&self) -> Vec<Callback> {
        let delivered = self.outputs.iter().filter_map(|output| match output {
            Output::Deliver(callback) => Some(callback.clone()),
            _ => None,
        });
        delivered.collect()
    }
}

fn of(kind: event::Type) -> Event {
    Event { r#type: Some(kind.into()), ..Default::default() }
}

fn subscribed() -> Event {
    let subscribed = event::Subscribed {
        executor_info: v1::ExecutorInfo { executor_id: v1::ExecutorId { value: "e".into() }, ..Default::default() },
        ..Default::default()
    };
    Event { subscribed: Some(subscribed), ..of(event::Type::Subscribed) }
}

fn acknowledged(status: &v1::TaskStatus) -> Event {
    let acknowledged =
        event::Acknowledged { task_id: status.task_id.clone(), uuid: status.uuid.clone().unwrap_or_default() };
    Event { acknowledged: Some(acknowledged), ..of(event::Type::Acknowledged) }
}

#[test]
fn an_update_has_what_the_agent_wants_to_see() {
    let mut world = World::subscribed(false);
    world.update("t");
    world.update("t");
    world.acknowledge_all();
    let statuses: Vec<_> = world.sent().into_iter().map(|call| call.update.expect("an update").status).collect();
    let first = &statuses[0];
    assert_eq!(first.source(), v1::task_status::Source::Executor);
    assert_eq!(first.executor_id.as_ref().expect("set").value, "e");
    assert_eq!(first.agent_id.as_ref().expect("set").value, "s");
    assert_eq!((first.timestamp(), first.uuid()), (1.5, &[1; 16][..]));
    assert_eq!(statuses[1].uuid(), &[2; 16][..]);
}

#[test]
fn what_is_unacknowledged_is_told_of_when_subscribing_again() {
    let mut world = World::subscribed(true);
    for id in ["a", "b", "c"] {
        world.launch(id);
    }
    world.update("b");
    world.update("c");
    let statuses: Vec<_> = world.sent().into_iter().map(|call| call.update.expect("an update").status).collect();
    world.event(acknowledged(&statuses[0]));
    world.stream(StreamEvent::Closed("cut".into()));
    world.update("a");
    world.outputs.clear();
    world.wait();
    let subscribe = world.sent().remove(0).subscribe.expect("a SUBSCRIBE");
    let tasks: Vec<_> = subscribe.unacknowledged_tasks.iter().map(|task| task.task_id.value.as_str()).collect();
    let updates: Vec<_> = subscribe.unacknowledged_updates.iter().map(|u| u.status.task_id.value.as_str()).collect();
    assert_eq!(tasks, ["a", "c"], "b's update is acknowledged, so it is known");
    assert_eq!(updates, ["c", "a"], "what was sent while cut off as well");
    world.event(subscribed());
    assert!(matches!(world.delivered()[..], [Callback::Reregistered(_)]));
}

#[test]
fn what_is_reported_while_subscribing_goes_out_once_subscribed_and_in_order() {
    let mut world = World::subscribed(true);
    world.update("a");
    world.stream(StreamEvent::Closed("cut".into()));
    world.update("b");
    world.wait();
    world.update("c");
    world.update("d");
    world.outputs.clear();
    world.event(subscribed());
    world.update("e");
    world.acknowledge_all();
    let of = |call: v1::executor::Call| call.update.expect("an update").status.task_id.value;
    assert_eq!(world.sent().into_iter().map(of).collect::<Vec<_>>(), ["c", "d", "e"]);
}

#[test]
fn the_next_update_goes_out_when_the_agent_has_the_last_one() {
    let mut world = World::subscribed(true);
    for task in ["t", "t", "u"] {
        world.update(task);
    }
    let told = |world: &World| -> Vec<_> { world.sent().into_iter().filter_map(|call| call.update).collect() };
    assert_eq!(told(&world).len(), 1);
    let first = told(&world)[0].status.clone();
    world.event(acknowledged(&first));
    assert_eq!(told(&world).len(), 2);
    world.event(acknowledged(&first));
    assert_eq!(told(&world).len(), 2, "an acknowledgement that comes twice changes nothing");
    world.acknowledge_all();
    let tasks: Vec<_> = told(&world).into_iter().map(|update| update.status.task_id.value).collect();
    assert_eq!(tasks, ["t", "t", "u"]);
}

#[test]
fn an_answer_is_enough_for_the_next_update_to_go_out() {
    let mut world = World::subscribed(true);
    world.update("a task that the agent does not know, and does not acknowledge");
    world.update("a task that the agent does not know, and does not acknowledge");
    let Some(Output::Transmit(call)) = world.outputs.pop() else { panic!("no UPDATE") };
    assert!(world.sent().is_empty());
    world.notice(Notice::Answered { call: call.clone(), status: 202, body: String::new() });
    assert_eq!(world.sent().len(), 1);
    world.notice(Notice::Answered { call, status: 202, body: String::new() });
    assert_eq!(world.sent().len(), 1, "an answer that is not to the update under way changes nothing");
}

#[test]
fn after_subscribing_again_nothing_is_waited_for() {
    let mut world = World::subscribed(true);
    world.update("t");
    world.update("t");
    world.stream(StreamEvent::Closed("cut".into()));
    world.wait();
    let subscribe = world.sent().pop().and_then(|call| call.subscribe).expect("a SUBSCRIBE");
    assert_eq!(subscribe.unacknowledged_updates.len(), 2);
    world.outputs.clear();
    world.update("t");
    assert!(world.sent().is_empty());
    world.event(subscribed());
    assert_eq!(world.sent().len(), 1);
}

#[test]
fn with_checkpointing_a_restarting_agent_is_waited_for() {
    let mut world = World::subscribed(true);
    let begun = world.now;
    world.stream(StreamEvent::Closed("killed".into()));
    assert_eq!(world.delivered(), [Callback::Disconnected]);
    world.outputs.clear();
    while world.delivered().is_empty() {
        assert!(world.now < begun + 901 * SECOND);
        world.wait();
        if world.session.poll_timeout().is_some() {
            world.stream(StreamEvent::Refused(503, "Agent has not finished recovery".into()));
        }
    }
    assert_eq!(world.delivered(), [Callback::Shutdown]);
    assert_eq!(world.now, begun + 900 * SECOND);
    assert!(world.outputs.contains(&Output::EndWithin(GRACE)));
    let attempts = world.outputs.iter().filter(|output| matches!(output, Output::Subscribe(..))).count();
    assert!(attempts > 450, "at most two seconds lie between two of the {attempts} attempts");
}

#[test]
fn without_checkpointing_a_connection_may_break_but_an_agent_may_not() {
    let mut world = World::subscribed(false);
    world.stream(StreamEvent::Closed("cut".into()));
    world.wait();
    world.event(subscribed());
    assert!(matches!(world.delivered()[..], [Callback::Disconnected, Callback::Reregistered(_)]));
    world.outputs.clear();
    world.stream(StreamEvent::Closed("killed".into()));
    world.wait();
    world.stream(StreamEvent::Refused(400, "Executor cannot be found".into()));
    assert_eq!(world.delivered(), [Callback::Disconnected, Callback::Shutdown]);
    assert_eq!(world.session.poll_timeout(), None);
}

#[test]
fn an_agent_that_never_knew_us_is_an_error() {
    let mut world = world(false);
    world.stream(StreamEvent::Refused(503, "recovering".into()));
    assert_eq!(world.delivered(), []);
    world.wait();
    world.stream(StreamEvent::Refused(400, "Executor cannot be found".into()));
    let why = "Received unexpected '400' (Executor cannot be found) for SUBSCRIBE";
    assert_eq!(world.delivered(), [Callback::Error(Error::refused(why))]);
}

#[test]
fn after_shutdown_nothing_is_delivered_and_updates_still_go_out() {
    let mut world = World::subscribed(false);
    world.event(of(event::Type::Shutdown));
    world.launch("late");
    world.event(of(event::Type::Shutdown));
    world.update("t");
    assert_eq!(world.delivered(), [Callback::Shutdown]);
    let ends = world.outputs.iter().filter(|output| matches!(output, Output::EndWithin(_))).count();
    assert_eq!(ends, 1);
    assert_eq!(world.sent()[0].r#type(), call::Type::Update);
    world.notice(Notice::Stop { failover: false });
    assert!(matches!(world.outputs.last(), Some(Output::Finished { .. })), "it does not wait for acknowledgements");
}

#[test]
fn a_stopped_driver_sees_to_its_last_updates() {
    let mut world = World::subscribed(true);
    world.update("t");
    let status = world.sent().remove(0).update.expect("an update").status;
    world.notice(Notice::Stop { failover: false });
    world.stream(StreamEvent::Closed("cut".into()));
    world.wait();
    world.event(subscribed());
    assert!(!world.outputs.iter().any(|output| matches!(output, Output::Finished { .. })));
    world.event(acknowledged(&status));
    assert!(matches!(world.outputs.last(), Some(Output::Finished { .. })));
}

#[test]
fn a_stopped_driver_does_not_wait_for_ever() {
    let mut world = World::subscribed(true);
    world.update("t");
    world.notice(Notice::Stop { failover: false });
    world.now += 5 * SECOND;
    world.notice(Notice::Timeout);
    assert!(matches!(world.outputs.last(), Some(Output::Finished { .. })));
}

#[test]
fn an_update_that_the_agent_refuses_is_not_sent_for_ever() {
    let mut world = World::subscribed(true);
    world.update("t");
    let Some(Output::Transmit(call)) = world.outputs.pop() else { panic!("an update was sent") };
    world.notice(Notice::Answered { call, status: 400, body: "invalid".into() });
    world.stream(StreamEvent::Closed("cut".into()));
    world.outputs.clear();
    world.wait();
    assert_eq!(world.sent()[0].subscribe.as_ref().expect("a SUBSCRIBE").unacknowledged_updates, []);
}

#[test]
fn a_subscription_that_stands_is_not_made_again_by_another_subscribed() {
    let mut world = World::subscribed(false);
    world.event(subscribed());
    assert_eq!(world.delivered(), []);
}

#[test]
fn a_heartbeat_is_sent_every_half_an_hour() {
    let mut world = World::subscribed(false);
    let begun = world.now;
    world.wait();
    assert_eq!(world.now, begun + 1800 * SECOND);
    assert_eq!(world.sent()[0].r#type(), call::Type::Heartbeat);
}

#[test]
fn a_process_that_was_paused_tries_the_agent_once_more_before_giving_it_up() {
    let mut world = World::subscribed(false);
    world.stream(StreamEvent::Closed("cut".into()));
    world.now += 60 * SECOND;
    world.notice(Notice::ReadingResumed);
    world.notice(Notice::Timeout);
    assert_eq!(world.delivered(), [Callback::Disconnected]);
    world.event(subscribed());
    assert!(matches!(world.delivered()[..], [Callback::Disconnected, Callback::Reregistered(_)]));
}

#[test]
fn an_update_that_was_not_answered_is_sent_again_and_a_message_is_not() {
    use remesos::session::Unanswered;
    use remesos::wire::executor::{Call, CallMessage};
    use remesos::wire::views::Wrapped;
    let envelope = |call| Envelope { executor_id: Bytes::new(), framework_id: Bytes::new(), call };
    let update = envelope(Call::Update(Wrapped::default()));
    assert_eq!(ExecutorSession::unanswered(update.clone()), Unanswered::Repeat(update));
    for call in [Call::Message(CallMessage::default()), Call::Heartbeat] {
        assert_eq!(ExecutorSession::unanswered(envelope(call)), Unanswered::GiveUp);
    }
}

#[test]
fn any_period_in_the_environment_is_lived_with() {
    for text in ["9000000000000000000secs", "20000000000000000000secs", "99999999weeks"] {
        let period = Period::parse(text).expect(text);
        let (recovery_timeout, backoff_max) = (Some(period), period);
        let mut world = world_of(Config { recovery_timeout, backoff_max, ..config(true) });
        for _ in 0..20 {
            world.stream(StreamEvent::Closed("gone".into()));
            let due = world.session.poll_timeout().expect("another attempt");
            assert!(due - world.now <= 60 * SECOND, "{text}");
            world.wait();
        }
        world.event(subscribed());
        world.event(of(event::Type::Shutdown));
        assert!(world.outputs.contains(&Output::EndWithin(GRACE)));
    }
}
