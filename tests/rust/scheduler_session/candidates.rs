//! Several masters of which any may lead.

use super::*;

/// A session that has begun to subscribe at the first of so many masters, whose ports count from 1.
fn among(number: u16) -> World {
    let mut world = world();
    let outputs = world.notice(Notice::Detected(masters(number)));
    assert_eq!(subscribe_call(&outputs).0, master(1));
    world
}

fn masters(number: u16) -> Candidates {
    (1..=number).map(master).collect::<Vec<_>>().into()
}

fn closed() -> StreamEvent {
    StreamEvent::Closed("gone".into())
}

#[test]
fn the_next_one_is_tried_at_once_whatever_the_failure() {
    let failures: [fn(&mut World) -> Vec<Output>; 4] = [
        |world| world.stream(closed()),
        |world| world.stream(StreamEvent::Refused(503, "No leader elected".into())),
        World::timeout,
        |world| {
            world.stream(StreamEvent::Redirected(master(5050)));
            world.stream(closed())
        },
    ];
    for fails in failures {
        let mut world = among(2);
        let outputs = fails(&mut world);
        assert_eq!(subscribe_call(&outputs).0, master(2));
        assert_eq!(deliveries(&outputs), [], "it was not connected");
        assert!(matches!(deliveries(&world.subscribe())[..], [Callback::Registered(_)]));
    }
}

#[test]
fn a_full_round_of_failures_waits_longer_and_longer() {
    let mut longest = Duration::ZERO;
    for seed in 0..50 {
        let mut world = world_of(v1::FrameworkInfo::default(), seed);
        world.notice(Notice::Detected(masters(3)));
        for window in [2, 4, 8, 16, 32, 60, 60] {
            let before = world.now;
            for port in [2, 3] {
                assert_eq!(subscribe_call(&world.stream(closed())).0, master(port));
            }
            assert_eq!(world.stream(closed()), [Output::Disconnect]);
            assert_eq!(subscribe_call(&world.timeout()).0, master(1));
            assert!(world.now - before <= window * SECOND);
            longest = longest.max(world.now - before);
        }
    }
    assert!(longest > 30 * SECOND, "{longest:?}");
}

#[test]
fn a_lost_master_is_a_disconnection_and_the_next_one_s_turn_after_a_wait() {
    let mut world = among(2);
    world.event(&subscribed_at("f-1", Some("A")));
    for (port, id, is_new) in [(2, "B", true), (1, "A", false), (2, "B", false)] {
        let lost = world.stream(closed());
        assert_eq!(deliveries(&lost), [Callback::Disconnected]);
        assert!(!lost.iter().any(|output| matches!(output, Output::Subscribe(..))), "no tight loop");
        let before = world.now;
        let (to, _, framework) = subscribe_call(&world.timeout());
        assert_eq!((to, framework.expect("an id").value.as_str()), (master(port), "f-1"));
        assert!(world.now - before <= 2 * SECOND);
        let told = deliveries(&world.event(&subscribed_at("f-1", Some(id))));
        assert_eq!(told.len(), 1);
        assert_eq!(matches!(told[0], Callback::Registered(_)), is_new, "{told:?}");
    }
}

#[test]
fn the_leader_that_a_follower_names_is_left_for_another_follower_when_it_is_lost() {
    let mut world = among(2);
    assert_eq!(subscribe_call(&world.stream(StreamEvent::Redirected(master(9)))).0, master(9));
    world.subscribe();
    world.stream(closed());
    assert_eq!(subscribe_call(&world.timeout()).0, master(2));
    assert_eq!(subscribe_call(&world.stream(StreamEvent::Redirected(master(9)))).0, master(9));
    let again = deliveries(&world.event(&subscribed("f-1")));
    assert!(matches!(again[..], [Callback::Reregistered(_)]), "{again:?}");
}

#[test]
fn followers_that_redirect_in_a_circle_are_waited_for() {
    let mut world = among(2);
    let mut attempts = 0;
    loop {
        let to = subscribe_call_of(&world.stream(StreamEvent::Redirected(master(9))));
        if to.is_none() {
            break;
        }
        attempts += 1;
    }
    assert_eq!(attempts, 11, "five redirects of each, and the attempt at the second itself");
    assert_eq!(subscribe_call(&world.timeout()).0, master(1));
}

#[test]
fn a_wrong_credential_is_not_tried_at_the_others() {
    for status in [400, 401, 403] {
        let mut world = among(2);
        let outputs = world.stream(StreamEvent::Refused(status, "no".into()));
        assert!(matches!(deliveries(&outputs)[..], [Callback::Error(_)]));
        assert_eq!(subscribe_call_of(&outputs), None);
        assert_eq!(world.session.poll_timeout(), None);
    }
}

#[test]
fn a_driver_that_was_stopped_or_aborted_tries_no_other_master() {
    for notice in [Notice::Stop { failover: false }, Notice::Abort] {
        let mut world = among(2);
        world.stream(StreamEvent::Connected);
        world.notice(notice);
        assert_eq!(subscribe_call_of(&world.stream(closed())), None);
        assert_eq!(subscribe_call_of(&world.notice(Notice::Timeout)), None);
    }
}

#[test]
fn the_same_masters_are_no_news() {
    let mut world = among(2);
    world.subscribe();
    assert_eq!(world.notice(Notice::Detected(masters(2))), []);
    let outputs = world.notice(Notice::Detected(masters(3)));
    assert_eq!(deliveries(&outputs), [Callback::Disconnected]);
}

/// Whom a SUBSCRIBE goes to, if there is one.
fn subscribe_call_of(outputs: &[Output]) -> Option<Endpoint> {
    outputs.iter().find_map(|output| if let Output::Subscribe(_, to, _) = output { Some(to.clone()) } else { None })
}
