//! `mesos._core.Connection`: a plain client's connection to a cluster whose time moves only when it is told to.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::FutureExt;
use pyo3::exceptions::PyConnectionError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf, split};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::dispatcher::SIGNAL_CHECK;
use crate::clock::places::{self, Place};
use crate::clock::skipping::{Busy, Skipping};

/// So much is read at once.
const CHUNK: usize = 64 << 10;

/// What came, and what keeps the time from moving until it is dealt with.
type Arrived = (Bytes, Option<Busy>);

/// A connection of this process to a cluster, without a socket. What is written is an input of the cluster's clock, and
/// what is read comes as a callback does: nothing else happens until its reader asks for more, or closes.
#[pyclass(frozen, module = "mesos._core")]
pub struct Connection {
    clock: Arc<Skipping>,
    writes: Mutex<Option<UnboundedSender<Bytes>>>,
    /// None once it is closed.
    arriving: Mutex<Option<Receiver<Arrived>>>,
    reader: Mutex<Reader>,
}

#[derive(Default)]
struct Reader {
    /// Whether it takes what comes, rather than waits for an answer.
    listens: bool,
    busy: Option<Busy>,
    rest: Bytes,
}

impl Connection {
    /// Connects; `None` if the cluster has stopped or its time moves by itself.
    pub fn new(place: &Place) -> Option<Self> {
        let clock = place.clock.as_skipping()?.clone();
        let (read, write) = split((place.dial)().now_or_never()?.ok()?);
        let (writes, to_write) = unbounded_channel();
        let (arrived, arriving) = mpsc::channel();
        // What a callback asks belongs to it, and is answered before it is over.
        let at_once = clock.is_in_callback();
        let hand_out = {
            let clock = clock.clone();
            move |data: Bytes| {
                let arrived = arrived.clone();
                // Nobody is left to take it once the connection is closed.
                let send = move |busy| drop(arrived.send((data, busy)));
                if at_once { send(None) } else { clock.callback(move |busy| send(Some(busy))) }
            }
        };
        place.runtime.spawn(async move { tokio::join!(read_all(read, hand_out), write_all(write, to_write)) });
        Some(Self {
            clock,
            writes: Mutex::new(Some(writes)),
            arriving: Mutex::new(Some(arriving)),
            reader: Mutex::default(),
        })
    }

    fn end(&self) {
        self.shutdown();
        // What is still to come keeps nothing from happening.
        drop(lock(&self.arriving).take());
        drop(std::mem::take(&mut *lock(&self.reader)));
    }

    fn next(&self, py: Python<'_>) -> PyResult<Option<Arrived>> {
        let listens = {
            let mut reader = lock(&self.reader);
            reader.busy = None;
            reader.listens
        };
        let _waiting = (!listens).then(|| self.clock.wait());
        loop {
            match py.detach(|| lock(&self.arriving).as_ref().map(|arriving| arriving.recv_timeout(SIGNAL_CHECK))) {
                Some(Ok(arrived)) => return Ok(Some(arrived)),
                None | Some(Err(RecvTimeoutError::Disconnected)) => return Ok(None),
                Some(Err(RecvTimeoutError::Timeout)) => py.check_signals()?,
            }
        }
    }
}

#[pymethods]
impl Connection {
    /// Sends bytes.
    fn send(&self, data: &[u8]) -> PyResult<()> {
        let writes = lock(&self.writes).clone();
        let writes = writes.ok_or_else(|| PyConnectionError::new_err("the connection is shut down"))?;
        let data = Bytes::copy_from_slice(data);
        // The cluster may have closed the connection: the reader learns of that.
        self.clock.input(move || drop(writes.send(data)));
        Ok(())
    }

    /// Waits for bytes, and returns at most so many; none at the end.
    fn receive<'py>(&self, py: Python<'py>, size: usize) -> PyResult<Bound<'py, PyBytes>> {
        if lock(&self.reader).rest.is_empty() {
            let Some((data, busy)) = self.next(py)? else { return Ok(PyBytes::new(py, b"")) };
            let mut reader = lock(&self.reader);
            reader.rest = data;
            if let Some(busy) = busy.as_ref().filter(|_| reader.listens) {
                busy.enter();
            }
            reader.busy = busy;
        }
        let mut reader = lock(&self.reader);
        let size = size.min(reader.rest.len());
        Ok(PyBytes::new(py, &reader.rest.split_to(size)))
    }

    /// From now on this thread takes what comes, as callbacks of a driver do. Before that, a reader is taken to wait for
    /// an answer.
    fn listen(&self) {
        let mut reader = lock(&self.reader);
        reader.listens = true;
        if let Some(busy) = &reader.busy {
            busy.enter();
        }
    }

    /// Sends no more. The cluster closes the connection then.
    fn shutdown(&self) {
        if let Some(writes) = lock(&self.writes).take() {
            self.clock.input(move || drop(writes));
        }
    }

    /// Sends no more, and reads no more.
    fn close(&self, py: Python<'_>) {
        py.detach(|| self.end());
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.end();
    }
}

async fn read_all(mut stream: ReadHalf<Box<dyn places::Connection>>, hand_out: impl Fn(Bytes)) {
    let mut buffer = vec![0; CHUNK];
    while let Ok(size) = stream.read(&mut buffer).await {
        hand_out(Bytes::copy_from_slice(buffer.get(..size).unwrap_or_default()));
        if size == 0 {
            return;
        }
    }
}

async fn write_all(mut stream: WriteHalf<Box<dyn places::Connection>>, mut data: UnboundedReceiver<Bytes>) {
    while let Some(data) = data.recv().await {
        if stream.write_all(&data).await.is_err() {
            return;
        }
    }
    // It fails only if the cluster has closed the connection.
    drop(stream.shutdown().await);
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
