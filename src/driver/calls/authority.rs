//! The heads of calls: another one whenever there is another `Authorization`.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::pipeline::Head;
use crate::Result;
use crate::clock::Clock;
use crate::driver::auth::{Authorization, Shown};
use crate::driver::http::request;
use crate::wire::duration::Period;

type Renewing = Pin<Box<dyn Future<Output = Result<Shown>> + Send>>;

/// What the calls of one subscription are authorized with.
pub struct Authority {
    /// What every request begins with, up to its `Authorization`.
    start: Vec<u8>,
    authorization: Option<Authorization>,
    /// Asks for another header.
    renewing: Option<Renewing>,
}

impl Authority {
    pub fn new(start: Vec<u8>, authorization: Option<Authorization>) -> Self {
        Self { start, authorization, renewing: None }
    }

    /// The head to begin with: SUBSCRIBE was answered, so there is a header if one is needed.
    pub fn head(&self) -> Head {
        self.head_with(self.authorization.as_ref().and_then(|authorization| authorization.newest(None)))
    }

    /// The head to write calls with from now on, if it is not the one with this number.
    pub fn newer(&self, known: u64) -> Option<Head> {
        let authorization = self.authorization.as_ref().filter(|authorization| authorization.renews())?;
        authorization.newest(Some(known)).map(|shown| self.head_with(Some(shown)))
    }

    /// The head with this number was refused. Gives the next one; `None` if there is none, because the other side refuses
    /// them all.
    ///
    /// Fails if none could be made this time.
    pub fn renew(&mut self, context: &mut Context<'_>, refused: u64) -> Poll<Option<Result<Head>>> {
        let renewing = match &mut self.renewing {
            Some(renewing) => renewing,
            None => {
                let Some(authorization) = self.authorization.clone().filter(|a| a.refused(refused)) else {
                    return Poll::Ready(None);
                };
                tracing::info!("Calls were answered with 401; sending them again with another authorization");
                self.renewing.insert(Box::pin(async move { authorization.header().await }))
            }
        };
        let answer = ready!(renewing.as_mut().poll(context));
        self.renewing = None;
        Poll::Ready(match answer {
            Err(error) if error.is_authentication() => None,
            answer => Some(answer.map(|shown| self.head_with(Some(shown)))),
        })
    }

    /// Whether another header was asked for.
    pub fn is_renewing(&self) -> bool {
        self.renewing.is_some()
    }

    /// Asks again after so much time.
    pub fn renew_later(&mut self, clock: &Clock, delay: Duration) {
        let (authorization, clock) = (self.authorization.clone(), clock.clone());
        self.renewing = authorization.map(|authorization| -> Renewing {
            Box::pin(async move {
                clock.sleep_until(clock.now() + Period::from(delay)).await;
                authorization.header().await
            })
        });
    }

    /// A call was processed that was written with the last head.
    pub fn accepted(&self) {
        if let Some(authorization) = &self.authorization {
            authorization.accepted();
        }
    }

    fn head_with(&self, shown: Option<Shown>) -> Head {
        let bytes = request::authorized(self.start.clone(), shown.as_ref().map(|shown| &shown.value));
        let renews = self.authorization.as_ref().is_some_and(Authorization::renews);
        Head { bytes, number: shown.map_or(0, |shown| shown.number), renews }
    }
}
