//! What endpoints answer with: JSON, as a script if a request names a function for it (JSONP), and compressed if its
//! client takes that. Follows `OK` in libprocess' `http.cpp`, and its `encoder.hpp`.

use std::collections::HashMap;
use std::io::Write;

use axum::body::{Body, HttpBody};
use axum::extract::{Query, Request};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use http_body_util::BodyExt;
use serde_json::Value;

use super::stream::{Format, includes};
use crate::local::refusal::Refusal;
pub use crate::local::show::sorted;

/// Shorter bodies are not compressed (`GZIP_MINIMUM_BODY_LENGTH`).
const GZIP_LEAST: u64 = 1024;
/// The parameter that names a function.
pub const JSONP: &str = "jsonp";
/// The most characters of its name.
const NAME_MAX: usize = 128;

/// The parameters of a request.
pub type Arguments = Query<HashMap<String, String>>;

/// JSON, or a call of the function that the request names with it.
///
/// A page of another origin does not get that far: `door.rs` refuses the parameter.
pub fn in_json(body: Vec<u8>, arguments: &Arguments) -> Response {
    match arguments.get(JSONP) {
        None => ([(header::CONTENT_TYPE, Format::Json.media_type())], body).into_response(),
        Some(name) if is_function(name) => {
            let script = [name.as_bytes(), b"(", &body, b")"].concat();
            ([(header::CONTENT_TYPE, "text/javascript")], script).into_response()
        }
        Some(_) => {
            let why = "Expecting the name of a function for 'jsonp': letters, digits, '_', '$' and '.'\n";
            Refusal::new(400, why).into_response()
        }
    }
}

/// A value in JSON, as [`in_json`] gives it.
pub fn value(value: &Value, arguments: &Arguments) -> Response {
    in_json(value.to_string().into_bytes(), arguments)
}

/// Anything else would let whoever can put an element into a page run a script of their own.
fn is_function(name: &str) -> bool {
    let is_part = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '$')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$')
    };
    name.len() <= NAME_MAX && name.split('.').all(is_part)
}

/// Compresses an answer that is there as a whole, if the client takes that. Files and streams stay as they are.
pub async fn compressed(request: Request, next: Next) -> Response {
    let accepted = accepts_gzip(request.headers());
    let response = next.run(request).await;
    let length = HttpBody::size_hint(response.body()).exact().unwrap_or_default();
    if !accepted || length < GZIP_LEAST || response.headers().contains_key(header::CONTENT_ENCODING) {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let Ok(whole) = body.collect().await.map(http_body_util::Collected::to_bytes) else {
        return Refusal::new(500, "").into_response();
    };
    let given = whole.clone();
    // Other requests go on meanwhile: a large state takes a while.
    match tokio::task::spawn_blocking(move || gzip(&given)).await {
        Ok(Ok(smaller)) => {
            head.headers.remove(header::CONTENT_LENGTH);
            head.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            head.headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
            Response::from_parts(head, Body::from(smaller))
        }
        _ => Response::from_parts(head, Body::from(whole)),
    }
}

fn gzip(whole: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(whole)?;
    encoder.finish()
}

/// Whether a client takes gzip: by its name or by `*`, unless its weight is nothing (`Request::acceptsEncoding`).
fn accepts_gzip(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT_ENCODING).is_some_and(|accepted| includes(accepted, &["gzip", "*"]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn functions_have_names() {
        for name in ["f", "$", "_a.b1", "angular.callbacks._0", "jQuery1_2"] {
            assert!(is_function(name), "{name}");
        }
        for name in ["", ".", "a.", "1", "a b", "alert(1)//", "a[0]", "ä", &"a".repeat(129)] {
            assert!(!is_function(name), "{name}");
        }
    }

    #[test]
    fn gzip_is_accepted_by_name_or_by_star_unless_its_weight_is_nothing() {
        for (accepted, expected) in [
            ("gzip", true),
            ("deflate, GZIP;q=0.5", true),
            ("*", true),
            ("gzip;q=0", false),
            ("gzip;q=0, *", false),
            ("gzip;q=x", false),
            ("gzip;q=0;q=0", true),
            ("identity", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, accepted.parse().expect("a value"))]);
            assert_eq!(accepts_gzip(&headers), expected, "{accepted}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }

    #[test]
    fn members_are_sorted_at_every_depth() {
        let given = json!({ "b": [{ "d": 1, "c": 2 }], "a": null });
        assert_eq!(sorted(given).to_string(), r#"{"a":null,"b":[{"c":2,"d":1}]}"#);
    }
}
