//! The scheduler's driver: a session towards the leading master.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;

use super::auth::Authentication;
use super::detector::{self, MasterUri};
use super::handle::Handle;
use super::run::Start;
use super::status::Status;
use super::tls::{self, Trust};
use super::transport::{Api, PROTOBUF};
use crate::clock::Clock;
use crate::clock::places::{self, Place};
use crate::session::framework::Framework;
use crate::session::scheduler::{Config, Request, SchedulerSession};
use crate::wire::duration::Period;
use crate::wire::scheduler::Call;
use crate::{Error, Result, environment};

const BACKOFF_FACTOR: Period = Period::from_secs(2);
const BACKOFF_FACTOR_NAME: &str = "MESOS_REGISTRATION_BACKOFF_FACTOR";
const PATH: &str = "/api/v1/scheduler";

/// The options of a scheduler driver. `Debug` does not show passwords.
///
/// ```
/// use prost::Message;
/// use remesos::driver::Options;
/// use remesos::proto::v1;
///
/// let framework = v1::FrameworkInfo { name: "example".to_owned(), ..Default::default() };
/// let options = Options {
///     framework: framework.encode_to_vec().into(),
///     master: "zk://user:secret@localhost:2181/mesos".to_owned(),
///     authentication: None,
///     trust: Default::default(),
///     suppressed_roles: Vec::new(),
/// };
/// assert!(!format!("{options:?}").contains("secret"));
/// ```
#[derive(Clone)]
pub struct Options {
    /// The serialized `FrameworkInfo`.
    pub framework: Bytes,
    /// The master string of the framework; see [`MasterUri::parse`].
    pub master: String,
    /// How the framework authenticates to the master. The principal is filled in if `framework` has none.
    pub authentication: Option<Authentication>,
    /// Whose certificates are taken of a master that is reached over TLS.
    pub trust: Trust,
    /// The roles for which offers are suppressed from the start.
    pub suppressed_roles: Vec<String>,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let master = detector::redacted(&self.master);
        let authentication = &self.authentication;
        f.debug_struct("Options")
            .field("master", &master)
            .field("authentication", authentication)
            .finish_non_exhaustive()
    }
}

/// A scheduler driver.
///
/// ```
/// use prost::Message;
/// use remesos::driver::{Options, SchedulerDriver, Status};
/// use remesos::proto::v1;
/// use remesos::wire::scheduler::Call;
///
/// let framework = v1::FrameworkInfo { name: "example".to_owned(), ..Default::default() };
/// let driver = SchedulerDriver::new(Options {
///     framework: framework.encode_to_vec().into(),
///     master: "localhost:5050".to_owned(),
///     authentication: None,
///     trust: Default::default(),
///     suppressed_roles: Vec::new(),
/// })?;
/// assert_eq!(driver.name(), "example");
/// assert_eq!(driver.call(Call::Teardown), Status::NotStarted);
/// # Ok::<(), remesos::Error>(())
/// ```
#[derive(Debug)]
pub struct SchedulerDriver {
    options: Options,
    framework: Framework,
    user: String,
    hostname: String,
    handle: Handle<SchedulerSession>,
}

impl Deref for SchedulerDriver {
    type Target = Handle<SchedulerSession>;

    fn deref(&self) -> &Self::Target {
        &self.handle
    }
}

impl SchedulerDriver {
    /// A driver that is not started. Fills in the operating system's user and host name if they are empty.
    ///
    /// Fails if the bytes are not a `FrameworkInfo`.
    pub fn new(options: Options) -> Result<Self> {
        let user = current_user();
        let hostname = nix::unistd::gethostname().map(|h| h.to_string_lossy().into_owned()).unwrap_or_default();
        let framework = Framework::new(options.framework.clone(), &user, &hostname)?;
        let framework = framework.with_principal(options.authentication.as_ref().and_then(Authentication::principal));
        Ok(Self { options, framework, user, hostname, handle: Handle::default() })
    }

    /// Starts the driver if it was not started before; returns whether this call did. With `implicit_acknowledgements`
    /// an update is acknowledged when its callback has returned.
    ///
    /// Fails, and is aborted then, if the master's address or a flag in the environment cannot be used.
    pub fn start(&self, implicit_acknowledgements: bool) -> Result<bool> {
        self.start_with(implicit_acknowledgements, |_| {})
    }

    /// Starts the driver as [`start`](Self::start) does. `configure` may have its session deliver more than the classic
    /// API has callbacks for.
    ///
    /// Fails as `start` does.
    pub fn start_with(
        &self,
        implicit_acknowledgements: bool,
        configure: impl FnOnce(&mut SchedulerSession),
    ) -> Result<bool> {
        let uri = MasterUri::parse(&self.options.master, tls::by_default());
        let place = uri.as_ref().ok().and_then(place);
        self.handle.start(place.as_deref(), || {
            let mut start = self.prepare(uri?, place.clone(), implicit_acknowledgements)?;
            configure(&mut start.session);
            Ok(start)
        })
    }

    /// The framework's name.
    pub fn name(&self) -> &str {
        self.framework.name()
    }

    /// Whether the master that the framework names is the one at this loopback address.
    pub fn is_of(&self, address: SocketAddr) -> bool {
        match MasterUri::parse(&self.options.master, tls::by_default()) {
            Ok(MasterUri::Standalone(master)) => {
                master.port == address.port()
                    && [&address.ip().to_string(), "localhost"].contains(&master.host.as_str())
            }
            _ => false,
        }
    }

    /// Hands a call on, in order, if the driver runs. Returns its status.
    pub fn call(&self, call: Call) -> Status {
        self.request(Request::Call { call, timestamp: self.clock().timestamp() })
    }

    /// Acknowledges a status update, given its `TaskStatus`, if the driver runs. Returns its status.
    pub fn acknowledge(&self, status: Bytes) -> Status {
        self.request(Request::Acknowledge(status))
    }

    /// A `FrameworkInfo` with user and host name filled in, as for UPDATE_FRAMEWORK.
    ///
    /// Fails if the bytes are not a `FrameworkInfo`.
    pub fn fill_in(&self, info: Bytes) -> Result<Bytes> {
        let principal = self.options.authentication.as_ref().and_then(Authentication::principal);
        Ok(Framework::new(info, &self.user, &self.hostname)?.with_principal(principal).info())
    }

    fn prepare(
        &self,
        uri: MasterUri,
        place: Option<Arc<Place>>,
        implicit_acknowledgements: bool,
    ) -> Result<Start<SchedulerSession>> {
        let backoff_factor = backoff_factor()?;
        let clock = place.as_ref().map_or_else(Clock::real, |place| place.clock.clone());
        let session = SchedulerSession::new(Config {
            framework: self.framework.clone(),
            suppressed_roles: self.options.suppressed_roles.clone(),
            implicit_acknowledgements,
            identity: self.options.authentication.as_ref().map(Authentication::identity),
            backoff_factor,
            seed: clock.seed(),
        });
        let authentication = self.options.authentication.as_ref();
        let authorization = authentication.map(|a| a.authorization(clock.clone())).transpose()?;
        let trust = self.options.trust.clone();
        let api = Api { path: PATH.to_owned(), media_type: PROTOBUF, authorization, trust, socket: None, place };
        Ok(Start { session, endpoint: detector::detect(uri)?, api, clock, end_within: |_| {} })
    }
}

/// The cluster of this process that is meant, if it has a clock of its own.
pub fn place(uri: &MasterUri) -> Option<Arc<Place>> {
    let MasterUri::Standalone(master) = uri else { return None };
    let ip = if master.host == "localhost" { Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)) } else { master.host.parse() };
    places::at(SocketAddr::new(ip.ok()?, master.port)).filter(|_| !master.tls)
}

fn backoff_factor() -> Result<Period> {
    let bad = |e: Error| Error::invalid("Failed to load flag 'registration_backoff_factor'").caused_by(e);
    match std::env::var_os(BACKOFF_FACTOR_NAME) {
        None => Ok(BACKOFF_FACTOR),
        Some(value) => environment::text(BACKOFF_FACTOR_NAME, &value).and_then(Period::parse).map_err(bad),
    }
}

fn current_user() -> String {
    let uid = nix::unistd::getuid();
    let known = nix::unistd::User::from_uid(uid).ok().flatten();
    known.map_or_else(|| uid.to_string(), |user| user.name)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    use prost::Message;

    use super::*;
    use crate::proto::v1;
    use crate::proto::v1::scheduler::{Event, event};

    const PATIENCE: Duration = Duration::from_secs(30);

    /// Answers a SUBSCRIBE, and leaves the stream of events open.
    fn subscribe(connection: &TcpStream) {
        let framework_id = v1::FrameworkId { value: "framework".to_owned() };
        let subscribed = event::Subscribed { framework_id, ..Default::default() };
        let kind = Some(event::Type::Subscribed as i32);
        let event = Event { r#type: kind, subscribed: Some(subscribed), ..Default::default() }.encode_to_vec();
        let record = [event.len().to_string().as_bytes(), b"\n", &event].concat();
        let mut request = BufReader::new(connection);
        let mut length = 0;
        for line in request.by_ref().lines().map(|line| line.expect("a line")).take_while(|line| !line.is_empty()) {
            if let Some((name, value)) =
                line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            {
                length = value.parse().unwrap_or_else(|_| panic!("{name}: {value}"));
            }
        }
        request.read_exact(&mut vec![0; length]).expect("the call");
        let head = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n", record.len());
        let mut connection = connection;
        connection.write_all(&[head.as_bytes(), &record, b"\r\n"].concat()).expect("written");
    }

    #[test]
    fn a_driver_that_is_let_go_disconnects_although_another_holds_it() {
        for stops_before in [false, true] {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            let framework =
                v1::FrameworkInfo { name: "test".to_owned(), failover_timeout: Some(60.0), ..Default::default() };
            let driver = SchedulerDriver::new(Options {
                framework: framework.encode_to_vec().into(),
                master: listener.local_addr().expect("bound").to_string(),
                authentication: None,
                trust: Default::default(),
                suppressed_roles: Vec::new(),
            });
            let driver = Arc::new(driver.expect("valid options"));
            driver.start(true).expect("an IO thread");
            let (mut connection, _) = listener.accept().expect("a connection");
            subscribe(&connection);
            assert!(driver.blocking_recv().is_some(), "it is registered");
            if stops_before {
                driver.stop(true);
                assert_eq!(driver.wait(PATIENCE), Some(Status::Stopped));
                connection.set_read_timeout(Some(Duration::from_millis(100))).expect("set");
                assert!(connection.read(&mut [0]).is_err(), "a driver that is stopped stays connected");
            }
            driver.let_go();
            connection.set_read_timeout(Some(PATIENCE)).expect("set");
            assert_eq!(connection.read(&mut [0]).expect("no time-out"), 0, "it has disconnected");
            assert_eq!(driver.status(), Status::Stopped);
        }
    }
}
