//! The connection for calls. Plain TCP does not wake its thread for what arrives: it is looked at when it is used, and
//! a little later.
//!
//! The master answers each call with an empty 202. Waking up for every one of them would cost about as much CPU as the
//! rest of a status update, and nothing waits for these answers.

use std::io::{ErrorKind, Read, Result as IoResult, Write};
use std::net::TcpStream;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};

use crate::driver::transport::{self, Api, Connection, Open, watch};
use crate::session::Endpoint;
use crate::{Error, Result};

/// Answers are read in pieces of at most so many bytes.
const PIECE: usize = 16 << 10;

/// A connection for calls.
pub struct Socket {
    kind: Kind,
    piece: Box<[u8; PIECE]>,
    /// Whether a quiet socket gave less than was asked for, and so has nothing more at the moment.
    drained: bool,
}

enum Kind {
    /// TCP, with no interest in what arrives.
    Quiet(AsyncFd<TcpStream>),
    /// TLS, domain sockets, and clusters of this process.
    Plain(Box<dyn Connection>),
}

/// Connects.
///
/// Fails if the other side cannot be reached, or if the operating system does not let the connection be watched. Has to
/// be called within a tokio runtime.
pub async fn connect(api: Api, endpoint: Endpoint) -> Result<Socket> {
    let kind = match transport::open(&api, &endpoint).await? {
        Open::Other(connection) => Kind::Plain(connection),
        Open::Tcp(tcp) => {
            let quiet = tcp.into_std().and_then(|tcp| watch(tcp, Interest::WRITABLE));
            Kind::Quiet(quiet.map_err(|e| Error::connection("cannot be used").caused_by(e))?)
        }
    };
    Ok(Socket { kind, piece: Box::new([0; PIECE]), drained: false })
}

impl Socket {
    /// Whether nothing wakes us for what arrives.
    pub fn is_quiet(&self) -> bool {
        matches!(self.kind, Kind::Quiet(_))
    }

    /// Appends what has come to the buffer, and returns how much that is; nothing at the end of the connection. A
    /// quiet socket is only asked if `look` is set.
    pub fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut BytesMut, look: bool) -> Poll<IoResult<usize>> {
        let piece = &mut self.piece[..];
        let length = match &mut self.kind {
            Kind::Quiet(_) if !look || std::mem::take(&mut self.drained) => return Poll::Pending,
            Kind::Quiet(socket) => match socket.get_ref().read(piece) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Poll::Pending,
                outcome => {
                    let length = outcome?;
                    self.drained = length > 0 && length < PIECE;
                    length
                }
            },
            Kind::Plain(stream) => {
                let mut piece = ReadBuf::new(piece);
                ready!(Pin::new(stream).poll_read(context, &mut piece))?;
                piece.filled().len()
            }
        };
        buffer.extend_from_slice(&self.piece[..length]);
        Poll::Ready(Ok(length))
    }

    /// Writes what can be written, and returns how much that is.
    pub fn poll_write(&mut self, context: &mut Context<'_>, data: &[u8]) -> Poll<IoResult<usize>> {
        match &mut self.kind {
            Kind::Quiet(socket) => loop {
                let mut writable = ready!(socket.poll_write_ready(context))?;
                if let Ok(written) = writable.try_io(|socket| socket.get_ref().write(data)) {
                    return Poll::Ready(written);
                }
            },
            Kind::Plain(stream) => Pin::new(stream).poll_write(context, data),
        }
    }

    /// Hands what was written to the operating system.
    pub fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<IoResult<()>> {
        match &mut self.kind {
            Kind::Quiet(_) => Poll::Ready(Ok(())),
            Kind::Plain(stream) => Pin::new(stream).poll_flush(context),
        }
    }
}
