//! Who a scheduler says it is, if the cluster has it say so. Follows the authenticator `basic` of Mesos, for the realm
//! `mesos-master-scheduler`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use subtle::ConstantTimeEq;

use super::credentials::{self, Shown};
use super::peer::Peer;
use crate::local::options::Credentials;
use crate::local::refusal::Refusal;
use crate::local::token::Token;
use crate::proto::v1;

/// Who may subscribe: everyone without credentials.
#[derive(Debug, Clone)]
pub struct Guard {
    pub credentials: Option<Arc<Credentials>>,
    pub token: Token,
}

/// The principal that has presented its secret, among a request's extensions; none if no one has to, and for those who
/// show the cluster's token.
#[derive(Debug, Clone, Default)]
pub struct Authenticated(Option<String>);

impl Authenticated {
    /// Refuses a framework of another principal, in the words of the real master.
    pub fn check(&self, framework: &v1::FrameworkInfo) -> Result<(), Refusal> {
        match (&self.0, &framework.principal) {
            (Some(own), Some(named)) if own != named => Err(Refusal::new(
                400,
                format!(
                    "Failed to validate scheduler::Call: Authenticated principal '{own}' does not match principal \
                     '{named}' set in `FrameworkInfo`"
                ),
            )),
            _ => Ok(()),
        }
    }
}

/// Every call of a scheduler goes through here.
pub async fn authenticate(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let Some(credentials) = &guard.credentials else { return passed(request, next, None).await };
    let port = request.extensions().get::<Peer>().map_or(0, |peer| peer.here.port());
    if credentials::shown(&guard.token, port, request.headers()) > Shown::No {
        return passed(request, next, None).await;
    }
    match principal(credentials, request.headers()) {
        Some(principal) => passed(request, next, Some(principal)).await,
        None => unauthorized(),
    }
}

/// The answer to a scheduler that has to present a credential.
pub fn unauthorized() -> Response {
    let realm = [(header::WWW_AUTHENTICATE, "Basic realm=\"mesos-master-scheduler\"")];
    (StatusCode::UNAUTHORIZED, realm, "401 Unauthorized.").into_response()
}

async fn passed(mut request: Request, next: Next, principal: Option<String>) -> Response {
    request.extensions_mut().insert(Authenticated(principal));
    next.run(request).await
}

fn principal(credentials: &Credentials, headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let encoded = value.strip_prefix("Basic ")?;
    let decoded = String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok()?;
    let (principal, secret) = decoded.split_once(':')?;
    let known = credentials.get(principal)?;
    bool::from(known.as_bytes().ct_eq(secret.as_bytes())).then(|| principal.to_owned())
}
