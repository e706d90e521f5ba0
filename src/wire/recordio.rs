//! RecordIO, the framing of event streams: a decimal length, `\n`, and that many bytes, again and again.
//! Follows Mesos' `docs/recordio.md` and `3rdparty/stout/include/stout/recordio.hpp`.

use bytes::{Buf, Bytes, BytesMut};

use crate::{Error, Result};

/// The largest record that is taken, in bytes. One event of a master holds at most all its offers to one framework.
pub const MAX_RECORD: usize = 256 << 20;
const MAX_HEADER: usize = 20;
/// A record up to this length is copied: it shares no memory, and no count of who refers to it, with its neighbours.
const COPIED: usize = 16 << 10;

/// Cuts a stream of bytes, in whatever pieces they come, into records.
///
/// ```
/// use remesos::wire::recordio::{Decoder, encode};
///
/// let mut decoder = Decoder::default();
/// decoder.feed(b"5\nhel");
/// assert_eq!(decoder.next_record()?, None);
/// decoder.feed(b"lo");
/// decoder.feed(&encode(b"world"));
/// assert_eq!(decoder.next_record()?.as_deref(), Some(&b"hello"[..]));
/// assert_eq!(decoder.next_record()?.as_deref(), Some(&b"world"[..]));
/// # Ok::<(), remesos::Error>(())
/// ```
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: BytesMut,
    expected: Option<usize>,
}

impl Decoder {
    /// Takes the next piece of the stream.
    pub fn feed(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
    }

    /// The next whole record, or `None` if more bytes are needed. An error is final: the stream is out of step.
    pub fn next_record(&mut self) -> Result<Option<Bytes>> {
        let expected = match self.expected {
            Some(length) => length,
            None => match self.read_length()? {
                Some(length) => length,
                None => return Ok(None),
            },
        };
        self.expected = Some(expected);
        if self.buffer.len() < expected {
            self.buffer.reserve(expected.saturating_sub(self.buffer.len()));
            return Ok(None);
        }
        self.expected = None;
        if expected > COPIED {
            return Ok(Some(self.buffer.split_to(expected).freeze()));
        }
        let record = Bytes::copy_from_slice(&self.buffer[..expected]);
        self.buffer.advance(expected);
        Ok(Some(record))
    }

    /// Whether a stream may end here.
    pub fn is_between_records(&self) -> bool {
        self.buffer.is_empty() && self.expected.is_none()
    }

    fn read_length(&mut self) -> Result<Option<usize>> {
        let Some(end) = self.buffer.iter().take(MAX_HEADER + 1).position(|&b| b == b'\n') else {
            return if self.buffer.len() > MAX_HEADER { Err(self.bad_length(MAX_HEADER)) } else { Ok(None) };
        };
        let digits = std::str::from_utf8(&self.buffer[..end]).ok();
        let length = digits.filter(|d| !d.starts_with('+')).and_then(|d| d.parse::<usize>().ok());
        match length {
            Some(length) if length <= MAX_RECORD => {
                self.buffer.advance(end.saturating_add(1));
                Ok(Some(length))
            }
            _ => Err(self.bad_length(end)),
        }
    }

    fn bad_length(&self, end: usize) -> Error {
        let header = String::from_utf8_lossy(&self.buffer[..end]);
        Error::protocol(format!("RecordIO: expected a decimal length up to {MAX_RECORD}, got '{header}'"))
    }
}

/// Frames one record.
///
/// ```
/// assert_eq!(remesos::wire::recordio::encode(b"hello"), "5\nhello");
/// ```
pub fn encode(record: &[u8]) -> Bytes {
    let mut framed = Vec::with_capacity(record.len().saturating_add(MAX_HEADER));
    framed.extend_from_slice(record.len().to_string().as_bytes());
    framed.push(b'\n');
    framed.extend_from_slice(record);
    framed.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(decoder: &mut Decoder) -> Vec<Bytes> {
        std::iter::from_fn(|| decoder.next_record().expect("a valid stream")).collect()
    }

    #[test]
    fn records_come_out_whole_however_the_bytes_are_split() {
        let records: [&[u8]; 4] = [b"one", b"", b"three\n3\n", b"x"];
        let stream: Vec<u8> = records.iter().flat_map(|r| encode(r)).collect();
        for size in 1..=stream.len() {
            let mut decoder = Decoder::default();
            let mut seen = Vec::new();
            for piece in stream.chunks(size) {
                decoder.feed(piece);
                seen.extend(drain(&mut decoder));
            }
            assert_eq!(seen, records, "split into pieces of {size}");
        }
    }

    #[test]
    fn a_header_that_is_no_length_is_an_error() {
        for bad in [&b"-1\n"[..], b"x\n", b"+3\n", b"\n", b"99999999999999999999999999", b"999999999999\n"] {
            let mut decoder = Decoder::default();
            decoder.feed(bad);
            assert!(decoder.next_record().is_err(), "{:?}", String::from_utf8_lossy(bad));
        }
    }
}
