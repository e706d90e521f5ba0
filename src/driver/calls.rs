//! The second connection of a subscription: calls, pipelined in order, many in one write.
//!
//! One acknowledgement is one POST in Mesos' API, so how calls are written decides what an update costs. The master
//! takes pipelined requests, its own client (`src/scheduler/scheduler.cpp`) sends them so.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf, BytesMut};
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, mpsc};

use super::quiet_socket::QuietSocket;
use super::transport::{Api, Connection, Socket, dial, secure};
use crate::session::Endpoint;
use crate::wire::Post;
use crate::{Error, Result};

const BATCH: usize = 64 << 10;
const HEADERS_MAX: usize = 32;
const REPLY_MAX: usize = 1 << 20;

/// Calls on their way out. Outlives the connection, so that what was not written can be told of.
#[derive(Debug)]
pub struct CallQueue<C> {
    state: Mutex<State<C>>,
    changed: Notify,
}

#[derive(Debug)]
struct State<C> {
    waiting: VecDeque<Box<C>>,
    closed: bool,
}

impl<C> Default for CallQueue<C> {
    fn default() -> Self {
        Self { state: Mutex::new(State { waiting: VecDeque::new(), closed: false }), changed: Notify::new() }
    }
}

impl<C> CallQueue<C> {
    /// Adds a call; gives it back where the queue is closed.
    pub fn push(&self, call: Box<C>) -> Option<Box<C>> {
        let mut state = self.lock();
        if state.closed {
            return Some(call);
        }
        state.waiting.push_back(call);
        drop(state);
        self.changed.notify_one();
        None
    }

    /// Takes no more calls; those that wait are still written.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_one();
    }

    /// Takes no more calls, and gives back those that wait.
    pub fn take_unsent(&self) -> Vec<C> {
        self.close();
        self.lock().waiting.drain(..).map(|call| *call).collect()
    }

    fn try_next(&self) -> Option<Box<C>> {
        self.lock().waiting.pop_front()
    }

    /// The next call; `None` once the queue is closed and empty.
    async fn next(&self) -> Option<Box<C>> {
        loop {
            let changed = self.changed.notified();
            {
                let mut state = self.lock();
                if !state.waiting.is_empty() || state.closed {
                    return state.waiting.pop_front();
                }
            }
            changed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<C>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call, and the HTTP status and the body of the answer to it.
pub type Answer<C> = (Box<C>, u16, String);

/// Writes the calls of `queue` until it is closed and all are answered, and reports those that are refused or whose
/// answer counts.
///
/// Fails where the connection cannot be made or breaks; what was not written is still in the queue.
pub async fn run<C: Post>(
    api: Api,
    endpoint: Endpoint,
    stream_id: Option<String>,
    queue: Arc<CallQueue<C>>,
    answers: mpsc::UnboundedSender<Answer<C>>,
) -> Result<()> {
    Pipeline::new(&api, &endpoint, stream_id.as_deref(), answers).run(&api, &endpoint, &queue).await
}

struct Pipeline<C> {
    head: Vec<u8>,
    output: BytesMut,
    input: BytesMut,
    /// What was asked and not answered yet, in order.
    outstanding: VecDeque<Box<C>>,
    answers: mpsc::UnboundedSender<Answer<C>>,
    /// Whether any is outstanding, for the socket.
    expecting: Arc<AtomicBool>,
}

impl<C: Post> Pipeline<C> {
    fn new(api: &Api, endpoint: &Endpoint, stream_id: Option<&str>, answers: mpsc::UnboundedSender<Answer<C>>) -> Self {
        let mut head = format!(
            "POST {} HTTP/1.1\r\nHost: {}\r\n\
             Accept: application/x-protobuf\r\nContent-Type: application/x-protobuf\r\n",
            api.path,
            endpoint.authority()
        );
        if let Some(stream_id) = stream_id {
            head += &format!("Mesos-Stream-Id: {stream_id}\r\n");
        }
        if let Some(authorization) = &api.authorization {
            head += &format!("Authorization: {}\r\n", authorization.header());
        }
        head += "Content-Length: ";
        Self {
            head: head.into_bytes(),
            output: BytesMut::new(),
            input: BytesMut::new(),
            outstanding: VecDeque::new(),
            answers,
            expecting: Arc::default(),
        }
    }

    async fn run(&mut self, api: &Api, endpoint: &Endpoint, queue: &CallQueue<C>) -> Result<()> {
        let lost = |e: std::io::Error| Error::connection(format!("the connection for calls broke: {e}"));
        let (mut reader, mut writer) = tokio::io::split(self.connect(api, endpoint).await?);
        let mut open = true;
        while open || !self.outstanding.is_empty() {
            tokio::select! {
                call = queue.next(), if open => match call {
                    Some(call) => {
                        self.batch(call, queue);
                        writer.write_all(&self.output).await.map_err(lost)?;
                        writer.flush().await.map_err(lost)?;
                        self.output.clear();
                    }
                    None => open = false,
                },
                read = reader.read_buf(&mut self.input) => {
                    if read.map_err(lost)? == 0 {
                        return Err(Error::connection("the other side closed the connection for calls"));
                    }
                    while self.take_reply()? {}
                }
            }
        }
        Ok(())
    }

    async fn connect(&self, api: &Api, endpoint: &Endpoint) -> Result<Box<dyn Connection>> {
        let tcp = match dial(api, endpoint).await? {
            Socket::Unix(socket) => return Ok(Box::new(socket)),
            Socket::Tcp(tcp) if endpoint.tls => return secure(endpoint, tcp).await,
            Socket::Tcp(tcp) => tcp,
        };
        let quiet = QuietSocket::new(tcp, self.expecting.clone());
        Ok(Box::new(quiet.map_err(|e| Error::connection(format!("cannot use the connection for calls: {e}")))?))
    }

    fn batch(&mut self, first: Box<C>, queue: &CallQueue<C>) {
        self.write(first);
        while self.output.len() < BATCH {
            let Some(call) = queue.try_next() else { return };
            self.write(call);
        }
    }

    fn write(&mut self, call: Box<C>) {
        let length = call.encoded_len();
        self.output.reserve(self.head.len() + 32 + length);
        self.output.extend_from_slice(&self.head);
        self.output.extend_from_slice(length.to_string().as_bytes());
        self.output.extend_from_slice(b"\r\n\r\n");
        call.encode(&mut self.output).expect("BytesMut grows");
        tracing::debug!("Sent {}", call.name());
        self.outstanding.push_back(call);
        self.expecting.store(true, Ordering::Relaxed);
    }

    /// Takes one whole reply off the input; false where more bytes are needed.
    fn take_reply(&mut self) -> Result<bool> {
        let Some(reply) = parse_reply(&self.input)? else {
            return if self.input.len() > REPLY_MAX { Err(bad_reply("it does not end")) } else { Ok(false) };
        };
        self.input.advance(reply.length);
        let call = self.outstanding.pop_front().ok_or_else(|| bad_reply("nothing was asked"))?;
        self.expecting.store(!self.outstanding.is_empty(), Ordering::Relaxed);
        if !(200..300).contains(&reply.status) || call.answer_counts() {
            // Nobody listens where the driver is on its way out.
            let _ = self.answers.send((call, reply.status, reply.body));
        }
        Ok(true)
    }
}

#[derive(Debug, PartialEq)]
struct Reply {
    status: u16,
    body: String,
    length: usize,
}

fn bad_reply(why: impl std::fmt::Display) -> Error {
    Error::protocol(format!("the reply to a call cannot be read: {why}"))
}

fn parse_reply(input: &[u8]) -> Result<Option<Reply>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(start) = response.parse(input).map_err(bad_reply)? else {
        return Ok(None);
    };
    let status = response.code.unwrap_or_default();
    let header = |name: &str| response.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name)).map(|h| h.value);
    let rest = &input[start..];
    if header("Transfer-Encoding").is_some_and(|v| v.eq_ignore_ascii_case(b"chunked")) {
        return Ok(parse_chunks(rest)?.map(|(body, length)| Reply {
            status,
            body: text(&body),
            length: start + length,
        }));
    }
    let length = match header("Content-Length").map(std::str::from_utf8) {
        None => 0,
        Some(Ok(digits)) => digits.trim().parse::<usize>().map_err(bad_reply)?,
        Some(Err(error)) => return Err(bad_reply(error)),
    };
    let body = rest.get(..length);
    Ok(body.map(|body| Reply { status, body: text(body), length: start + length }))
}

fn parse_chunks(input: &[u8]) -> Result<Option<(Vec<u8>, usize)>> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let size = httparse::parse_chunk_size(&input[at..]).map_err(|_| bad_reply("a chunk's size is wrong"))?;
        let httparse::Status::Complete((start, size)) = size else {
            return Ok(None);
        };
        let size =
            usize::try_from(size).ok().filter(|s| *s <= REPLY_MAX).ok_or_else(|| bad_reply("a chunk is too long"))?;
        let from = at + start;
        let Some(chunk) = input.get(from..from + size + 2) else {
            return Ok(None);
        };
        body.extend_from_slice(&chunk[..size]);
        at = from + size + 2;
        if size == 0 {
            return Ok(Some((body, at)));
        }
    }
}

fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_cut_where_they_end_however_much_has_come() {
        let plain = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
        let refused = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 4\r\n\r\nwhy?";
        let chunked = b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nwh\r\n1\r\ny\r\n0\r\n\r\n";
        for (bytes, status, body) in [(&plain[..], 202, ""), (refused, 400, "why?"), (chunked, 403, "why")] {
            for end in 0..bytes.len() {
                assert_eq!(parse_reply(&bytes[..end]).expect("so far so good"), None, "{end} bytes of {status}");
            }
            let followed = [bytes, b"HTTP/1.1"].concat();
            let reply = parse_reply(&followed).expect("valid").expect("whole");
            assert_eq!(reply, Reply { status, body: body.into(), length: bytes.len() });
        }
    }

    #[tokio::test]
    async fn what_was_not_written_is_given_back_in_order() {
        use crate::wire::call::{Call, Type};
        let queue = CallQueue::default();
        let call = |kind: Type| Box::new(Call { kind: kind.into(), ..Call::default() });
        for kind in [Type::Accept, Type::Kill, Type::Decline] {
            assert_eq!(queue.push(call(kind)), None);
        }
        assert_eq!(queue.next().await, Some(call(Type::Accept)));
        assert_eq!(queue.take_unsent(), [*call(Type::Kill), *call(Type::Decline)]);
        assert_eq!(queue.push(call(Type::Revive)), Some(call(Type::Revive)));
        assert_eq!(queue.next().await, None);
    }

    #[test]
    fn what_is_no_reply_is_an_error() {
        assert!(parse_reply(b"SSH-2.0-OpenSSH\r\n").is_err());
        assert!(parse_reply(b"HTTP/1.1 202 OK\r\nContent-Length: x\r\n\r\n").is_err());
    }
}
