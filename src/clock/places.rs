//! Where clusters are that have a clock of their own: their drivers run beside them, on the same runtime, and reach them
//! without a socket.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{DuplexStream, duplex};
use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedSender;

use super::Clock;
use crate::per_process::PerProcess;

/// So many bytes may be on their way in each direction.
const IN_FLIGHT: usize = 256 << 10;

static PLACES: PerProcess<Mutex<HashMap<SocketAddr, Arc<Place>>>> = PerProcess::new();

/// A cluster with a clock of its own.
#[derive(Debug)]
pub struct Place {
    /// Its clock.
    pub clock: Clock,
    /// What its drivers run on.
    pub runtime: Handle,
    /// Where it takes connections.
    pub connections: UnboundedSender<DuplexStream>,
}

impl Place {
    /// Connects to the cluster; `None` if it takes no connections any more.
    pub fn connect(&self) -> Option<DuplexStream> {
        let (ours, theirs) = duplex(IN_FLIGHT);
        self.connections.send(theirs).ok().map(|()| ours)
    }
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
