//! The scheduler's session in virtual time: no network, no clock, every failure by hand.

use std::time::{Duration, Instant};

use bytes::Bytes;
use prost::Message;
use remesos::Error;
use remesos::proto::v1;
use remesos::proto::v1::scheduler::{Call, Event, call, event};
use remesos::session::framework::Framework;
use remesos::session::scheduler::{Callback, Config, Output, Request, SchedulerSession};
use remesos::session::{Callback as _, Endpoint, Notice, Session as _, StreamEvent};
use remesos::wire::scheduler::Envelope;
use remesos::wire::{self, Post as _};

const SECOND: Duration = Duration::from_secs(1);

/// A session with its clock, and the master that it talks to.
struct World {
    session: SchedulerSession,
    now: Instant,
    attempt: u64,
}

fn master(port: u16) -> Endpoint {
    Endpoint::new(false, "localhost", port)
}

fn world_of(info: v1::FrameworkInfo, seed: u64) -> World {
    let framework = Framework::new(info.encode_to_vec().into(), "user", "host").expect("a FrameworkInfo");
    let config = Config {
        framework,
        suppressed_roles: vec![],
        implicit_acknowledgements: true,
        principal: Some("alice".into()),
        backoff_factor: (2 * SECOND).into(),
        seed,
    };
    World { session: SchedulerSession::new(config), now: Instant::now(), attempt: 0 }
}

fn world() -> World {
    world_of(v1::FrameworkInfo { user: String::new(), name: "test".into(), ..Default::default() }, 7)
}

impl World {
    fn notice(&mut self, notice: Notice<Envelope>) -> Vec<Output> {
        self.session.handle_notice(self.now, notice);
        self.outputs()
    }

    fn request(&mut self, request: Request) -> Vec<Output> {
        self.session.handle_request(self.now, request);
        self.outputs()
    }

    fn call(&mut self, call: wire::scheduler::Call) -> Vec<Output> {
        self.request(Request::Call { call, timestamp: 1.5 })
    }

    fn outputs(&mut self) -> Vec<Output> {
        let outputs: Vec<_> = std::iter::from_fn(|| self.session.poll_output()).collect();
        for output in &outputs {
            if let Output::Subscribe(attempt, ..) = output {
                self.attempt = *attempt;
            }
        }
        outputs
    }

    fn stream(&mut self, event: StreamEvent) -> Vec<Output> {
        self.notice(Notice::Stream(self.attempt, event))
    }

    fn event(&mut self, event: &Event) -> Vec<Output> {
        self.stream(StreamEvent::Data(wire::recordio::encode(&event.encode_to_vec())))
    }

    /// Lets the time come that the session waits for.
    fn timeout(&mut self) -> Vec<Output> {
        self.now = self.session.poll_timeout().expect("the session waits for a time");
        self.notice(Notice::Timeout)
    }

    fn subscribe(&mut self) -> Vec<Output> {
        if self.attempt == 0 {
            self.notice(Notice::Detected(Some(master(5050))));
        }
        self.stream(StreamEvent::Opened(None));
        let outputs = self.event(&subscribed("f-1"));
        assert!(self.session.is_subscribed());
        outputs
    }
}

fn subscribed(id: &str) -> Event {
    subscribed_at(id, None)
}

/// SUBSCRIBED, with the id of the master.
fn subscribed_at(id: &str, master: Option<&str>) -> Event {
    Event {
        r#type: Some(event::Type::Subscribed.into()),
        subscribed: Some(event::Subscribed {
            framework_id: v1::FrameworkId { value: id.into() },
            heartbeat_interval_seconds: Some(15.0),
            master_info: master.map(|id| v1::MasterInfo { id: id.into(), ..Default::default() }),
        }),
        ..Default::default()
    }
}

fn heartbeat() -> Event {
    Event { r#type: Some(event::Type::Heartbeat.into()), ..Default::default() }
}

fn error(message: &str) -> Event {
    let error = Some(event::Error { message: message.into() });
    Event { r#type: Some(event::Type::Error.into()), error, ..Default::default() }
}

fn offers(ids: &[&str]) -> Event {
    let offer = |id: &&str| v1::Offer { id: v1::OfferId { value: (*id).into() }, ..Default::default() };
    let offers = Some(event::Offers { offers: ids.iter().map(offer).collect() });
    Event { r#type: Some(event::Type::Offers.into()), offers, ..Default::default() }
}

fn update(task: &str, uuid: Option<u8>) -> v1::TaskStatus {
    v1::TaskStatus {
        task_id: v1::TaskId { value: task.into() },
        state: v1::TaskState::TaskRunning.into(),
        agent_id: Some(v1::AgentId { value: "a".into() }),
        uuid: uuid.map(|b| vec![b; 16]),
        ..Default::default()
    }
}

fn launch(task: &str) -> wire::scheduler::Call {
    let info = v1::TaskInfo { task_id: v1::TaskId { value: task.into() }, ..Default::default() };
    wire::scheduler::Call::Accept(wire::scheduler::call::Accept {
        offer_ids: vec![Bytes::from_static(b"\n\x01o")],
        operations: vec![wire::scheduler::call::launch_operation(vec![info.encode_to_vec().into()])],
        filters: None,
    })
}

fn envelope(call: wire::scheduler::Call) -> Envelope {
    Envelope { framework_id: None, call }
}

fn all_roles() -> wire::scheduler::call::Roles {
    wire::scheduler::call::Roles::default()
}

fn deliveries(outputs: &[Output]) -> Vec<Callback> {
    outputs.iter().filter_map(|o| if let Output::Deliver(d) = o { Some(d.clone()) } else { None }).collect()
}

fn transmitted(outputs: &[Output]) -> Vec<Call> {
    let sent = outputs.iter().filter_map(|o| if let Output::Transmit(c) = o { Some(c.to_bytes()) } else { None });
    sent.map(|bytes| Call::decode(bytes).expect("a v1 call")).collect()
}

fn subscribe_call(outputs: &[Output]) -> (Endpoint, call::Subscribe, Option<v1::FrameworkId>) {
    let found = outputs
        .iter()
        .find_map(|o| if let Output::Subscribe(_, m, c) = o { Some((m.clone(), c.clone())) } else { None });
    let (master, bytes) = found.unwrap_or_else(|| panic!("no SUBSCRIBE in {outputs:?}"));
    let call = Call::decode(bytes).expect("a v1 call");
    (master, call.subscribe.expect("a subscribe"), call.framework_id)
}

#[test]
fn a_detected_master_is_subscribed_to_at_once_and_registered_comes_first() {
    let mut world = world();
    assert_eq!(world.session.poll_timeout(), None);
    let outputs = world.notice(Notice::Detected(Some(master(5050))));
    let (to, subscribe, id) = subscribe_call(&outputs);
    assert_eq!((to, id), (master(5050), None));
    assert_eq!((subscribe.framework_info.user.as_str(), subscribe.framework_info.hostname()), ("user", "host"));
    let first = deliveries(&world.subscribe());
    assert!(matches!(first.as_slice(), [Callback::Registered { .. }]), "{first:?}");
}

#[test]
fn events_are_the_same_however_the_bytes_are_split() {
    let mut stream = Vec::new();
    for event in [subscribed("f-1"), heartbeat(), offers(&["o1", "o2"]), heartbeat(), error("the end")] {
        stream.extend_from_slice(&wire::recordio::encode(&event.encode_to_vec()));
    }
    for size in 1..=stream.len() {
        let mut world = world();
        world.notice(Notice::Detected(Some(master(5050))));
        let mut seen = Vec::new();
        for piece in stream.chunks(size) {
            seen.extend(deliveries(&world.stream(StreamEvent::Data(Bytes::copy_from_slice(piece)))));
        }
        let names: Vec<_> = seen.iter().map(std::mem::discriminant).collect();
        assert_eq!(names.len(), 3, "pieces of {size}: {seen:?}");
        assert!(matches!(seen[2], Callback::Error(ref error) if error.to_string() == "the end"));
    }
}

#[test]
fn a_closed_stream_is_a_disconnection_and_the_id_is_kept_for_the_next_attempt() {
    let mut world = world();
    world.subscribe();
    let outputs = world.stream(StreamEvent::Closed("gone".into()));
    assert_eq!(deliveries(&outputs), [Callback::Disconnected]);
    assert!(outputs.contains(&Output::Disconnect));
    let outputs = world.timeout();
    let (_, subscribe, id) = subscribe_call(&outputs);
    assert_eq!(id.expect("an id").value, "f-1");
    assert_eq!(subscribe.framework_info.id.expect("an id").value, "f-1");
    let again = deliveries(&world.subscribe());
    assert!(matches!(again.as_slice(), [Callback::Reregistered { .. }]), "{again:?}");
}

#[test]
fn failed_attempts_back_off_up_to_a_minute() {
    for seed in 0..50 {
        let mut world = world_of(v1::FrameworkInfo::default(), seed);
        world.notice(Notice::Detected(Some(master(5050))));
        for window in [2, 4, 8, 16, 32, 60, 60] {
            let before = world.now;
            assert_eq!(deliveries(&world.stream(StreamEvent::Closed("refused".into()))), []);
            world.timeout();
            assert!(world.now - before <= window * SECOND);
        }
    }
}

#[test]
fn any_heartbeat_interval_is_lived_with() {
    let absurd = [1e300, 1e19, 1.8e19, 9.2e18, 2e18, f64::INFINITY, f64::NAN, f64::NEG_INFINITY, -1.0, 0.0, -0.0];
    for seconds in absurd {
        let mut world = world();
        world.notice(Notice::Detected(Some(master(5050))));
        let mut event = subscribed("f-1");
        event.subscribed.as_mut().expect("SUBSCRIBED").heartbeat_interval_seconds = Some(seconds);
        world.event(&event);
        world.event(&heartbeat());
        let due = world.session.poll_timeout().expect("a deadline") - world.now;
        if seconds > 0.0 {
            assert!(due > 1_000_000_000 * SECOND, "{seconds}: never is far away");
        } else {
            assert_eq!(due, 75 * SECOND, "{seconds}: the default counts");
        }
        world.timeout();
        world.timeout();
        world.subscribe();
    }
}

#[test]
fn any_failover_timeout_is_lived_with() {
    for failover_timeout in [1e300, 1e19, 9.2e18, f64::INFINITY, f64::NAN, -1.0, 0.0] {
        let failover_timeout = Some(failover_timeout);
        let mut world = world_of(v1::FrameworkInfo { name: "test".into(), failover_timeout, ..Default::default() }, 7);
        world.notice(Notice::Detected(Some(master(5050))));
        for _ in 0..20 {
            world.stream(StreamEvent::Closed("gone".into()));
            assert!(world.session.poll_timeout().expect("another attempt") - world.now <= 60 * SECOND);
            world.timeout();
        }
        world.subscribe();
    }
}

#[test]
fn five_missing_heartbeats_are_a_disconnection() {
    let mut world = world();
    world.subscribe();
    for _ in 0..10 {
        world.now += 15 * SECOND;
        assert_eq!(world.notice(Notice::Timeout), []);
        assert_eq!(world.event(&heartbeat()), []);
    }
    let last = world.now;
    assert_eq!(deliveries(&world.timeout()), [Callback::Disconnected]);
    assert_eq!(world.now - last, 75 * SECOND);
}

#[test]
fn silence_while_reading_is_held_back_says_nothing() {
    let mut world = world();
    world.subscribe();
    world.now += 600 * SECOND;
    assert_eq!(world.notice(Notice::ReadingResumed), []);
    assert_eq!(world.notice(Notice::Timeout), []);
    let last = world.now;
    assert_eq!(deliveries(&world.timeout()), [Callback::Disconnected]);
    assert_eq!(world.now - last, 75 * SECOND);
}

#[test]
fn a_master_that_does_not_answer_is_given_up() {
    let mut world = world();
    world.notice(Notice::Detected(Some(master(5050))));
    assert_eq!(world.timeout(), [Output::Disconnect]);
    subscribe_call(&world.timeout());
}

#[test]
fn redirects_are_followed_and_after_too_many_the_detected_master_is_tried_again() {
    let mut world = world();
    world.notice(Notice::Detected(Some(master(5050))));
    for hop in 1..=5 {
        let outputs = world.stream(StreamEvent::Redirected(master(5050 + hop)));
        assert_eq!(subscribe_call(&outputs).0, master(5050 + hop));
    }
    world.stream(StreamEvent::Redirected(master(5050)));
    assert_eq!(subscribe_call(&world.timeout()).0, master(5050));
}

#[test]
fn a_redirected_session_that_breaks_asks_the_detected_master_again() {
    let mut world = world();
    world.notice(Notice::Detected(Some(master(5050))));
    world.stream(StreamEvent::Redirected(master(6060)));
    world.subscribe();
    world.stream(StreamEvent::Closed("gone".into()));
    assert_eq!(subscribe_call(&world.timeout()).0, master(5050));
}

#[test]
fn refusals_that_pass_are_tried_again_and_others_end_the_driver() {
    for status in [404, 500, 503] {
        let mut world = world();
        world.notice(Notice::Detected(Some(master(5050))));
        assert_eq!(deliveries(&world.stream(StreamEvent::Refused(status, "later".into()))), []);
        subscribe_call(&world.timeout());
    }
    for (status, part) in [(401, "principal 'alice'"), (400, "why not"), (403, "why not")] {
        let mut world = world();
        world.notice(Notice::Detected(Some(master(5050))));
        let told = deliveries(&world.stream(StreamEvent::Refused(status, "why not".into())));
        assert!(matches!(told.as_slice(), [Callback::Error(error)] if error.to_string().contains(part)), "{told:?}");
        let [Callback::Error(error)] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!((error.is_authentication(), error.is_refused()), (status == 401, status != 401));
        assert_eq!(world.session.poll_timeout(), None);
    }
}

#[test]
fn a_new_leader_is_a_disconnection_and_a_new_subscription() {
    let mut world = world();
    world.subscribe();
    assert_eq!(world.notice(Notice::Detected(Some(master(5050)))), [], "the same master is no news");
    let outputs = world.notice(Notice::Detected(Some(master(6060))));
    assert_eq!(deliveries(&outputs), [Callback::Disconnected]);
    assert_eq!(subscribe_call(&outputs).0, master(6060));
    assert_eq!(deliveries(&world.notice(Notice::Detected(None))), []);
    assert_eq!(world.session.poll_timeout(), None, "nothing to do until a master is known");
}

#[test]
fn what_an_abandoned_stream_still_says_is_ignored() {
    let mut world = world();
    world.subscribe();
    let old = world.attempt;
    world.notice(Notice::Detected(Some(master(6060))));
    let late = StreamEvent::Data(wire::recordio::encode(&offers(&["o"]).encode_to_vec()));
    assert_eq!(world.notice(Notice::Stream(old, late)), []);
    assert_eq!(world.notice(Notice::Stream(old, StreamEvent::Closed("late".into()))), []);
}

#[test]
fn calls_keep_their_order_and_carry_the_id() {
    let mut world = world();
    world.subscribe();
    let mut sent = Vec::new();
    for task in ["1", "2", "3"] {
        sent.extend(transmitted(&world.call(launch(task))));
    }
    let ids: Vec<_> = sent.iter().map(|c| c.framework_id.clone().expect("an id").value).collect();
    assert_eq!(ids, ["f-1"; 3]);
    let task = |c: &Call| {
        c.accept.as_ref().expect("accept").operations[0].launch.as_ref().expect("launch").task_infos[0]
            .task_id
            .value
            .clone()
    };
    assert_eq!(sent.iter().map(task).collect::<Vec<_>>(), ["1", "2", "3"]);
}

#[test]
fn launches_that_cannot_be_sent_are_reported_lost_or_dropped() {
    let aware =
        v1::framework_info::Capability { r#type: Some(v1::framework_info::capability::Type::PartitionAware.into()) };
    let cases = [(vec![], v1::TaskState::TaskLost), (vec![aware], v1::TaskState::TaskDropped)];
    for (capabilities, state) in cases {
        let mut world = world_of(v1::FrameworkInfo { capabilities, ..Default::default() }, 7);
        let unsent = Notice::Unsent { calls: vec![envelope(launch("t"))], timestamp: 1.5 };
        for outputs in [world.call(launch("t")), world.notice(unsent)] {
            let told = deliveries(&outputs);
            let [Callback::StatusUpdate { status, .. }] = told.as_slice() else { panic!("{told:?}") };
            let status = v1::TaskStatus::decode(status.clone()).expect("a status");
            assert_eq!(status.timestamp(), 1.5);
            assert_eq!((status.state(), status.task_id.value.as_str()), (state, "t"));
            assert_eq!(status.reason(), v1::task_status::Reason::MasterDisconnected);
            assert_eq!((status.uuid, status.agent_id), (None, None));
        }
    }
}

#[test]
fn other_calls_are_dropped_while_disconnected() {
    let mut world = world();
    assert_eq!(world.call(wire::scheduler::Call::Kill(Default::default())), []);
}

#[test]
fn suppressed_roles_survive_a_reconnection() {
    let mut world = world();
    world.subscribe();
    let outputs = world.call(wire::scheduler::Call::Suppress(all_roles()));
    assert_eq!(transmitted(&outputs).len(), 1);
    world.stream(StreamEvent::Closed("gone".into()));
    assert_eq!(subscribe_call(&world.timeout()).1.suppressed_roles, ["*"]);
    world.stream(StreamEvent::Closed("gone".into()));
    world.call(wire::scheduler::Call::Revive(all_roles()));
    assert_eq!(subscribe_call(&world.timeout()).1.suppressed_roles, Vec::<String>::new());
}

#[test]
fn acknowledgements_are_sent_only_for_updates_that_want_one() {
    let mut world = world();
    world.subscribe();
    let acknowledge = |status: v1::TaskStatus| Request::Acknowledge(status.encode_to_vec().into());
    let sent = transmitted(&world.request(acknowledge(update("t", Some(9)))));
    let ack = sent[0].acknowledge.as_ref().expect("an acknowledgement");
    assert_eq!(
        (ack.task_id.value.as_str(), ack.agent_id.value.as_str(), ack.uuid.as_slice()),
        ("t", "a", &[9; 16][..])
    );
    assert_eq!(world.request(acknowledge(update("t", None))), []);
    world.stream(StreamEvent::Closed("gone".into()));
    assert_eq!(world.request(acknowledge(update("t", Some(9)))), [], "not connected: it is delivered again");
}

#[test]
fn abort_keeps_the_stream_and_gives_back_what_was_offered() {
    let mut world = world();
    world.subscribe();
    world.event(&offers(&["o1", "o2"]));
    let sent = transmitted(&world.notice(Notice::Abort));
    assert_eq!(sent.iter().map(Call::r#type).collect::<Vec<_>>(), [call::Type::Suppress, call::Type::Decline]);
    assert_eq!(sent[1].decline.as_ref().expect("decline").offer_ids.len(), 2);
    let outputs = world.event(&offers(&["o3"]));
    assert_eq!(deliveries(&outputs), []);
    assert_eq!(transmitted(&outputs)[0].decline.as_ref().expect("decline").offer_ids[0].value, "o3");
    let status: Bytes = update("t", Some(1)).encode_to_vec().into();
    assert_eq!(world.request(Request::Acknowledge(status)), []);
    assert_eq!(world.call(launch("t")), []);
    let outputs = world.notice(Notice::Stop { failover: false });
    assert_eq!(transmitted(&outputs)[0].r#type(), call::Type::Teardown);
    assert!(outputs.contains(&Output::Finished { linger: false }));
}

#[test]
fn stop_tears_down_and_failover_lingers() {
    let mut first = world();
    first.subscribe();
    let outputs = first.notice(Notice::Stop { failover: false });
    assert_eq!(transmitted(&outputs)[0].r#type(), call::Type::Teardown);
    let mut second = world();
    second.subscribe();
    assert_eq!(second.notice(Notice::Stop { failover: true }), [Output::Finished { linger: true }]);
    assert_eq!(world().notice(Notice::Stop { failover: false }), [Output::Finished { linger: false }]);
}

#[test]
fn an_error_event_aborts_and_nothing_follows_it() {
    let mut world = world();
    world.subscribe();
    let outputs = world.event(&error("Framework failed over"));
    assert_eq!(deliveries(&outputs), [Callback::Error(Error::refused("Framework failed over"))]);
    assert_eq!(world.notice(Notice::Detected(Some(master(6060)))), []);
    assert_eq!(world.session.poll_timeout(), None);
}

#[test]
fn rubbish_on_the_stream_is_a_disconnection() {
    for rubbish in [&b"what?\n"[..], b"2\n\xff\xff"] {
        let mut world = world();
        world.subscribe();
        let outputs = world.stream(StreamEvent::Data(Bytes::from_static(rubbish)));
        assert_eq!(deliveries(&outputs), [Callback::Disconnected], "{rubbish:?}");
    }
}

#[test]
fn update_framework_needs_the_id_that_the_framework_has() {
    let update = |id: &str| {
        let id = Some(v1::FrameworkId { value: id.into() });
        let info = v1::FrameworkInfo { name: "new".into(), id, ..Default::default() };
        let framework_info = info.encode_to_vec().into();
        let suppressed_roles = vec!["*".into()];
        wire::scheduler::Call::UpdateFramework(wire::scheduler::call::Subscribe { framework_info, suppressed_roles })
    };
    let told = deliveries(&world().call(update("f-1")));
    assert!(matches!(told.as_slice(), [Callback::Error(error)] if error.to_string().contains("prior to registration")));
    let mut other = world();
    other.subscribe();
    let told = deliveries(&other.call(update("f-2")));
    let differs = "updateFramework() (f-2) must be equal to the value known to the MesosSchedulerDriver (f-1)";
    assert!(matches!(told.as_slice(), [Callback::Error(error)] if error.to_string().ends_with(differs)));
    let mut world = world();
    world.subscribe();
    assert_eq!(transmitted(&world.call(update("f-1")))[0].r#type(), call::Type::UpdateFramework);
    world.stream(StreamEvent::Closed("gone".into()));
    let (_, subscribe, _) = subscribe_call(&world.timeout());
    assert_eq!((subscribe.framework_info.name.as_str(), subscribe.suppressed_roles), ("new", vec!["*".to_owned()]));
}

#[test]
fn an_update_of_the_framework_that_the_master_refuses_aborts_and_keeps_the_stream() {
    let mut world = world();
    world.subscribe();
    let call = envelope(wire::scheduler::Call::UpdateFramework(Default::default()));
    let body = "FrameworkInfo update is not valid: why".to_owned();
    let outputs = world.notice(Notice::Answered { call, status: 400, body: body.clone() });
    assert_eq!(deliveries(&outputs), [Callback::Error(Error::refused(body))]);
    assert!(!outputs.contains(&Output::Disconnect), "{outputs:?}");
    assert_eq!(transmitted(&outputs)[0].r#type(), call::Type::Suppress);
}

#[test]
fn other_refused_calls_are_only_logged() {
    let mut world = world();
    world.subscribe();
    let call = envelope(wire::scheduler::Call::Revive(all_roles()));
    assert_eq!(world.notice(Notice::Answered { call, status: 400, body: String::new() }), []);
}

#[test]
fn a_framework_registers_once_with_each_master_that_is_elected() {
    let mut world = world();
    let mut registrations = Vec::new();
    for (port, id, by_detector) in
        [(1, "A", true), (2, "B", true), (1, "A", true), (1, "A", false), (1, "C", false), (2, "D", true)]
    {
        if by_detector {
            world.notice(Notice::Detected(Some(master(port))));
        } else {
            world.stream(StreamEvent::Closed("gone".into()));
            world.timeout();
        }
        world.stream(StreamEvent::Opened(None));
        let told = deliveries(&world.event(&subscribed_at("f-1", Some(id))));
        registrations.push(matches!(told.last(), Some(Callback::Registered { .. })));
    }
    assert_eq!(registrations, [true, true, false, false, false, true]);
}

/// A session whose SUBSCRIBE is written, and not answered yet.
fn subscribing() -> World {
    let mut world = world();
    world.notice(Notice::Detected(Some(master(5050))));
    world.stream(StreamEvent::Connected);
    world
}

#[test]
fn stop_waits_for_a_subscription_that_is_on_its_way_and_tears_it_down() {
    let mut world = subscribing();
    assert_eq!(world.notice(Notice::Stop { failover: false }), []);
    assert_eq!(world.notice(Notice::Stop { failover: false }), [], "and again changes nothing");
    let outputs = world.event(&subscribed("f-1"));
    assert_eq!(deliveries(&outputs), []);
    let sent = transmitted(&outputs);
    assert_eq!(sent[0].r#type(), call::Type::Teardown);
    assert_eq!(sent[0].framework_id.as_ref().expect("an id").value, "f-1");
    assert_eq!(outputs.last(), Some(&Output::Finished { linger: false }));
}

#[test]
fn stop_with_failover_waits_for_a_subscription_that_is_on_its_way_and_leaves_it() {
    let mut world = subscribing();
    assert_eq!(world.notice(Notice::Stop { failover: true }), []);
    assert_eq!(world.event(&subscribed("f-1")), [Output::Finished { linger: true }]);
}

#[test]
fn stop_does_not_wait_for_a_connection() {
    let mut world = world();
    world.notice(Notice::Detected(Some(master(5050))));
    assert_eq!(world.notice(Notice::Stop { failover: false }), [Output::Finished { linger: false }]);
}

#[test]
fn stop_waits_no_longer_than_five_seconds_for_a_subscription() {
    let mut world = subscribing();
    let stopped = world.now;
    world.notice(Notice::Stop { failover: false });
    assert_eq!(world.timeout(), [Output::Finished { linger: false }]);
    assert_eq!(world.now - stopped, 5 * SECOND);
}

#[test]
fn stop_does_not_wait_for_a_subscription_that_fails() {
    for event in [
        StreamEvent::Closed("gone".into()),
        StreamEvent::Redirected(master(6060)),
        StreamEvent::Refused(503, "not yet".into()),
        StreamEvent::Refused(401, "who?".into()),
    ] {
        let mut world = subscribing();
        world.notice(Notice::Stop { failover: false });
        let outputs = world.stream(event);
        assert_eq!(outputs.last(), Some(&Output::Finished { linger: false }), "{outputs:?}");
    }
}

#[test]
fn abort_while_subscribing_is_done_when_subscribed() {
    let mut world = subscribing();
    assert_eq!(world.notice(Notice::Abort), []);
    let outputs = world.event(&subscribed("f-1"));
    assert_eq!(deliveries(&outputs), []);
    assert_eq!(transmitted(&outputs)[0].r#type(), call::Type::Suppress);
    let outputs = world.event(&offers(&["o1"]));
    assert_eq!(transmitted(&outputs)[0].r#type(), call::Type::Decline);
}

#[test]
fn a_subscription_that_is_on_its_way_when_the_process_is_paused_gets_its_time_anew() {
    let mut world = subscribing();
    world.now += 80 * SECOND;
    world.notice(Notice::ReadingResumed);
    assert_eq!(world.notice(Notice::Timeout), []);
    assert!(matches!(deliveries(&world.event(&subscribed("f-1")))[..], [Callback::Registered { .. }]));
}

#[test]
fn a_master_that_sends_rubbish_is_tried_less_and_less_often() {
    let mut waited = Vec::new();
    for seed in 0..20 {
        let mut world = world_of(v1::FrameworkInfo::default(), seed);
        for _ in 0..8 {
            world.subscribe();
            let before = world.now;
            world.stream(StreamEvent::Data(Bytes::from_static(b"what?\n")));
            world.timeout();
            waited.push(world.now - before);
        }
    }
    assert!(waited.iter().any(|delay| *delay > 30 * SECOND), "{waited:?}");
}

#[test]
fn a_stream_that_ends_begins_the_back_off_anew() {
    for seed in 0..20 {
        let mut world = world_of(v1::FrameworkInfo::default(), seed);
        for _ in 0..8 {
            world.subscribe();
            let before = world.now;
            world.stream(StreamEvent::Closed("gone".into()));
            world.timeout();
            assert!(world.now - before <= 2 * SECOND);
        }
    }
}

#[test]
fn a_redirect_from_https_to_http_is_not_followed() {
    let mut world = world();
    world.notice(Notice::Detected(Some(Endpoint::new(true, "localhost", 5050))));
    let outputs = world.stream(StreamEvent::Redirected(master(6060)));
    assert_eq!(outputs, [Output::Disconnect]);
    assert_eq!(subscribe_call(&world.timeout()).0, Endpoint::new(true, "localhost", 5050));
    let outputs = world.stream(StreamEvent::Redirected(Endpoint::new(true, "other", 5050)));
    assert_eq!(subscribe_call(&outputs).0, Endpoint::new(true, "other", 5050));
}

#[test]
fn what_became_of_calls_is_asked_for_when_subscribed_again() {
    let mut world = world();
    world.subscribe();
    world.stream(StreamEvent::Closed("gone".into()));
    let inquiry = envelope(wire::scheduler::Call::Reconcile(Default::default()));
    assert_eq!(world.notice(Notice::Inquiries(vec![inquiry])), []);
    world.timeout();
    let outputs = world.subscribe();
    assert!(matches!(outputs[..], [Output::Deliver(Callback::Reregistered { .. }), Output::Transmit(_)]));
    assert_eq!(transmitted(&outputs)[0].r#type(), call::Type::Reconcile);
}

#[test]
fn calls_that_may_be_sent_twice_are_told_apart() {
    use remesos::session::Unanswered;
    use wire::scheduler::Call;
    for call in [
        Call::Teardown,
        Call::Decline(Default::default()),
        Call::Revive(all_roles()),
        Call::Suppress(all_roles()),
        Call::Kill(Default::default()),
        Call::Acknowledge(Default::default()),
        Call::Reconcile(Default::default()),
        Call::Request(Default::default()),
        Call::UpdateFramework(Default::default()),
    ] {
        let call = envelope(call);
        assert_eq!(SchedulerSession::unanswered(call.clone()), Unanswered::Repeat(call));
    }
    let message = envelope(Call::Message(Default::default()));
    assert_eq!(SchedulerSession::unanswered(message), Unanswered::GiveUp);
    let Unanswered::Replace { by, then } = SchedulerSession::unanswered(envelope(launch("t"))) else {
        panic!("an ACCEPT is never sent twice")
    };
    assert!(matches!(by.call, Call::Decline(_)));
    let Call::Reconcile(reconcile) = then.expect("a reconciliation").call else { panic!("not a reconciliation") };
    assert_eq!(reconcile.tasks.len(), 1);
}

/// What the session logs is not seen here; that it looks for unanswered offers, and when, is.
#[test]
fn offers_that_are_not_answered_are_looked_for_after_ten_seconds_and_once() {
    let mut world = world();
    world.subscribe();
    world.event(&offers(&["o1"]));
    world.now += 4 * SECOND;
    world.event(&offers(&["o2"]));
    let due = |world: &World| world.session.poll_timeout().expect("a time") - world.now;
    assert_eq!(due(&world), 6 * SECOND);
    let id = v1::OfferId { value: "o1".into() }.encode_to_vec().into();
    let decline = wire::scheduler::call::Decline { offer_ids: vec![id], filters: None };
    world.call(wire::scheduler::Call::Decline(decline));
    world.timeout();
    assert_eq!(due(&world), 4 * SECOND, "the other offer's time");
    world.notice(Notice::ReadingResumed);
    world.timeout();
    assert_eq!(due(&world), 6 * SECOND, "ten from when somebody could answer");
    world.timeout();
    world.event(&offers(&["o3"]));
    assert_eq!(due(&world), 75 * SECOND, "only the heartbeats now");
}

#[test]
fn an_aborted_driver_does_not_look_for_offers_for_ever() {
    let mut world = world();
    world.subscribe();
    world.event(&offers(&["o1"]));
    world.notice(Notice::Abort);
    world.timeout();
    assert_eq!(world.session.poll_timeout().expect("heartbeats") - world.now, 65 * SECOND);
}

#[test]
fn an_update_is_acknowledged_when_its_callback_has_returned_unless_the_framework_does_that() {
    for implicit_acknowledgements in [true, false] {
        let framework = v1::FrameworkInfo { name: "test".into(), ..Default::default() };
        let framework = Framework::new(framework.encode_to_vec().into(), "user", "host").expect("a FrameworkInfo");
        let config = Config {
            framework,
            suppressed_roles: vec![],
            implicit_acknowledgements,
            principal: None,
            backoff_factor: (2 * SECOND).into(),
            seed: 7,
        };
        let mut world = World { session: SchedulerSession::new(config), now: Instant::now(), attempt: 0 };
        world.subscribe();
        let status = update("t", Some(9));
        let event = Event {
            r#type: Some(event::Type::Update.into()),
            update: Some(event::Update { status }),
            ..Default::default()
        };
        let told = deliveries(&world.event(&event)).remove(0);
        let request = told.when_returned();
        assert_eq!(request.is_some(), implicit_acknowledgements);
        let sent = request.map(|request| transmitted(&world.request(request)));
        assert!(sent.is_none_or(|sent| sent[0].acknowledge.is_some()));
    }
}
