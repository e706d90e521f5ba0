//! What the APIs share: methods, media types, bodies, responses, and streams of events.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use prost::Message;

use super::connections::Connection;
use super::principals;
use crate::local::queue;
use crate::local::refusal::Refusal;
use crate::wire::{json, recordio};

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        match status {
            StatusCode::UNAUTHORIZED => principals::unauthorized(),
            _ => (status, self.message).into_response(),
        }
    }
}

/// The answer to a request with another method than these; `None` if the method is one of them.
pub fn not_allowed(methods: &[&str], method: &Method) -> Option<Response> {
    if methods.contains(&method.as_str()) {
        return None;
    }
    let expected: Vec<String> = methods.iter().map(|method| format!("'{method}'")).collect();
    let expected = expected.join(", ");
    let text = format!("405 Method Not Allowed. Expecting one of {{ {expected} }}, but received '{method}'.");
    Some((StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, methods.join(", "))], text).into_response())
}

/// An answer that these methods alone get.
pub async fn only(
    methods: &[&str],
    method: &Method,
    answer: impl Future<Output = Result<Response, Refusal>>,
) -> Response {
    match not_allowed(methods, method) {
        Some(refusal) => refusal,
        None => answer.await.unwrap_or_else(IntoResponse::into_response),
    }
}

/// The refusal of requests that come while the cluster stops.
pub fn stopping() -> Refusal {
    Refusal::new(503, "The cluster is stopping")
}

/// The answer to a path that nothing serves.
pub fn not_found() -> Refusal {
    Refusal::new(404, "404 Not Found.")
}

/// The type of a body that is a stream of records.
pub const RECORDIO: &str = "application/recordio";

/// How bodies are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Json,
    Protobuf,
}

impl Format {
    const ALL: [(Self, &str); 2] = [(Self::Json, "application/json"), (Self::Protobuf, "application/x-protobuf")];

    /// The format with this name in headers.
    pub fn of(media_type: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, name)| *name == media_type).map(|(format, _)| format)
    }

    /// Its name in headers.
    pub fn media_type(self) -> &'static str {
        if self == Self::Json { Self::ALL[0].1 } else { Self::ALL[1].1 }
    }

    /// The format that a client accepts. JSON if it accepts both (`Request::acceptsMediaType`).
    pub fn accepted(headers: &HeaderMap) -> Result<Self, Refusal> {
        let Some(accept) = headers.get(header::ACCEPT) else {
            return Ok(Self::Json);
        };
        let format = Self::ALL.into_iter().find(|(_, name)| accepts(accept, name)).map(|(format, _)| format);
        let why = "Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'";
        format.ok_or_else(|| Refusal::new(406, why))
    }

    /// The format of a body. Parameters are not taken, nor other cases.
    fn given(headers: &HeaderMap) -> Result<Self, Refusal> {
        let given = headers.get(header::CONTENT_TYPE);
        let given = given.ok_or_else(|| Refusal::new(400, "Expecting 'Content-Type' to be present"))?;
        let why = "Expecting 'Content-Type' of application/json or application/x-protobuf";
        given.to_str().ok().and_then(Self::of).ok_or_else(|| Refusal::new(415, why))
    }
}

/// Whether a header that lists ranges of media types includes this one of `application` (`Request::acceptsMediaType`).
pub fn accepts(accepted: &HeaderValue, media_type: &str) -> bool {
    includes(accepted, &[media_type, "application/*", "*/*"])
}

/// Whether a header that lists what a client takes includes one of these, of which the first that it names decides, by its
/// weight.
pub fn includes(accepted: &HeaderValue, names: &[&str]) -> bool {
    let ranges = accepted.to_str().unwrap_or_default().to_ascii_lowercase().replace([' ', '\t'], "");
    for wanted in names {
        let mut parts = ranges.split(',').map(|range| range.split(';').filter(|part| !part.is_empty()));
        if let Some(parameters) = parts.find_map(|mut parts| (parts.next() == Some(*wanted)).then_some(parts)) {
            let weights: Vec<_> = parameters.filter_map(|parameter| parameter.strip_prefix("q=")).collect();
            let [weight] = weights[..] else { return true };
            return weight.parse().is_ok_and(|weight: f64| weight > 0.0);
        }
    }
    false
}

/// Reads a call of this kind.
pub fn read<M: Message + Default>(name: &str, headers: &HeaderMap, body: &[u8]) -> Result<M, Refusal> {
    let bad = |why: String| Refusal::new(400, why);
    match Format::given(headers)? {
        Format::Json => {
            let value = json::parse(body).map_err(|e| bad(e.to_string()))?;
            json::from_value(name, value).map_err(|e| bad(format!("Failed to convert JSON into Call protobuf: {e}")))
        }
        Format::Protobuf => {
            json::check_weight(name, body).map_err(|e| bad(e.to_string()))?;
            json::from_protobuf(name, body).map_err(|e| {
                tracing::warn!("A body in protobuf is refused: {e}");
                bad("Failed to parse body into Call protobuf".to_owned())
            })
        }
    }
}

/// Writes a response of this kind outside of the cluster's thread: the state of many tasks takes a while.
pub async fn written<M: Message + 'static>(
    name: &'static str,
    format: Format,
    response: M,
) -> Result<Response, Refusal> {
    let write = move || match format {
        Format::Json => json::to_json(name, &response),
        Format::Protobuf => response.encode_to_vec(),
    };
    let body = tokio::task::spawn_blocking(write).await.map_err(|_| stopping())?;
    Ok(([(header::CONTENT_TYPE, format.media_type())], body).into_response())
}

/// Makes the queue of a stream of such events, whose connection is cut when too much waits.
pub fn queue<E: Message + 'static>(
    most: usize,
    name: &'static str,
    format: Format,
    connection: Connection,
) -> (queue::Sender<E>, queue::Receiver) {
    let write = move |event: &E| match format {
        Format::Json => recordio::encode(&json::to_json(name, event)),
        Format::Protobuf => recordio::encode(&event.encode_to_vec()),
    };
    queue::bounded(most, write, move || connection.cut())
}

/// A subscribed stream. The server drops it when the client leaves, and `left` is called then.
pub struct Events<F: FnOnce()> {
    events: queue::Receiver,
    left: Option<F>,
}

impl<F: FnOnce() + Send + Unpin + 'static> Events<F> {
    /// Has to be made when the stream is opened: a client may disconnect before the response is sent.
    pub fn new(events: queue::Receiver, left: F) -> Self {
        Self { events, left: Some(left) }
    }

    /// The body of an answer.
    pub fn body(self) -> Body {
        Body::from_stream(self)
    }
}

impl<F: FnOnce() + Unpin> Stream for Events<F> {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<Option<Self::Item>> {
        self.events.poll_next(context).map(|event| event.map(Ok))
    }
}

impl<F: FnOnce()> Drop for Events<F> {
    fn drop(&mut self) {
        if let Some(left) = self.left.take() {
            left();
        }
    }
}
