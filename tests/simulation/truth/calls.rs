//! Calls: they keep the order in which the framework made them, none is repeated that must not be, and an update is
//! acknowledged after its callback has returned.

use std::collections::{BTreeMap, BTreeSet};

use remesos::proto::v1::scheduler::Call;
use remesos::proto::v1::scheduler::call::Type;

use super::said::{launched, short};
use super::{Client, Truth};

/// The calls of one driver.
#[derive(Default)]
pub struct Calls {
    /// When each was made: the first is 0. One that was made twice has no place.
    places: BTreeMap<String, Option<usize>>,
    made: usize,
    /// The last of those that have arrived, and on which connection each arrived last.
    last: Option<usize>,
    arrived: BTreeSet<usize>,
    last_on: BTreeMap<u32, usize>,
    /// The updates that may be acknowledged.
    returned: BTreeSet<Vec<u8>>,
}

/// What tells a call from the others of a framework; `None` if nothing does.
pub fn token(call: &Call) -> Option<String> {
    let text = match call.r#type() {
        Type::Accept => {
            let accept = call.accept.as_ref()?;
            let task = launched(&accept.operations).next().map(|task| task.task_id.value.clone());
            task.or_else(|| accept.offer_ids.first().map(|id| id.value.clone()))?
        }
        Type::Decline => call.decline.as_ref()?.offer_ids.first()?.value.clone(),
        Type::Kill => call.kill.as_ref()?.task_id.value.clone(),
        Type::Message => String::from_utf8_lossy(&call.message.as_ref()?.data).into_owned(),
        Type::Reconcile => call.reconcile.as_ref()?.tasks.first()?.task_id.value.clone(),
        _ => return None,
    };
    Some(format!("{} {text}", call.r#type().as_str_name()))
}

impl Truth {
    /// A framework makes a call.
    pub fn calls(&mut self, client: Client, call: &Call) {
        let Some(token) = token(call) else { return };
        let calls = &mut self.process(client).calls;
        let made = calls.made;
        calls.made += 1;
        calls.places.entry(token).and_modify(|place| *place = None).or_insert(Some(made));
        // A driver may decline what an ACCEPT of which it got no answer was to use: that is not the framework's DECLINE.
        for id in call.accept.iter().flat_map(|accept| &accept.offer_ids) {
            calls.places.insert(format!("{} {}", Type::Decline.as_str_name(), id.value), None);
        }
    }

    /// The callback of an update has returned, or the framework acknowledges it itself.
    pub fn may_acknowledge(&mut self, client: Client, uuid: &[u8]) {
        self.process(client).calls.returned.insert(uuid.to_vec());
    }

    pub(super) fn call_sent(&mut self, client: Client, call: &Call) {
        if let Some(subscribe) = &call.subscribe {
            let process = self.process(client);
            process.has_subscribed = true;
            process.failover_timeout = subscribe.framework_info.failover_timeout();
        }
        if let Some(acknowledge) = &call.acknowledge
            && !self.process(client).calls.returned.contains(&acknowledge.uuid)
        {
            let (task, uuid) = (&acknowledge.task_id.value, short(&acknowledge.uuid));
            let name = self.name(client);
            self.complain(format!("{name} acknowledges {uuid} of {task}, whose callback has not returned"));
        }
    }

    pub(super) fn call_arrived(&mut self, client: Client, link: u32, call: &Call) {
        let late = self.link(client, link).client_left;
        let Some(token) = token(call) else { return };
        let calls = &mut self.process(client).calls;
        let Some(place) = calls.places.get(&token).copied().flatten() else { return };
        let first = calls.arrived.insert(place);
        let before = calls.last_on.insert(link, place);
        let last = calls.last;
        calls.last = calls.last.max(Some(place));
        if before.is_some_and(|before| before >= place) && !(late || repeats(call)) {
            self.complain(format!("{token} comes after a later call on its connection"));
        }
        if first && !late && last.is_some_and(|last| last > place) {
            self.complain(format!("{token} comes after a later call"));
        }
        if !first && matches!(call.r#type(), Type::Accept | Type::Message) {
            self.complain(format!("{token} comes twice"));
        }
    }
}

/// Whether a call may follow itself on a connection: what takes an ACCEPT's place is made of other calls.
fn repeats(call: &Call) -> bool {
    matches!(call.r#type(), Type::Reconcile | Type::Decline)
}
