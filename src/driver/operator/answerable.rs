//! A connection whose answer is read also if the other side has closed it before it read the whole request.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A connection that drops what is written after a write has failed. Whoever answers before the request is complete, and
/// closes the connection then, makes writes fail; the answer can still be read. If there is none, reading tells so.
pub struct Answerable<S> {
    stream: S,
    /// Whether nobody reads any more what is written.
    is_unread: bool,
}

impl<S> Answerable<S> {
    pub fn new(stream: S) -> Self {
        Self { stream, is_unread: false }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Answerable<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Answerable<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        if !self.is_unread {
            match Pin::new(&mut self.stream).poll_write(cx, data) {
                Poll::Ready(Err(_)) => self.is_unread = true,
                written => return written,
            }
        }
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_unread { Poll::Ready(Ok(())) } else { Pin::new(&mut self.stream).poll_flush(cx) }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
