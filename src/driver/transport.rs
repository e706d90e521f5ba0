//! Connections to a master or an agent, and the subscription: one POST whose answer is the stream of events.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, LOCATION};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::GaiResolver;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::ServerName;
use tower_service::Service;

use super::auth::Authorization;
use super::paced::Paced;
use super::redirect;
use super::root_cause::RootCause;
use super::tls::{self, Trust};
use crate::clock::places::Place;
use crate::session::{Endpoint, StreamEvent};
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
const ERROR_BODY_MAX: usize = 64 << 10;

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
pub enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
    Inside(Box<dyn Connection>),
}

/// Connects to an endpoint's port, or to the API's domain socket.
///
/// Every address of a host name gets its share of the time, and addresses of the other family are tried meanwhile.
pub async fn dial(api: &Api, endpoint: &Endpoint) -> Result<Socket> {
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

/// Connects as [`dial`] does, and speaks TLS if the endpoint does.
pub async fn connect(api: &Api, endpoint: &Endpoint) -> Result<Box<dyn Connection>> {
    Ok(match dial(api, endpoint).await? {
        Socket::Unix(socket) => Box::new(socket),
        Socket::Inside(stream) => stream,
        Socket::Tcp(tcp) if endpoint.tls => secure(api, endpoint, tcp).await?,
        Socket::Tcp(tcp) => Box::new(tcp),
    })
}

/// Speaks TLS on a connection.
pub async fn secure(api: &Api, endpoint: &Endpoint, tcp: TcpStream) -> Result<Box<dyn Connection>> {
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

/// POSTs a SUBSCRIBE and sends what comes, until the stream ends. The channel's bound is what holds the other side
/// back if our owner is slow.
pub async fn subscribe(api: Api, endpoint: Endpoint, call: Bytes, events: mpsc::Sender<StreamEvent>) {
    let last = match open(&api, &endpoint, call, &events).await {
        Ok((response, header)) => match judge(&api, &response, header) {
            Some(refused) => refused,
            None => follow(&api, &endpoint, response, &events).await,
        },
        Err(error) if error.is_authentication() => StreamEvent::Denied(error),
        Err(error) => StreamEvent::Closed(error.to_string()),
    };
    // Nobody listens any more if the session has moved on.
    let _ = events.send(last).await;
}

async fn open(
    api: &Api,
    endpoint: &Endpoint,
    call: Bytes,
    events: &mpsc::Sender<StreamEvent>,
) -> Result<(Response<Incoming>, Option<u64>)> {
    let failed = |e: hyper::Error| Error::connection("cannot subscribe").caused_by(e);
    let header = match &api.authorization {
        Some(authorization) => Some(authorization.header().await?),
        None => None,
    };
    let in_turns = api.place.as_ref().is_none_or(|place| place.clock.as_skipping().is_none());
    let stream = Paced::new(connect(api, endpoint).await?, in_turns);
    // Told before the SUBSCRIBE is written: without this, the master has certainly not got it.
    let _ = events.send(StreamEvent::Connected).await;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    tokio::spawn(connection);
    let mut request = Request::post(format!("{}{}", endpoint.path, api.path))
        .header(HOST, endpoint.host_header())
        .header(CONTENT_TYPE, api.media_type)
        .header(ACCEPT, api.media_type);
    if let Some(header) = &header {
        request = request.header(AUTHORIZATION, &header.value);
    }
    let request = request.body(Full::new(call)).map_err(|e| Error::connection("cannot subscribe").caused_by(e))?;
    let response = sender.send_request(request).await.map_err(failed)?;
    Ok((response, header.map(|header| header.number)))
}

/// Notes what the answer says of the header with this number; what happened if another is to be tried.
fn judge(api: &Api, response: &Response<Incoming>, header: Option<u64>) -> Option<StreamEvent> {
    let (authorization, header) = (api.authorization.as_ref()?, header?);
    match response.status() {
        StatusCode::UNAUTHORIZED if authorization.refused(header) => return Some(StreamEvent::Unauthorized),
        StatusCode::OK => authorization.accepted(),
        _ => {}
    }
    None
}

async fn follow(
    api: &Api,
    endpoint: &Endpoint,
    response: Response<Incoming>,
    events: &mpsc::Sender<StreamEvent>,
) -> StreamEvent {
    let status = response.status();
    if status.is_redirection() {
        let location = response.headers().get(LOCATION).and_then(|l| l.to_str().ok()).unwrap_or_default();
        return match (status, redirect::target(endpoint, &api.path, location)) {
            (StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT, Some(master)) => {
                StreamEvent::Redirected(master)
            }
            (StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT, None) => {
                StreamEvent::Closed(format!("redirected to '{}', which is not an address", redirect::shown(location)))
            }
            _ => StreamEvent::Refused(status.as_u16(), redirect::not_followed(location)),
        };
    }
    if status != StatusCode::OK {
        let body = Limited::new(response.into_body(), ERROR_BODY_MAX).collect().await;
        let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        return StreamEvent::Refused(status.as_u16(), String::from_utf8_lossy(&body).into_owned());
    }
    let id = response.headers().get("Mesos-Stream-Id").and_then(|v| v.to_str().ok());
    if events.send(StreamEvent::Opened(id.map(str::to_owned))).await.is_err() {
        return StreamEvent::Closed("abandoned".to_owned());
    }
    read(response.into_body(), events).await
}

async fn read(mut body: Incoming, events: &mpsc::Sender<StreamEvent>) -> StreamEvent {
    while let Some(frame) = body.frame().await {
        let data = match frame.map(hyper::body::Frame::into_data) {
            Ok(Ok(data)) => data,
            Ok(Err(_trailers)) => continue,
            Err(error) => {
                return StreamEvent::Closed(format!("the stream of events broke: {error}"));
            }
        };
        if events.send(StreamEvent::Data(data)).await.is_err() {
            break;
        }
    }
    StreamEvent::Closed("the other side closed the stream of events".to_owned())
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
