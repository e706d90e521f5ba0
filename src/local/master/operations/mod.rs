//! RESERVE, UNRESERVE, CREATE, DESTROY, GROW_VOLUME and SHRINK_VOLUME: the resources of an agent change their kind.
//! Follows `Master::_accept` and `Master::_apply`.

mod feedback;
mod operator;
mod validation;

use self::validation::{Conversion, Origin, Place};
use super::{Master, OfferRecord, Output};
use crate::local::messages::ToAgent;
use crate::local::refusal::Invalid;
use crate::local::resources::Resources;
use crate::proto::v1::offer::{Operation, operation::Type};

/// What is left of accepted offers.
#[derive(Debug, Default)]
pub struct Remaining {
    /// For further operations of the same ACCEPT.
    pub resources: Resources,
    /// What became of volumes that were resized, for later offers only.
    resized: Resources,
    /// The shared volumes that tasks of this ACCEPT use.
    shared: Resources,
}

impl Remaining {
    /// Takes out what a task or an executor uses. Returns the shared volumes that another one of this ACCEPT uses too.
    pub fn take(&mut self, resources: &Resources) -> Resources {
        self.resources.subtract_exclusive(resources);
        let shared = resources.shared();
        let again = shared.also_in(&self.shared);
        self.shared.add(&shared);
        again
    }

    /// What operations made, which is free without more ado, and what of the offered resources is declined.
    pub fn settle(self, offered: &Resources) -> (Resources, Resources) {
        let Self { mut resources, resized, shared } = self;
        resources.subtract(&shared);
        let mut converted = resources.clone();
        converted.add(&resized);
        converted.subtract(offered);
        resources.subtract(&converted);
        (converted, resources)
    }
}

impl Master {
    /// Does an operation on what remains of an accepted offer. One that is not valid is dropped.
    pub(super) fn operate(
        &mut self,
        framework_id: &str,
        offer: &OfferRecord,
        mut operation: Operation,
        remaining: &mut Remaining,
    ) {
        if let Err(why) = structure(&operation) {
            return self.drop_operation(framework_id, &operation, &why);
        }
        validation::allocate(&mut operation, &offer.role);
        match self.convert(framework_id, offer, &operation, remaining) {
            Ok(conversions) => {
                self.rescind_destroyed(&offer.agent_id, operation.r#type(), &conversions);
                for Conversion { before, after } in &conversions {
                    self.allocator.convert_offered(framework_id, &offer.agent_id, &offer.role, before, after);
                }
                if let Some(framework) = self.frameworks.get_mut(framework_id) {
                    framework.tally.operation(operation.r#type(), 1);
                }
                self.apply(&offer.agent_id, operation.r#type(), &conversions);
                self.record(framework_id, &offer.agent_id, operation);
            }
            Err(why) => self.drop_operation(framework_id, &operation, &why),
        }
    }

    fn convert(
        &self,
        framework_id: &str,
        offer: &OfferRecord,
        operation: &Operation,
        remaining: &mut Remaining,
    ) -> Result<Vec<Conversion>, Invalid> {
        let (Some(framework), Some(agent)) = (self.frameworks.get(framework_id), self.agents.get(&offer.agent_id))
        else {
            return Err(Invalid::new("the framework or the agent is gone"));
        };
        let used = self.used(&offer.agent_id);
        let origin = Origin::Framework { info: &framework.info, role: &offer.role };
        let place = Place { total: &agent.total, used: &used };
        let conversions = validation::conversions(operation, &origin, &place)
            .map_err(|why| Invalid::new(format!("{why}; on agent {}", self.show_agent(&offer.agent_id))))?;
        let resize = matches!(operation.r#type(), Type::GrowVolume | Type::ShrinkVolume);
        let mut left = remaining.resources.clone();
        for Conversion { before, after } in &conversions {
            let (has, needs) = (origin.show(&left), origin.show(before));
            let name = operation.r#type().as_str_name();
            let prefix = if resize { format!("Invalid {name} operation: ") } else { String::new() };
            Invalid::unless(left.contains(before), format!("{prefix}{has} does not contain {needs}"))?;
            left.subtract(before);
            if resize {
                remaining.resized.add(after);
            } else {
                left.add(after);
            }
        }
        remaining.resources = left;
        Ok(conversions)
    }

    /// An agent as the master writes it in errors.
    fn show_agent(&self, agent_id: &str) -> String {
        let Some(agent) = self.agents.get(agent_id) else { return agent_id.to_owned() };
        format!("{agent_id} at {}@{} ({})", agent.path, self.config.address, agent.info.hostname)
    }

    /// Another framework may have been offered a shared volume that is to be destroyed.
    fn rescind_destroyed(&mut self, agent_id: &str, kind: Type, conversions: &[Conversion]) {
        if kind != Type::Destroy {
            return;
        }
        let holds = |resources: &Resources| conversions.iter().any(|c| resources.contains(&c.before));
        let offers = self.offers.of_agent(agent_id).filter(|(_, offer)| holds(&offer.resources));
        for id in offers.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            self.rescind(&id);
        }
    }

    /// Changes what the agent has.
    fn apply(&mut self, agent_id: &str, kind: Type, conversions: &[Conversion]) {
        let Some(agent) = self.agents.get_mut(agent_id) else { return };
        self.counters.count_operation(kind);
        for Conversion { before, after } in conversions {
            agent.total.subtract(before);
            agent.total.add(after);
        }
        let checkpoint = ToAgent::Checkpoint { total: Box::new(agent.total.clone()) };
        self.outputs.push_back(Output::Tell(agent_id.to_owned(), checkpoint));
        if kind == Type::Destroy {
            let volumes = conversions.iter().flat_map(|conversion| conversion.before.volumes()).collect();
            self.outputs.push_back(Output::Tell(agent_id.to_owned(), ToAgent::DestroyVolumes { volumes }));
        }
    }
}

fn structure(operation: &Operation) -> Result<(), Invalid> {
    let updates = operation.reserve.as_ref().is_some_and(|reserve| !reserve.source.is_empty());
    let why = "Reservation updates are not yet implemented for the scheduler API.";
    let checked = validation::structure(operation).and_then(|()| Invalid::unless(!updates, why));
    checked.map_err(|why| Invalid::new(format!("Operation attempted with invalid resources: {why}")))
}
