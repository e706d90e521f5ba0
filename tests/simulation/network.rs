//! The network between drivers and the cluster: connections of real bytes that take their time, hang, break, and are
//! refused. Who sends what is told to the [`World`] when it is sent and when it has arrived.

use std::collections::{BTreeMap, VecDeque};
use std::io::{Error, ErrorKind, Result};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use remesos::local::simulation::{Access, Connection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, sleep_until};

use crate::http::{Message, Reader};
use crate::world::World;

/// A process that connects to the cluster, by its number.
pub type Client = u16;

/// So much may be on its way in one direction; more is not taken.
const IN_FLIGHT: usize = 64 << 10;

/// A client that hears nothing for longer than this has to notice by itself.
pub const DEAF: Duration = Duration::from_secs(15);
const HOUR: Duration = Duration::from_secs(3600);

/// The two directions of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    ToCluster = 0,
    ToClient = 1,
}

/// What a fault is to, of a client's connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    All,
    /// One of them, by a number that chooses it.
    One(u32),
    /// The one with this number.
    This(u32),
}

/// What happens to connections.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fault {
    /// They break, and both sides learn of it after so long; what is on its way, and comes later, is lost.
    Break(Duration),
    /// They are closed in order, as by a proxy: what is on its way arrives.
    Close,
    /// Nothing arrives for so long in these directions.
    Stall(Duration, bool, bool),
    /// What is sent in this direction is lost from now on, and after so long both sides learn of it; a client that hears
    /// nothing for longer than [`DEAF`] does not for an hour, as behind a gateway that has forgotten the connection.
    Lose(Way, Duration),
    /// No connection can be made for so long; attempts hang if so.
    Refuse(Duration, bool),
}

/// How fast connections are.
#[derive(Debug, Clone, Copy)]
pub struct Speed {
    pub least: Duration,
    pub most: Duration,
}

struct Host {
    alive: bool,
    refused: Option<(Instant, bool)>,
    random: fastrand::Rng,
    links: BTreeMap<u32, Arc<Mutex<Link>>>,
    next: u32,
}

/// All connections.
pub struct Network {
    world: Arc<World>,
    access: Access,
    speed: Speed,
    hosts: Mutex<BTreeMap<Client, Host>>,
    seed: u64,
}

struct Link {
    id: u32,
    client: Client,
    ways: [Lane; 2],
    random: fastrand::Rng,
    latency: Duration,
    jitter: Duration,
}

/// One direction of a connection.
struct Lane {
    pieces: VecDeque<(Instant, Bytes)>,
    bytes: usize,
    /// When the last of it arrives.
    last: Instant,
    /// When it ends, and whether by a reset.
    end: Option<(Instant, bool)>,
    held: Option<Instant>,
    lossy: bool,
    reader_is_gone: Option<Instant>,
    waker: Option<Waker>,
    writer: Option<Waker>,
    wire: Reader,
    unread: VecDeque<(u64, Message)>,
    read: u64,
}

impl Lane {
    fn new(now: Instant) -> Self {
        Self {
            pieces: VecDeque::new(),
            bytes: 0,
            last: now,
            end: None,
            held: None,
            lossy: false,
            reader_is_gone: None,
            waker: None,
            writer: None,
            wire: Reader::default(),
            unread: VecDeque::new(),
            read: 0,
        }
    }

    fn wake(&mut self) {
        self.waker.take().into_iter().chain(self.writer.take()).for_each(Waker::wake);
    }

    /// When something is to be read.
    fn due(&self) -> Option<Instant> {
        let due = self.pieces.front().map(|(due, _)| *due).or(self.end.map(|(at, _)| at))?;
        Some(self.held.map_or(due, |held| due.max(held)))
    }

    fn end_at(&mut self, at: Instant, reset: bool) {
        if self.end.is_none_or(|(before, _)| reset && at < before) {
            self.end = Some((at, reset));
        }
        self.wake();
    }

    /// What is on its way is lost, and what comes later.
    fn lose(&mut self) {
        (self.lossy, self.bytes) = (true, 0);
        self.pieces.clear();
        self.unread.clear();
    }
}

impl Link {
    fn apply(&mut self, now: Instant, fault: Fault) {
        let latency = self.latency;
        match fault {
            Fault::Break(after) => {
                for lane in &mut self.ways {
                    lane.lose();
                    lane.held = None;
                    lane.end_at(now + after, true);
                }
            }
            Fault::Close => {
                for lane in &mut self.ways {
                    let at = lane.last.max(now + latency);
                    lane.end_at(at, false);
                    lane.lossy = true;
                }
            }
            Fault::Stall(period, to_cluster, to_client) => {
                for (lane, stalls) in self.ways.iter_mut().zip([to_cluster, to_client]) {
                    if stalls {
                        lane.held = Some(now + period);
                    }
                }
            }
            Fault::Lose(way, after) => {
                self.ways[way as usize].lose();
                let [to_cluster, to_client] = &mut self.ways;
                to_cluster.end_at(now + after, true);
                to_client.end_at(now + if way == Way::ToClient && after > DEAF { HOUR } else { after }, true);
            }
            Fault::Refuse(..) => {}
        }
    }

    /// The client's process is gone: what it sent arrives, and no more.
    fn die(&mut self, now: Instant, reset: bool) {
        let latency = self.latency;
        let [to_cluster, to_client] = &mut self.ways;
        to_cluster.end_at(to_cluster.last.max(now + latency), reset);
        to_cluster.lossy = true;
        to_client.lose();
        to_client.end_at(now, true);
    }
}

/// One end of a connection.
struct End {
    world: Arc<World>,
    link: Arc<Mutex<Link>>,
    /// The direction that this end reads.
    reads: Way,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Network {
    /// A network to this cluster, on which the seed decides what is left to chance.
    pub fn new(world: Arc<World>, access: Access, speed: Speed, seed: u64) -> Arc<Self> {
        Arc::new(Self { world, access, speed, hosts: Mutex::default(), seed })
    }

    fn hosts(&self) -> MutexGuard<'_, BTreeMap<Client, Host>> {
        self.hosts.lock().expect("no panic")
    }

    /// A process starts.
    pub fn add(&self, client: Client) {
        let random = fastrand::Rng::with_seed(self.seed ^ (u64::from(client) << 32));
        let host = Host { alive: true, refused: None, random, links: BTreeMap::new(), next: 0 };
        self.hosts().insert(client, host);
    }

    /// A process is killed, and its connections with it.
    pub fn kill(&self, client: Client) {
        let now = Instant::now();
        if let Some(host) = self.hosts().get_mut(&client) {
            host.alive = false;
            for link in host.links.values() {
                let reset = host.random.bool();
                link.lock().expect("no panic").die(now, reset);
            }
        }
    }

    /// Something happens to connections of a client. Returns whether that had any effect.
    pub fn disturb(&self, client: Client, which: Which, fault: Fault) -> bool {
        let now = Instant::now();
        let mut hosts = self.hosts();
        let Some(host) = hosts.get_mut(&client).filter(|host| host.alive) else { return false };
        if let Fault::Refuse(period, hang) = fault {
            host.refused = Some((now + period, hang));
            return true;
        }
        let links: Vec<_> = match which {
            Which::All => host.links.values().collect(),
            Which::This(id) => host.links.get(&id).into_iter().collect(),
            Which::One(number) => {
                let count = host.links.len().max(1);
                host.links.values().nth(number as usize % count).into_iter().collect()
            }
        };
        links.iter().for_each(|link| link.lock().expect("no panic").apply(now, fault));
        !links.is_empty()
    }

    /// Faults end: whoever was refused may connect. What is broken stays so.
    pub fn heal(&self) {
        self.hosts().values_mut().for_each(|host| host.refused = None);
    }

    /// Makes a connection for a client.
    pub async fn connect(self: Arc<Self>, client: Client) -> Result<Box<dyn Connection>> {
        let refused = || Error::from(ErrorKind::ConnectionRefused);
        let (mut random, refusal) = {
            let mut hosts = self.hosts();
            let host = hosts.get_mut(&client).filter(|host| host.alive).ok_or_else(refused)?;
            (host.random.fork(), host.refused.filter(|(until, _)| Instant::now() < *until))
        };
        if let Some((until, hang)) = refusal {
            if hang {
                sleep_until(until).await;
            }
            return Err(refused());
        }
        let range = self.speed.most.saturating_sub(self.speed.least);
        let latency = self.speed.least + range.mul_f64(random.f64().powi(3));
        let jitter = latency.mul_f64(random.f64());
        sleep(latency * 2).await;
        let now = Instant::now();
        let mut hosts = self.hosts();
        let host = hosts.get_mut(&client).filter(|host| host.alive).ok_or_else(refused)?;
        let id = host.next;
        host.next += 1;
        let ways = [Lane::new(now), Lane::new(now)];
        let link = Arc::new(Mutex::new(Link { id, client, ways, random, latency, jitter }));
        host.links.insert(id, link.clone());
        drop(hosts);
        self.world.opened(client, id);
        let end = |reads| End { world: self.world.clone(), link: link.clone(), reads, sleep: None };
        self.access.serve(end(Way::ToCluster));
        let network = self.clone();
        Ok(Box::new(OfClient { end: end(Way::ToClient), network }))
    }

    fn forget(&self, client: Client, link: u32) {
        if let Some(host) = self.hosts().get_mut(&client) {
            host.links.remove(&link);
        }
    }
}

/// The client's end, with which the connection is gone for it.
struct OfClient {
    end: End,
    network: Arc<Network>,
}

impl Drop for OfClient {
    fn drop(&mut self) {
        let (client, id) = {
            let link = self.end.link.lock().expect("no panic");
            (link.client, link.id)
        };
        self.network.forget(client, id);
    }
}

impl AsyncRead for OfClient {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.end).poll_read(context, buffer)
    }
}

impl AsyncWrite for OfClient {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<Result<usize>> {
        Pin::new(&mut self.end).poll_write(context, data)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.end).poll_shutdown(context)
    }
}

impl End {
    fn writes(&self) -> Way {
        if self.reads == Way::ToCluster { Way::ToClient } else { Way::ToCluster }
    }

    fn shut(&self) {
        let link = &mut *self.link.lock().expect("no panic");
        let (latency, lane) = (link.latency, &mut link.ways[self.writes() as usize]);
        let at = lane.last.max(Instant::now() + latency);
        lane.end_at(at, false);
    }
}

impl AsyncRead for End {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        let end = &mut *self;
        let now = Instant::now();
        let link = &mut *end.link.lock().expect("no panic");
        let lane = &mut link.ways[end.reads as usize];
        let due = lane.due();
        let Some(due) = due.filter(|due| *due <= now) else {
            lane.waker = Some(context.waker().clone());
            end.sleep = due.map(|due| Box::pin(sleep_until(due)));
            if let Some(sleep) = &mut end.sleep {
                let _ = sleep.as_mut().poll(context);
            }
            return Poll::Pending;
        };
        end.sleep = None;
        let Some((_, piece)) = lane.pieces.front_mut() else {
            let reset = lane.end.is_some_and(|(_, reset)| reset);
            end.world.ended(link.client, link.id, end.reads);
            return Poll::Ready(if reset { Err(ErrorKind::ConnectionReset.into()) } else { Ok(()) });
        };
        let _ = due;
        let taken = piece.split_to(piece.len().min(buffer.remaining()));
        if piece.is_empty() {
            lane.pieces.pop_front();
        }
        buffer.put_slice(&taken);
        lane.bytes = lane.bytes.saturating_sub(taken.len());
        lane.read += taken.len() as u64;
        lane.writer.take().into_iter().for_each(Waker::wake);
        while lane.unread.front().is_some_and(|(at, _)| *at <= lane.read) {
            if let Some((_, message)) = lane.unread.pop_front() {
                end.world.arrived(link.client, link.id, end.reads, &message);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for End {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, data: &[u8]) -> Poll<Result<usize>> {
        let now = Instant::now();
        let way = self.writes();
        let link = &mut *self.link.lock().expect("no panic");
        let is_over = |lane: &Lane| lane.end.is_some_and(|(at, reset)| reset && at <= now);
        let is_known = is_over(&link.ways[self.reads as usize]);
        let pace = link.latency + link.jitter.mul_f64(link.random.f64());
        let (client, id, latency) = (link.client, link.id, link.latency);
        let lane = &mut link.ways[way as usize];
        if is_known || lane.reader_is_gone.is_some_and(|at| at + latency <= now) {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        if lane.bytes >= IN_FLIGHT {
            lane.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        let messages = match lane.wire.feed(data) {
            Ok(messages) => messages,
            Err(why) => {
                self.world.violated(format!("what client {client} and the cluster say is not HTTP: {why}"));
                Vec::new()
            }
        };
        for (at, message) in messages {
            self.world.sent(client, id, way, &message);
            if !lane.lossy {
                lane.unread.push_back((at, message));
            }
        }
        if !lane.lossy {
            let due = lane.last.max(now + pace);
            lane.last = due;
            lane.bytes += data.len();
            lane.pieces.push_back((due, Bytes::copy_from_slice(data)));
            lane.waker.take().into_iter().for_each(Waker::wake);
        }
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        self.shut();
        Poll::Ready(Ok(()))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.shut();
        let (client, id) = {
            let link = &mut *self.link.lock().expect("no panic");
            let lane = &mut link.ways[self.reads as usize];
            lane.reader_is_gone = Some(Instant::now());
            lane.lose();
            lane.wake();
            (link.client, link.id)
        };
        self.world.closed(client, id, self.writes());
    }
}
