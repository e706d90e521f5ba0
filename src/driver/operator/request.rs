//! Requests and their answers.

use std::time::Duration;

use bytes::Bytes;

use crate::wire::recordio::MAX_RECORD;

/// A request to a master or an agent. The headers `Host` and `Authorization` are added if they are missing.
///
/// ```
/// use remesos::driver::operator::Request;
///
/// let request = Request {
///     method: "POST".to_owned(),
///     path: "/api/v1".to_owned(),
///     headers: vec![("Content-Type".to_owned(), "application/json".to_owned())],
///     body: br#"{"type":"GET_HEALTH"}"#.as_slice().into(),
/// };
/// assert!(request.has_header("content-type"));
/// ```
#[derive(Debug, Clone)]
pub struct Request {
    /// The method, `POST`.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl Request {
    /// Whether it has a header, whose name is compared without regard to case.
    pub fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name))
    }
}

/// The whole answer to a request, whatever its status.
///
/// ```
/// use remesos::driver::operator::Answer;
///
/// let answer = Answer { status: 200, headers: Vec::new(), body: br#"{"type":"GET_WEIGHTS"}"#.as_slice().into() };
/// assert_eq!(answer.status, 200);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Names, in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

/// What an answer may take.
///
/// ```
/// use std::time::Duration;
///
/// use remesos::driver::operator::Within;
///
/// let within = Within { total: Some(Duration::from_secs(60)), ..Within::default() };
/// assert_eq!(within.idle, Duration::from_secs(10));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Within {
    /// How long to wait for a leading master, a connection, the answer's beginning, and each further part of it.
    pub idle: Duration,
    /// How long the whole exchange may take; as long as it does if `None`.
    pub total: Option<Duration>,
    /// The most bytes of its body.
    pub size: usize,
}

impl Default for Within {
    /// Ten seconds for each step, and as many bytes as a record of a stream may have.
    fn default() -> Self {
        Self { idle: Duration::from_secs(10), total: None, size: MAX_RECORD }
    }
}
