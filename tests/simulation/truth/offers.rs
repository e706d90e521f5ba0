//! Offers: none is of any use after it was rescinded, declined or used, and what an agent has is never promised twice.

use std::collections::BTreeMap;

use remesos::proto::v1;
use tokio::time::Instant;

use super::said::tail;
use super::{Client, Truth};

/// How much there is of what.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Amount(BTreeMap<String, f64>);

impl Amount {
    /// The sum of resources.
    pub fn of(resources: &[v1::Resource]) -> Self {
        let mut sum = BTreeMap::new();
        for resource in resources {
            let amount = resource.scalar.as_ref().map_or(0.0, |scalar| scalar.value);
            *sum.entry(resource.name.clone()).or_default() += amount;
        }
        Self(sum)
    }

    /// The sum of resources as endpoints show them.
    pub fn of_json(shown: &serde_json::Value) -> Self {
        let members = shown.as_object().into_iter().flatten();
        Self(members.filter_map(|(name, amount)| Some((name.clone(), amount.as_f64()?))).collect())
    }

    /// How much of one thing.
    pub fn get(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    fn add(&mut self, other: &Self) {
        for (name, amount) in &other.0 {
            *self.0.entry(name.clone()).or_default() += amount;
        }
    }

    fn exceeds(&self, total: &Self) -> bool {
        self.0.iter().any(|(name, amount)| *amount > total.get(name) + 1e-3)
    }
}

/// What became of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offered {
    Open,
    Used,
    Declined,
    Rescinded,
    /// Its stream ended.
    Void,
}

/// An offer that was sent.
#[derive(Debug, Clone)]
pub struct Offer {
    pub client: Client,
    pub link: u32,
    agent_id: String,
    amount: Amount,
    pub stage: Offered,
    since: Instant,
}

impl Truth {
    /// An agent has so much.
    pub fn agent_has(&mut self, agent_id: &str, amount: Amount) {
        self.totals.insert(agent_id.to_owned(), amount);
    }

    pub(super) fn offered(&mut self, client: Client, link: u32, offer: &v1::Offer) {
        let (id, since) = (offer.id.value.clone(), self.now());
        let (agent_id, amount) = (offer.agent_id.value.clone(), Amount::of(&offer.resources));
        let new = Offer { client, link, agent_id, amount, stage: Offered::Open, since };
        if self.offers.insert(id.clone(), new).is_some() {
            self.complain(format!("offer {id} is made twice"));
        }
        self.unsettled = true;
    }

    pub(super) fn change_offer(&mut self, id: &str, stage: Offered) {
        let now = self.now();
        if let Some(offer) = self.offers.get_mut(id).filter(|offer| offer.stage == Offered::Open) {
            (offer.stage, offer.since) = (stage, now);
        }
    }

    pub(super) fn void_offers(&mut self, which: impl Fn(&Offer) -> bool) {
        let now = self.now();
        for offer in self.offers.values_mut().filter(|offer| offer.stage == Offered::Open && which(offer)) {
            (offer.stage, offer.since) = (Offered::Void, now);
        }
    }

    /// Uses offers. Returns why they are of no use, if they are not. At one time nobody knows which came first.
    pub(super) fn use_offers(&mut self, ids: &[v1::OfferId]) -> Option<String> {
        let now = self.now();
        let mut why = None;
        for id in ids {
            match self.offers.get(&id.value) {
                None => why = Some(format!("offer {} was never made", tail(&id.value))),
                Some(offer) if offer.stage != Offered::Open && offer.since < now => {
                    why = Some(format!("offer {} is {:?} since {:?}", tail(&id.value), offer.stage, now - offer.since));
                }
                Some(_) => {}
            }
            self.change_offer(&id.value, Offered::Used);
        }
        why
    }

    /// Adds up what is promised of each agent: open offers, and what runs.
    pub(super) fn settle(&mut self) {
        let mut promised: BTreeMap<&str, Amount> = BTreeMap::new();
        for offer in self.offers.values().filter(|offer| offer.stage == Offered::Open) {
            promised.entry(&offer.agent_id).or_default().add(&offer.amount);
        }
        for task in
            self.tasks.values().filter(|task| task.runs() && !task.is_abandoned() && self.counts(&task.framework_id))
        {
            promised.entry(&task.agent_id).or_default().add(&task.amount);
        }
        let over =
            promised.iter().find(|(agent, sum)| self.totals.get(**agent).is_some_and(|total| sum.exceeds(total)));
        if let Some((agent, sum)) = over {
            let offers = self.offers.iter().filter(|(_, of)| of.stage == Offered::Open && of.agent_id == **agent);
            let offers: Vec<_> = offers.map(|(id, _)| tail(id).to_owned()).collect();
            let tasks = self.tasks.iter().filter(|(_, task)| task.runs() && task.agent_id == **agent);
            let tasks: Vec<_> = tasks.map(|(id, _)| id.clone()).collect();
            let why = format!("of agent {} {sum:?} is promised: offers {offers:?}, tasks {tasks:?}", tail(agent));
            self.complain(why);
        }
    }
}
