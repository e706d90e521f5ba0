//! The subscription: one POST, whose answer is the stream of events.
//!
//! The driver's loop polls it itself, and takes in what one read has brought at once. With a task of its own, or with
//! hyper's connection, which hands on each chunk alone, and a master sends each event as a chunk, an event would cost
//! several switches of tasks.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::auth::Shown;
use super::http::{Body, Head, request};
use super::pace::Pace;
use super::redirect;
use super::source::Source;
use super::transport::{self, Api, Connection, Open};
use crate::session::{Endpoint, StreamEvent};
use crate::wire::duration::Period;
use crate::{Error, Result};

/// The stream is read in pieces of about this many bytes, and of more while they are filled: each read tells the other
/// side that there is room again, which costs more than to read.
const PIECE: usize = 16 << 10;
const PIECE_MAX: usize = 32 << 10;
/// A head that is larger than this is not taken.
const HEAD_MAX: usize = 1 << 20;
/// So much is read of the body that explains a refusal.
const ERROR_BODY_MAX: usize = 64 << 10;

type Pending<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Connected = (Open, Option<Shown>);

/// The stream of events of one attempt to subscribe.
pub struct EventStream {
    api: Api,
    endpoint: Endpoint,
    subscribe: Bytes,
    state: State,
}

enum State {
    Connecting(Pending<Result<Connected>>),
    Asking(Pending<Result<Answered>>),
    Reading(Box<Reading>),
    /// The last event was returned.
    Over,
}

/// What SUBSCRIBE was answered with.
enum Answered {
    /// 200: events follow.
    Opened(Option<String>, Box<Reading>),
    Otherwise(StreamEvent),
}

/// A stream of which events are read.
struct Reading {
    source: Source,
    pace: Pace,
    /// What came and is not decoded yet.
    input: BytesMut,
    /// How much the next read may bring.
    piece: usize,
    body: Body,
}

impl EventStream {
    /// Subscribes at an endpoint with the bytes of this call, as far as it is polled. To be polled within a Tokio runtime.
    pub fn new(api: Api, endpoint: Endpoint, subscribe: Bytes) -> Self {
        let state = State::Connecting(Box::pin(connect(api.clone(), endpoint.clone())));
        Self { api, endpoint, subscribe, state }
    }

    /// Waits for the next event. May be dropped at any time: nothing is lost. Nothing comes after a stream's last event,
    /// which is none of [`StreamEvent::Connected`], [`StreamEvent::Opened`] and [`StreamEvent::Data`].
    pub async fn next(&mut self) -> StreamEvent {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// How long a turn is, while the stream is read in turns.
    pub fn turn(&self) -> Option<Period> {
        if let State::Reading(reading) = &self.state { reading.pace.turn() } else { None }
    }

    /// Whether an event is there, or the next one.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<StreamEvent> {
        match &mut self.state {
            State::Connecting(connecting) => match ready!(connecting.as_mut().poll(context)) {
                Ok(connected) => {
                    let (api, endpoint) = (self.api.clone(), self.endpoint.clone());
                    self.state = State::Asking(Box::pin(ask(api, endpoint, self.subscribe.clone(), connected)));
                    // Told before the SUBSCRIBE is written: without this, the master has certainly not got it.
                    Poll::Ready(StreamEvent::Connected)
                }
                Err(error) => self.end(failed(error)),
            },
            State::Asking(asking) => match ready!(asking.as_mut().poll(context)) {
                Ok(Answered::Opened(id, reading)) => {
                    self.state = State::Reading(reading);
                    Poll::Ready(StreamEvent::Opened(id))
                }
                Ok(Answered::Otherwise(event)) => self.end(event),
                Err(error) => self.end(failed(error)),
            },
            State::Reading(reading) => match ready!(reading.poll_data(context)) {
                Ok(data) if !data.is_empty() => Poll::Ready(StreamEvent::Data(data)),
                Ok(_) => self.end(StreamEvent::Closed("the other side closed the stream of events".to_owned())),
                Err(error) => self.end(StreamEvent::Closed(format!("the stream of events broke: {error}"))),
            },
            State::Over => Poll::Pending,
        }
    }

    fn end(&mut self, event: StreamEvent) -> Poll<StreamEvent> {
        self.state = State::Over;
        Poll::Ready(event)
    }
}

impl Reading {
    /// The next bytes of the body; none at its end.
    fn poll_data(&mut self, context: &mut Context<'_>) -> Poll<Result<Bytes>> {
        let mut data = BytesMut::new();
        loop {
            data.reserve(self.input.len());
            let taken = self.body.decode(&self.input, &mut data)?;
            self.input.advance(taken);
            if !data.is_empty() || self.body.is_over() {
                return Poll::Ready(Ok(data.freeze()));
            }
            ready!(self.pace.poll_ready(context));
            let Poll::Ready(read) = self.source.poll_read(context, &mut self.input, self.piece) else {
                if self.pace.idle() {
                    self.source.unwatch();
                    continue;
                }
                return Poll::Pending;
            };
            let read = read.map_err(broke)?;
            if read == 0 {
                let ended = || Err(Error::connection("it ended before the end of the response"));
                return Poll::Ready(if self.body.may_end() { Ok(Bytes::new()) } else { ended() });
            }
            self.pace.read(read, read >= self.piece);
            if self.pace.is_in_turns() {
                self.source.unwatch();
            }
            self.fit(read);
        }
    }

    /// Reads more at a time while there is more; gives the memory back when there is not.
    fn fit(&mut self, read: usize) {
        if read >= self.piece {
            self.piece = PIECE_MAX.min(self.piece.saturating_mul(2));
        } else if read < PIECE && self.piece > PIECE {
            self.piece = PIECE;
            self.input = BytesMut::from(&self.input[..]);
        }
    }
}

async fn connect(api: Api, endpoint: Endpoint) -> Result<Connected> {
    let shown = match &api.authorization {
        Some(authorization) => Some(authorization.header().await?),
        None => None,
    };
    Ok((transport::open(&api, &endpoint).await?, shown))
}

async fn ask(api: Api, endpoint: Endpoint, subscribe: Bytes, (mut open, shown): Connected) -> Result<Answered> {
    let failed = |error: Error| Error::connection("cannot subscribe").caused_by(error);
    let head = request::post(&endpoint, &api.path, api.media_type, None);
    let mut bytes = request::authorized(head, shown.as_ref().map(|shown| &shown.value));
    bytes.extend_from_slice(subscribe.len().to_string().as_bytes());
    bytes.extend_from_slice(request::HEAD_END);
    bytes.extend_from_slice(&subscribe);
    let connection = open.get();
    let written = async {
        connection.write_all(&bytes).await?;
        connection.flush().await
    };
    let written = written.await;
    let mut input = BytesMut::new();
    // An answer may have come though not all of the request was taken.
    let head = match (read_head(connection, &mut input).await, written) {
        (Ok(head), _) => head,
        (Err(_), Err(error)) => return Err(failed(broke(error))),
        (Err(error), Ok(())) => return Err(failed(error)),
    };
    if let Some(refused) = judge(&api, head.status, shown.as_ref()) {
        return Ok(Answered::Otherwise(refused));
    }
    let pace = Pace::new(api.place.is_none());
    let source = Source::new(open).map_err(|error| failed(broke(error)))?;
    let reading = Reading { source, pace, input, piece: PIECE, body: Body::new(head.framing) };
    Ok(answered(&api, &endpoint, head, reading).await)
}

/// Reads the head of the last response, and leaves what follows in the input.
async fn read_head(connection: &mut dyn Connection, input: &mut BytesMut) -> Result<Head> {
    loop {
        while let Some(head) = Head::parse(input)? {
            input.advance(head.length);
            if !head.is_interim() {
                return Ok(head);
            }
        }
        if input.len() > HEAD_MAX {
            return Err(Error::protocol(format!("the head of the response is larger than {HEAD_MAX} bytes")));
        }
        input.reserve(PIECE);
        if connection.read_buf(input).await.map_err(broke)? == 0 {
            return Err(Error::connection("the other side closed the connection without an answer"));
        }
    }
}

/// Notes what the answer says of the header that was shown; what happened if another is to be tried.
fn judge(api: &Api, status: u16, shown: Option<&Shown>) -> Option<StreamEvent> {
    let (authorization, shown) = (api.authorization.as_ref()?, shown?);
    match status {
        401 if authorization.refused(shown.number) => return Some(StreamEvent::Unauthorized),
        200 => authorization.accepted(),
        _ => {}
    }
    None
}

async fn answered(api: &Api, endpoint: &Endpoint, head: Head, reading: Reading) -> Answered {
    let location = head.location.as_deref().unwrap_or_default();
    Answered::Otherwise(match head.status {
        200 => return Answered::Opened(head.stream_id, Box::new(reading)),
        307 | 308 => match redirect::target(endpoint, &api.path, location) {
            Some(master) => StreamEvent::Redirected(master),
            None => {
                StreamEvent::Closed(format!("redirected to '{}', which is not an address", redirect::shown(location)))
            }
        },
        status @ 300..400 => StreamEvent::Refused(status, redirect::not_followed(location)),
        status => StreamEvent::Refused(status, explanation(reading).await),
    })
}

/// The body of a refusal, as far as it comes; none if it is very long.
async fn explanation(mut reading: Reading) -> String {
    let mut whole = BytesMut::new();
    loop {
        match poll_fn(|context| reading.poll_data(context)).await {
            Ok(data) if data.is_empty() => return String::from_utf8_lossy(&whole).into_owned(),
            Ok(data) if whole.len().saturating_add(data.len()) <= ERROR_BODY_MAX => whole.extend_from_slice(&data),
            _ => return String::new(),
        }
    }
}

fn failed(error: Error) -> StreamEvent {
    if error.is_authentication() { StreamEvent::Denied(error) } else { StreamEvent::Closed(error.to_string()) }
}

fn broke(error: std::io::Error) -> Error {
    Error::connection("the connection broke").caused_by(error)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::driver::transport::PROTOBUF;

    /// What happens to a stream whose SUBSCRIBE is answered with these bytes, after which the connection ends. Data is joined.
    async fn events(answer: &[u8]) -> Vec<StreamEvent> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let answering = async {
            let (mut connection, _) = listener.accept().await.expect("a connection");
            let mut request = BytesMut::new();
            while !request.ends_with(b"\r\n\r\nSUBSCRIBE") {
                connection.read_buf(&mut request).await.expect("a request");
            }
            connection.write_all(answer).await.expect("written");
        };
        let api = Api {
            path: "/api/v1/scheduler".to_owned(),
            media_type: PROTOBUF,
            authorization: None,
            trust: Default::default(),
            socket: None,
            place: None,
        };
        let mut stream = EventStream::new(api, Endpoint::new(false, "127.0.0.1", port), "SUBSCRIBE".into());
        let following = async {
            let (mut events, mut data) = (Vec::new(), BytesMut::new());
            loop {
                match stream.next().await {
                    StreamEvent::Data(piece) => data.extend_from_slice(&piece),
                    event @ (StreamEvent::Connected | StreamEvent::Opened(_)) => events.push(event),
                    last => {
                        events.extend([StreamEvent::Data(data.freeze()), last]);
                        return events;
                    }
                }
            }
        };
        tokio::join!(answering, following).1
    }

    async fn last(answer: &str) -> StreamEvent {
        events(answer.as_bytes()).await.pop().expect("a last event")
    }

    #[tokio::test]
    async fn the_body_of_the_answer_is_the_stream() {
        let chunked = "HTTP/1.1 200 OK\r\nMesos-Stream-Id: a-b\r\nTransfer-Encoding: chunked\r\n\r\n";
        let whole = format!("HTTP/1.1 100 Continue\r\n\r\n{chunked}3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n");
        let broken = format!("{chunked}6\r\nonetwo");
        for (answer, end) in [(whole, "the other side closed the stream of events"), (broken, "broke")] {
            let events = events(answer.as_bytes()).await;
            let [
                StreamEvent::Connected,
                StreamEvent::Opened(Some(id)),
                StreamEvent::Data(data),
                StreamEvent::Closed(why),
            ] = &events[..]
            else {
                panic!("{events:?}")
            };
            assert_eq!((id.as_str(), &data[..]), ("a-b", &b"onetwo"[..]));
            assert!(why.contains(end), "{why}");
        }
    }

    #[tokio::test]
    async fn a_body_without_a_length_ends_with_its_connection() {
        let events = events(b"HTTP/1.1 200 OK\r\n\r\none").await;
        assert!(matches!(&events[2], StreamEvent::Data(data) if data == "one"), "{events:?}");
        assert!(matches!(&events[3], StreamEvent::Closed(why) if !why.contains("broke")), "{events:?}");
    }

    #[tokio::test]
    async fn other_answers_say_what_they_are() {
        let refused = last("HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno!").await;
        assert!(matches!(&refused, StreamEvent::Refused(403, body) if body == "no!"), "{refused:?}");
        let redirected = last("HTTP/1.1 307 Temporary Redirect\r\nLocation: //master:5051/\r\n\r\n").await;
        let master = Endpoint::new(false, "master", 5051);
        assert!(matches!(&redirected, StreamEvent::Redirected(to) if *to == master), "{redirected:?}");
        let moved = last("HTTP/1.1 302 Found\r\nLocation: //master:5051/\r\n\r\n").await;
        assert!(matches!(moved, StreamEvent::Refused(302, _)), "{moved:?}");
        for nonsense in ["SSH-2.0-OpenSSH\r\n", "HTTP/1.1 200 O"] {
            let closed = last(nonsense).await;
            assert!(matches!(&closed, StreamEvent::Closed(why) if why.contains("cannot subscribe")), "{closed:?}");
        }
    }

    #[tokio::test]
    async fn a_long_explanation_of_a_refusal_is_left_out() {
        let length = ERROR_BODY_MAX + 1;
        let answer = format!("HTTP/1.1 500 No\r\nContent-Length: {length}\r\n\r\n{}", "x".repeat(length));
        let refused = last(&answer).await;
        assert!(matches!(&refused, StreamEvent::Refused(500, body) if body.is_empty()), "{refused:?}");
    }
}
