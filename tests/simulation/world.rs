//! What happens in a simulation: it is told to the model of the [`Truth`], and to the story if somebody reads it.

use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use prost::Message as _;
use remesos::proto::v1;
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use crate::http::Message;
use crate::network::{Client, Way};
use crate::plan::Moment;
use crate::truth::{Said, Truth};

/// What everybody in a simulation tells.
pub struct World {
    begin: Instant,
    /// Whether what happens is to be told.
    told: bool,
    state: Mutex<State>,
    over: Notify,
    /// Told of each moment.
    moments: mpsc::UnboundedSender<(Client, u32, Moment)>,
}

#[derive(Default)]
struct State {
    /// What happened, if that is to be told.
    story: Vec<String>,
    /// A fingerprint of all that happened.
    print: u64,
    violation: Option<String>,
    truth: Truth,
}

impl World {
    /// A world in which nothing has happened yet.
    pub fn new(told: bool, moments: mpsc::UnboundedSender<(Client, u32, Moment)>) -> Self {
        Self { begin: Instant::now(), told, state: Mutex::default(), over: Notify::new(), moments }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }

    /// How long it has lasted.
    pub fn age(&self) -> Duration {
        self.begin.elapsed()
    }

    /// Adds a line to the story.
    pub fn note(&self, line: impl FnOnce() -> String) {
        let age = self.age();
        let line = self.told.then(line);
        let state = &mut *self.lock();
        state.print = mixed(state.print, age.as_micros());
        state.story.extend(line.map(|line| format!("{:>11.6} {line}", age.as_secs_f64())));
    }

    /// An invariant is violated. The first time counts.
    pub fn violated(&self, why: String) {
        self.note(|| format!("VIOLATED: {why}"));
        self.lock().violation.get_or_insert(why);
        self.over.notify_one();
    }

    /// Waits until something is violated.
    pub async fn is_violated(&self) {
        self.over.notified().await;
    }

    /// What was violated first.
    pub fn violation(&self) -> Option<String> {
        self.lock().violation.clone()
    }

    /// What happened, and a fingerprint of it.
    pub fn story(&self) -> (Vec<String>, u64) {
        let state = self.lock();
        (state.story.clone(), state.print)
    }

    /// Tells the truth something, or asks it. What it complains of is a violation.
    pub fn truth<T>(&self, tell: impl FnOnce(&mut Truth) -> T) -> T {
        let (told, complaints) = {
            let state = &mut *self.lock();
            state.truth.at(Instant::now());
            let told = tell(&mut state.truth);
            (told, state.truth.complaints())
        };
        complaints.into_iter().for_each(|complaint| self.violated(complaint));
        told
    }

    /// A connection was made.
    pub fn opened(&self, client: Client, link: u32) {
        self.note(|| format!("{} connects ({link})", self.name(client)));
        self.truth(|truth| truth.opened(client, link));
    }

    /// A side has read the end of a connection.
    pub fn ended(&self, client: Client, link: u32, way: Way) {
        let who = if way == Way::ToClient { "the client" } else { "the cluster" };
        self.note(|| format!("{} ({link}): {who} sees its end", self.name(client)));
        self.truth(|truth| truth.ended(client, link, way));
    }

    /// A side has left a connection, the one that wrote this way.
    pub fn closed(&self, client: Client, link: u32, way: Way) {
        let who = if way == Way::ToCluster { "the client" } else { "the cluster" };
        self.note(|| format!("{} ({link}): {who} leaves", self.name(client)));
        self.truth(|truth| truth.closed(client, link, way));
    }

    /// A whole message was sent.
    pub fn sent(&self, client: Client, link: u32, way: Way, message: &Message) {
        if let Some(said) = self.read(client, way, message) {
            self.note(|| format!("{} ({link}) {} {said}", self.name(client), arrow(way)));
            self.truth(|truth| truth.sent(client, link, &said));
            if let Some(moment) = said.moment() {
                // Nobody hears of it after the simulation's end.
                let _ = self.moments.send((client, link, moment));
            }
        }
    }

    /// A whole message has arrived.
    pub fn arrived(&self, client: Client, link: u32, way: Way, message: &Message) {
        if let Some(said) = self.read(client, way, message) {
            if !matches!(said, Said::Answer(_)) {
                self.note(|| format!("{} ({link}) {} {said} (arrived)", self.name(client), arrow(way)));
            }
            self.truth(|truth| truth.arrived(client, link, &said));
        }
    }

    fn name(&self, client: Client) -> String {
        self.lock().truth.name(client)
    }

    fn read(&self, client: Client, way: Way, message: &Message) -> Option<Said> {
        let is_executor = self.lock().truth.is_executor(client);
        let read = match message {
            Message::Answer(status) => Ok(Said::Answer(*status)),
            Message::End => Ok(Said::End),
            Message::Request(path, body) if path == "/api/v1/scheduler" => {
                v1::scheduler::Call::decode(body.clone()).map(|call| Said::Call(Box::new(call)))
            }
            Message::Request(_, body) => {
                v1::executor::Call::decode(body.clone()).map(|call| Said::OfExecutor(Box::new(call)))
            }
            Message::Record(record) if is_executor => {
                v1::executor::Event::decode(record.clone()).map(|event| Said::ToExecutor(Box::new(event)))
            }
            Message::Record(record) => {
                v1::scheduler::Event::decode(record.clone()).map(|event| Said::Event(Box::new(event)))
            }
        };
        read.map_err(|error| self.violated(format!("{} {}: {error}", self.name(client), arrow(way)))).ok()
    }
}

fn arrow(way: Way) -> &'static str {
    if way == Way::ToCluster { "->" } else { "<-" }
}

/// FNV-1a, of a number.
fn mixed(print: u64, number: u128) -> u64 {
    number.to_le_bytes().iter().fold(print, |print, byte| (print ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
