//! Operations that an operator asks for, on resources that are not allocated. Follows `Master::Http::_operation` and its
//! callers in `src/master/http.cpp`.

use std::time::Instant;

use super::validation::{self, Conversion, Origin, Place};
use crate::local::master::Master;
use crate::local::refusal::Refusal;
use crate::local::resources::Resources;
use crate::proto::v1;
use crate::proto::v1::master::call;
use crate::proto::v1::offer::{Operation, operation, operation::Type};

impl Master {
    /// RESERVE_RESOURCES.
    pub(in crate::local::master) fn reserve(&mut self, now: Instant, call: call::ReserveResources) -> Answer {
        let reserve = Some(operation::Reserve { source: call.source, resources: call.resources });
        self.operate_for_operator(now, &call.agent_id, Operation { reserve, ..of(Type::Reserve) })
    }

    /// UNRESERVE_RESOURCES.
    pub(in crate::local::master) fn unreserve(&mut self, now: Instant, call: call::UnreserveResources) -> Answer {
        let unreserve = Some(operation::Unreserve { resources: call.resources });
        self.operate_for_operator(now, &call.agent_id, Operation { unreserve, ..of(Type::Unreserve) })
    }

    /// CREATE_VOLUMES.
    pub(in crate::local::master) fn create_volumes(&mut self, now: Instant, call: call::CreateVolumes) -> Answer {
        let create = Some(operation::Create { volumes: call.volumes });
        self.operate_for_operator(now, &call.agent_id, Operation { create, ..of(Type::Create) })
    }

    /// DESTROY_VOLUMES.
    pub(in crate::local::master) fn destroy_volumes(&mut self, now: Instant, call: call::DestroyVolumes) -> Answer {
        let destroy = Some(operation::Destroy { volumes: call.volumes });
        self.operate_for_operator(now, &call.agent_id, Operation { destroy, ..of(Type::Destroy) })
    }

    /// GROW_VOLUME.
    pub(in crate::local::master) fn grow_volume(&mut self, now: Instant, call: call::GrowVolume) -> Answer {
        let grow_volume = Some(operation::GrowVolume { volume: call.volume, addition: call.addition });
        let agent_id = call.agent_id.unwrap_or_default();
        self.operate_for_operator(now, &agent_id, Operation { grow_volume, ..of(Type::GrowVolume) })
    }

    /// SHRINK_VOLUME.
    pub(in crate::local::master) fn shrink_volume(&mut self, now: Instant, call: call::ShrinkVolume) -> Answer {
        let shrink_volume = Some(operation::ShrinkVolume { volume: call.volume, subtract: call.subtract });
        let agent_id = call.agent_id.unwrap_or_default();
        self.operate_for_operator(now, &agent_id, Operation { shrink_volume, ..of(Type::ShrinkVolume) })
    }

    fn operate_for_operator(&mut self, now: Instant, agent_id: &v1::AgentId, operation: Operation) -> Answer {
        let agent_id = &agent_id.value;
        let kind = operation.r#type();
        let agent = self.agents.get(agent_id);
        let agent = agent.ok_or_else(|| Refusal::new(400, "No agent found with specified ID"))?;
        validation::structure(&operation).map_err(|why| Refusal::new(400, why.to_string()))?;
        let shown = self.show_agent(agent_id);
        let used = self.used(agent_id);
        let place = Place { total: &agent.total, used: &used };
        let conversions = validation::conversions(&operation, &Origin::Operator, &place).map_err(|why| {
            let silent = matches!(kind, Type::Unreserve | Type::Destroy);
            let place = if silent { String::new() } else { format!(" on agent {shown}") };
            Refusal::new(400, format!("Invalid {} operation{place}: {why}", kind.as_str_name()))
        })?;
        self.make_room(now, agent_id, &conversions);
        let mut available = self.allocator.available(agent_id);
        for Conversion { before, after } in &conversions {
            if !available.contains(before) {
                return Err(Refusal::new(409, format!("{available} does not contain {before}")));
            }
            available.subtract(before);
            available.add(after);
        }
        for conversion in &conversions {
            self.allocator.convert_total(agent_id, &conversion.before, &conversion.after);
            self.apply(agent_id, kind, std::slice::from_ref(conversion));
        }
        Ok(())
    }

    /// Rescinds offers until what operations take is not offered.
    fn make_room(&mut self, now: Instant, agent_id: &str, conversions: &[Conversion]) {
        let mut required = Resources::default();
        conversions.iter().for_each(|conversion| required.add(&conversion.before));
        let mut recovered = Resources::default();
        let here = self.offers.of_agent(agent_id);
        let offers: Vec<_> = here.map(|(id, offer)| (id.clone(), offer.clone())).collect();
        for (id, offer) in offers {
            let mut rest = required.clone();
            rest.subtract(&offer.resources);
            if rest == required {
                continue;
            }
            recovered.add(&offer.resources);
            required = rest;
            self.rescind(&id);
            // As the real master: the framework is not offered at once what was taken back from it.
            self.allocator.refuse(now, &offer.framework_id, agent_id, &offer.role, offer.resources, None);
            if conversions.iter().all(|conversion| recovered.contains(&conversion.before)) {
                return;
            }
        }
    }
}

type Answer = Result<(), Refusal>;

fn of(kind: Type) -> Operation {
    Operation { r#type: Some(kind.into()), ..Default::default() }
}
