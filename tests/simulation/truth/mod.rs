//! What is true, by an own model that is told of every message on the network and every callback, and believes neither
//! drivers nor cluster. It complains when an invariant does not hold.

mod callbacks;
mod calls;
mod frameworks;
mod offers;
mod said;
mod tasks;

use std::collections::BTreeMap;

use remesos::local::simulation::Container;
use remesos::proto::v1;
use remesos::proto::v1::scheduler::{call, event};
use tokio::time::Instant;

pub use self::callbacks::{offers, update};
pub use self::offers::{Amount, Offer, Offered};
pub use self::said::{Said, tail};
pub use self::tasks::Task;
use crate::network::{Client, Way};

/// The model.
#[derive(Default)]
pub struct Truth {
    now: Option<Instant>,
    complaints: Vec<String>,
    pub clients: BTreeMap<Client, Process>,
    links: BTreeMap<(Client, u32), Link>,
    frameworks: BTreeMap<String, frameworks::Framework>,
    pub offers: BTreeMap<String, Offer>,
    /// What agents have.
    totals: BTreeMap<String, Amount>,
    pub tasks: BTreeMap<String, Task>,
    /// What runs.
    containers: BTreeMap<String, Container>,
    /// Something was promised at this time, or given back.
    unsettled: bool,
    /// When there was another master last.
    replaced: Option<Instant>,
    /// When something other than a heartbeat was said last.
    pub noise: Option<(Instant, String)>,
}

/// A process with a driver.
#[derive(Default)]
pub struct Process {
    pub name: String,
    executor: bool,
    /// The framework's id, once it is known.
    pub framework_id: Option<String>,
    calls: calls::Calls,
    heard: callbacks::Queue,
    /// What disturbed its connections, or its master.
    pub disturbances: u32,
    /// Whether it has written a SUBSCRIBE. A driver that is stopped before can neither keep nor remove a framework.
    pub has_subscribed: bool,
    /// Of what it subscribes with.
    failover_timeout: f64,
}

#[derive(Default)]
struct Link {
    /// The stream of events.
    is_stream: bool,
    client_left: bool,
}

impl Truth {
    /// It is so late. What was promised before has to be right by now.
    pub fn at(&mut self, now: Instant) {
        if self.now.is_none_or(|before| before < now) {
            if std::mem::take(&mut self.unsettled) {
                self.settle();
            }
            self.now = Some(now);
        }
    }

    fn now(&self) -> Instant {
        self.now.unwrap_or_else(Instant::now)
    }

    /// What does not hold, once.
    pub fn complaints(&mut self) -> Vec<String> {
        std::mem::take(&mut self.complaints)
    }

    fn complain(&mut self, why: String) {
        self.complaints.push(why);
    }

    /// A process starts.
    pub fn add(&mut self, client: Client, name: String, executor: bool, framework_id: Option<String>) {
        let process = Process { name, executor, framework_id, ..Process::default() };
        self.clients.insert(client, process);
    }

    /// Something disturbed the connections of a client.
    pub fn disturbed(&mut self, client: Client) {
        self.process(client).disturbances += 1;
    }

    /// Something disturbed the master.
    pub fn all_disturbed(&mut self) {
        self.clients.values_mut().for_each(|process| process.disturbances += 1);
    }

    /// What a client is called.
    pub fn name(&self, client: Client) -> String {
        self.clients.get(&client).map_or_else(|| client.to_string(), |process| process.name.clone())
    }

    /// Whether a client is an executor.
    pub fn is_executor(&self, client: Client) -> bool {
        self.clients.get(&client).is_some_and(|process| process.executor)
    }

    fn process(&mut self, client: Client) -> &mut Process {
        self.clients.entry(client).or_default()
    }

    fn link(&mut self, client: Client, link: u32) -> &mut Link {
        self.links.entry((client, link)).or_default()
    }

    /// A connection was made.
    pub fn opened(&mut self, client: Client, link: u32) {
        self.links.insert((client, link), Link::default());
    }

    /// A side has read the end of a connection.
    pub fn ended(&mut self, client: Client, link: u32, way: Way) {
        if way == Way::ToCluster {
            self.stream_is_over(client, link);
        }
    }

    /// A side has left a connection.
    pub fn closed(&mut self, client: Client, link: u32, way: Way) {
        if way == Way::ToCluster {
            self.link(client, link).client_left = true;
        } else {
            self.stream_is_over(client, link);
        }
    }

    fn stream_is_over(&mut self, client: Client, link: u32) {
        if self.link(client, link).is_stream {
            self.void_offers(|offer| (offer.client, offer.link) == (client, link));
            self.framework_left(client, link);
        }
    }

    /// The master is another one.
    pub fn master_restarted(&mut self) {
        self.replaced = Some(self.now());
        self.void_offers(|_| true);
        self.all_frameworks_left();
        self.all_disturbed();
    }

    /// Something was said.
    pub fn sent(&mut self, client: Client, link: u32, said: &Said) {
        if !said.is_heartbeat() {
            self.noise = Some((self.now(), format!("{}: {said}", self.name(client))));
        }
        match said {
            Said::Call(call) => self.call_sent(client, call),
            Said::Event(event) => self.event_sent(client, link, event),
            Said::ToExecutor(event) => self.told_executor(client, link, event),
            Said::End => self.stream_is_over(client, link),
            // A master that is not ready: whoever gets this can neither subscribe nor remove a framework.
            Said::Answer(503) => self.disturbed(client),
            Said::OfExecutor(_) | Said::Answer(_) => {}
        }
    }

    fn event_sent(&mut self, client: Client, link: u32, event: &v1::scheduler::Event) {
        match event.r#type() {
            event::Type::Subscribed => {
                let id = event.subscribed.as_ref().map(|subscribed| subscribed.framework_id.value.clone());
                self.process(client).framework_id.clone_from(&id);
                self.link(client, link).is_stream = true;
                self.framework_subscribed(client, link, id.unwrap_or_default());
            }
            event::Type::Offers => {
                for offer in event.offers.iter().flat_map(|event| &event.offers) {
                    self.offered(client, link, offer);
                }
            }
            event::Type::Rescind => {
                let id = event.rescind.as_ref().map(|rescind| rescind.offer_id.value.clone()).unwrap_or_default();
                self.change_offer(&id, Offered::Rescinded);
            }
            // Another scheduler has taken its place, even if that is one that is dead and whose SUBSCRIBE came late.
            event::Type::Error => self.disturbed(client),
            event::Type::Update => {
                if let Some(update) = &event.update {
                    self.update_sent(&update.status);
                }
            }
            _ => {}
        }
    }

    /// Something has arrived.
    pub fn arrived(&mut self, client: Client, link: u32, said: &Said) {
        match said {
            Said::Call(call) => {
                self.call_arrived(client, link, call);
                self.call_takes_effect(call);
            }
            Said::Event(event) => {
                if let Some(subscribed) = &event.subscribed {
                    self.framework_known(&subscribed.framework_id.value);
                }
                self.heard(client, link, event);
            }
            Said::OfExecutor(call) => self.executor_called(call),
            Said::ToExecutor(event) => self.executor_knows(event),
            Said::Answer(_) | Said::End => {}
        }
    }

    fn call_takes_effect(&mut self, call: &v1::scheduler::Call) {
        match call.r#type() {
            call::Type::Accept => {
                if let Some(accept) = &call.accept {
                    self.accepted(accept);
                }
            }
            call::Type::Teardown => self.torn_down(call),
            call::Type::Decline => {
                for id in call.decline.iter().flat_map(|decline| &decline.offer_ids) {
                    self.change_offer(&id.value, Offered::Declined);
                }
            }
            _ => {}
        }
    }
}
