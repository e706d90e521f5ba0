//! A TCP connection that does not wake its thread for what arrives, only looks for it when it is used, and a little
//! later.
//!
//! The master answers each call with an empty 202. Waking up for every one of them would cost about as much CPU as the
//! rest of a status update, and nothing waits for these answers.

use std::io::{ErrorKind, Read, Result, Write};
use std::net::{Shutdown, TcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// How long after its last use the connection is looked at while answers are expected.
const LOOK_SOON: Duration = Duration::from_millis(10);
/// And while none is: a master that closes the connection is noticed this late.
const LOOK_LATER: Duration = Duration::from_secs(1);

/// The connection. Reading from it ends when something is there, which is found out by looking.
pub struct QuietSocket {
    socket: AsyncFd<TcpStream>,
    look: Pin<Box<Sleep>>,
    expecting: Arc<AtomicBool>,
}

impl QuietSocket {
    /// Takes over a connection; `expecting` tells, at any time, whether answers are on their way.
    ///
    /// Fails where the operating system does not let it be watched. Has to be called within a tokio runtime.
    pub fn new(socket: tokio::net::TcpStream, expecting: Arc<AtomicBool>) -> Result<Self> {
        // SAFETY: the AsyncFd owns the socket, whose descriptor stays open and the same until it is dropped.
        let socket = unsafe { AsyncFd::register_with_interest(socket.into_std()?, Interest::WRITABLE) }?;
        Ok(Self { socket, look: Box::pin(sleep(LOOK_LATER)), expecting })
    }
}

impl AsyncRead for QuietSocket {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        loop {
            match self.socket.get_ref().read(buffer.initialize_unfilled()) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                outcome => return Poll::Ready(outcome.map(|length| buffer.advance(length))),
            }
            let wait = if self.expecting.load(Ordering::Relaxed) { LOOK_SOON } else { LOOK_LATER };
            self.look.as_mut().reset(Instant::now() + wait);
            ready!(self.look.as_mut().poll(context));
        }
    }
}

impl AsyncWrite for QuietSocket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<Result<usize>> {
        loop {
            let mut writable = ready!(self.socket.poll_write_ready(context))?;
            if let Ok(written) = writable.try_io(|socket| socket.get_ref().write(data)) {
                return Poll::Ready(written);
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(self.socket.get_ref().shutdown(Shutdown::Write))
    }
}
