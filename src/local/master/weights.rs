//! Weights of roles. Follows `src/master/weights_handler.cpp`.

use super::Master;
use crate::local::refusal::Refusal;
use crate::local::roles;
use crate::proto::v1::WeightInfo;

const INVALID: &str = "Failed to validate update weights request JSON";

impl Master {
    /// The weights that were set.
    pub(super) fn weights(&self) -> Vec<WeightInfo> {
        let info = |(role, weight): (&String, &f64)| WeightInfo { role: Some(role.clone()), weight: *weight };
        self.weights.iter().map(info).collect()
    }

    /// Sets weights. If that concerns the role of a framework, rescinds all offers, so that new ones follow the weights.
    ///
    /// # Errors
    ///
    /// Refuses a role that is not valid or that there is not, and a weight that is not positive.
    pub(super) fn update_weights(&mut self, infos: &[WeightInfo]) -> Result<(), Refusal> {
        let weights = infos.iter().map(|info| (info.role().trim().to_owned(), info.weight)).collect::<Vec<_>>();
        for (role, weight) in &weights {
            let refused = |why: String| Err(Refusal::new(400, format!("{INVALID}{why}")));
            if let Err(why) = roles::validate(role) {
                return refused(format!(": Invalid role '{role}': {why}"));
            }
            if !self.has_role(role) {
                return refused(format!(": Unknown role '{role}'"));
            }
            if *weight <= 0.0 {
                return refused(format!(" for role '{role}': Invalid weight '{weight}': Weights must be positive"));
            }
        }
        let concerned = |(role, _): &(String, f64)| self.frameworks.values().any(|f| f.roles().contains(role));
        let rescind = weights.iter().any(concerned);
        for (role, weight) in weights {
            self.allocator.set_weight(&role, weight);
            self.weights.insert(role, weight);
        }
        if rescind {
            let newest_first: Vec<_> = self.offers.keys().rev().cloned().collect();
            newest_first.iter().for_each(|offer_id| self.rescind(offer_id));
        }
        Ok(())
    }
}
