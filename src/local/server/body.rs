//! Bodies of requests: read whole before a handler sees them, up to a limit each and one for all that are held at a
//! time, and not waited for without end.

use std::io::{ErrorKind, Read};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use flate2::bufread::GzDecoder;
use http_body_util::BodyExt;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::stream::RECORDIO;
use crate::local::refusal::Refusal;

/// The most bytes that a scheduler's or an executor's call has.
const CALL_MAX: usize = 64 << 20;
/// The most bytes that any other body has.
const OTHER_MAX: usize = 1 << 20;
/// The most bytes of bodies at a time, of all connections.
const TOTAL_MAX: usize = 4 * CALL_MAX;
/// A body of which nothing comes for so long is given up.
const STALL: Duration = Duration::from_secs(30);
/// What follows a refusal is thrown away for so long: a client that still writes would not read why.
const DISCARD: Duration = Duration::from_secs(10);

/// How much of bodies is held.
#[derive(Debug, Clone)]
pub struct Bodies {
    /// The most bytes that one has.
    limit: usize,
    /// Bytes that are free, of those for all.
    room: Arc<Semaphore>,
}

impl Bodies {
    /// For calls of schedulers and executors, and for all others.
    pub fn limits() -> (Self, Self) {
        let room = Arc::new(Semaphore::new(TOTAL_MAX));
        (Self { limit: CALL_MAX, room: Arc::clone(&room) }, Self { limit: OTHER_MAX, room })
    }
}

/// Goes on with a request when its body is here and has as many bytes as it may have. It waits for its turn, unread,
/// while others fill the room for all.
pub async fn whole(State(bodies): State<Bodies>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let announced = announced(&head.headers, &body).filter(|_| !is_gzip(&head.headers));
    let announced = announced.unwrap_or(bodies.limit).min(bodies.limit);
    let room = bodies.room.acquire_many(u32::try_from(announced).unwrap_or(u32::MAX)).await;
    let read = read(&head.headers, body, bodies.limit).await;
    let response = match read.and_then(|bytes| inflated(&head.headers, bytes, bodies.limit)) {
        Ok(bytes) => next.run(Request::from_parts(head, Body::from(bytes))).await,
        Err(refusal) => refusal.into_response(),
    };
    drop(room);
    response
}

/// The same, but a request whose body is a stream goes on at once.
pub async fn whole_but_streams(bodies: State<Bodies>, request: Request, next: Next) -> Response {
    if request.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == RECORDIO) {
        next.run(request).await
    } else {
        whole(bodies, request, next).await
    }
}

/// How many bytes a request says its body has.
fn announced(headers: &HeaderMap, body: &Body) -> Option<usize> {
    let none = body.is_end_stream().then_some(0);
    none.or_else(|| headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok()))
}

async fn read(headers: &HeaderMap, mut body: Body, limit: usize) -> Result<Bytes, Refusal> {
    if announced(headers, &body).is_some_and(|length| length > limit) {
        // A client that asks first, as curl does, sends nothing after a refusal.
        if !headers.contains_key(header::EXPECT) {
            discard(body).await;
        }
        return Err(too_large(limit));
    }
    let mut whole = Vec::new();
    let stalled = |_| Refusal::new(408, format!("Nothing more came of the body for {STALL:?}\n"));
    while let Some(frame) = timeout(STALL, body.frame()).await.map_err(stalled)? {
        let frame = frame.map_err(|e| Refusal::new(400, format!("Cannot read the body: {e}\n")))?;
        let data = frame.into_data().unwrap_or_default();
        if whole.len().saturating_add(data.len()) > limit {
            drop(whole);
            discard(body).await;
            return Err(too_large(limit));
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.into())
}

/// Whether a body is compressed. Mesos knows one encoding, by this name alone, and takes all others for none.
fn is_gzip(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding == "gzip")
}

/// A body without its encoding. Fails as the real Mesos does, whatever the path and the method.
fn inflated(headers: &HeaderMap, bytes: Bytes, limit: usize) -> Result<Bytes, Refusal> {
    if !is_gzip(headers) {
        return Ok(bytes);
    }
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut decoder = GzDecoder::new(&bytes[..]);
    let mut whole = Vec::new();
    let outcome = decoder.by_ref().take(most).read_to_end(&mut whole);
    if whole.len() > limit {
        return Err(too_large(limit));
    }
    let wrong = |why: &str| Refusal::new(500, why);
    match outcome {
        Ok(_) if decoder.into_inner().is_empty() => Ok(whole.into()),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(wrong("Failed to decompress body")),
        _ => Err(wrong("failed to decode body")),
    }
}

async fn discard(mut body: Body) {
    // Whatever ends it, the refusal is sent.
    let _ = timeout(DISCARD, async { while let Some(Ok(_)) = body.frame().await {} }).await;
}

fn too_large(limit: usize) -> Refusal {
    Refusal::new(413, format!("The body is too large: expected at most {limit} bytes here\n"))
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_body_that_stalls_is_given_up() {
        let begun = futures_util::stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"{"))]);
        let stalls = begun.chain(futures_util::stream::pending());
        let started = tokio::time::Instant::now();
        let refusal = read(&HeaderMap::new(), Body::from_stream(stalls), 10).await.expect_err("it stalls");
        assert_eq!((refusal.status, started.elapsed()), (408, STALL));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_without_an_end_is_refused_and_not_kept() {
        let endless = futures_util::stream::repeat(Bytes::from_static(&[0; 1000])).map(Ok::<_, std::io::Error>);
        let paced = endless.then(|data| async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            data
        });
        let refusal = read(&HeaderMap::new(), Body::from_stream(paced), 5000).await.expect_err("it is too large");
        assert_eq!(refusal.status, 413);
        assert_eq!(refusal.message, "The body is too large: expected at most 5000 bytes here\n");
    }

    #[test]
    fn a_body_that_would_inflate_beyond_the_limit_is_refused() {
        let mut encoder = flate2::bufread::GzEncoder::new(&[0; 5001][..], flate2::Compression::default());
        let mut compressed = Vec::new();
        encoder.read_to_end(&mut compressed).expect("memory");
        let headers = HeaderMap::from_iter([(header::CONTENT_ENCODING, "gzip".parse().expect("a value"))]);
        let inflate = |limit| inflated(&headers, compressed.clone().into(), limit);
        assert_eq!(inflate(5001).expect("within the limit").len(), 5001);
        assert_eq!(inflate(5000).expect_err("it is too large").status, 413);
        assert_eq!(inflated(&HeaderMap::new(), compressed.clone().into(), 1).expect("not named"), compressed);
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_wait_while_others_fill_the_room_for_all() {
        use axum::routing::any;
        use tower::ServiceExt;

        let (calls, _) = Bodies::limits();
        let layer = axum::middleware::from_fn_with_state(calls.clone(), whole);
        let routes =
            axum::Router::new().route("/", any(|body: Bytes| async move { body.len().to_string() }).layer(layer));
        let ask = |body: Body| tokio::spawn(routes.clone().oneshot(Request::new(body)));
        let stalls: Vec<_> = (0..4)
            .map(|_| ask(Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>())))
            .collect();
        tokio::task::yield_now().await;
        assert_eq!(calls.room.available_permits(), 0, "nobody knows how large they become");
        let started = tokio::time::Instant::now();
        let waited = ask(Body::from_stream(futures_util::stream::iter([Ok::<_, std::io::Error>(Bytes::from("12"))])));
        assert!(waited.await.expect("it ends").is_ok_and(|answer| answer.status() == 200));
        assert_eq!(started.elapsed(), STALL);
        for stall in stalls {
            assert!(stall.await.expect("it ends").is_ok_and(|a| a.status() == 408));
        }
        assert_eq!(calls.room.available_permits(), TOTAL_MAX);
    }
}
