//! The body of a response, in whatever pieces it comes.
//!
//! May touch: the bytes given to it.

use bytes::BytesMut;
use httparse::Status;

use super::head::{Framing, HEADERS_MAX, bad_reply};
use crate::Result;

/// The longest line with the size of a chunk, and the longest trailers, in bytes.
const LINE_MAX: usize = 64 << 10;
/// What follows the data of a chunk.
const CHUNK_END: &[u8] = b"\r\n";

/// A body of which the bytes are still to come. Extensions of chunks and trailers are ignored.
#[derive(Debug)]
pub struct Body(State);

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    /// So many bytes, which are all.
    Data(usize),
    /// The line with the size of a chunk.
    Size,
    /// So many bytes of a chunk.
    Chunk(usize),
    /// The end of the line after a chunk.
    ChunkEnd,
    Trailers,
    /// All bytes until the connection ends.
    UntilClose,
}

impl Body {
    /// Nothing has come yet.
    pub fn new(framing: Framing) -> Self {
        Self(match framing {
            Framing::Length(length) => State::Data(length),
            Framing::Chunked => State::Size,
            Framing::UntilClose | Framing::Unsaid => State::UntilClose,
        })
    }

    /// Appends the data that the input holds, and returns how many bytes of the input that took. What is left of it is not
    /// whole yet, or comes after the body.
    ///
    /// Fails if the input is not the continuation of the body.
    pub fn decode(&mut self, input: &[u8], data: &mut BytesMut) -> Result<usize> {
        let mut rest = input;
        while let Some(taken) = self.step(rest, data)? {
            rest = rest.get(taken..).unwrap_or_default();
        }
        Ok(input.len().saturating_sub(rest.len()))
    }

    /// Whether all of it has come.
    pub fn is_over(&self) -> bool {
        self.0 == State::Data(0)
    }

    /// Whether it is over if its connection ends now.
    pub fn may_end(&self) -> bool {
        self.is_over() || self.0 == State::UntilClose
    }

    /// Takes the next part from the input; `None` if that is not whole, or there is none.
    fn step(&mut self, input: &[u8], data: &mut BytesMut) -> Result<Option<usize>> {
        let (taken, next) = match self.0 {
            State::Data(0) => return Ok(None),
            _ if input.is_empty() => return Ok(None),
            State::Data(left) => {
                let taken = take(input, left, data);
                (taken, State::Data(left.saturating_sub(taken)))
            }
            State::UntilClose => (take(input, usize::MAX, data), State::UntilClose),
            State::Size => match size(input)? {
                None => return Ok(None),
                Some((taken, 0)) => (taken, State::Trailers),
                Some((taken, size)) => (taken, State::Chunk(size)),
            },
            State::Chunk(left) => {
                let taken = take(input, left, data);
                (taken, if taken == left { State::ChunkEnd } else { State::Chunk(left.saturating_sub(taken)) })
            }
            State::ChunkEnd => match input.get(..CHUNK_END.len()) {
                None => return Ok(None),
                Some(CHUNK_END) => (CHUNK_END.len(), State::Size),
                Some(_) => return Err(bad_reply("a chunk is longer than its size")),
            },
            State::Trailers => match trailers(input)? {
                None => return Ok(None),
                Some(taken) => (taken, State::Data(0)),
            },
        };
        self.0 = next;
        Ok(Some(taken))
    }
}

fn take(input: &[u8], most: usize, data: &mut BytesMut) -> usize {
    let part = input.get(..most).unwrap_or(input);
    data.extend_from_slice(part);
    part.len()
}

/// The length of the line with a chunk's size, and that size; `None` if more bytes are needed.
fn size(input: &[u8]) -> Result<Option<(usize, usize)>> {
    match httparse::parse_chunk_size(input).map_err(|_| bad_reply("a chunk's size is wrong"))? {
        Status::Partial => incomplete(input),
        Status::Complete((length, size)) => {
            let size = usize::try_from(size).map_err(|_| bad_reply("a chunk is too long"))?;
            Ok(Some((length, size)))
        }
    }
}

/// The length of the trailers with the empty line that ends them; `None` if more bytes are needed.
fn trailers(input: &[u8]) -> Result<Option<usize>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    match httparse::parse_headers(input, &mut headers).map_err(bad_reply)? {
        Status::Partial => incomplete(input),
        Status::Complete((length, _)) => Ok(Some(length)),
    }
}

fn incomplete<T>(input: &[u8]) -> Result<Option<T>> {
    if input.len() > LINE_MAX { Err(bad_reply(format!("a line is longer than {LINE_MAX} bytes"))) } else { Ok(None) }
}

#[cfg(test)]
mod tests {
    use bytes::Buf;

    use super::*;

    const CHUNKS: &[u8] = b"5;a=b\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\nX-T: 1\r\n\r\n";

    #[test]
    fn chunks_are_joined_however_the_bytes_are_split() {
        for size in 1..=CHUNKS.len() {
            let (mut body, mut input, mut data) = (Body::new(Framing::Chunked), BytesMut::new(), BytesMut::new());
            for piece in CHUNKS.chunks(size) {
                assert!(!body.may_end(), "the end is missing");
                input.extend_from_slice(piece);
                let taken = body.decode(&input, &mut data).expect("valid");
                input.advance(taken);
            }
            assert_eq!((&data[..], body.is_over(), input.len()), (&b"hello world"[..], true, 0), "in pieces of {size}");
        }
    }

    #[test]
    fn what_follows_a_body_is_left() {
        for (framing, bytes) in [(Framing::Length(2), &b"ok"[..]), (Framing::Chunked, b"2\r\nok\r\n0\r\n\r\n")] {
            let (mut body, mut data) = (Body::new(framing), BytesMut::new());
            let taken = body.decode(&[bytes, b"HTTP/1.1"].concat(), &mut data).expect("valid");
            assert_eq!((taken, &data[..], body.is_over()), (bytes.len(), &b"ok"[..], true));
        }
    }

    #[test]
    fn a_body_without_a_length_ends_with_the_connection() {
        let (mut body, mut data) = (Body::new(Framing::Unsaid), BytesMut::new());
        assert_eq!(body.decode(b"some", &mut data).expect("valid"), 4);
        assert_eq!((&data[..], body.is_over(), body.may_end()), (&b"some"[..], false, true));
    }

    #[test]
    fn what_is_not_a_chunk_is_an_error() {
        let long = [b"1;".as_slice(), &vec![b'x'; LINE_MAX]].concat();
        for bad in [&b"x\r\n"[..], b"fffffffffffffffff\r\n", b"1\r\nabc", &long] {
            let (mut body, mut data) = (Body::new(Framing::Chunked), BytesMut::new());
            assert!(body.decode(bad, &mut data).is_err(), "{:?}", &bad[..bad.len().min(20)]);
        }
    }
}
