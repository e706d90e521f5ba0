//! Replies to calls; the bodies are those of errors, or empty.
//!
//! May touch: the bytes given to it.

use std::time::Duration;

use bytes::BytesMut;

use super::body::Body;
use super::head::{Framing, Head, bad_reply};
use crate::Result;

/// The largest reply that is taken, head and body, in bytes.
pub const REPLY_MAX: usize = 1 << 20;

/// A whole reply.
#[derive(Debug, Default, Clone, PartialEq)]
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

/// Cuts the first reply off the input; `None` if more bytes are needed. `ended` tells that no more will come. Interim
/// responses, such as 100 Continue, are returned as replies of their own.
///
/// Fails if the input is not a reply, or if the reply is larger than [`REPLY_MAX`].
pub fn parse(input: &[u8], ended: bool) -> Result<Option<Reply>> {
    let reply = match Head::parse(input)? {
        Some(head) => whole(head, input, ended)?,
        None => None,
    };
    if reply.as_ref().map_or(input.len(), |reply| reply.length) > REPLY_MAX {
        return Err(bad_reply(format!("it is larger than {REPLY_MAX} bytes")));
    }
    Ok(reply)
}

fn whole(head: Head, input: &[u8], ended: bool) -> Result<Option<Reply>> {
    let framing = match head.framing {
        Framing::Length(length) if length > REPLY_MAX => {
            return Err(bad_reply(format!("it is larger than {REPLY_MAX} bytes")));
        }
        // A body would end with the connection, but one that stays open cannot be waited for.
        Framing::Unsaid if !head.close => Framing::Length(0),
        said => said,
    };
    let (mut body, mut data) = (Body::new(framing), BytesMut::new());
    let taken = body.decode(input.get(head.length..).unwrap_or_default(), &mut data)?;
    let is_whole = body.is_over() || (ended && body.may_end());
    let length = head.length.saturating_add(taken);
    let Head { status, close, idle, more, .. } = head;
    Ok(is_whole.then(|| Reply { status, body: text(&data), length, close, idle, more }))
}

fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::head::HEADERS_MAX;
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
            b"HTTP/1.1 202 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        ] {
            assert!(parse(bad, false).is_err(), "{}", String::from_utf8_lossy(bad));
        }
    }
}
