//! Connections: how many there are, and how long each may wait for its peer. Knows nothing of what is asked.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::State;
use axum::http::{HeaderValue, Request, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use nix::sys::resource::{Resource, getrlimit};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{Semaphore, watch};
use tower_service::Service;

use super::Context;
use super::peer::Peer;
use crate::clock::places;
use crate::local::refusal::Refusal;

/// The most connections at a time, if the process may open files enough.
const CONNECTIONS_MAX: u64 = 10_000;
/// From its first byte a head has so long to come; on a new connection, from the beginning.
const HEAD: Duration = Duration::from_secs(10);
/// The most headers of a request.
const HEADERS_MAX: usize = 1000;
/// A connection without a request is kept so long.
const IDLE: Duration = Duration::from_secs(120);
/// What nginx is told, which asks with HTTP/1.0 by default and would keep events until it has a few kilobytes of them. The
/// real Mesos answers with chunks, which HTTP/1.0 does not have, and which nginx passes on at once.
const UNBUFFERED: &str = "x-accel-buffering";
/// After an accept(2) that fails, which is for want of file descriptors.
const PAUSE: Duration = Duration::from_secs(1);

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The rest of a head.
    Head,
    /// A body, or the answer; both have limits of their own.
    Exchange,
    /// The next request.
    Idle,
    /// Nothing: it is to be closed.
    Over,
}

impl Phase {
    fn limit(self) -> Option<Duration> {
        match self {
            Self::Head => Some(HEAD),
            Self::Exchange => None,
            Self::Idle => Some(IDLE),
            Self::Over => Some(Duration::ZERO),
        }
    }
}

/// A connection, among a request's extensions.
#[derive(Debug, Clone)]
pub struct Connection(Arc<watch::Sender<Phase>>);

impl Connection {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Phase::Head)))
    }

    /// Closes it at once, whatever is still to be written.
    pub fn cut(&self) {
        self.set(|_| true, Phase::Over);
    }

    fn set(&self, when: impl FnOnce(Phase) -> bool, next: Phase) {
        self.0.send_if_modified(|phase| {
            let change = *phase != Phase::Over && *phase != next && when(*phase);
            if change {
                *phase = next;
            }
            change
        });
    }

    /// Returns when the peer took too long, or the connection is cut.
    async fn overdue(&self) {
        let mut phases = self.0.subscribe();
        loop {
            let limit = phases.borrow_and_update().limit();
            let over = async {
                match limit {
                    Some(limit) => tokio::time::sleep(limit).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = over => return,
                changed = phases.changed() => changed.expect("the sender is in self"),
            }
        }
    }
}

/// Accepts connections for these routes, at most so many at a time, until its task ends.
pub async fn serve(listener: TcpListener, routes: Router, most: usize) {
    let slots = Arc::new(Semaphore::new(most));
    loop {
        let slot = Arc::clone(&slots).acquire_owned().await.expect("nobody closes the semaphore");
        match listener.accept().await {
            Ok((socket, _)) => {
                let routes = routes.clone();
                tokio::spawn(async move {
                    // One that is gone already asks for nothing.
                    if let Ok(peer) = Peer::find(&socket) {
                        attend(socket, peer, routes).await;
                    }
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::warn!("The embedded cluster cannot accept a connection: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Serves the connections of drivers that run beside the cluster.
pub async fn serve_inside(
    mut connections: UnboundedReceiver<Box<dyn places::Connection>>,
    here: SocketAddr,
    routes: Router,
) {
    let peer = Peer { uid: Some(nix::unistd::geteuid().as_raw()), here };
    while let Some(stream) = connections.recv().await {
        let routes = routes.clone().layer(Extension(Inside));
        tokio::spawn(attend(stream, peer, routes));
    }
}

/// Among the extensions of a request of a driver that runs beside the cluster.
#[derive(Debug, Clone, Copy)]
struct Inside;

/// Goes on with requests of drivers that share the cluster's clock, which is the world's or theirs alone.
pub async fn only_inside(State(context): State<Context>, request: axum::extract::Request, next: Next) -> Response {
    let shares = context.cluster.clock().as_skipping().is_none() || request.extensions().get::<Inside>().is_some();
    if shares {
        return next.run(request).await;
    }
    let why = "The time of this cluster moves only when it is told to (time=\"skip\"), which only drivers in the process of \
               the cluster can follow";
    Refusal::new(403, why).into_response()
}

/// How many connections there may be: file descriptors are left for the tasks.
pub fn most() -> usize {
    let files = getrlimit(Resource::RLIMIT_NOFILE).map_or(CONNECTIONS_MAX, |(soft, _)| soft.saturating_mul(3) / 4);
    usize::try_from(files.clamp(1, CONNECTIONS_MAX)).unwrap_or(1)
}

async fn attend(socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, peer: Peer, routes: Router) {
    let connection = Connection::new();
    let answer = |mut request: Request<Incoming>| {
        let (mut routes, connection) = (routes.clone(), connection.clone());
        connection.set(|_| true, Phase::Exchange);
        request.extensions_mut().insert(connection.clone());
        request.extensions_mut().insert(peer);
        let is_old = request.version() == Version::HTTP_10;
        async move {
            let mut response = routes.call(request.map(Body::new)).await?;
            if is_old && response.size_hint().exact().is_none() {
                response.headers_mut().insert(UNBUFFERED, HeaderValue::from_static("no"));
            }
            Ok::<_, Infallible>(response.map(|body| Answer { body, connection }))
        }
    };
    let io = TokioIo::new(Noted { socket, connection: connection.clone() });
    tokio::select! {
        biased;
        outcome = http1::Builder::new().max_headers(HEADERS_MAX).serve_connection(io, service_fn(answer)) => if let Err(error) = outcome {
            tracing::debug!("A connection to the embedded cluster ended: {error}");
        },
        () = connection.overdue() => tracing::debug!("A connection to the embedded cluster is closed"),
    }
}

/// A socket that notes when a head begins.
struct Noted<S> {
    socket: S,
    connection: Connection,
}

impl<S: AsyncRead + Unpin> AsyncRead for Noted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        ready!(Pin::new(&mut self.socket).poll_read(context, buffer))?;
        self.connection.set(|phase| phase == Phase::Idle, Phase::Head);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Noted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
        data: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, data)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
        data: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(context, data)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut TaskContext<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

/// The body of an answer; when the server is done with it, the connection is idle.
struct Answer {
    body: Body,
    connection: Connection,
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.connection.set(|phase| phase == Phase::Exchange, Phase::Idle);
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::Instant;

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

    fn peer() -> Peer {
        Peer { uid: None, here: ([127, 0, 0, 1], 5050).into() }
    }

    fn connect() -> DuplexStream {
        let (client, server) = duplex(1000);
        let slowly = || async { tokio::time::sleep(HEAD + IDLE).await };
        let routes = Router::new().route("/", get(|| async { "hello" })).route("/slow", get(slowly));
        tokio::spawn(attend(server, peer(), routes));
        client
    }

    /// How long the connection lives from now on, with nothing sent.
    async fn lifetime(client: &mut DuplexStream) -> (Duration, String) {
        let (began, mut read) = (Instant::now(), Vec::new());
        client.read_to_end(&mut read).await.expect("a pipe");
        (began.elapsed(), String::from_utf8(read).expect("ASCII"))
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_does_not_come_ends_its_connection() {
        for begun in [&b""[..], b"GET /", &REQUEST[..REQUEST.len() - 2]] {
            let mut client = connect();
            client.write_all(begun).await.expect("a pipe");
            assert_eq!(lifetime(&mut client).await.0.as_secs(), HEAD.as_secs());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_one_by_one_make_no_head_live_longer() {
        let mut client = connect();
        let began = Instant::now();
        while client.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert!(began.elapsed() <= HEAD + Duration::from_secs(2), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_is_kept_for_a_while_and_a_head_on_it_has_to_come() {
        let mut client = connect();
        client.write_all(REQUEST).await.expect("a pipe");
        let (took, answer) = lifetime(&mut client).await;
        assert!(answer.ends_with("hello"), "{answer}");
        assert_eq!(took.as_secs(), IDLE.as_secs());
        let mut client = connect();
        client.write_all(REQUEST).await.expect("a pipe");
        tokio::time::sleep(IDLE / 2).await;
        client.write_all(b"GET").await.expect("a pipe");
        assert_eq!(lifetime(&mut client).await.0.as_secs(), HEAD.as_secs());
    }

    #[tokio::test]
    async fn connections_beyond_the_bound_wait_for_one_that_ends() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(serve(listener, Router::new().route("/", get(|| async { "hello" })), 2));
        let mut clients = Vec::new();
        for _ in 0..3 {
            let mut client = tokio::net::TcpStream::connect(address).await.expect("listening");
            client.write_all(REQUEST).await.expect("connected");
            clients.push(client);
        }
        let mut waits = clients.pop().expect("three");
        let mut buffer = [0; 1000];
        for client in &mut clients {
            assert!(client.read(&mut buffer).await.expect("answered") > 0);
        }
        assert!(waits.try_read(&mut buffer).is_err_and(|e| e.kind() == std::io::ErrorKind::WouldBlock));
        drop(clients.pop());
        assert!(waits.read(&mut buffer).await.expect("answered") > 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_is_cut_ends_in_the_middle_of_its_answer() {
        let (mut client, server) = duplex(1000);
        let endless = |axum::Extension(connection): axum::Extension<Connection>| async move {
            tokio::spawn(async move {
                tokio::time::sleep(IDLE * 10).await;
                connection.cut();
            });
            Body::from_stream(futures_util::stream::repeat(Ok::<_, std::convert::Infallible>(Bytes::from_static(
                &[b'x'; 1000],
            ))))
        };
        let served = tokio::spawn(attend(server, peer(), Router::new().route("/", get(endless))));
        client.write_all(REQUEST).await.expect("a pipe");
        let began = Instant::now();
        served.await.expect("it ends though nobody reads");
        assert_eq!(began.elapsed().as_secs(), (IDLE * 10).as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_takes_long_is_waited_for() {
        let mut client = connect();
        client.write_all(b"GET /slow HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.expect("a pipe");
        let (took, answer) = lifetime(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert_eq!(took.as_secs(), (HEAD + IDLE).as_secs());
    }
}
