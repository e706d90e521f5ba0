//! Where a stream of events is read from. Plain TCP can be read without being watched: whoever looks in turns is not to be
//! woken by each packet that comes in between.

use std::future::Future;
use std::io::{ErrorKind, Read, Result};
use std::net::TcpStream;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncReadExt, Interest};

use super::transport::{Connection, Open, watch};

/// A connection of which only the reading is left.
pub enum Source {
    /// Plain TCP, which wakes us when something comes.
    Watched(AsyncFd<TcpStream>),
    /// Plain TCP, which does not.
    Unwatched(TcpStream),
    /// TLS, domain sockets, and clusters of this process.
    Other(Box<dyn Connection>),
    /// The connection could not be watched.
    Lost,
}

impl Source {
    /// Reads from this connection. To be called within a Tokio runtime.
    ///
    /// Fails if the operating system does not let it be watched.
    pub fn new(connection: Open) -> Result<Self> {
        Ok(match connection {
            Open::Tcp(tcp) => Self::Watched(watch(tcp.into_std()?, Interest::READABLE)?),
            Open::Other(connection) => Self::Other(connection),
        })
    }

    /// Appends what has come to the buffer, at most so many bytes, and returns how many these are; none at the end of the
    /// connection. If there is nothing, the connection is watched from then on.
    pub fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut BytesMut, most: usize) -> Poll<Result<usize>> {
        if let Self::Other(connection) = self {
            buffer.reserve(most);
            return pin!(connection.read_buf(buffer)).poll(context);
        }
        let before = buffer.len();
        buffer.resize(before.saturating_add(most), 0);
        let read = self.poll_tcp(context, &mut buffer[before..]);
        let length = if let Poll::Ready(Ok(length)) = &read { *length } else { 0 };
        buffer.truncate(before.saturating_add(length));
        read
    }

    /// Nothing wakes us for what comes, until it is read again and there is nothing.
    pub fn unwatch(&mut self) {
        if let Self::Watched(_) = self
            && let Self::Watched(watched) = std::mem::replace(self, Self::Lost)
        {
            *self = Self::Unwatched(watched.into_inner());
        }
    }

    fn poll_tcp(&mut self, context: &mut Context<'_>, into: &mut [u8]) -> Poll<Result<usize>> {
        loop {
            match self {
                Self::Watched(watched) => {
                    let mut ready = ready!(watched.poll_read_ready(context))?;
                    let Ok(read) = ready.try_io(|watched| watched.get_ref().read(into)) else { continue };
                    if read.as_ref().is_ok_and(|length| *length < into.len()) {
                        // There is nothing more, which the next read need not find out.
                        ready.clear_ready();
                    }
                    return Poll::Ready(read);
                }
                Self::Unwatched(connection) => match connection.read(into) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => self.watch_again()?,
                    read => return Poll::Ready(read),
                },
                Self::Other(_) | Self::Lost => return Poll::Ready(Ok(0)),
            }
        }
    }

    fn watch_again(&mut self) -> Result<()> {
        if let Self::Unwatched(connection) = std::mem::replace(self, Self::Lost) {
            *self = Self::Watched(watch(connection, Interest::READABLE)?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::AsyncWriteExt;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    async fn read(source: &mut Source, most: usize) -> Vec<u8> {
        let mut buffer = BytesMut::new();
        let length = poll_fn(|context| source.poll_read(context, &mut buffer, most)).await.expect("bytes");
        assert_eq!(buffer.len(), length);
        buffer.to_vec()
    }

    #[tokio::test]
    async fn what_comes_is_read_whether_it_is_watched_or_not() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let mut other = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("connected");
        let mut source = Source::new(Open::Tcp(listener.accept().await.expect("a connection").0)).expect("watched");
        for _ in 0..2 {
            other.write_all(b"one").await.expect("written");
            assert_eq!(read(&mut source, 2).await, b"on");
            assert_eq!(read(&mut source, 2).await, b"e");
            source.unwatch();
            // There is nothing yet: it is watched until there is.
            let (two, _) =
                tokio::join!(read(&mut source, 9), async { other.write_all(b"two").await.expect("written") });
            assert_eq!(two, b"two");
            source.unwatch();
            other.write_all(b"three").await.expect("written");
            let mut three = Vec::new();
            while three.len() < 5 {
                three.extend(read(&mut source, 4).await);
            }
            assert_eq!(three, b"three");
        }
        drop(other);
        assert_eq!(read(&mut source, 9).await, b"", "the connection has ended");
    }
}
