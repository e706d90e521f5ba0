//! Bodies of requests: read whole before a handler sees them, up to a limit, and not waited for without end.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use tokio::time::timeout;

use super::stream::Refused;

/// The most bytes that a scheduler's or an executor's call has.
pub const CALL_MAX: usize = 64 << 20;
/// The most bytes that any other body has.
pub const OTHER_MAX: usize = 1 << 20;
/// A body of which nothing comes for so long is given up.
const STALL: Duration = Duration::from_secs(30);
/// What follows a refusal is thrown away for so long: a client that still writes would not read why.
const DISCARD: Duration = Duration::from_secs(10);

/// Goes on with a request when its body is here and has at most so many bytes.
pub async fn whole(State(limit): State<usize>, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    match read(&head.headers, body, limit).await {
        Ok(bytes) => next.run(Request::from_parts(head, Body::from(bytes))).await,
        Err(refusal) => refusal.into_response(),
    }
}

async fn read(headers: &HeaderMap, mut body: Body, limit: usize) -> Result<Bytes, Refused> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|n| n.to_str().ok()?.parse().ok()).unwrap_or(0_usize);
    if announced > limit {
        // A client that asks first, as curl does, sends nothing after a refusal.
        if !headers.contains_key(header::EXPECT) {
            discard(body).await;
        }
        return Err(too_large(limit));
    }
    let mut whole = Vec::new();
    let stalled = |_| (StatusCode::REQUEST_TIMEOUT, format!("Nothing more came of the body for {STALL:?}\n"));
    while let Some(frame) = timeout(STALL, body.frame()).await.map_err(stalled)? {
        let frame = frame.map_err(|e| (StatusCode::BAD_REQUEST, format!("Cannot read the body: {e}\n")))?;
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

async fn discard(mut body: Body) {
    // Whatever ends it, the refusal is sent.
    let _ = timeout(DISCARD, async { while let Some(Ok(_)) = body.frame().await {} }).await;
}

fn too_large(limit: usize) -> Refused {
    (StatusCode::PAYLOAD_TOO_LARGE, format!("The body is too large: expected at most {limit} bytes here\n"))
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
        let (status, _) = read(&HeaderMap::new(), Body::from_stream(stalls), 10).await.expect_err("it stalls");
        assert_eq!((status, started.elapsed()), (StatusCode::REQUEST_TIMEOUT, STALL));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_without_an_end_is_refused_and_not_kept() {
        let endless = futures_util::stream::repeat(Bytes::from_static(&[0; 1000])).map(Ok::<_, std::io::Error>);
        let paced = endless.then(|data| async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            data
        });
        let (status, text) =
            read(&HeaderMap::new(), Body::from_stream(paced), 5000).await.expect_err("it is too large");
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(text, "The body is too large: expected at most 5000 bytes here\n");
    }
}
