//! What is written on a connection, read by an own reader of HTTP/1.1 and RecordIO, which trusts neither side.

use bytes::Bytes;

/// Something that one side of a connection says.
#[derive(Debug, Clone)]
pub enum Message {
    /// A request with its path and its body.
    Request(String, Bytes),
    /// An answer with its status, or the head of a stream.
    Answer(u16),
    /// A record of a stream.
    Record(Bytes),
    /// The end of a stream, whose connection may stay.
    End,
}

/// Reads what one side writes, in whatever pieces.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: Vec<u8>,
    /// The bytes of a stream that are not a whole record yet, within a chunked answer.
    records: Option<Vec<u8>>,
    /// How much was read of the connection.
    read: u64,
}

impl Reader {
    /// Takes the next piece; returns what is whole with it, and at which byte of the connection each message ends.
    ///
    /// Fails if it is not HTTP.
    pub fn feed(&mut self, piece: &[u8]) -> Result<Vec<(u64, Message)>, String> {
        self.buffer.extend_from_slice(piece);
        let mut messages = Vec::new();
        while self.step(&mut messages)? {}
        Ok(messages)
    }

    fn step(&mut self, messages: &mut Vec<(u64, Message)>) -> Result<bool, String> {
        if self.records.is_some() { self.chunk(messages) } else { self.head(messages) }
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        self.read += length as u64;
        self.buffer.drain(..length).collect()
    }

    fn head(&mut self, messages: &mut Vec<(u64, Message)>) -> Result<bool, String> {
        let Some(end) = find(&self.buffer, b"\r\n\r\n").map(|at| at + 4) else { return Ok(false) };
        let head = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        let length = header(&head, "content-length").map_or(Ok(0), str::parse::<usize>);
        let length = length.map_err(|_| format!("no length: {head}"))?;
        let chunked = header(&head, "transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
        if self.buffer.len() < end + length {
            return Ok(false);
        }
        let mut words = head.split_whitespace();
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let message = match first {
            "HTTP/1.1" => Message::Answer(second.parse().map_err(|_| format!("no status: {head}"))?),
            "POST" => Message::Request(second.to_owned(), Bytes::copy_from_slice(&self.buffer[end..end + length])),
            _ => return Err(format!("neither POST nor HTTP/1.1: {head}")),
        };
        self.take(end + length);
        self.records = chunked.then(Vec::new);
        messages.push((self.read, message));
        Ok(true)
    }

    fn chunk(&mut self, messages: &mut Vec<(u64, Message)>) -> Result<bool, String> {
        let Some(line) = find(&self.buffer, b"\r\n") else { return Ok(false) };
        let size = std::str::from_utf8(&self.buffer[..line]).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
        let size = size.ok_or("a chunk without a size")?;
        if self.buffer.len() < line + 2 + size + 2 {
            return Ok(false);
        }
        let chunk = self.take(line + 2 + size + 2);
        let Some(records) = &mut self.records else { return Ok(false) };
        records.extend_from_slice(&chunk[line + 2..line + 2 + size]);
        while let Some(record) = record(records)? {
            messages.push((self.read, Message::Record(record)));
        }
        if size == 0 {
            self.records = None;
            messages.push((self.read, Message::End));
        }
        Ok(true)
    }
}

/// Takes the first record of a stream, if it is there.
fn record(stream: &mut Vec<u8>) -> Result<Option<Bytes>, String> {
    let Some(line) = find(stream, b"\n") else { return Ok(None) };
    let length = std::str::from_utf8(&stream[..line]).ok().and_then(|text| text.parse::<usize>().ok());
    let length = length.ok_or("a record without a length")?;
    if stream.len() < line + 1 + length {
        return Ok(None);
    }
    let record = Bytes::copy_from_slice(&stream[line + 1..line + 1 + length]);
    stream.drain(..line + 1 + length);
    Ok(Some(record))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.lines().skip(1);
    let mut pairs = lines.filter_map(|line| line.split_once(':'));
    pairs.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}
