//! The head of a response.
//!
//! May touch: the bytes given to it.

use std::mem::MaybeUninit;
use std::time::Duration;

use httparse::{Header, ParserConfig, Response, Status};

use crate::{Error, Result};

pub const HEADERS_MAX: usize = 256;

/// The error of a response that cannot be understood.
pub fn bad_reply(why: impl std::fmt::Display) -> Error {
    Error::protocol(format!("the response cannot be read: {why}"))
}

/// What counts of a response's head.
#[derive(Debug, Default, PartialEq)]
pub struct Head {
    /// The HTTP status.
    pub status: u16,
    /// How the end of the body is found.
    pub framing: Framing,
    /// Whether the other side processes no further request on this connection (RFC 9112, section 9.6).
    pub close: bool,
    /// `Keep-Alive: timeout=`: how long the connection may be idle.
    pub idle: Option<Duration>,
    /// `Keep-Alive: max=`: how many further requests the other side takes on this connection.
    pub more: Option<usize>,
    /// `Location`.
    pub location: Option<String>,
    /// `Mesos-Stream-Id`.
    pub stream_id: Option<String>,
    /// How many bytes of the input it takes.
    pub length: usize,
}

/// How the end of a body is found (RFC 9112, section 6.3).
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
    /// Nothing is said of it. The RFC takes it for [`Framing::UntilClose`].
    #[default]
    Unsaid,
}

impl Head {
    /// Cuts the head off the input; `None` if more bytes are needed.
    ///
    /// Fails if the input is not the head of a response.
    pub fn parse(input: &[u8]) -> Result<Option<Self>> {
        let mut headers = [const { MaybeUninit::uninit() }; HEADERS_MAX];
        let mut response = Response::new(&mut []);
        let mut config = ParserConfig::default();
        config.allow_obsolete_multiline_headers_in_responses(true).allow_spaces_after_header_name_in_responses(true);
        let parsed =
            config.parse_response_with_uninit_headers(&mut response, input, &mut headers).map_err(bad_reply)?;
        let Status::Complete(length) = parsed else { return Ok(None) };
        let mut head = Self { status: response.code.unwrap_or_default(), length, ..Self::default() };
        head.read(response.headers, response.version == Some(0))?;
        Ok(Some(head))
    }

    /// Whether another response follows for the same request.
    pub fn is_interim(&self) -> bool {
        self.status < 200
    }

    /// Takes what counts of the headers. `old` tells that the response is one of HTTP/1.0.
    fn read(&mut self, headers: &[Header<'_>], old: bool) -> Result<()> {
        let (mut length, mut coding, mut kept) = (None, None, false);
        for header in headers {
            let is = |name: &str| header.name.eq_ignore_ascii_case(name);
            if is("Content-Length") {
                length = Some(read_length(header.value)?);
            } else if is("Transfer-Encoding") {
                coding = list(header.value).last().map(|last| last.eq_ignore_ascii_case("chunked"));
            } else if is("Connection") {
                self.close |= list(header.value).any(|option| option.eq_ignore_ascii_case("close"));
                kept |= list(header.value).any(|option| option.eq_ignore_ascii_case("keep-alive"));
            } else if is("Keep-Alive") {
                self.read_keep_alive(header.value);
            } else if is("Location") {
                self.location = text(header.value);
            } else if is("Mesos-Stream-Id") {
                self.stream_id = text(header.value);
            }
        }
        self.close |= old && !kept;
        self.framing = match (self.status, coding, length) {
            (100..200 | 204 | 304, ..) => Framing::Length(0),
            (_, Some(true), _) => Framing::Chunked,
            (_, Some(false), _) => Framing::UntilClose,
            (_, None, Some(length)) => Framing::Length(length),
            (_, None, None) => Framing::Unsaid,
        };
        Ok(())
    }

    fn read_keep_alive(&mut self, value: &[u8]) {
        for parameter in list(value) {
            match parameter.split_once('=').map(|(name, value)| (name.trim(), value.trim().parse::<u32>())) {
                Some((name, Ok(seconds))) if name.eq_ignore_ascii_case("timeout") => {
                    self.idle = Some(Duration::from_secs(seconds.into()));
                }
                Some((name, Ok(requests))) if name.eq_ignore_ascii_case("max") => self.more = Some(requests as usize),
                _ => {}
            }
        }
    }
}

/// A length may be there several times, if it is always the same one.
fn read_length(value: &[u8]) -> Result<usize> {
    let mut lengths = list(value).map(|digits| digits.parse::<usize>().map_err(bad_reply));
    let first = lengths.next().unwrap_or_else(|| Err(bad_reply("the Content-Length is empty")))?;
    lengths.try_fold(first, |first, next| if next? == first { Ok(first) } else { Err(bad_reply("it has two lengths")) })
}

/// The elements of a header's value that is a list, or of one that was folded over several lines.
fn list(value: &[u8]) -> impl Iterator<Item = &str> {
    let value = std::str::from_utf8(value).unwrap_or_default();
    value.split([',', '\r', '\n']).map(str::trim).filter(|element| !element.is_empty())
}

/// A header's value, if it is visible ASCII.
fn text(value: &[u8]) -> Option<String> {
    let value = std::str::from_utf8(value).ok()?.trim();
    value.is_ascii().then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(headers: &str) -> Head {
        Head::parse(format!("HTTP/1.1 200 OK\r\n{headers}\r\n").as_bytes()).expect("valid").expect("whole")
    }

    #[test]
    fn the_headers_of_a_subscription_are_read() {
        let read = head("mesos-stream-id: a-b\r\nLocation: //master:5050/api\r\nTransfer-Encoding: chunked\r\n");
        assert_eq!((read.stream_id.as_deref(), read.location.as_deref()), (Some("a-b"), Some("//master:5050/api")));
        assert_eq!((read.status, read.framing, read.close), (200, Framing::Chunked, false));
        assert!(!read.is_interim());
    }

    #[test]
    fn what_the_head_says_of_the_end_of_the_body_is_read() {
        assert_eq!(head("Content-Length: 7\r\n").framing, Framing::Length(7));
        assert_eq!(head("Content-Length: 7\r\nTransfer-Encoding: gzip, chunked\r\n").framing, Framing::Chunked);
        assert_eq!(head("Transfer-Encoding: gzip\r\n").framing, Framing::UntilClose);
        assert_eq!(head("").framing, Framing::Unsaid);
        let none = Head::parse(b"HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n").expect("valid");
        assert_eq!(none.expect("whole").framing, Framing::Length(0));
    }
}
