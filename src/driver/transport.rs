//! Connections to a master or an agent.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::GaiResolver;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::ServerName;
use tower_service::Service;

use super::auth::Authorization;
use super::root_cause::RootCause;
use super::tls::{self, Trust};
use crate::clock::places::Place;
use crate::session::Endpoint;
use crate::{Error, Result};

pub use crate::clock::places::Connection;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Finding the addresses of a name takes time of its own.
const RESOLVE_AND_CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// Probes are sent on a connection that is idle for so long, and again so often.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// A peer that confirms none of so many probes, or nothing that was sent for as long, is dead: as with five of the
/// master's heartbeats.
const KEEP_ALIVE_PROBES: u32 = 5;
const PEER_TIMEOUT: Duration = Duration::from_secs(75);
/// What the APIs of schedulers and executors speak.
pub const PROTOBUF: &str = "application/x-protobuf";

/// The path of an API on every endpoint, and its headers.
#[derive(Clone)]
pub struct Api {
    /// `/api/v1/scheduler`, `/slave(1)/api/v1/executor`.
    pub path: String,
    /// What SUBSCRIBE and events are written in.
    pub media_type: &'static str,
    pub authorization: Option<Authorization>,
    /// Whose certificates are taken over TLS.
    pub trust: Trust,
    /// The agent's domain socket, instead of its port.
    pub socket: Option<PathBuf>,
    /// The cluster of this process, instead of its port.
    pub place: Option<Arc<Place>>,
}

/// A connection before TLS.
enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
    Inside(Box<dyn Connection>),
}

/// Connects to an endpoint's port, or to the API's domain socket.
///
/// Every address of a host name gets its share of the time, and addresses of the other family are tried meanwhile.
async fn dial(api: &Api, endpoint: &Endpoint) -> Result<Socket> {
    let failed = || Error::connection("cannot connect");
    let timed_out = |_| Error::connection("cannot connect: timed out");
    if let Some(place) = &api.place {
        let inside = timeout(CONNECT_TIMEOUT, (place.dial)()).await.map_err(timed_out)?;
        return inside.map(Socket::Inside).map_err(|e| failed().caused_by(e));
    }
    if let Some(path) = &api.socket {
        let unix = timeout(CONNECT_TIMEOUT, UnixStream::connect(path)).await.map_err(timed_out)?;
        return unix.map(Socket::Unix).map_err(|e| failed().caused_by(e));
    }
    let uri = Uri::builder().scheme("http").authority(endpoint.authority()).path_and_query("/").build();
    let connecting = connector(GaiResolver::new(), CONNECT_TIMEOUT).call(uri.map_err(|e| failed().caused_by(e))?);
    let tcp = timeout(RESOLVE_AND_CONNECT_TIMEOUT, connecting).await.map_err(timed_out)?;
    Ok(Socket::Tcp(tcp.map_err(|e| failed().caused_by(RootCause(e)))?.into_inner()))
}

/// Makes TCP connections that notice a dead peer, and keep a path alive that would forget them.
fn connector<R>(resolver: R, within: Duration) -> HttpConnector<R> {
    let mut connector = HttpConnector::new_with_resolver(resolver);
    connector.set_connect_timeout(Some(within));
    connector.set_nodelay(true);
    connector.set_keepalive(Some(KEEP_ALIVE));
    connector.set_keepalive_interval(Some(KEEP_ALIVE));
    connector.set_keepalive_retries(Some(KEEP_ALIVE_PROBES));
    connector.set_tcp_user_timeout(Some(PEER_TIMEOUT));
    connector
}

/// A connection to an endpoint. Plain TCP need not be watched by Tokio's own stream.
pub enum Open {
    Tcp(TcpStream),
    /// TLS, domain sockets, and clusters of this process.
    Other(Box<dyn Connection>),
}

impl Open {
    /// The connection, of whichever kind.
    pub fn get(&mut self) -> &mut dyn Connection {
        match self {
            Self::Tcp(connection) => connection,
            Self::Other(connection) => connection,
        }
    }
}

/// Connects as [`dial`] does, and speaks TLS if the endpoint does.
pub async fn open(api: &Api, endpoint: &Endpoint) -> Result<Open> {
    Ok(match dial(api, endpoint).await? {
        Socket::Unix(socket) => Open::Other(Box::new(socket)),
        Socket::Inside(stream) => Open::Other(stream),
        Socket::Tcp(tcp) if endpoint.tls => Open::Other(secure(api, endpoint, tcp).await?),
        Socket::Tcp(tcp) => Open::Tcp(tcp),
    })
}

/// Connects as [`open`] does.
pub async fn connect(api: &Api, endpoint: &Endpoint) -> Result<Box<dyn Connection>> {
    Ok(match open(api, endpoint).await? {
        Open::Tcp(tcp) => Box::new(tcp),
        Open::Other(connection) => connection,
    })
}

/// Has the runtime wake us for what `interest` says, and for nothing else. To be called within a Tokio runtime.
///
/// Fails if the operating system does not let the connection be watched.
pub fn watch(tcp: std::net::TcpStream, interest: Interest) -> std::io::Result<AsyncFd<std::net::TcpStream>> {
    // SAFETY: the AsyncFd owns the socket, whose descriptor stays open and the same until it is dropped.
    Ok(unsafe { AsyncFd::register_with_interest(tcp, interest) }?)
}

/// Speaks TLS on a connection.
async fn secure(api: &Api, endpoint: &Endpoint, tcp: TcpStream) -> Result<Box<dyn Connection>> {
    let failed = || Error::connection("cannot connect: TLS");
    let parsed = |name: &str| ServerName::try_from(name.to_owned());
    let (host, name) = (parsed(&endpoint.host), endpoint.name.as_deref().and_then(|name| parsed(name).ok()));
    let (name, other) = match name {
        Some(name) => (name, host.ok()),
        None => (host.map_err(|e| failed().caused_by(e))?, None),
    };
    let handshake = tls::connector(&api.trust, other)?.connect(name, tcp);
    let tls = timeout(CONNECT_TIMEOUT, handshake).await;
    let tls = tls.map_err(|_| Error::connection("cannot connect: TLS: timed out"))?;
    Ok(Box::new(tls.map_err(|e| failed().caused_by(tls::Handshake(e)))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_address_of_a_name_gets_its_share_of_the_time() {
        use std::net::SocketAddr;

        use hyper_util::client::legacy::connect::dns::Name;
        use tokio::net::{TcpListener, TcpSocket};

        let alive = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = alive.local_addr().expect("bound").port();
        // Takes one connection that nobody accepts, and leaves all further ones without an answer.
        let dead = TcpSocket::new_v4().expect("a socket");
        dead.bind(SocketAddr::from(([127, 0, 0, 2], port))).expect("the same port of another address");
        let dead = dead.listen(0).expect("a listener");
        let _only = TcpStream::connect(dead.local_addr().expect("bound")).await.expect("the one");
        let both = tower::service_fn(move |_: Name| async move {
            let addresses = [[127, 0, 0, 2], [127, 0, 0, 1]].map(|ip| SocketAddr::from((ip, port)));
            Ok::<_, std::io::Error>(addresses.into_iter())
        });
        let uri = Uri::from_maybe_shared(format!("http://master.example:{port}/")).expect("a URI");
        let connected = connector(both, Duration::from_secs(1)).call(uri).await.expect("the second address");
        let peer = connected.into_inner().peer_addr().expect("connected");
        assert_eq!(peer, alive.local_addr().expect("bound"));
    }
}
