//! Requests to an embedded cluster of one agent, from the checks at its door to the state machines, in virtual time.

use std::cell::RefCell;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arbitrary::{Result, Unstructured};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::UnboundedReceiver;
use tower_service::Service;

use super::connections::Connection;
use super::door::Door;
use super::peer::Peer;
use super::principals::Guard;
use super::stream::RECORDIO;
use super::{Context, routes};
use crate::clock::{self, Clock};
use crate::local::backend::Backend;
use crate::local::backend::pretend::Pretend;
use crate::local::cluster::handle::Handle;
use crate::local::cluster::machine::{Job, Machine};
use crate::local::cluster::maker::Maker;
use crate::local::failures::Failures;
use crate::local::keep::Failed;
use crate::local::master::{Config, Master};
use crate::local::options::{AgentOptions, Options};
use crate::local::queue;
use crate::local::resources::{Declared, Host};
use crate::local::token::Token;
use crate::local::world::{WallClock, World};
use crate::proto::v1;
use crate::proto::v1::framework_info::{Capability, capability::Type};
use crate::proto::v1::scheduler::{Event, call};
use crate::wire::json;
use crate::wire::recordio::Decoder;

/// What has a body, and the message that it is.
const POSTS: [(&str, &str); 15] = [
    ("/api/v1/scheduler", "mesos.v1.scheduler.Call"),
    ("/api/v1", "mesos.v1.master.Call"),
    ("/slave(1)/api/v1", "mesos.v1.agent.Call"),
    ("/slave(1)/api/v1/executor", "mesos.v1.executor.Call"),
    ("/maintenance/schedule", "mesos.v1.maintenance.Schedule"),
    ("/teardown", ""),
    ("/reserve", ""),
    ("/unreserve", ""),
    ("/create-volumes", ""),
    ("/destroy-volumes", ""),
    ("/machine/down", ""),
    ("/machine/up", ""),
    ("/weights", ""),
    ("/quota", ""),
    ("/quota/role", ""),
];
/// What is told by a query.
const GETS: [&str; 9] = [
    "/files/browse",
    "/files/read",
    "/files/download",
    "/tasks",
    "/frameworks",
    "/state",
    "/slave(1)/state",
    "/slave(1)/containers",
    "/logging/toggle",
];
const MEDIA_TYPES: [&str; 4] =
    ["application/json", "application/x-protobuf", "application/x-www-form-urlencoded", "application/recordio"];
/// The most requests of an input.
const REQUESTS_MAX: usize = 8;
/// Longer ones are not sent: what is large is for the tests of limits.
const BODY_MAX: usize = 16 << 10;
const SECOND: Duration = Duration::from_secs(1);

/// Requests are answered, whatever their bodies are, and answers in JSON are JSON.
///
/// An input is requests: the path, how the body is written, its length in two bytes, and the body, with `@framework`,
/// `@agent` and `@offer` for ids in JSON.
pub fn bodies(data: &[u8]) {
    thread_local! {
        static SITE: RefCell<Site> = RefCell::new(Site::new());
    }
    SITE.with_borrow_mut(|site| site.answer(&mut Unstructured::new(data)));
}

/// A server, whose cluster is another one for each input.
struct Site {
    runtime: Runtime,
    routes: Router,
    jobs: UnboundedReceiver<Job>,
}

/// A request. The bits of `how`: two for the media type; that JSON is sent as protobuf; that the stream's id is given; two
/// for what is accepted; and that it is a PUT.
struct Asked {
    path: String,
    how: u8,
    body: Vec<u8>,
    method: Method,
}

impl Site {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let (cluster, jobs) = Handle::new(Clock::real());
        let work_dir = Arc::new(PathBuf::from("/nonexistent"));
        let context = Context { cluster, work_dir, queue_max: 1 << 20 };
        let token = Token::parse("0123456789abcdef").expect("a token");
        let door = Door::new(token.clone(), Vec::new());
        let routes = routes(context, door, Guard { credentials: None, token });
        Self { runtime: runtime.expect("a runtime"), routes, jobs }
    }

    fn answer(&mut self, input: &mut Unstructured<'_>) {
        let mut cluster = Cluster::new();
        for _ in 0..REQUESTS_MAX {
            let Ok(asked) = Asked::read(input, &cluster) else { break };
            let Some(request) = asked.request(&cluster) else { continue };
            let response = self.ask(&mut cluster, request);
            if let Some(response) = response {
                self.check(&mut cluster, response);
            }
            cluster.pass(SECOND);
        }
        cluster.streams.clear();
        while let Ok(job) = self.jobs.try_recv() {
            cluster.do_job(job);
        }
        cluster.pass(1000 * SECOND);
    }

    /// The answer to a request; `None` if it waits for what does not come.
    fn ask(&mut self, cluster: &mut Cluster, request: Request<Body>) -> Option<Response<Body>> {
        let Self { runtime, routes, jobs } = self;
        let answer = routes.call(request);
        runtime.block_on(async {
            tokio::pin!(answer);
            loop {
                tokio::select! {
                    biased;
                    response = &mut answer => return response.ok(),
                    Some(job) = jobs.recv() => cluster.do_job(job),
                    // Time is paused: it goes on when nothing else does.
                    () = tokio::time::sleep(SECOND) => return None,
                }
            }
        })
    }

    /// Reads an answer, and keeps it if it is a stream.
    fn check(&mut self, cluster: &mut Cluster, response: Response<Body>) {
        // What writes it on another thread has panicked.
        assert_ne!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        let is_json = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == MEDIA_TYPES[0]);
        let stream_id = response.headers().get("Mesos-Stream-Id").and_then(|id| id.to_str().ok());
        let is_stream = stream_id.is_some();
        if let Some(id) = stream_id {
            id.clone_into(&mut cluster.stream_id);
        }
        let (mut body, mut whole) = (response.into_body(), Vec::new());
        let ended = self.runtime.block_on(async {
            while let Ok(frame) = tokio::time::timeout(SECOND, body.frame()).await {
                let Some(Ok(frame)) = frame else { return true };
                whole.extend_from_slice(&frame.into_data().unwrap_or_default());
            }
            false
        });
        if !ended {
            cluster.streams.push(body);
        } else if is_json && is_stream {
            // One that is refused ends with an ERROR.
            records(&whole).iter().for_each(|record| is_sound(record));
        } else if is_json {
            is_sound(&whole);
        }
    }
}

fn is_sound(json: &[u8]) {
    serde_json::from_slice::<serde::de::IgnoredAny>(json).expect("JSON");
}

fn records(bytes: &[u8]) -> Vec<Bytes> {
    let mut decoder = Decoder::default();
    decoder.feed(bytes);
    let records = std::iter::from_fn(|| decoder.next_record().expect("RecordIO")).collect();
    assert!(decoder.is_between_records(), "the last record is a whole one");
    records
}

impl Asked {
    fn read(input: &mut Unstructured<'_>, cluster: &Cluster) -> Result<Self> {
        let (path, how) = (usize::from(input.arbitrary::<u8>()?), input.arbitrary::<u8>()?);
        let length = u16::from_be_bytes(input.arbitrary()?);
        let body = input.bytes(usize::from(length).min(input.len()).min(BODY_MAX))?;
        let place = path % (POSTS.len() + GETS.len());
        if let Some(path) = place.checked_sub(POSTS.len()).map(|place| GETS[place]) {
            let path = format!("{path}?{}", cluster.named(&String::from_utf8_lossy(body)));
            return Ok(Self { path, how, body: Vec::new(), method: Method::GET });
        }
        let (path, name) = POSTS[place];
        let body = match std::str::from_utf8(body) {
            Ok(text) if how & 3 != 1 => cluster.named(text).into_bytes(),
            _ => body.to_owned(),
        };
        // As protobuf, if it is such a message.
        let converted = (how & 4 != 0 && !name.is_empty()).then(|| json::encode(name, json::parse(&body).ok()?).ok());
        let how = if converted.as_ref().is_some_and(Option::is_some) { how & !3 | 1 } else { how };
        let method = if how & 64 != 0 { Method::PUT } else { Method::POST };
        Ok(Self { path: path.to_owned(), how, body: converted.flatten().unwrap_or(body), method })
    }

    fn request(self, cluster: &Cluster) -> Option<Request<Body>> {
        let media_type = MEDIA_TYPES[usize::from(self.how & 3)];
        let mut request = Request::builder()
            .method(self.method)
            .uri(self.path)
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, media_type)
            .extension(Peer { uid: Some(0), here: ([127, 0, 0, 1], 5050).into() })
            .extension(Connection::new());
        if media_type == RECORDIO {
            request = request.header("Message-Content-Type", MEDIA_TYPES[usize::from(self.how >> 2 & 1)]);
        }
        if self.how & 8 != 0 {
            request = request.header("Mesos-Stream-Id", &cluster.stream_id);
        }
        if self.how & 16 != 0 {
            request = request.header(header::ACCEPT, MEDIA_TYPES[1]);
        }
        if self.how & 32 != 0 {
            request = request.header(header::ACCEPT, RECORDIO).header("Message-Accept", MEDIA_TYPES[0]);
        }
        request.body(Body::from(self.body)).ok()
    }
}

/// A cluster with an agent, and with a framework that is subscribed and has an offer.
struct Cluster {
    machine: Machine,
    now: Instant,
    stream_id: String,
    /// What stands for ids in texts.
    names: Vec<(&'static str, String)>,
    /// Answers that do not end.
    streams: Vec<Body>,
}

impl Cluster {
    fn new() -> Self {
        let (now, address) = (clock::now(), ([127, 0, 0, 1], 5050).into());
        let wall = WallClock::new(now, 1e9);
        let master = Master::new(now, Config::new("localhost".to_owned(), address), World::new(wall, 7));
        let resources =
            Declared::parse("cpus:8;mem:8192;disk:9000;disk(role):5;ports:[31000-32000]").unwrap_or_default();
        let options = Options { resources, ..Options::default() };
        let host = Host { cpus: 1.0, mem: 1024.0, disk: 1024.0 };
        let backend = |_: &str, _| Box::<Pretend>::default() as Box<dyn Backend>;
        let maker = Maker::new(options, "localhost".to_owned(), host, address, Box::new(backend));
        let mut machine = Machine::new(Failures::new(false, Failed::default()), master, Clock::real(), wall, maker);
        let agent = machine.add_agent(now, &AgentOptions::default());
        let mut cluster =
            Self { machine, now, stream_id: String::new(), names: vec![("@agent", agent)], streams: Vec::new() };
        cluster.subscribe();
        cluster
    }

    fn subscribe(&mut self) {
        let (sender, events) = std::sync::mpsc::channel::<Event>();
        let pass_on = move |event: &Event| {
            // Nobody listens after the first events.
            let _ = sender.send(event.clone());
            Bytes::new()
        };
        let (stream, _) = queue::bounded(usize::MAX, pass_on, || {});
        let connection = self.machine.open_stream(stream);
        let capabilities = [Type::MultiRole, Type::ReservationRefinement, Type::RegionAware, Type::PartitionAware];
        let capabilities = capabilities.map(|kind| Capability { r#type: Some(kind.into()) }).into();
        let framework_info = v1::FrameworkInfo {
            name: "fuzz".to_owned(),
            user: "root".to_owned(),
            roles: vec!["role".to_owned()],
            capabilities,
            failover_timeout: Some(100.0),
            ..Default::default()
        };
        let subscribe = call::Subscribe { framework_info, ..Default::default() };
        self.stream_id = self.machine.subscribe(self.now, connection, subscribe);
        self.pass(SECOND);
        for event in events.try_iter() {
            let id = event.subscribed.map(|subscribed| ("@framework", subscribed.framework_id.value));
            let offers = event.offers.into_iter().flat_map(|event| event.offers);
            self.names.extend(id.into_iter().chain(offers.map(|offer| ("@offer", offer.id.value))));
        }
        assert_eq!(self.names.len(), 3, "an agent, a framework and an offer: {:?}", self.names);
    }

    /// A text with the ids that its names stand for.
    fn named(&self, text: &str) -> String {
        if !text.contains('@') {
            return text.to_owned();
        }
        let containers = self.machine.agents.at("slave(1)").into_iter().flat_map(|agent| agent.executors());
        let container = containers.map(|executor| ("@container", executor.container.clone())).next();
        let names = self.names.iter().cloned().chain(container);
        names.fold(text.to_owned(), |text, (name, id)| text.replace(name, &id))
    }

    fn do_job(&mut self, job: Job) {
        job(&mut self.machine, self.now);
        self.machine.route(self.now);
    }

    fn pass(&mut self, time: Duration) {
        self.machine.route(self.now);
        self.now += time;
        self.machine.handle_timeouts(self.now);
        self.machine.route(self.now);
    }
}
