//! Where clusters are that have a clock of their own: their drivers run beside them, on the same runtime, and reach them
//! without a socket.

use std::collections::HashMap;
use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, duplex};
use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedSender;

use super::Clock;
use crate::per_process::PerProcess;

/// So many bytes may be on their way in each direction.
const IN_FLIGHT: usize = 256 << 10;

static PLACES: PerProcess<Mutex<HashMap<SocketAddr, Arc<Place>>>> = PerProcess::new();

/// A connection of any kind.
pub trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// Makes connections to a cluster.
pub type Dial = Box<dyn Fn() -> BoxFuture<'static, Result<Box<dyn Connection>>> + Send + Sync>;

/// A cluster with a clock of its own.
pub struct Place {
    /// Its clock.
    pub clock: Clock,
    /// What its drivers run on.
    pub runtime: Handle,
    /// How its drivers reach it.
    pub dial: Dial,
}

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place").field("clock", &self.clock).finish_non_exhaustive()
    }
}

/// Reaches a cluster that takes its connections here, at once and without a fault.
pub fn directly(connections: UnboundedSender<Box<dyn Connection>>) -> Dial {
    Box::new(move || {
        let (ours, theirs) = duplex(IN_FLIGHT);
        let taken = connections.send(Box::new(theirs));
        let taken = taken.map(|()| Box::new(ours) as Box<dyn Connection>);
        Box::pin(std::future::ready(taken.map_err(|_| Error::from(ErrorKind::ConnectionRefused))))
    })
}

/// Keeps a place known. Dropping it ends that.
#[derive(Debug)]
pub struct Known(SocketAddr, Arc<Place>);

impl Known {
    /// Makes it known that a cluster of this process is at an address.
    pub fn new(address: SocketAddr, place: Place) -> Self {
        let place = Arc::new(place);
        places().insert(address, place.clone());
        Self(address, place)
    }
}

impl Drop for Known {
    fn drop(&mut self) {
        let mut places = places();
        if places.get(&self.0).is_some_and(|place| Arc::ptr_eq(place, &self.1)) {
            places.remove(&self.0);
        }
    }
}

/// The cluster of this process at an address, if it has a clock of its own.
pub fn at(address: SocketAddr) -> Option<Arc<Place>> {
    places().get(&address).cloned()
}

fn places() -> MutexGuard<'static, HashMap<SocketAddr, Arc<Place>>> {
    PLACES.get().lock().unwrap_or_else(PoisonError::into_inner)
}
