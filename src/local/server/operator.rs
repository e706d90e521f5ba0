//! The master's operator API: `/api/v1`, and the older `/teardown` and `/maintenance/schedule`, which are the same calls.
//! Follows `Master::Http::api` in `src/master/http.cpp`.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use prost::Message;

use super::Context;
use super::door::only_type;
use super::stream::{Format, not_allowed, read};
use crate::local::cluster::machine::Machine;
use crate::local::refusal::Refusal;
use crate::proto::v1::FrameworkId;
use crate::proto::v1::maintenance::Schedule;
use crate::proto::v1::master::{self, Call, call};
use crate::wire::json;

const CALL: &str = "mesos.v1.master.Call";
const RESPONSE: &str = "mesos.v1.master.Response";
const SCHEDULE: &str = "mesos.v1.maintenance.Schedule";

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

/// `/teardown`: the call TEARDOWN with the `frameworkId` of a form.
pub async fn teardown(context: State<Context>, method: Method, headers: HeaderMap, body: Bytes) -> Response {
    if let Some(answer) = not_allowed(&["POST"], &method) {
        return answer;
    }
    let answer = async {
        only_type(&headers, "application/x-www-form-urlencoded")?;
        let form = url::form_urlencoded::parse(&body);
        let id = form.into_iter().find(|(name, _)| name == "frameworkId").map(|(_, id)| id.into_owned());
        let value = id.ok_or_else(|| Refusal::new(400, "Missing 'frameworkId' query parameter in the request body"))?;
        let teardown = Some(call::Teardown { framework_id: FrameworkId { value } });
        ask(&context, Call { teardown, ..of(call::Type::Teardown) }).await
    };
    answer.await.map_or_else(IntoResponse::into_response, |_| StatusCode::OK.into_response())
}

/// `/maintenance/schedule`: the calls GET_MAINTENANCE_SCHEDULE and UPDATE_MAINTENANCE_SCHEDULE.
pub async fn maintenance(context: State<Context>, method: Method, headers: HeaderMap, body: Bytes) -> Response {
    if let Some(answer) = not_allowed(&["GET", "POST"], &method) {
        return answer;
    }
    let answer = async {
        if method == Method::GET {
            let response = ask(&context, of(call::Type::GetMaintenanceSchedule)).await?.unwrap_or_default();
            let schedule = response.get_maintenance_schedule.unwrap_or_default().schedule;
            return Ok(in_json(json::to_json(SCHEDULE, &schedule)));
        }
        only_type(&headers, "application/json")?;
        let schedule: Schedule = json::from_json(SCHEDULE, &body).map_err(|e| Refusal::new(400, e.to_string()))?;
        let update_maintenance_schedule = Some(call::UpdateMaintenanceSchedule { schedule });
        let call = Call { update_maintenance_schedule, ..of(call::Type::UpdateMaintenanceSchedule) };
        ask(&context, call).await.map(|_| StatusCode::OK.into_response())
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
