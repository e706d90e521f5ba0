//! The driver of a subscription to the events of the leading master.

use std::ops::Deref;

use bytes::Bytes;

use super::Options;
use crate::Result;
use crate::clock::Clock;
use crate::driver::detector::{self, MasterUri};
use crate::driver::handle::Handle;
use crate::driver::run::Start;
use crate::driver::scheduler::place;
use crate::driver::tls::{self, Trust};
use crate::driver::transport::Api;
use crate::session::operator::{Config, OperatorSession};
use crate::wire::operator::Format;

/// A subscription, whose callbacks are the events.
///
/// ```
/// use remesos::driver::Status;
/// use remesos::driver::operator::{Options, Subscription};
/// use remesos::wire::operator::Format;
///
/// let options = Options { daemon: "localhost:5050".to_owned(), authentication: None };
/// let subscribe = br#"{"type":"SUBSCRIBE"}"#.as_slice().into();
/// let subscription = Subscription::new(options, "/api/v1".to_owned(), Format::Json, subscribe);
/// assert_eq!(subscription.status(), Status::NotStarted);
/// ```
#[derive(Debug)]
pub struct Subscription {
    options: Options,
    path: String,
    format: Format,
    subscribe: Bytes,
    handle: Handle<OperatorSession>,
}

impl Deref for Subscription {
    type Target = Handle<OperatorSession>;

    fn deref(&self) -> &Self::Target {
        &self.handle
    }
}

impl Subscription {
    /// A subscription that is not started. `subscribe` is the call, in the format.
    pub fn new(options: Options, path: String, format: Format, subscribe: Bytes) -> Self {
        Self { options, path, format, subscribe, handle: Handle::default() }
    }

    /// Starts it if it was not started before; returns whether this call did.
    ///
    /// Fails, and is aborted then, if the master's address or the authentication cannot be used.
    pub fn start(&self) -> Result<bool> {
        let uri = MasterUri::parse(&self.options.daemon, tls::by_default());
        let place = uri.as_ref().ok().and_then(place);
        self.handle.start(place.as_deref(), || {
            let clock = place.as_ref().map_or_else(Clock::real, |place| place.clock.clone());
            let authentication = self.options.authentication.as_ref();
            let session = OperatorSession::new(Config {
                format: self.format,
                subscribe: self.subscribe.clone(),
                identity: authentication.map(|authentication| authentication.identity()),
                seed: clock.seed(),
            });
            let authorization = authentication.map(|a| a.authorization(clock.clone())).transpose()?;
            let api = Api {
                path: self.path.clone(),
                media_type: self.format.media_type(),
                authorization,
                trust: Trust::default(),
                socket: None,
                place: place.clone(),
            };
            Ok(Start { session, endpoint: detector::detect(uri?)?, api, clock, end_within: |_| {} })
        })
    }
}
