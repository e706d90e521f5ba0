//! Connections to a master, and the subscription: one POST whose answer is the stream of events.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, LOCATION};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::ServerName;

use super::auth::Credential;
use super::tls;
use crate::session::Master;
use crate::session::scheduler::StreamEvent;
use crate::{Error, Result};

/// Where the scheduler API is, on every master.
pub const SCHEDULER_PATH: &str = "/api/v1/scheduler";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const PROTOBUF: &str = "application/x-protobuf";
const ERROR_BODY_MAX: usize = 64 << 10;

/// A connection, plain or TLS.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// What the subscription task reports.
#[derive(Debug)]
pub enum Report {
    /// The stream stands; calls carry this id.
    StreamId(String),
    /// For the session.
    Event(StreamEvent),
}

/// Connects to a master's port.
pub async fn dial(master: &Master) -> Result<TcpStream> {
    let failed = |e: &dyn std::fmt::Display| Error::connection(format!("cannot connect: {e}"));
    let connecting = TcpStream::connect((master.host.as_str(), master.port));
    let tcp = timeout(CONNECT_TIMEOUT, connecting).await.map_err(|_| failed(&"timed out"))?.map_err(|e| failed(&e))?;
    tcp.set_nodelay(true).map_err(|e| failed(&e))?;
    Ok(tcp)
}

/// Speaks TLS on a connection.
pub async fn secure(master: &Master, tcp: TcpStream) -> Result<Box<dyn Connection>> {
    let failed = |e: &dyn std::fmt::Display| Error::connection(format!("cannot connect: TLS: {e}"));
    let name = ServerName::try_from(master.host.clone()).map_err(|e| failed(&e))?;
    let handshake = tls::connector()?.connect(name, tcp);
    let tls = timeout(CONNECT_TIMEOUT, handshake).await.map_err(|_| failed(&"timed out"))?;
    Ok(Box::new(tls.map_err(|e| failed(&format!("{e}{}", tls::hint(&e))))?))
}

/// POSTs a SUBSCRIBE and reports what comes, until the stream ends. The channel's bound is what holds the master back
/// where the framework is slow.
pub async fn subscribe(master: Master, call: Bytes, credential: Option<Credential>, reports: mpsc::Sender<Report>) {
    let last = match open(&master, call, credential.as_ref()).await {
        Ok(response) => follow(&master, response, &reports).await,
        Err(error) => StreamEvent::Closed(error.to_string()),
    };
    // Nobody listens any more where the session has moved on.
    let _ = reports.send(Report::Event(last)).await;
}

async fn open(master: &Master, call: Bytes, credential: Option<&Credential>) -> Result<Response<Incoming>> {
    let failed = |e: hyper::Error| Error::connection(format!("cannot subscribe: {e}"));
    let tcp = dial(master).await?;
    let stream = if master.tls { secure(master, tcp).await? } else { Box::new(tcp) };
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    tokio::spawn(connection);
    let mut request = Request::post(SCHEDULER_PATH)
        .header(HOST, master.authority())
        .header(CONTENT_TYPE, PROTOBUF)
        .header(ACCEPT, PROTOBUF);
    if let Some(credential) = credential {
        request = request.header(AUTHORIZATION, credential.header());
    }
    let request = request.body(Full::new(call)).map_err(|e| Error::connection(format!("cannot subscribe: {e}")))?;
    sender.send_request(request).await.map_err(failed)
}

async fn follow(master: &Master, response: Response<Incoming>, reports: &mpsc::Sender<Report>) -> StreamEvent {
    let status = response.status();
    if status == StatusCode::TEMPORARY_REDIRECT {
        let location = response.headers().get(LOCATION).and_then(|l| l.to_str().ok()).unwrap_or_default();
        return match redirect(master, location) {
            Some(master) => StreamEvent::Redirected(master),
            None => StreamEvent::Closed(format!("redirected to '{location}', which is no address")),
        };
    }
    if status != StatusCode::OK {
        let body = Limited::new(response.into_body(), ERROR_BODY_MAX).collect().await;
        let body = body.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        return StreamEvent::Refused(status.as_u16(), String::from_utf8_lossy(&body).into_owned());
    }
    let id = response.headers().get("Mesos-Stream-Id").and_then(|v| v.to_str().ok()).unwrap_or_default();
    if reports.send(Report::StreamId(id.to_owned())).await.is_err() {
        return StreamEvent::Closed("abandoned".to_owned());
    }
    read(response.into_body(), reports).await
}

async fn read(mut body: Incoming, reports: &mpsc::Sender<Report>) -> StreamEvent {
    while let Some(frame) = body.frame().await {
        let data = match frame.map(hyper::body::Frame::into_data) {
            Ok(Ok(data)) => data,
            Ok(Err(_trailers)) => continue,
            Err(error) => {
                return StreamEvent::Closed(format!("the stream of events broke: {error}"));
            }
        };
        if reports.send(Report::Event(StreamEvent::Data(data))).await.is_err() {
            break;
        }
    }
    StreamEvent::Closed("the master closed the stream of events".to_owned())
}

/// The master that a `Location` names: protocol-relative as Mesos sends it, absolute, or a bare `host:port`.
fn redirect(from: &Master, location: &str) -> Option<Master> {
    let (tls, rest) = match location.split_once("//") {
        Some(("https:", rest)) => (true, rest),
        Some(("http:", rest)) => (false, rest),
        Some(("", rest)) => (from.tls, rest),
        Some(_) => return None,
        None => (from.tls, location),
    };
    let authority = rest.split(['/', '?', '#']).next()?;
    super::detector::authority(authority, tls, Some(5050))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_of_every_form_name_the_leader() {
        let from = Master { tls: true, host: "a".into(), port: 1 };
        let to = |tls, host: &str, port| Some(Master { tls, host: host.into(), port });
        assert_eq!(redirect(&from, "//b:5051/master/api/v1/scheduler"), to(true, "b", 5051));
        assert_eq!(redirect(&from, "http://b:5051/api/v1/scheduler"), to(false, "b", 5051));
        assert_eq!(redirect(&from, "https://[::1]:5051"), to(true, "::1", 5051));
        assert_eq!(redirect(&from, "b:5051"), to(true, "b", 5051));
        assert_eq!(redirect(&from, "//b/x"), to(true, "b", 5050));
        assert_eq!(redirect(&from, ""), None);
        assert_eq!(redirect(&from, "ftp://b:1"), None);
    }
}
