//! The head of a request.
//!
//! May touch: the values given to it.

use hyper::header::HeaderValue;

use crate::session::Endpoint;

/// What follows the length of a body.
pub const HEAD_END: &[u8] = b"\r\n\r\n";

/// Returns the first headers of a POST to this path of an endpoint. `Authorization` and the length of the body are missing.
pub fn post(endpoint: &Endpoint, path: &str, media_type: &str, stream_id: Option<&str>) -> Vec<u8> {
    let (prefix, host) = (&endpoint.path, endpoint.host_header());
    let mut head = format!(
        "POST {prefix}{path} HTTP/1.1\r\nHost: {host}\r\nAccept: {media_type}\r\nContent-Type: {media_type}\r\n"
    );
    if let Some(stream_id) = stream_id {
        head += &format!("Mesos-Stream-Id: {stream_id}\r\n");
    }
    head.into_bytes()
}

/// Adds `Authorization`, if there is one, and the name of the header with the length of the body, whose digits and
/// [`HEAD_END`] come next.
pub fn authorized(mut head: Vec<u8>, authorization: Option<&HeaderValue>) -> Vec<u8> {
    if let Some(value) = authorization {
        head.extend_from_slice(b"Authorization: ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"Content-Length: ");
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_names_its_endpoint_its_stream_and_who_makes_it() {
        let endpoint = Endpoint { path: "/mesos".to_owned(), ..Endpoint::new(false, "master", 5050) };
        let head = post(&endpoint, "/api/v1/scheduler", "application/x-protobuf", Some("a-b"));
        let head = authorized(head, Some(&HeaderValue::from_static("Basic x")));
        let text = String::from_utf8(head).expect("ASCII");
        assert_eq!(
            text,
            "POST /mesos/api/v1/scheduler HTTP/1.1\r\nHost: master:5050\r\nAccept: application/x-protobuf\r\n\
             Content-Type: application/x-protobuf\r\nMesos-Stream-Id: a-b\r\nAuthorization: Basic x\r\nContent-Length: "
        );
    }
}
