//! What is fuzzed of the driver: where masters are said to be, and the replies to calls.
#![allow(clippy::arithmetic_side_effects, reason = "what overflows here is a fault of the target, which panics")]

use std::collections::BTreeSet;
use std::time::Instant;

use arbitrary::{Result, Unstructured};
use bytes::{Buf, Bytes, BytesMut};
use prost::Message;

use super::calls::pipeline::{Head, Left, Pipeline};
use super::detector::zookeeper::{first_candidate, read_master};
use super::detector::{MasterUri, redacted};
use super::http::{self, Body};
use super::redirect;
use crate::clock;
use crate::proto::v1;
use crate::proto::v1::scheduler::Call as Real;
use crate::session::Endpoint;
use crate::session::scheduler::SchedulerSession;
use crate::wire::Post;
use crate::wire::scheduler::{Call, CallType, Envelope, FrameworkMessage, call};
use crate::wire::views::Wrapped;

/// A secret that no error may show.
const SECRET: &str = "s3cr3t";
const API: &str = "/api/v1/scheduler";

/// A master's address is read as it is shown, and no password is shown.
pub fn masters(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // Files are not read here.
    if text.contains("file://") {
        return;
    }
    shows_no_secret(text);
    let addresses = match MasterUri::parse(text, false) {
        Ok(MasterUri::Standalone(master)) => vec![master],
        Ok(MasterUri::Candidates(masters)) => masters,
        Ok(MasterUri::ZooKeeper(url, _)) => {
            let again = format!("zk://{}{}/", url.servers, url.path);
            let Ok(MasterUri::ZooKeeper(again, _)) = MasterUri::parse(&again, false) else { panic!("{again}") };
            return assert_eq!((again.servers, again.path), (url.servers, url.path));
        }
        Err(_) => return,
    };
    for address in &addresses {
        assert_sound(address);
        let again = MasterUri::parse(&address.to_string(), false).expect("an address");
        assert_eq!(again, MasterUri::Standalone(address.clone()));
    }
}

/// What comes before the only `@` is a password if there is a colon in it.
fn shows_no_secret(text: &str) {
    let with_secret = text.replacen('@', &format!(":{SECRET}@"), 1);
    if text.matches('@').count() != 1 || text.contains(SECRET) {
        return;
    }
    let shown = match MasterUri::parse(&with_secret, false) {
        Ok(uri) => format!("{uri:?}"),
        Err(error) => format!("{error} {error:?}"),
    };
    assert!(!shown.contains(SECRET), "{shown}");
    assert!(!redacted(&with_secret).contains(SECRET), "{}", redacted(&with_secret));
}

/// Requests can be sent to an endpoint that was found: what it consists of stays in its place in their heads.
fn assert_sound(endpoint: &Endpoint) {
    let strange = |c: char| c.is_whitespace() || c.is_control() || "/?#@,".contains(c);
    assert!(!endpoint.host.is_empty() && !endpoint.host.contains(strange), "{endpoint:?}");
    assert!(endpoint.port != 0, "{endpoint:?}");
    let graphic = |c: char| c.is_ascii_graphic() && !"?#\"\\".contains(c);
    let path = &endpoint.path;
    assert!(path.is_empty() || (path.starts_with('/') && path.chars().all(graphic)), "{endpoint:?}");
}

/// The masters that ZooKeeper names are endpoints. The input begins with the kind of a node.
pub fn nodes(data: &[u8]) {
    let Some((kind, content)) = data.split_first() else { return };
    let node = ["json.info_0000000001", "info_0000000001", "0000000001", "log_replicas"][usize::from(kind % 4)];
    if let Some(master) = read_master(node, content, kind & 4 != 0) {
        assert_sound(&master);
    }
    let names: Vec<String> = String::from_utf8_lossy(content).split('\n').map(str::to_owned).collect();
    assert!(first_candidate(&names).is_none_or(|first| names.iter().any(|name| name == first)));
}

/// Redirects lead to endpoints, and to the same ones if they name these.
pub fn redirects(data: &[u8]) {
    let Some((from, location)) = data.split_first() else { return };
    let Ok(location) = std::str::from_utf8(location) else { return };
    let path = if from & 1 == 0 { "" } else { "/mesos" };
    let from = Endpoint { path: path.to_owned(), ..Endpoint::new(from & 2 != 0, "proxy", 443) };
    let _ = (redirect::shown(location), redirect::not_followed(location));
    if let Some(to) = redirect::target(&from, API, location) {
        assert_sound(&to);
        assert_eq!(redirect::target(&from, API, &format!("{to}{API}")), Some(Endpoint { name: None, ..to }));
    }
}

/// A reply is cut off at its end however much of it has come, and calls are answered once.
///
/// The input begins with where the replies are cut, and with what is done with them.
pub fn replies(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let Ok(cut) = input.arbitrary::<u16>() else { return };
    let rest = input.take_rest();
    is_cut_at_its_end(usize::from(cut), rest);
    is_read_in_pieces(usize::from(cut), rest);
    let _ = Played::default().play(&mut Unstructured::new(rest));
}

fn is_cut_at_its_end(cut: usize, bytes: &[u8]) {
    let Ok(Some(reply)) = http::parse(bytes, false) else {
        return drop(http::parse(bytes, true));
    };
    assert!(reply.length <= bytes.len());
    let length = reply.length;
    assert_eq!(http::parse(&bytes[..length], false).expect("as before"), Some(reply));
    let cut = cut % length;
    assert_eq!(http::parse(&bytes[..cut], false).expect("so far so good"), None, "{cut} of {length} bytes");
}

/// A body gives the same data however it is cut.
fn is_read_in_pieces(cut: usize, bytes: &[u8]) {
    let Ok(Some(head)) = http::Head::parse(bytes) else { return };
    let rest = bytes.get(head.length..).unwrap_or_default();
    let read = |pieces: [&[u8]; 2]| {
        let (mut body, mut input, mut data) = (Body::new(head.framing), BytesMut::new(), BytesMut::new());
        for piece in pieces {
            input.extend_from_slice(piece);
            let taken = body.decode(&input, &mut data).ok()?;
            input.advance(taken);
        }
        Some((data, body.is_over(), input))
    };
    let (one, other) = rest.split_at(cut % (rest.len() + 1));
    assert_eq!(read([rest, b""]), read([one, other]), "in pieces");
}

/// Calls of a framework, and what became of them.
struct Played {
    pipeline: Pipeline<SchedulerSession>,
    now: Instant,
    pushed: u8,
    /// The types and the numbers of calls that were answered or left over.
    over: BTreeSet<(CallType, u8)>,
    /// What was written on this connection and not read by the other side, and the last call among it.
    written: Vec<u8>,
    last: Option<u8>,
    /// How often calls may still be written again from the first that was refused. What is left of one that was refused
    /// before it was written as a whole comes before that, and may itself be the first of those that are written again.
    resumed: u8,
}

impl Default for Played {
    fn default() -> Self {
        Self {
            pipeline: pipeline(),
            now: clock::now(),
            pushed: 0,
            over: BTreeSet::new(),
            written: Vec::new(),
            last: None,
            resumed: 0,
        }
    }
}

const REPLIES: [&str; 6] = [
    "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 202 Accepted\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 400 Bad Request\r\nKeep-Alive: timeout=5, max=2\r\nContent-Length: 3\r\n\r\nwhy",
    "HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\n\r\nwho?",
    "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n",
];

impl Played {
    fn play(mut self, input: &mut Unstructured<'_>) -> Result<()> {
        while !input.is_empty() {
            match input.arbitrary::<u8>()? % 10 {
                0..=2 => self.push(input.arbitrary()?),
                3 => self.write(usize::MAX),
                4 => self.write(input.arbitrary::<u8>()?.into()),
                5 | 6 => {
                    let reply = input.choose(&REPLIES)?;
                    self.reply(reply.as_bytes());
                }
                7 => {
                    let length = input.arbitrary::<u8>()?.into();
                    let bytes = input.bytes(input.len().min(length))?;
                    self.reply(bytes);
                }
                8 => self.disconnect(),
                _ => self.authorize(input.arbitrary()?),
            }
        }
        self.end();
        Ok(())
    }

    fn push(&mut self, kind: u8) {
        if self.pushed == u8::MAX {
            return;
        }
        self.pushed += 1;
        self.pipeline.push(Envelope { framework_id: None, call: call_of(kind, self.pushed) });
    }

    fn write(&mut self, most: usize) {
        let output = Bytes::copy_from_slice(self.pipeline.output(self.now));
        let length = output.len().min(most);
        self.pipeline.written(length);
        self.written.extend_from_slice(&output[..length]);
        let mut whole = Bytes::copy_from_slice(&self.written);
        while let Some((call, rest)) = first_request(whole.clone()) {
            let number = number_of(&call);
            whole = rest;
            // It follows the answer to what took the place of an ACCEPT.
            if call.r#type() != CallType::Reconcile {
                let follows = self.last.is_none_or(|last| last < number);
                if !follows {
                    assert!(self.resumed > 0, "{number} after {:?}", self.last);
                    self.resumed -= 1;
                }
                self.last = Some(number);
            }
        }
        self.written = whole.to_vec();
    }

    fn reply(&mut self, bytes: &[u8]) {
        self.pipeline.input.extend_from_slice(bytes);
        let goes_on = self.pipeline.take_replies(self.now, false);
        self.take_answers();
        if !goes_on.unwrap_or(false) {
            self.disconnect();
        }
    }

    fn disconnect(&mut self) {
        self.pipeline.disconnected();
        assert!(!self.pipeline.expects() && self.pipeline.since().is_none());
        (self.written, self.last, self.resumed) = (Vec::new(), None, 0);
    }

    fn authorize(&mut self, again: bool) {
        if let Some(head) = self.pipeline.refused() {
            if again {
                self.pipeline.set_head(Head { bytes: b"L:".to_vec(), number: head.saturating_add(1), renews: true });
                self.pipeline.resume();
                let unfinished = !self.written.is_empty() && self.resumed > 0;
                self.resumed = 1 + u8::from(unfinished);
            } else {
                self.pipeline.give_up();
            }
        }
    }

    fn take_answers(&mut self) {
        while let Some((envelope, ..)) = self.pipeline.next_answer() {
            self.is_over(&envelope);
        }
    }

    /// No call is left over that was answered, and none twice.
    fn end(mut self) {
        self.take_answers();
        let Left { unsent, inquiries } = std::mem::replace(&mut self.pipeline, pipeline()).leave();
        unsent.iter().chain(&inquiries).for_each(|envelope| self.is_over(envelope));
    }

    fn is_over(&mut self, envelope: &Envelope) {
        let call = Real::decode(envelope.to_bytes()).expect("a call");
        let (kind, number) = (call.r#type(), number_of(&call));
        assert!((1..=self.pushed).contains(&number), "{number} was not pushed");
        assert!(self.over.insert((kind, number)), "{kind:?} {number} is over twice");
    }
}

fn pipeline() -> Pipeline<SchedulerSession> {
    Pipeline::new(Head { bytes: b"L:".to_vec(), renews: true, ..Head::default() })
}

fn call_of(kind: u8, number: u8) -> Call {
    let inner = v1::TaskId { value: number.to_string() }.encode_to_vec().into();
    match kind % 4 {
        0 => Call::Kill(Wrapped { inner }),
        1 => {
            let task = v1::TaskInfo { task_id: v1::TaskId { value: number.to_string() }, ..Default::default() };
            let operations = vec![call::launch_operation(vec![task.encode_to_vec().into()])];
            Call::from(call::Accept { offer_ids: vec![inner], operations, filters: None })
        }
        2 => Call::from(FrameworkMessage { data: number.to_string().into(), ..Default::default() }),
        _ => Call::Decline(call::Decline { offer_ids: vec![inner], filters: None }),
    }
}

/// The number that [`call_of`] has put into a call, or into what takes its place.
fn number_of(call: &Real) -> u8 {
    let id = match call.r#type() {
        CallType::Kill => call.kill.as_ref().map(|kill| kill.task_id.value.as_bytes()),
        CallType::Accept => call.accept.as_ref().map(|accept| accept.offer_ids[0].value.as_bytes()),
        CallType::Message => call.message.as_ref().map(|message| message.data.as_slice()),
        CallType::Decline => call.decline.as_ref().map(|decline| decline.offer_ids[0].value.as_bytes()),
        _ => call.reconcile.as_ref().map(|reconcile| reconcile.tasks[0].task_id.value.as_bytes()),
    };
    std::str::from_utf8(id.expect("a call that was pushed")).expect("text").parse().expect("a number")
}

/// The first whole request, `L:<length>\r\n\r\n<body>`, and what follows it.
fn first_request(mut bytes: Bytes) -> Option<(Real, Bytes)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = bytes.split_to(end);
    let length: usize = std::str::from_utf8(head.strip_prefix(b"L:").expect("a head")).ok()?.parse().expect("a length");
    bytes.advance(4);
    if bytes.len() < length {
        return None;
    }
    let body = bytes.split_to(length);
    Some((Real::decode(body).expect("a call"), bytes))
}
