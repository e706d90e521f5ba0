//! Replies to calls, cut out of the bytes of a connection. Follows RFC 9112; the bodies are those of errors, or empty.
//!
//! May touch: the bytes given to it.

use std::mem::MaybeUninit;
use std::time::Duration;

use httparse::{Header, ParserConfig, Response, Status};

use crate::{Error, Result};

const HEADERS_MAX: usize = 256;
/// A chunk ends with a line end, which is two bytes.
const CHUNK_END: usize = 2;
/// The largest reply that is taken, head and body, in bytes.
pub const REPLY_MAX: usize = 1 << 20;

/// A whole reply.
#[derive(Debug, Default, PartialEq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The body, as text.
    pub body: String,
    /// How many bytes of the input it takes.
    pub length: usize,
    /// Whether the other side processes no further request on this connection (RFC 9112, section 9.6).
    pub close: bool,
    /// `Keep-Alive: timeout=`: how long the connection may be idle.
    pub idle: Option<Duration>,
    /// `Keep-Alive: max=`: how many further requests the other side takes on this connection.
    pub more: Option<usize>,
}

/// How the end of a body is found (RFC 9112, section 6.3).
#[derive(Debug, Clone, Copy, PartialEq)]
enum Body {
    Length(usize),
    Chunked,
    UntilClose,
}

/// The error of a reply that cannot be understood.
pub fn bad_reply(why: impl std::fmt::Display) -> Error {
    Error::protocol(format!("the reply to a call cannot be read: {why}"))
}

/// Cuts the first reply off the input; `None` if more bytes are needed. `ended` tells that no more will come. Interim
/// responses, such as 100 Continue, are returned as replies of their own.
///
/// Fails if the input is not a reply, or if the reply is larger than [`REPLY_MAX`].
pub fn parse(input: &[u8], ended: bool) -> Result<Option<Reply>> {
    let mut headers = [const { MaybeUninit::uninit() }; HEADERS_MAX];
    let mut response = Response::new(&mut []);
    let mut config = ParserConfig::default();
    config.allow_obsolete_multiline_headers_in_responses(true).allow_spaces_after_header_name_in_responses(true);
    let parsed = config.parse_response_with_uninit_headers(&mut response, input, &mut headers).map_err(bad_reply)?;
    let Status::Complete(start) = parsed else {
        return incomplete(input);
    };
    let mut reply = Reply { status: response.code.unwrap_or_default(), ..Reply::default() };
    let old = response.version == Some(0);
    let framing = read_headers(&mut reply, response.headers, old)?;
    let rest = &input[start..];
    let body = match framing {
        Body::Length(length) => rest.get(..length).map(|body| (text(body), length)),
        Body::Chunked => chunks(rest)?.map(|(body, length)| (text(&body), length)),
        Body::UntilClose => ended.then(|| (text(rest), rest.len())),
    };
    let Some((body, length)) = body else {
        return incomplete(input);
    };
    Ok(Some(Reply { body, length: start.saturating_add(length), ..reply }))
}

fn incomplete(input: &[u8]) -> Result<Option<Reply>> {
    if input.len() > REPLY_MAX { Err(bad_reply(format!("it is larger than {REPLY_MAX} bytes"))) } else { Ok(None) }
}

/// Takes what counts of the headers into the reply; returns how its body ends.
fn read_headers(reply: &mut Reply, headers: &[Header<'_>], old: bool) -> Result<Body> {
    let (mut length, mut coding, mut kept) = (None, None, false);
    for header in headers {
        let is = |name: &str| header.name.eq_ignore_ascii_case(name);
        if is("Content-Length") {
            length = Some(read_length(header.value)?);
        } else if is("Transfer-Encoding") {
            coding = list(header.value).last().map(|last| last.eq_ignore_ascii_case("chunked"));
        } else if is("Connection") {
            reply.close |= list(header.value).any(|option| option.eq_ignore_ascii_case("close"));
            kept |= list(header.value).any(|option| option.eq_ignore_ascii_case("keep-alive"));
        } else if is("Keep-Alive") {
            read_keep_alive(reply, header.value);
        }
    }
    reply.close |= old && !kept;
    Ok(match (reply.status, coding, length) {
        (100..200 | 204 | 304, ..) => Body::Length(0),
        (_, Some(true), _) => Body::Chunked,
        (_, Some(false), _) => Body::UntilClose,
        (_, None, Some(length)) => Body::Length(length),
        (_, None, None) if reply.close => Body::UntilClose,
        // A body would end with the connection, but one that stays open cannot be waited for.
        (_, None, None) => Body::Length(0),
    })
}

/// A length may be there several times, if it is always the same one.
fn read_length(value: &[u8]) -> Result<usize> {
    let mut lengths = list(value).map(|digits| digits.parse::<usize>().map_err(bad_reply));
    let first = lengths.next().unwrap_or_else(|| Err(bad_reply("the Content-Length is empty")))?;
    if first > REPLY_MAX {
        return Err(bad_reply(format!("it is larger than {REPLY_MAX} bytes")));
    }
    lengths.try_fold(first, |first, next| if next? == first { Ok(first) } else { Err(bad_reply("it has two lengths")) })
}

fn read_keep_alive(reply: &mut Reply, value: &[u8]) {
    for parameter in list(value) {
        match parameter.split_once('=').map(|(name, value)| (name.trim(), value.trim().parse::<u32>())) {
            Some((name, Ok(seconds))) if name.eq_ignore_ascii_case("timeout") => {
                reply.idle = Some(Duration::from_secs(seconds.into()));
            }
            Some((name, Ok(requests))) if name.eq_ignore_ascii_case("max") => reply.more = Some(requests as usize),
            _ => {}
        }
    }
}

/// The elements of a header's value that is a list, or of one that was folded over several lines.
fn list(value: &[u8]) -> impl Iterator<Item = &str> {
    let value = std::str::from_utf8(value).unwrap_or_default();
    value.split([',', '\r', '\n']).map(str::trim).filter(|element| !element.is_empty())
}

/// The body that is in chunks, and how many bytes it takes; `None` if more bytes are needed. Extensions and trailers
/// are ignored.
fn chunks(input: &[u8]) -> Result<Option<(Vec<u8>, usize)>> {
    let (mut body, mut at) = (Vec::new(), 0);
    loop {
        let size = httparse::parse_chunk_size(&input[at..]).map_err(|_| bad_reply("a chunk's size is wrong"))?;
        let Status::Complete((start, size)) = size else {
            return Ok(None);
        };
        let size = usize::try_from(size).ok().filter(|size| *size <= REPLY_MAX);
        let size = size.ok_or_else(|| bad_reply("a chunk is too long"))?;
        let from = at.saturating_add(start);
        if size == 0 {
            return Ok(trailers(&input[from..])?.map(|length| (body, from.saturating_add(length))));
        }
        let end = from.saturating_add(size).saturating_add(CHUNK_END);
        let Some(chunk) = input.get(from..end) else {
            return Ok(None);
        };
        body.extend_from_slice(&chunk[..size]);
        at = end;
    }
}

/// The length of the trailers with the empty line that ends them; `None` if more bytes are needed.
fn trailers(input: &[u8]) -> Result<Option<usize>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    match httparse::parse_headers(input, &mut headers).map_err(bad_reply)? {
        Status::Complete((length, _)) => Ok(Some(length)),
        Status::Partial => Ok(None),
    }
}

fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(bytes: &[u8]) -> Reply {
        for end in 0..bytes.len() {
            assert_eq!(parse(&bytes[..end], false).expect("so far so good"), None, "{end} bytes of {bytes:?}");
        }
        let followed = [bytes, b"HTTP/1.1"].concat();
        let reply = parse(&followed, false).expect("valid").expect("whole");
        assert_eq!(reply.length, bytes.len());
        reply
    }

    #[test]
    fn replies_are_cut_at_their_end_however_much_has_come() {
        let cases: [(&[u8], u16, &str); 9] = [
            (b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", 202, ""),
            (b"HTTP/1.1 400 Bad Request\r\ncontent-length: 4\r\n\r\nwhy?", 400, "why?"),
            (b"HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nwh\r\n1\r\ny\r\n0\r\n\r\n", 403, "why"),
            (b"HTTP/1.1 202 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nwh\r\n0\r\nX-T: 1\r\n\r\n", 202, "wh"),
            (b"HTTP/1.1 202 OK\r\nTransfer-Encoding: identity,\r\n chunked\r\n\r\n0\r\n\r\n", 202, ""),
            (b"HTTP/1.1 202 OK\r\nX-Folded: a\r\n  b\r\nContent-Length: 0\r\n\r\n", 202, ""),
            (b"HTTP/1.1 100 Continue\r\n\r\n", 100, ""),
            (b"HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
            (b"HTTP/1.1 202 OK\r\nContent-Length: 2, 2\r\n\r\nok", 202, "ok"),
        ];
        for (bytes, status, body) in cases {
            let reply = whole(bytes);
            assert_eq!((reply.status, reply.body.as_str(), reply.close), (status, body, false));
        }
    }

    #[test]
    fn more_headers_than_usual_are_read() {
        let headers: String = (0..HEADERS_MAX - 1).map(|n| format!("X-{n}: {n}\r\n")).collect();
        let bytes = format!("HTTP/1.1 202 Accepted\r\n{headers}Content-Length: 1\r\n\r\n!");
        assert_eq!(whole(bytes.as_bytes()).body, "!");
    }

    #[test]
    fn the_last_reply_of_a_connection_is_known_by_its_headers() {
        let closed = |head: &str| whole(format!("{head}Content-Length: 0\r\n\r\n").as_bytes()).close;
        assert!(closed("HTTP/1.1 202 OK\r\nConnection: keep-alive, Close\r\n"));
        assert!(closed("HTTP/1.0 202 OK\r\n"));
        assert!(!closed("HTTP/1.0 202 OK\r\nConnection: Keep-Alive\r\n"));
        assert!(!closed("HTTP/1.1 202 OK\r\nConnection: upgrade\r\n"));
    }

    #[test]
    fn a_body_without_a_length_ends_with_the_connection_if_that_is_to_end() {
        let bytes = b"HTTP/1.1 400 No\r\nConnection: close\r\n\r\nbecause";
        assert_eq!(parse(bytes, false).expect("valid"), None);
        let reply = parse(bytes, true).expect("valid").expect("whole");
        assert_eq!((reply.body.as_str(), reply.length), ("because", bytes.len()));
        assert_eq!(whole(b"HTTP/1.1 202 OK\r\n\r\n").body, "", "and is taken to be empty otherwise");
    }

    #[test]
    fn limits_of_a_kept_connection_are_read() {
        let reply = whole(b"HTTP/1.1 202 OK\r\nKeep-Alive: timeout=5, max=99\r\nContent-Length: 0\r\n\r\n");
        assert_eq!((reply.idle, reply.more), (Some(Duration::from_secs(5)), Some(99)));
    }

    #[test]
    fn what_is_not_a_reply_is_an_error() {
        for bad in [
            &b"SSH-2.0-OpenSSH\r\n"[..],
            b"HTTP/1.1 202 OK\r\nContent-Length: x\r\n\r\n",
            b"HTTP/1.1 202 OK\r\nContent-Length: 1, 2\r\n\r\n",
            b"HTTP/1.1 202 OK\r\nContent-Length: 99999999999\r\n\r\n",
            b"HTTP/1.1 202 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
            b"HTTP/1.1 202 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffff\r\n",
        ] {
            assert!(parse(bad, false).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }
}
