//! Callbacks: all that a driver has read is called back, in order, as long as its connection stands.

use std::collections::VecDeque;

use remesos::proto::v1;
use remesos::proto::v1::scheduler::Event;
use remesos::proto::v1::scheduler::event::Type;

use super::said::{status, tail};
use super::{Client, Truth};

/// Something that a framework is told, in words that tell it from other things.
type Heard = String;

/// What a driver has read and not called back.
#[derive(Default)]
pub struct Queue {
    waiting: VecDeque<(u32, Heard)>,
}

/// An update in words.
pub fn update(of: &v1::TaskStatus) -> Heard {
    format!("UPDATE {}", status(of))
}

/// Offers in words.
pub fn offers<'a>(ids: impl Iterator<Item = &'a str>) -> Heard {
    format!("OFFERS {}", ids.map(tail).collect::<Vec<_>>().join(","))
}

fn words(event: &Event) -> Option<Heard> {
    match event.r#type() {
        Type::Offers => Some(offers(event.offers.as_ref()?.offers.iter().map(|offer| offer.id.value.as_str()))),
        Type::Rescind => Some(format!("RESCIND {}", tail(&event.rescind.as_ref()?.offer_id.value))),
        Type::Update => Some(update(&event.update.as_ref()?.status)),
        Type::Message => Some(format!("MESSAGE {}", String::from_utf8_lossy(&event.message.as_ref()?.data))),
        _ => None,
    }
}

impl Truth {
    pub(super) fn heard(&mut self, client: Client, link: u32, event: &Event) {
        if let Some(words) = words(event) {
            self.process(client).heard.waiting.push_back((link, words));
        }
    }

    /// A driver calls back. What it has read before and leaves out came on a connection that it has left.
    pub fn called_back(&mut self, client: Client, words: &str) {
        while let Some((link, waiting)) = self.process(client).heard.waiting.pop_front() {
            if waiting == words {
                return;
            }
            self.left_out(client, link, &waiting, words);
        }
        let name = self.name(client);
        self.complain(format!("{name} is called back with {words}, which nobody said"));
    }

    /// A driver has nothing left to call back, and goes on.
    pub fn all_called_back(&mut self, client: Client) {
        while let Some((link, waiting)) = self.process(client).heard.waiting.pop_front() {
            self.left_out(client, link, &waiting, "nothing");
        }
    }

    fn left_out(&mut self, client: Client, link: u32, waiting: &str, words: &str) {
        if !self.link(client, link).client_left {
            let name = self.name(client);
            self.complain(format!("{name} is called back with {words} instead of {waiting}"));
        }
    }
}
