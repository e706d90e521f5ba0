//! What roles are promised and allowed. Follows `src/master/quota.cpp` and `src/master/quota_handler.cpp`.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Master;
use crate::local::allocator::{Limits, Quantities, Quota};
use crate::local::refusal::{Invalid, Refusal};
use crate::local::resources::Resources;
use crate::local::roles;
use crate::proto::v1::master::call;
use crate::proto::v1::quota::{QuotaConfig, QuotaInfo, QuotaRequest, QuotaStatus};
use crate::proto::v1::{Resource, value};

const EXABYTE: f64 = (1_u64 << 40) as f64;
const TRILLION: f64 = 1e12;

type Amounts = HashMap<String, value::Scalar>;

impl Master {
    /// The quotas that were set.
    #[allow(deprecated)]
    pub(super) fn quota_status(&self) -> QuotaStatus {
        QuotaStatus {
            infos: self.quotas.iter().map(|(role, quota)| info(role, quota)).collect(),
            configs: self.quotas.iter().map(|(role, quota)| config(role, quota)).collect(),
        }
    }

    /// UPDATE_QUOTA: sets quotas, all or none.
    ///
    /// # Errors
    ///
    /// Refuses quotas that are not valid and, unless it is forced, limits below what is used and guarantees above what
    /// there is.
    pub(super) fn update_quota(&mut self, update: &call::UpdateQuota) -> Result<(), Refusal> {
        let refused = |why: String| Refusal::new(400, why);
        let mut quotas = Vec::new();
        for config in &update.quota_configs {
            let role = &config.role;
            if !self.has_role(role) {
                return Err(refused(format!("Invalid QuotaConfig: '{role}' is not on the roles whitelist")));
            }
            if role.contains('/') {
                return Err(refused(format!("Updating quota on nested role '{role}' is not supported yet")));
            }
            let quota = validate(config).map_err(|why| refused(format!("Invalid QuotaConfig: {why}")))?;
            quotas.push((role.clone(), quota));
        }
        let forced = update.force();
        for (role, quota) in quotas.iter().filter(|_| !forced) {
            let (consumed, limits) = (self.allocator.consumed_quota(role), &quota.limits);
            if !limits.contains(&consumed) {
                return Err(refused(format!(
                    "Invalid QuotaConfig: Role '{role}' is already consuming '{consumed}'; this is more than the \
                     requested limits '{limits}' (use 'force' flag to bypass this check)"
                )));
            }
        }
        self.check_commitment(&quotas).or_else(|why| if forced { Ok(()) } else { Err(why) }).map_err(|why| {
            refused(format!(
                "Invalid QuotaConfig: total quota guarantees {why} (use 'force' flag to bypass this check)"
            ))
        })?;
        for (role, quota) in &quotas {
            self.set(role, quota.clone());
        }
        quotas.iter().for_each(|(role, quota)| self.rescind_for_quota(role, quota));
        Ok(())
    }

    /// SET_QUOTA: a guarantee that is a limit, too, for a role that has none.
    ///
    /// # Errors
    ///
    /// Refuses a quota that is not valid and, unless it is forced, one that with the others guarantees more than there is.
    pub(super) fn set_quota(&mut self, request: &QuotaRequest) -> Result<(), Refusal> {
        let refused = |why: String| Refusal::new(400, why);
        let invalid = |why: String| refused(format!("Failed to validate set quota request: {why}"));
        let role = request.role();
        let guarantee = Resources::from_proto(&request.guarantee)
            .map_err(|why| invalid(format!("QuotaInfo with invalid resource: {why}")))?;
        validate_request(request).map_err(|why| invalid(why.to_string()))?;
        if !self.has_role(role) {
            return Err(invalid(format!("Unknown role '{role}'")));
        }
        if self.quotas.contains_key(role) {
            return Err(invalid(format!("Cannot set quota for role '{role}' which already has quota")));
        }
        let guarantees = Quantities::of(&guarantee);
        self.check_parent(role, &guarantees).map_err(|why| invalid(why.to_string()))?;
        if role.contains('/') {
            return Err(refused(format!("Setting quota on nested role '{role}' is not supported yet")));
        }
        let amounts = request.guarantee.iter().filter_map(|resource| Some((&*resource.name, resource.scalar?.value)));
        let quota = Quota { guarantees: guarantees.clone(), limits: Limits::new(amounts) };
        let committed = self.check_commitment(&[(role.to_owned(), quota.clone())]);
        committed.or_else(|why| if request.force() { Ok(()) } else { Err(why) }).map_err(|why| {
            let why = format!("Total quota guarantees {why}");
            Refusal::new(
                409,
                format!("Quota guarantees overcommit the cluster (use 'force' to bypass this check): {why}"),
            )
        })?;
        self.set(role, quota);
        self.rescind_for_guarantee(role, &guarantees);
        Ok(())
    }

    /// REMOVE_QUOTA: a role has no quota from now on.
    ///
    /// # Errors
    ///
    /// Refuses a role that has none.
    pub(super) fn remove_quota(&mut self, role: &str) -> Result<(), Refusal> {
        self.remove_quota_for(role, "")
    }

    /// `/quota/ROLE`: as `remove_quota`, with other words.
    ///
    /// # Errors
    ///
    /// Refuses a role that there is not or that has no quota.
    pub fn remove_quota_of_path(&mut self, role: &str) -> Result<(), Refusal> {
        let path = format!(" for path '/master/quota/{role}'");
        if !self.has_role(role) {
            let why = format!("Failed to validate remove quota request{path}: Unknown role '{role}'");
            return Err(Refusal::new(400, why));
        }
        self.remove_quota_for(role, &path)
    }

    fn remove_quota_for(&mut self, role: &str, request: &str) -> Result<(), Refusal> {
        if self.quotas.remove(role).is_none() {
            let why = format!("Failed to remove quota{request}: Role '{role}' has no quota set");
            return Err(Refusal::new(400, why));
        }
        self.allocator.set_quota(role, Quota::default());
        Ok(())
    }

    fn set(&mut self, role: &str, quota: Quota) {
        self.allocator.set_quota(role, quota.clone());
        self.quotas.insert(role.to_owned(), quota);
    }

    /// Whether the role above has what is guaranteed to this one. No role below another has a quota yet.
    fn check_parent(&self, role: &str, guarantees: &Quantities) -> Result<(), Invalid> {
        let Some((parent, _)) = role.rsplit_once('/') else {
            return Ok(());
        };
        let name = parent.rsplit('/').next().unwrap_or_default();
        let own = self.quotas.get(parent).map(|quota| quota.guarantees.clone()).unwrap_or_default();
        let why = format!(
            "Invalid quota configuration. Parent role '{name}' with guarantees ({own}) does not contain the sum of its \
             children's guarantees ({guarantees})"
        );
        Invalid::unless(own.contains(guarantees), why)
    }

    /// Whether the agents have what is guaranteed to all roles; fails with both.
    fn check_commitment(&self, changed: &[(String, Quota)]) -> Result<(), Invalid> {
        let mut quotas: BTreeMap<&str, &Quota> = self.quotas.iter().map(|(role, q)| (role.as_str(), q)).collect();
        quotas.extend(changed.iter().map(|(role, quota)| (role.as_str(), quota)));
        let (mut guarantees, mut capacity) = (Quantities::default(), Quantities::default());
        quotas.values().for_each(|quota| guarantees.add(&quota.guarantees));
        self.agents.values().for_each(|agent| capacity.add(&Quantities::of(&agent.total.not_revocable())));
        let why = format!("'{guarantees}' exceed cluster capacity '{capacity}'");
        Invalid::unless(capacity.contains(&guarantees), why)
    }

    /// Rescinds offers until the role is within its limits, and until others leave it what it is guaranteed.
    fn rescind_for_quota(&mut self, role: &str, quota: &Quota) {
        let mut held = self.allocator.consumed_quota(role);
        for offer in self.offers.values().filter(|offer| roles::covers(role, &offer.role)) {
            held.add(&Quantities::of_all(&offer.resources));
        }
        let (own, others): (Vec<_>, Vec<_>) =
            self.offers.keys().rev().cloned().partition(|id| roles::covers(role, &self.offers[id].role));
        for offer_id in own {
            if quota.limits.contains(&held) {
                break;
            }
            held.subtract(&Quantities::of_all(&self.offers[&offer_id].resources));
            self.rescind(&offer_id);
        }
        for offer_id in others {
            if held.contains(&quota.guarantees) {
                break;
            }
            held.add(&Quantities::of_all(&self.offers[&offer_id].resources));
            self.rescind(&offer_id);
        }
    }

    /// Rescinds all offers of one agent after another, until that gives what is guaranteed, and an agent to each of the
    /// role's frameworks.
    fn rescind_for_guarantee(&mut self, role: &str, guarantee: &Quantities) {
        let in_role = |f: &&super::Framework| f.connection.is_some() && f.roles().iter().any(|r| r == role);
        let frameworks = self.frameworks.values().filter(in_role).count();
        let agents: BTreeSet<String> = self.offers.values().map(|offer| offer.agent_id.clone()).collect();
        let mut rescinded = Quantities::default();
        for (visited, agent_id) in agents.iter().rev().enumerate() {
            if rescinded.contains(guarantee) && visited >= frameworks {
                break;
            }
            let offers = self.offers.of_agent(agent_id).map(|(_, offer)| offer);
            offers.for_each(|offer| rescinded.add(&Quantities::of(&offer.resources)));
            self.rescind_offers_of(agent_id);
        }
    }
}

/// `quota::validate` in `src/master/quota.cpp`.
fn validate(config: &QuotaConfig) -> Result<Quota, Invalid> {
    roles::validate(&config.role).map_err(|why| Invalid::new(format!("Invalid 'QuotaConfig.role': {why}")))?;
    let (guarantees, limits) = (sorted(&config.guarantees), sorted(&config.limits));
    for (amounts, field) in [(&guarantees, "guarantees"), (&limits, "limits")] {
        let large = amounts.iter().find_map(|(name, amount)| too_large(name, *amount));
        if let Some(why) = large {
            return Err(Invalid::new(format!("Invalid 'QuotaConfig.{field}': {why}")));
        }
    }
    for (amounts, kind) in [(&guarantees, "guarantee"), (&limits, "limit")] {
        for (name, amount) in amounts {
            if let Some(why) = unsupported(*amount) {
                return Err(Invalid::new(format!("Invalid {kind} configuration {{'{name}': {amount}}}: {why}")));
            }
        }
    }
    let quota = Quota { guarantees: Quantities::new(guarantees.clone()), limits: Limits::new(limits.clone()) };
    let show = |amounts: &[(&str, f64)]| {
        let shown = amounts.iter().map(|(name, amount)| format!("{name}: {amount}")).collect::<Vec<_>>();
        format!("{{ {} }}", shown.join(", "))
    };
    let why = format!(
        "'QuotaConfig.guarantees' {} is not contained within the 'QuotaConfig.limits' {}",
        show(&guarantees),
        show(&limits)
    );
    Invalid::unless(quota.limits.contains(&quota.guarantees), why)?;
    Ok(quota)
}

fn sorted(amounts: &Amounts) -> Vec<(&str, f64)> {
    let mut sorted: Vec<_> = amounts.iter().map(|(name, amount)| (name.as_str(), amount.value)).collect();
    sorted.sort_by_key(|(name, _)| *name);
    sorted
}

fn too_large(name: &str, amount: f64) -> Option<String> {
    let (most, shown) = match name {
        "mem" | "disk" => (EXABYTE, format!("1 exabyte ({EXABYTE})")),
        _ => (TRILLION, format!("1 trillion ({TRILLION})")),
    };
    (amount > most).then(|| format!("{{'{name}': {amount}}} is invalid: values greater than {shown} are not supported"))
}

/// `common::validation::validateInputScalarValue`.
fn unsupported(amount: f64) -> Option<&'static str> {
    match amount {
        _ if amount.is_infinite() => Some("Infinite values not supported"),
        _ if amount.is_nan() => Some("NaN not supported"),
        _ if amount.is_subnormal() => Some("Subnormal values not supported"),
        _ if amount < 0.0 => Some("Negative values not supported"),
        _ => None,
    }
}

/// `quota::validation::quotaInfo` in `src/master/quota.cpp`.
fn validate_request(request: &QuotaRequest) -> Result<(), Invalid> {
    let role = roles::validate(request.role());
    role.map_err(|why| Invalid::new(format!("QuotaInfo with invalid role: {why}")))?;
    Invalid::unless(!request.guarantee.is_empty(), "QuotaInfo with empty 'guarantee'")?;
    let mut names = BTreeSet::new();
    for resource in &request.guarantee {
        let not = |present: bool, what: &str| Invalid::unless(!present, format!("QuotaInfo must not {what}"));
        not(is_reserved(resource), "contain any ReservationInfo")?;
        not(resource.disk.is_some(), "contain DiskInfo")?;
        not(resource.revocable.is_some(), "contain RevocableInfo")?;
        not(resource.r#type() != value::Type::Scalar, "include non-scalar resources")?;
        let name = &resource.name;
        Invalid::unless(names.insert(name), format!("QuotaInfo contains duplicate resource name '{name}'"))?;
    }
    Ok(())
}

#[allow(deprecated)]
fn is_reserved(resource: &Resource) -> bool {
    let unreserved = matches!(resource.role(), "" | roles::UNRESERVED);
    !resource.reservations.is_empty() || resource.reservation.is_some() || !unreserved
}

fn info(role: &str, quota: &Quota) -> QuotaInfo {
    let resource = |(name, value): (&str, f64)| Resource {
        name: name.to_owned(),
        r#type: value::Type::Scalar.into(),
        scalar: Some(value::Scalar { value }),
        ..Default::default()
    };
    let guarantee = quota.guarantees.iter().map(resource).collect();
    QuotaInfo { role: Some(role.to_owned()), principal: None, guarantee }
}

fn config(role: &str, quota: &Quota) -> QuotaConfig {
    let scalar = |(name, value): (&str, f64)| (name.to_owned(), value::Scalar { value });
    QuotaConfig {
        role: role.to_owned(),
        guarantees: quota.guarantees.iter().map(scalar).collect(),
        limits: quota.limits.iter().map(scalar).collect(),
    }
}
