//! The scheduler's session in virtual time: no network, no clock, every failure by hand.

use std::time::{Duration, Instant};

use bytes::Bytes;
use prost::Message;
use remesos::Error;
use remesos::proto::v1;
use remesos::proto::v1::scheduler::{Call, Event, call, event};
use remesos::session::framework::Framework;
use remesos::session::scheduler::{Callback, Config, Output, Request, SchedulerSession};
use remesos::session::{Callback as _, Candidates, Endpoint, Notice, Session as _, StreamEvent};
use remesos::wire::scheduler::Envelope;
use remesos::wire::{self, Post as _};

mod calls;
mod candidates;
mod ending;
mod subscribing;

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
        identity: Some("principal 'alice'".into()),
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
            self.notice(Notice::Detected(master(5050).into()));
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
    wire::scheduler::Call::from(wire::scheduler::call::Accept {
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

/// A session whose SUBSCRIBE is written, and not answered yet.
fn subscribing() -> World {
    let mut world = world();
    world.notice(Notice::Detected(master(5050).into()));
    world.stream(StreamEvent::Connected);
    world
}
