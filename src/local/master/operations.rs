//! RESERVE, UNRESERVE, CREATE and DESTROY: the resources of an agent change their kind. An operation that cannot be
//! done is dropped, as the real master does for operations without an id. Follows `Master::_accept` and
//! `src/master/validation.cpp`.

use super::{Master, OfferRecord, Output};
use crate::local::messages::ToAgent;
use crate::local::refusal::Invalid;
use crate::local::resources::Resources;
use crate::proto::v1;
use crate::proto::v1::offer::{Operation, operation::Type};

/// What an operation takes and gives.
struct Conversion {
    before: Resources,
    after: Resources,
}

impl Master {
    /// Does an operation on what remains of an accepted offer.
    pub(super) fn operate(
        &mut self,
        framework_id: &str,
        offer: &OfferRecord,
        operation: &Operation,
        remaining: &mut Resources,
    ) {
        let kind = operation.r#type();
        match self.convert(framework_id, offer, operation, remaining) {
            Ok(conversion) => {
                for held in [Some(remaining), self.agents.get_mut(&offer.agent_id).map(|a| &mut a.total)] {
                    let held = held.expect("an agent that is offered is known");
                    held.subtract(&conversion.before);
                    held.add(&conversion.after);
                }
                let (before, after) = (&conversion.before, &conversion.after);
                self.allocator.convert_offered(framework_id, &offer.agent_id, &offer.role, before, after);
                if kind == Type::Destroy {
                    let message = ToAgent::DestroyVolumes { volumes: conversion.before.volumes() };
                    self.outputs.push_back(Output::Tell(offer.agent_id.clone(), message));
                }
            }
            Err(why) => tracing::warn!("Dropping {} of framework {framework_id}: {why}", kind.as_str_name()),
        }
    }

    fn convert(
        &self,
        framework_id: &str,
        offer: &OfferRecord,
        operation: &Operation,
        remaining: &Resources,
    ) -> Result<Conversion, Invalid> {
        let conversion = match operation.r#type() {
            Type::Reserve => self.reserve(framework_id, offer, operation)?,
            Type::Unreserve => {
                let before = resources(operation.unreserve.as_ref().map(|u| &u.resources))?;
                Invalid::unless(
                    before.can_be_unreserved(),
                    "only what is reserved dynamically and is no volume can be unreserved",
                )?;
                Conversion { after: before.without_reservation(), before }
            }
            Type::Create => {
                let after = resources(operation.create.as_ref().map(|c| &c.volumes))?;
                Invalid::unless(after.are_volumes(), "a persistent volume on reserved disk is needed")?;
                let known = self.agents.get(&offer.agent_id).map(|a| a.total.volumes()).unwrap_or_default();
                let twice =
                    after.volumes().iter().any(|(role, new)| known.iter().any(|(r, v)| r == role && same(v, new)));
                Invalid::unless(!twice, "a volume of this id is there already")?;
                Conversion { before: after.without_volumes(), after }
            }
            Type::Destroy => {
                let before = resources(operation.destroy.as_ref().map(|d| &d.volumes))?;
                Invalid::unless(before.are_volumes(), "only persistent volumes can be destroyed")?;
                Conversion { after: before.without_volumes(), before }
            }
            _ => return Err(Invalid::new("the embedded cluster has no such operation")),
        };
        Invalid::unless(remaining.contains(&conversion.before), "it needs more than what is offered")?;
        Ok(conversion)
    }

    fn reserve(&self, framework_id: &str, offer: &OfferRecord, operation: &Operation) -> Result<Conversion, Invalid> {
        let after = resources(operation.reserve.as_ref().map(|r| &r.resources))?;
        let principal = self.frameworks.get(framework_id).and_then(|f| f.info.principal.as_deref());
        let own = after.reserved_by(&offer.role, principal);
        Invalid::unless(
            own,
            "only the role of the offer and the framework's principal can be reserved for, and no volumes",
        )?;
        Ok(Conversion { before: after.without_reservation(), after })
    }
}

fn same(one: &v1::resource::DiskInfo, other: &v1::resource::DiskInfo) -> bool {
    one.persistence.as_ref().map(|p| &p.id) == other.persistence.as_ref().map(|p| &p.id)
}

fn resources(list: Option<&Vec<v1::Resource>>) -> Result<Resources, Invalid> {
    let list = list.filter(|list| !list.is_empty()).ok_or_else(|| Invalid::new("it names no resources"))?;
    Resources::from_proto(list)
}
