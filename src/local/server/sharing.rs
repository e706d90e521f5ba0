//! The endpoints `/weights` and `/quota`, which are older than the calls of the operator API and do the same. Follows
//! `src/master/weights_handler.cpp` and `src/master/quota_handler.cpp`.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};

use super::Context;
use super::answer::{self, Arguments, in_json};
use super::door::only_type;
use super::operator::{ask, ask_for, of};
use super::stream::{only, stopping};
use crate::local::refusal::Refusal;
use crate::local::show;
use crate::proto::v1::master::{Call, call};
use crate::proto::v1::quota::{QuotaRequest, QuotaStatus};
use crate::wire::json;

const WEIGHTS: &str = "mesos.v1.master.Call.UpdateWeights";
const WEIGHT: &str = "mesos.v1.WeightInfo";
const QUOTA_REQUEST: &str = "mesos.v1.quota.QuotaRequest";
const QUOTA_STATUS: &str = "mesos.v1.quota.QuotaStatus";

/// `/weights`: the calls GET_WEIGHTS and UPDATE_WEIGHTS, with the list of weights alone.
pub async fn weights(context: State<Context>, method: Method, arguments: Arguments, body: Bytes) -> Response {
    let answer = async {
        if method == Method::GET {
            let response = ask_for(&context, call::Type::GetWeights).await?;
            let infos = response.get_weights.unwrap_or_default().weight_infos;
            let list = answer::sorted(infos.iter().map(|info| show::message(WEIGHT, info)).collect());
            return Ok(answer::value(&list, &arguments));
        }
        let update_weights = Some(weights_in(&body)?);
        let call = Call { update_weights, ..of(call::Type::UpdateWeights) };
        ask(&context, call).await.map(|_| StatusCode::OK.into_response())
    };
    only(&["GET", "PUT"], &method, answer).await
}

fn weights_in(body: &[u8]) -> Result<call::UpdateWeights, Refusal> {
    let text = String::from_utf8_lossy(body);
    let refused = |what: &str, why: &str| Refusal::new(400, format!("Failed to {what} '{text}': {why}"));
    let parsed = parsed(body).map_err(|why| refused("parse update weights request JSON", &why))?;
    let json::Value::List(infos) = &parsed else {
        return Err(refused("parse update weights request JSON", "Unexpected JSON type parsed"));
    };
    let failed = |why: &str| refused("convert weights JSON array to protobuf", why);
    if !infos.iter().all(|info| matches!(info, json::Value::Object(_))) {
        return Err(failed("Expecting a JSON object"));
    }
    let call = json::Value::Object([("weight_infos".to_owned(), parsed)].into());
    json::from_value(WEIGHTS, call).map_err(|e| failed(&e.to_string()))
}

/// `/quota`: the calls GET_QUOTA and SET_QUOTA, with the status and the request alone.
#[allow(deprecated)]
pub async fn quota(
    context: State<Context>,
    method: Method,
    arguments: Arguments,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answer = async {
        match method {
            Method::GET => {
                let response = ask_for(&context, call::Type::GetQuota).await?;
                let status: QuotaStatus = response.get_quota.unwrap_or_default().status;
                Ok(in_json(json::to_json(QUOTA_STATUS, &status), &arguments))
            }
            Method::DELETE => Err(Refusal::new(
                400,
                "Failed to parse remove quota request for path '/master/quota': expected 3 tokens, found 2 tokens",
            )),
            _ => {
                only_type(&headers, "application/json")?;
                let set_quota = Some(call::SetQuota { quota_request: quota_in(&body)? });
                ask(&context, Call { set_quota, ..of(call::Type::SetQuota) })
                    .await
                    .map(|_| StatusCode::OK.into_response())
            }
        }
    };
    only(&["GET", "POST", "DELETE"], &method, answer).await
}

fn quota_in(body: &[u8]) -> Result<QuotaRequest, Refusal> {
    let text = String::from_utf8_lossy(body);
    let refused = |what: &str, why: &str| Refusal::new(400, format!("Failed to {what} JSON '{text}': {why}"));
    let parsed = parsed(body).map_err(|why| refused("parse set quota request", &why))?;
    let json::Value::Object(_) = parsed else {
        return Err(refused("parse set quota request", "Unexpected JSON type parsed"));
    };
    json::from_value(QUOTA_REQUEST, parsed).map_err(|e| refused("validate set quota request", &e.to_string()))
}

/// What a body says in JSON, or why it says nothing.
fn parsed(body: &[u8]) -> Result<json::Value, String> {
    json::parse_named(body, |why| why).map_err(|why| why.to_string())
}

/// `/quota/ROLE`: removes the quota of a role; with another method as `/quota`.
pub async fn quota_of(
    context: State<Context>,
    method: Method,
    Path(role): Path<String>,
    arguments: Arguments,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if method != Method::DELETE {
        return quota(context, method, arguments, headers, body).await;
    }
    let removed = context.cluster.ask(move |machine, _| machine.master.remove_quota_of_path(&role)).await;
    match removed.unwrap_or_else(|| Err(stopping())) {
        Ok(()) => StatusCode::OK.into_response(),
        Err(refusal) => refusal.into_response(),
    }
}
