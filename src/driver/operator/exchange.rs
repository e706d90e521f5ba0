//! One request and the beginning of its answer: redirects to the leading master are followed, and a 401 is tried again with
//! another authorization if there is one. The whole of an answer is read here too; a stream is read by `stream.rs`.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body, Frame, Incoming};
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, HOST, LOCATION};
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use super::answerable::Answerable;
use super::pending::until_dropped;
use super::request::{Answer, Request, Within};
use crate::driver::redirect;
use crate::driver::transport::{self, Api, Connection};
use crate::session::{Candidates, Endpoint};
use crate::{Error, Result};

/// A request is tried again so many times after a 401, however often there is another authorization.
const DENIALS_MAX: u8 = 5;

/// What an exchange works with.
pub struct Exchange {
    pub api: Api,
    pub detected: watch::Receiver<Candidates>,
    /// Where a former request was redirected to, and of which masters one did that.
    pub leader: watch::Sender<Option<(Candidates, Endpoint)>>,
    pub within: Within,
    /// Ends its connections when the other end is dropped.
    pub given_up: watch::Receiver<()>,
}

/// A body of which the parts are still to come.
pub struct Fed(pub mpsc::Receiver<Bytes>);

impl Body for Fed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|part| part.map(|part| Ok(Frame::data(part))))
    }
}

impl Exchange {
    /// Sends the request, and returns the whole answer. What may have reached a master is not sent to another one.
    ///
    /// Fails with a connection error, if the time is over, or, with a refusal, if the answer is too large.
    pub async fn run(mut self, request: Request) -> Result<Answer> {
        let total = self.within.total;
        let whole = async {
            let response = self.open(&request, None).await?;
            self.read(response).await
        };
        match total {
            None => whole.await,
            Some(total) => in_time(total, whole).await?,
        }
    }

    /// Sends the request, and returns the answer when it begins. A body that is fed is sent once, so any answer to it is the
    /// last one, and there is no limit to the time until it comes.
    pub async fn open(&mut self, request: &Request, mut fed: Option<Fed>) -> Result<Response<Incoming>> {
        let is_fed = fed.is_some();
        let detected = self.detected().await?;
        let mut masters = detected.clone();
        let known = self.leader.borrow().clone().filter(|(from, _)| from.are(&detected)).map(|(_, leader)| leader);
        let mut is_known = known.is_some();
        if let Some(leader) = known {
            masters.known(leader);
        }
        let mut denied = 0_u8;
        loop {
            let at = masters.current().cloned().ok_or_else(|| Error::bug("a master is known, and is none"))?;
            let stream = match self.connect(&at).await {
                Ok(stream) => stream,
                // It may be gone since.
                Err(_) if std::mem::take(&mut is_known) => {
                    self.leader.send_replace(None);
                    masters = detected.clone();
                    continue;
                }
                Err(_) if masters.failed() => continue,
                Err(error) => return Err(error),
            };
            is_known = false;
            let (response, shown) = self.ask(request, fed.take(), &at, stream).await?;
            let is_to_be_repeated = self.is_to_be_repeated(&response, shown) && denied < DENIALS_MAX;
            if is_fed {
                return Ok(response);
            }
            if let Some(to) = redirected(&at, request, &response)? {
                tracing::debug!("Redirected to the leading master at {to}");
                masters.redirected(to.clone()).map_err(|why| Error::refused(format!("{at}: {why}")))?;
                self.leader.send_replace(Some((detected.clone(), to)));
            } else if is_to_be_repeated {
                denied = denied.saturating_add(1);
            } else if response.status() != StatusCode::SERVICE_UNAVAILABLE || !masters.failed() {
                return Ok(response);
            }
        }
    }

    async fn detected(&mut self) -> Result<Candidates> {
        let idle = self.within.idle;
        let known = in_time(idle, self.detected.wait_for(|masters| !masters.is_empty())).await;
        let known = known.map_err(|e| Error::timed_out("no leading master is known").caused_by(e))?;
        let known = known.map_err(|e| Error::bug("the detector of masters ended").caused_by(e))?;
        Ok(known.clone())
    }

    async fn connect(&self, at: &Endpoint) -> Result<Box<dyn Connection>> {
        let connected = in_time(self.within.idle, transport::connect(&self.api, at)).await?;
        connected.map_err(|e| Error::connection(format!("no connection to {at}")).caused_by(e))
    }

    async fn ask(
        &self,
        request: &Request,
        fed: Option<Fed>,
        at: &Endpoint,
        stream: Box<dyn Connection>,
    ) -> Result<(Response<Incoming>, Option<u64>)> {
        let failed = |e: hyper::Error| Error::connection(format!("no answer from {at}")).caused_by(e);
        let authorization = self.api.authorization.as_ref().filter(|_| !request.has_header(AUTHORIZATION.as_str()));
        let shown = match authorization {
            Some(authorization) => Some(authorization.header().await?),
            None => None,
        };
        let bad = |e: hyper::http::Error| Error::invalid("the request cannot be sent").caused_by(e);
        let mut head =
            hyper::Request::builder().method(request.method.as_str()).uri(format!("{}{}", at.path, request.path));
        if !request.has_header(HOST.as_str()) {
            head = head.header(HOST, at.host_header());
        }
        head = request.headers.iter().fold(head, |head, (name, value)| head.header(name, value));
        if let Some(shown) = &shown {
            head = head.header(AUTHORIZATION, &shown.value);
        }
        let is_fed = fed.is_some();
        let body = fed.map_or_else(|| Either::Right(Full::new(request.body.clone())), Either::Left);
        let asked = head.body(body).map_err(bad)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(Answerable::new(stream))).await.map_err(failed)?;
        tokio::spawn(until_dropped(connection, self.given_up.clone()));
        let answer = sender.send_request(asked);
        let response = if is_fed { answer.await } else { in_time(self.within.idle, answer).await? };
        let response = response.map_err(failed)?;
        Ok((response, shown.map(|shown| shown.number)))
    }

    fn is_to_be_repeated(&self, response: &Response<Incoming>, shown: Option<u64>) -> bool {
        let (Some(authorization), Some(number)) = (&self.api.authorization, shown) else { return false };
        if response.status() == StatusCode::UNAUTHORIZED {
            return authorization.refused(number);
        }
        authorization.accepted();
        false
    }

    /// Reads the whole of an answer that has begun.
    pub async fn read(&self, response: Response<Incoming>) -> Result<Answer> {
        let begun = begun(&response);
        let mut body = response.into_body();
        let mut whole = BytesMut::new();
        while let Some(frame) = in_time(self.within.idle, body.frame()).await? {
            let frame = frame.map_err(broken)?;
            let Ok(data) = frame.into_data() else { continue };
            if whole.len().saturating_add(data.len()) > self.within.size {
                let most = self.within.size;
                return Err(Error::refused(format!("the answer has more than {most} bytes")));
            }
            whole.extend_from_slice(&data);
        }
        Ok(Answer { body: whole.freeze(), ..begun })
    }
}

/// An answer without its body.
pub fn begun(response: &Response<Incoming>) -> Answer {
    let text = |value: &hyper::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    Answer { status: response.status().as_u16(), headers, body: Bytes::new() }
}

/// What breaks an answer off.
pub fn broken(error: hyper::Error) -> Error {
    Error::connection("the answer broke off").caused_by(error)
}

/// The master that an answer redirects to, if it does.
fn redirected(from: &Endpoint, request: &Request, response: &Response<Incoming>) -> Result<Option<Endpoint>> {
    let is_redirect = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    let Some(location) = response.headers().get(LOCATION).filter(|_| is_redirect) else { return Ok(None) };
    let location = location.to_str().unwrap_or_default();
    let path = request.path.split('?').next().unwrap_or_default();
    let to = redirect::target(from, path, location);
    let shown = redirect::shown(location);
    to.map(Some).ok_or_else(|| Error::protocol(format!("redirected to '{shown}', which is not an address")))
}

async fn in_time<T>(within: Duration, what: impl Future<Output = T>) -> Result<T> {
    let outcome = timeout(within, what).await;
    outcome.map_err(|_| Error::timed_out(format!("no answer within {:.1} s", within.as_secs_f64())))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::time::Duration;

    use crate::driver::operator::{Operator, Options, Request, Within};

    /// Answers each connection's request in one way; returns its address.
    fn answering(head: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("bound").to_string();
        let head = head.to_owned();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let mut seen = [0; 4096];
                let length = stream.read(&mut seen).expect("a request");
                let line = String::from_utf8_lossy(&seen[..length]).lines().next().unwrap_or_default().to_owned();
                let answer = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{line}", line.len());
                stream.write_all(answer.as_bytes()).expect("written");
            }
        });
        address
    }

    fn ask(operator: &Operator) -> (u16, String) {
        let request =
            Request { method: "GET".into(), path: "/state?x=1".into(), headers: Vec::new(), body: Default::default() };
        let mut pending = operator.request(request, Within::default()).expect("sent");
        let answer = pending.wait(Duration::from_secs(30)).expect("in time").expect("an answer");
        (answer.status, String::from_utf8_lossy(&answer.body).into_owned())
    }

    fn operator(daemon: String) -> Operator {
        Operator::new(Options { daemon, authentication: None }).expect("valid")
    }

    #[test]
    fn a_request_is_passed_on_until_a_master_answers_it() {
        let dead = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
        let not_ready = answering("503 Service Unavailable");
        let leader = answering("200 OK");
        let follower = answering(&format!("307 Temporary Redirect\r\nLocation: http://{leader}/led/state?x=1"));
        let (ok, line) = (200, "GET /led/state?x=1 HTTP/1.1".to_owned());
        let of_several = operator(format!("{dead},http://{not_ready}/m,{follower}"));
        for _ in 0..2 {
            assert_eq!(ask(&of_several), (ok, line.clone()));
        }
        assert_eq!(ask(&operator(format!("http://{leader}/m/"))), (ok, "GET /m/state?x=1 HTTP/1.1".to_owned()));
    }

    #[test]
    fn the_last_answer_is_returned_if_no_master_is_ready() {
        let masters = [answering("503 Service Unavailable"), answering("503 Service Unavailable")];
        assert_eq!(ask(&operator(masters.join(","))).0, 503);
    }
}
