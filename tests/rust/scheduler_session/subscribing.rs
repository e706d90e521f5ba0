//! Subscribing: masters, attempts, streams and what comes on them.

use super::*;

#[test]
fn a_detected_master_is_subscribed_to_at_once_and_registered_comes_first() {
    let mut world = world();
    assert_eq!(world.session.poll_timeout(), None);
    let outputs = world.notice(Notice::Detected(master(5050).into()));
    let (to, subscribe, id) = subscribe_call(&outputs);
    assert_eq!((to, id), (master(5050), None));
    assert_eq!((subscribe.framework_info.user.as_str(), subscribe.framework_info.hostname()), ("user", "host"));
    let first = deliveries(&world.subscribe());
    assert!(matches!(first.as_slice(), [Callback::Registered(_)]), "{first:?}");
}

#[test]
fn events_are_the_same_however_the_bytes_are_split() {
    let mut stream = Vec::new();
    for event in [subscribed("f-1"), heartbeat(), offers(&["o1", "o2"]), heartbeat(), error("the end")] {
        stream.extend_from_slice(&wire::recordio::encode(&event.encode_to_vec()));
    }
    for size in 1..=stream.len() {
        let mut world = world();
        world.notice(Notice::Detected(master(5050).into()));
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
    assert!(matches!(again.as_slice(), [Callback::Reregistered(_)]), "{again:?}");
}

#[test]
fn failed_attempts_back_off_up_to_a_minute() {
    for seed in 0..50 {
        let mut world = world_of(v1::FrameworkInfo::default(), seed);
        world.notice(Notice::Detected(master(5050).into()));
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
        world.notice(Notice::Detected(master(5050).into()));
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
        world.notice(Notice::Detected(master(5050).into()));
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
    world.notice(Notice::Detected(master(5050).into()));
    assert_eq!(world.timeout(), [Output::Disconnect]);
    subscribe_call(&world.timeout());
}

#[test]
fn redirects_are_followed_and_after_too_many_the_detected_master_is_tried_again() {
    let mut world = world();
    world.notice(Notice::Detected(master(5050).into()));
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
    world.notice(Notice::Detected(master(5050).into()));
    world.stream(StreamEvent::Redirected(master(6060)));
    world.subscribe();
    world.stream(StreamEvent::Closed("gone".into()));
    assert_eq!(subscribe_call(&world.timeout()).0, master(5050));
}

#[test]
fn refusals_that_pass_are_tried_again_and_others_end_the_driver() {
    for status in [404, 500, 503] {
        let mut world = world();
        world.notice(Notice::Detected(master(5050).into()));
        assert_eq!(deliveries(&world.stream(StreamEvent::Refused(status, "later".into()))), []);
        subscribe_call(&world.timeout());
    }
    for (status, part) in [(401, "principal 'alice'"), (400, "why not"), (403, "why not")] {
        let mut world = world();
        world.notice(Notice::Detected(master(5050).into()));
        let told = deliveries(&world.stream(StreamEvent::Refused(status, "why not".into())));
        assert!(matches!(told.as_slice(), [Callback::Error(error)] if error.to_string().contains(part)), "{told:?}");
        let [Callback::Error(error)] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!((error.is_authentication(), error.is_refused()), (status == 401, status != 401));
        assert_eq!(world.session.poll_timeout(), None);
    }
}

#[test]
fn a_subscription_that_is_to_carry_another_authorization_is_tried_at_once() {
    let mut world = world();
    world.notice(Notice::Detected(master(5050).into()));
    let outputs = world.stream(StreamEvent::Unauthorized);
    assert_eq!(deliveries(&outputs), []);
    assert_eq!(subscribe_call(&outputs).0, master(5050));
    world.subscribe();
}

#[test]
fn a_framework_without_an_authorization_is_told_why() {
    let mut world = world();
    world.notice(Notice::Detected(master(5050).into()));
    let denied = Error::authentication("the login was refused");
    let told = deliveries(&world.stream(StreamEvent::Denied(denied.clone())));
    assert_eq!(told, [Callback::Error(denied)]);
    assert_eq!(world.session.poll_timeout(), None);
}

#[test]
fn a_call_that_is_refused_for_its_authorization_ends_the_driver() {
    let mut world = world();
    world.subscribe();
    let outputs = world.call(wire::scheduler::Call::Revive(wire::scheduler::call::Roles::default()));
    let Some(Output::Transmit(call)) = outputs.into_iter().next() else { panic!("nothing was sent") };
    let told = deliveries(&world.notice(Notice::Answered { call, status: 401, body: "who?".into() }));
    let [Callback::Error(error), ..] = told.as_slice() else { panic!("{told:?}") };
    assert!(error.is_authentication() && error.to_string().ends_with("principal 'alice'"), "{error}");
}

#[test]
fn a_new_leader_is_a_disconnection_and_a_new_subscription() {
    let mut world = world();
    world.subscribe();
    assert_eq!(world.notice(Notice::Detected(master(5050).into())), [], "the same master is no news");
    let outputs = world.notice(Notice::Detected(master(6060).into()));
    assert_eq!(deliveries(&outputs), [Callback::Disconnected]);
    assert_eq!(subscribe_call(&outputs).0, master(6060));
    assert_eq!(deliveries(&world.notice(Notice::Detected(Candidates::default()))), []);
    assert_eq!(world.session.poll_timeout(), None, "nothing to do until a master is known");
}

#[test]
fn what_an_abandoned_stream_still_says_is_ignored() {
    let mut world = world();
    world.subscribe();
    let old = world.attempt;
    world.notice(Notice::Detected(master(6060).into()));
    let late = StreamEvent::Data(wire::recordio::encode(&offers(&["o"]).encode_to_vec()));
    assert_eq!(world.notice(Notice::Stream(old, late)), []);
    assert_eq!(world.notice(Notice::Stream(old, StreamEvent::Closed("late".into()))), []);
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
fn a_framework_registers_once_with_each_master_that_is_elected() {
    let mut world = world();
    let mut registrations = Vec::new();
    for (port, id, by_detector) in
        [(1, "A", true), (2, "B", true), (1, "A", true), (1, "A", false), (1, "C", false), (2, "D", true)]
    {
        if by_detector {
            world.notice(Notice::Detected(master(port).into()));
        } else {
            world.stream(StreamEvent::Closed("gone".into()));
            world.timeout();
        }
        world.stream(StreamEvent::Opened(None));
        let told = deliveries(&world.event(&subscribed_at("f-1", Some(id))));
        registrations.push(matches!(told.last(), Some(Callback::Registered(_))));
    }
    assert_eq!(registrations, [true, true, false, false, false, true]);
}

#[test]
fn a_subscription_that_is_on_its_way_when_the_process_is_paused_gets_its_time_anew() {
    let mut world = subscribing();
    world.now += 80 * SECOND;
    world.notice(Notice::ReadingResumed);
    assert_eq!(world.notice(Notice::Timeout), []);
    assert!(matches!(deliveries(&world.event(&subscribed("f-1")))[..], [Callback::Registered(_)]));
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
    world.notice(Notice::Detected(Endpoint::new(true, "localhost", 5050).into()));
    let outputs = world.stream(StreamEvent::Redirected(master(6060)));
    assert_eq!(outputs, [Output::Disconnect]);
    assert_eq!(subscribe_call(&world.timeout()).0, Endpoint::new(true, "localhost", 5050));
    let outputs = world.stream(StreamEvent::Redirected(Endpoint::new(true, "other", 5050)));
    assert_eq!(subscribe_call(&outputs).0, Endpoint::new(true, "other", 5050));
}
