//! What the head and the body of a request to an agent's operator API say, with the checks of `Http::api` in
//! `src/slave/http.cpp`, in their order.

use axum::body::Body;
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt;

use crate::local::refusal::Refusal;
use crate::local::server::stream::{Format, RECORDIO, accepts};
use crate::proto::v1::agent::Call;
use crate::wire::{json, recordio};

const CALL: &str = "mesos.v1.agent.Call";
const MESSAGE_ACCEPT: &str = "message-accept";
const MESSAGE_CONTENT_TYPE: &str = "message-content-type";
/// The most bytes of the record that says what a stream is for.
const RECORD_MAX: usize = 1 << 20;

/// How a request is written: one call, or a stream whose first record is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    Whole(Format),
    Stream(Format),
}

/// How an answer may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    Whole(Format),
    Stream,
}

/// What a request says of its body.
pub fn content_types(headers: &HeaderMap) -> Result<Given, Refusal> {
    let given = headers.get(header::CONTENT_TYPE);
    let given = given.ok_or_else(|| Refusal::new(400, "Expecting 'Content-Type' to be present"))?;
    let given = given.to_str().unwrap_or_default();
    let message = headers.get(MESSAGE_CONTENT_TYPE).map(|kind| kind.to_str().unwrap_or_default());
    if given == RECORDIO {
        let why = "Expecting 'Message-Content-Type' to be set for streaming requests";
        let message = message.ok_or_else(|| Refusal::new(400, why))?;
        let why = "Expecting 'Message-Content-Type' of application/json or application/x-protobuf";
        return Format::of(message).map(Given::Stream).ok_or_else(|| Refusal::new(415, why));
    }
    let why = "Expecting 'Content-Type' of application/json or application/x-protobuf or application/recordio";
    let format = Format::of(given).ok_or_else(|| Refusal::new(415, why))?;
    match message {
        None => Ok(Given::Whole(format)),
        Some(_) => Err(Refusal::new(415, "Expecting 'Message-Content-Type' to be not set for non-streaming requests")),
    }
}

/// What a request says of its answer.
pub fn accept_types(headers: &HeaderMap) -> Result<Accepted, Refusal> {
    let allows = |name: &str, kind: &str| headers.get(name).is_none_or(|accepted| accepts(accepted, kind));
    let first = |name: &str| [Format::Json, Format::Protobuf].into_iter().find(|f| allows(name, f.media_type()));
    let of_message = headers.contains_key(MESSAGE_ACCEPT);
    match first(header::ACCEPT.as_str()) {
        Some(_) if of_message => {
            Err(Refusal::new(406, "Expecting 'Message-Accept' to be not set for non-streaming responses"))
        }
        Some(format) => Ok(Accepted::Whole(format)),
        None if allows(header::ACCEPT.as_str(), RECORDIO) => {
            let why = "Expecting 'Message-Accept' to allow application/json or application/x-protobuf";
            first(MESSAGE_ACCEPT).map(|_| Accepted::Stream).ok_or_else(|| Refusal::new(406, why))
        }
        None => {
            let why = "Expecting 'Accept' to allow application/json or application/x-protobuf or application/recordio";
            Err(Refusal::new(406, why))
        }
    }
}

/// Reads a call (`deserialize` in `src/common/http.hpp`).
pub fn parse(format: Format, body: &[u8]) -> Result<Call, Refusal> {
    let bad = |why: String| Refusal::new(400, why);
    match format {
        Format::Json => {
            let value = json::parse(body).map_err(|e| bad(e.to_string()))?;
            json::from_value(CALL, value).map_err(|e| bad(e.to_string()))
        }
        Format::Protobuf => {
            json::check_weight(CALL, body).map_err(|e| bad(e.to_string()))?;
            json::from_protobuf(CALL, body).map_err(|_| bad("Failed to parse body into a protobuf object".to_owned()))
        }
    }
}

/// The first record of a stream. What follows is not read.
pub async fn first_record(mut body: Body) -> Result<Vec<u8>, Refusal> {
    let bad = |why: String| Refusal::new(400, why);
    let (mut decoder, mut came) = (recordio::Decoder::default(), 0_usize);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| bad(format!("Cannot read the body: {e}\n")))?;
        let data = frame.into_data().unwrap_or_default();
        came = came.saturating_add(data.len());
        if came > RECORD_MAX {
            return Err(Refusal::new(
                413,
                format!("The body is too large: expected at most {RECORD_MAX} bytes here\n"),
            ));
        }
        decoder.feed(&data);
        if let Some(record) = decoder.next_record().map_err(|e| bad(e.to_string()))? {
            return Ok(record.to_vec());
        }
    }
    Err(bad("Received EOF while reading request body".to_owned()))
}
