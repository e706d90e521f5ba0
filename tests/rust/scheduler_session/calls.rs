//! What the framework asks, and what becomes of it.

use super::*;

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
fn what_became_of_calls_is_asked_for_when_subscribed_again() {
    let mut world = world();
    world.subscribe();
    world.stream(StreamEvent::Closed("gone".into()));
    let inquiry = envelope(wire::scheduler::Call::Reconcile(Default::default()));
    assert_eq!(world.notice(Notice::Inquiries(vec![inquiry])), []);
    world.timeout();
    let outputs = world.subscribe();
    assert!(matches!(outputs[..], [Output::Deliver(Callback::Reregistered(_)), Output::Transmit(_)]));
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
fn an_update_is_acknowledged_when_its_callback_has_returned_unless_the_framework_does_that() {
    for implicit_acknowledgements in [true, false] {
        let framework = v1::FrameworkInfo { name: "test".into(), ..Default::default() };
        let framework = Framework::new(framework.encode_to_vec().into(), "user", "host").expect("a FrameworkInfo");
        let config = Config {
            framework,
            suppressed_roles: vec![],
            implicit_acknowledgements,
            identity: None,
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
