//! Pages of other origins that know the token: a browser lets them send it only if it is told so first, and lets them
//! read the answer only if that says so (<https://fetch.spec.whatwg.org/#http-cors-protocol>).

use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::credentials;

const HEADERS: HeaderValue = HeaderValue::from_static("x-remesos-token, authorization, content-type, mesos-stream-id");

/// The answer to a browser's question whether a page may send a token. It tells nothing, and the request that follows
/// is let in for its token only.
pub fn preflight(method: &Method, headers: &HeaderMap) -> Option<Response> {
    let origin = headers.get(header::ORIGIN)?;
    let wanted = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS)?.to_str().ok()?;
    let token = |name: &str| [credentials::HEADER, header::AUTHORIZATION].iter().any(|known| known == name.trim());
    let asks = method == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    (asks && wanted.split(',').any(token)).then(|| {
        let methods = HeaderValue::from_static("GET, POST");
        let told = [(header::ACCESS_CONTROL_ALLOW_METHODS, methods), (header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS)];
        allow(Some(origin.clone()), (StatusCode::NO_CONTENT, told).into_response())
    })
}

/// Lets pages of this origin read an answer, if there is one.
pub fn allow(origin: Option<HeaderValue>, mut response: Response) -> Response {
    if let Some(origin) = origin {
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let exposed = HeaderName::from_static("mesos-stream-id");
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed.into());
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
    }
    response
}
