//! Stopping, aborting, and being ended by the master.

use super::*;

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
    assert_eq!(world.notice(Notice::Detected(master(6060).into())), []);
    assert_eq!(world.session.poll_timeout(), None);
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
    world.notice(Notice::Detected(master(5050).into()));
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
        StreamEvent::Unauthorized,
        StreamEvent::Denied(Error::authentication("no")),
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
fn an_aborted_driver_does_not_look_for_offers_for_ever() {
    let mut world = world();
    world.subscribe();
    world.event(&offers(&["o1"]));
    world.notice(Notice::Abort);
    world.timeout();
    assert_eq!(world.session.poll_timeout().expect("heartbeats") - world.now, 65 * SECOND);
}
