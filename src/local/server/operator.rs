//! The master's operator API: `/api/v1`. Follows `Master::Http::api` in `src/master/http.cpp`.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use prost::Message;

use super::Context;
use super::stream::{Format, not_allowed, read};
use crate::local::cluster::machine::Machine;
use crate::local::refusal::Refusal;
use crate::proto::v1::master::{self, Call, call};
use crate::wire::json;

const CALL: &str = "mesos.v1.master.Call";
const RESPONSE: &str = "mesos.v1.master.Response";

/// `/api/v1`: one call, in JSON or protobuf.
pub async fn handle(context: State<Context>, method: Method, headers: HeaderMap, body: Bytes) -> Response {
    if let Some(answer) = not_allowed(&["POST"], &method) {
        return answer;
    }
    let answer = async {
        let call: Call = read(CALL, &headers, &body)?;
        let format = Format::accepted(&headers)?;
        Ok(match ask(&context, call).await? {
            Some(response) => written(format, &response),
            None => StatusCode::OK.into_response(),
        })
    };
    answer.await.unwrap_or_else(|refusal: Refusal| refusal.into_response())
}

pub(super) async fn ask(context: &Context, call: Call) -> Result<Option<master::Response>, Refusal> {
    let answer = move |machine: &mut Machine, now| {
        let answer = machine.operator_call(now, call);
        // Frameworks hear of it before the operator does.
        machine.route(now);
        answer
    };
    let outcome = context.cluster.ask(answer).await;
    outcome.ok_or_else(|| Refusal::new(503, "The cluster is stopping"))?
}

pub(super) fn of(kind: call::Type) -> Call {
    Call { r#type: Some(kind.into()), ..Default::default() }
}

fn written(format: Format, response: &master::Response) -> Response {
    match format {
        Format::Json => in_json(json::to_json(RESPONSE, response)),
        Format::Protobuf => {
            ([(header::CONTENT_TYPE, Format::Protobuf.media_type())], response.encode_to_vec()).into_response()
        }
    }
}

pub(super) fn in_json(body: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, Format::Json.media_type())], body).into_response()
}
