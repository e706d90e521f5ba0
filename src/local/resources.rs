//! Resources: amounts, and whose they are. Follows `src/v1/resources.cpp`.

use std::collections::BTreeMap;
use std::fmt;

use prost::Message;

use super::amounts::{Amounts, show_value};
use super::roles::{self, UNRESERVED};
use crate::local::refusal::Invalid;
use crate::proto::v1;
use crate::proto::v1::resource::reservation_info::Type as ReservationType;
use crate::proto::v1::resource::{AllocationInfo, DiskInfo, ReservationInfo, RevocableInfo};
use crate::{Error, Result};

/// What sets resources of the same name apart: only those of one kind can be added up.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kind {
    /// From the widest role to the narrowest.
    reservations: Vec<Reservation>,
    /// A persistent volume, as its message.
    volume: Option<Vec<u8>>,
    revocable: bool,
}

/// For whom resources are kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Reservation {
    role: String,
    dynamic: bool,
    principal: Option<String>,
    labels: Option<Vec<u8>>,
}

/// Resources by kind.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resources {
    kinds: BTreeMap<Kind, Amounts>,
}

/// How a framework wants resources written.
#[derive(Debug, Clone, Default)]
pub struct Format {
    /// With RESERVATION_REFINEMENT the old `role` field is absent.
    pub reservation_refinement: bool,
    /// With MULTI_ROLE resources say which role they are allocated to.
    pub allocated_to: Option<String>,
}

impl Resources {
    /// Reads the form of `MESOS_RESOURCES`: `cpus:8;mem:8192;ports:[31000-32000];disks:{a,b}`.
    ///
    /// Fails, naming what was wrong, also for static reservations, which the embedded cluster does not have.
    pub fn parse(text: &str) -> Result<Self> {
        let mut amounts = Amounts::default();
        for item in text.split(';').map(str::trim).filter(|item| !item.is_empty()) {
            amounts.parse_item(item).map_err(|why| {
                Error::invalid(format!(
                    "'{text}' is not a valid list of resources: '{item}': {why}, as in cpus:8;mem:8192;ports:[31000-32000]"
                ))
            })?;
        }
        Ok(Self { kinds: BTreeMap::from([(Kind::default(), amounts)]) })
    }

    /// Takes the resources of a message.
    ///
    /// Fails with the words of the real master (`src/v1/resources.cpp`, `Resources::validate`).
    pub fn from_proto(list: &[v1::Resource]) -> std::result::Result<Self, Invalid> {
        let mut resources = Self::default();
        for resource in list {
            let shared = if resource.shared.is_some() { "<SHARED>" } else { "" };
            let invalid = |why: Invalid| {
                let (name, value) = (&resource.name, show_value(resource));
                Invalid::new(format!("Resource '{name}{shared}:{value}' is invalid: {why}"))
            };
            let amounts = resources.kinds.entry(Kind::of(resource).map_err(invalid)?).or_default();
            amounts.add_proto(resource).map_err(invalid)?;
        }
        resources.tidy();
        Ok(resources)
    }

    /// As messages, the way a framework wants them.
    pub fn to_proto(&self, format: &Format) -> Vec<v1::Resource> {
        self.kinds.iter().flat_map(|(kind, amounts)| amounts.to_proto(&kind.base(format))).collect()
    }

    /// The amount of a scalar, of whatever kind.
    pub fn scalar(&self, name: &str) -> f64 {
        self.kinds.values().map(|amounts| amounts.scalar(name)).sum()
    }

    /// The amounts of whatever kind.
    pub fn amounts(&self) -> Amounts {
        let mut all = Amounts::default();
        self.kinds.values().for_each(|amounts| all.add(amounts));
        all
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.kinds.values().all(Amounts::is_empty)
    }

    /// Whether all of `other` is in here.
    pub fn contains(&self, other: &Self) -> bool {
        let nothing = Amounts::default();
        other.kinds.iter().all(|(kind, amounts)| self.kinds.get(kind).unwrap_or(&nothing).contains(amounts))
    }

    /// Adds all of `other`.
    pub fn add(&mut self, other: &Self) {
        for (kind, amounts) in &other.kinds {
            self.kinds.entry(kind.clone()).or_default().add(amounts);
        }
    }

    /// Takes away what of `other` is in here.
    pub fn subtract(&mut self, other: &Self) {
        for (kind, amounts) in &other.kinds {
            if let Some(mine) = self.kinds.get_mut(kind) {
                mine.subtract(amounts);
            }
        }
        self.tidy();
    }

    /// What a framework in this role may be offered: what nobody reserved, and what is kept for it or a role above.
    pub fn available_to(&self, role: &str) -> Self {
        let kept_for = |kind: &Kind| {
            kind.reservations
                .last()
                .is_none_or(|r| role == r.role || role.strip_prefix(&r.role).is_some_and(|rest| rest.starts_with('/')))
        };
        self.only(kept_for)
    }

    /// These without their innermost reservation, as they were before RESERVE.
    pub fn without_reservation(&self) -> Self {
        self.changed(|kind| {
            kind.reservations.pop();
        })
    }

    /// These as plain disk, as they were before CREATE.
    pub fn without_volumes(&self) -> Self {
        self.changed(|kind| kind.volume = None)
    }

    /// Whether each is reserved dynamically for this role by this principal, and no volume.
    pub fn reserved_by(&self, role: &str, principal: Option<&str>) -> bool {
        self.kinds.keys().all(|kind| {
            let by = |r: &Reservation| r.dynamic && r.role == role && r.principal.as_deref() == principal;
            kind.volume.is_none() && kind.reservations.last().is_some_and(by)
        })
    }

    /// Whether each is reserved dynamically, and no volume.
    pub fn can_be_unreserved(&self) -> bool {
        self.kinds.keys().all(|kind| kind.volume.is_none() && kind.reservations.last().is_some_and(|r| r.dynamic))
    }

    /// The persistent volumes: the role, and what the volume is.
    pub fn volumes(&self) -> Vec<(String, DiskInfo)> {
        let volume = |kind: &Kind| {
            let disk = DiskInfo::decode(kind.volume.as_deref()?).ok()?;
            Some((kind.reservations.last().map_or(UNRESERVED, |r| &r.role).to_owned(), disk))
        };
        self.kinds.keys().filter_map(volume).collect()
    }

    /// Whether each is a persistent volume on reserved disk.
    pub fn are_volumes(&self) -> bool {
        self.kinds.keys().all(|kind| kind.volume.is_some() && !kind.reservations.is_empty())
    }

    /// What a task may not use, in the words of `resource::validate` in `src/master/validation.cpp`.
    pub fn validate_use(&self) -> std::result::Result<(), Invalid> {
        if self.scalar("gpus").fract() != 0.0 {
            return Err(Invalid::new("Invalid 'gpus' resource: The 'gpus' resource must be an unsigned integer"));
        }
        for kind in self.kinds.keys() {
            let disk = kind.volume.as_deref().map(DiskInfo::decode).and_then(std::result::Result::ok);
            match disk {
                Some(disk) if disk.persistence.is_none() => {
                    return Err(Invalid::new("Invalid DiskInfo: Non-persistent volume not supported"));
                }
                Some(_) if kind.reservations.is_empty() => {
                    let why = "Persistent volumes cannot be created from unreserved resources";
                    return Err(Invalid::new(format!("Invalid DiskInfo: {why}")));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Written as the master writes resources that are allocated to a role: `cpus(allocated: *):8; mem(allocated: *):1`.
    pub fn show_allocated(&self, role: &str) -> String {
        self.show(&format!("(allocated: {role})"))
    }

    fn show(&self, allocated: &str) -> String {
        let entries = self.kinds.iter().flat_map(|(kind, amounts)| amounts.shown().map(move |shown| (kind, shown)));
        let shown = entries.map(|(kind, (name, value))| format!("{name}{allocated}{kind}:{value}"));
        shown.collect::<Vec<_>>().join("; ")
    }

    fn only(&self, wanted: impl Fn(&Kind) -> bool) -> Self {
        let kinds = self.kinds.iter().filter(|(kind, _)| wanted(kind));
        Self { kinds: kinds.map(|(kind, amounts)| (kind.clone(), amounts.clone())).collect() }
    }

    fn changed(&self, change: impl Fn(&mut Kind)) -> Self {
        let mut changed = Self::default();
        for (kind, amounts) in &self.kinds {
            let mut kind = kind.clone();
            change(&mut kind);
            changed.kinds.entry(kind).or_default().add(amounts);
        }
        changed
    }

    fn tidy(&mut self) {
        self.kinds.retain(|_, amounts| !amounts.is_empty());
    }
}

impl Kind {
    #[allow(deprecated)]
    fn of(resource: &v1::Resource) -> std::result::Result<Self, Invalid> {
        if resource.provider_id.is_some() {
            return Err(Invalid::new("the embedded cluster has no resource providers"));
        }
        if resource.shared.is_some() && resource.disk.as_ref().is_none_or(|disk| disk.persistence.is_none()) {
            return Err(Invalid::new(format!("Resource {} cannot be shared", resource.name)));
        }
        if resource.shared.is_some() || resource.disk.as_ref().is_some_and(|disk| disk.source.is_some()) {
            return Err(Invalid::new("the embedded cluster has no shared volumes and no disk sources"));
        }
        let reservations = if resource.reservations.is_empty() {
            Reservation::before_refinement(resource)
        } else {
            resource.reservations.iter().map(Reservation::of).collect()
        };
        reservations.iter().try_for_each(|r| roles::validate(&r.role))?;
        if reservations.iter().any(|r| r.role == UNRESERVED) {
            return Err(Invalid::new("Invalid reservation: role \"*\" cannot be reserved"));
        }
        let volume = resource.disk.as_ref().map(Message::encode_to_vec);
        Ok(Self { reservations, volume, revocable: resource.revocable.is_some() })
    }

    #[allow(deprecated)]
    fn base(&self, format: &Format) -> v1::Resource {
        let allocated = |role: String| AllocationInfo { role: Some(role) };
        let base = v1::Resource {
            disk: self.volume.as_deref().and_then(|volume| DiskInfo::decode(volume).ok()),
            revocable: self.revocable.then(RevocableInfo::default),
            allocation_info: format.allocated_to.clone().map(allocated),
            ..Default::default()
        };
        if format.reservation_refinement {
            return v1::Resource { reservations: self.reservations.iter().map(Reservation::info).collect(), ..base };
        }
        let innermost = self.reservations.last();
        let role = Some(innermost.map_or(UNRESERVED, |r| &r.role).to_owned());
        let old = |r: &Reservation| ReservationInfo { r#type: None, role: None, ..r.info() };
        v1::Resource { role, reservation: innermost.filter(|r| r.dynamic).map(old), ..base }
    }
}

impl Reservation {
    fn of(info: &ReservationInfo) -> Self {
        Self {
            role: info.role().to_owned(),
            dynamic: info.r#type() == ReservationType::Dynamic,
            principal: info.principal.clone(),
            labels: info.labels.as_ref().map(Message::encode_to_vec),
        }
    }

    /// As the fields `role` and `reservation` said it.
    #[allow(deprecated)]
    fn before_refinement(resource: &v1::Resource) -> Vec<Self> {
        let role = resource.role().to_owned();
        match &resource.reservation {
            Some(info) => vec![Self { role, dynamic: true, ..Self::of(info) }],
            None if role == UNRESERVED || role.is_empty() => Vec::new(),
            None => vec![Self { role, dynamic: false, principal: None, labels: None }],
        }
    }

    fn info(&self) -> ReservationInfo {
        let kind = if self.dynamic { ReservationType::Dynamic } else { ReservationType::Static };
        ReservationInfo {
            r#type: Some(kind.into()),
            role: Some(self.role.clone()),
            principal: self.principal.clone(),
            labels: self.labels.as_deref().and_then(|labels| v1::Labels::decode(labels).ok()),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reservation = |r: &Reservation| {
            let kind = if r.dynamic { "DYNAMIC" } else { "STATIC" };
            let principal = r.principal.as_ref().map(|p| format!(",{p}")).unwrap_or_default();
            format!("({kind},{}{principal})", r.role)
        };
        if !self.reservations.is_empty() {
            let shown = self.reservations.iter().map(reservation).collect::<Vec<_>>();
            write!(f, "(reservations: [{}])", shown.join(","))?;
        }
        if let Some(disk) = self.volume.as_deref().and_then(|volume| DiskInfo::decode(volume).ok()) {
            let id = disk.persistence.map(|p| p.id).unwrap_or_default();
            write!(f, "[{id}:{}]", disk.volume.map(|v| v.container_path).unwrap_or_default())?;
        }
        if self.revocable { f.write_str("{REV}") } else { Ok(()) }
    }
}

impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.show(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::v1::value;

    fn parse(text: &str) -> Resources {
        Resources::parse(text).expect(text)
    }

    #[test]
    fn sums_and_differences_come_back_to_where_they_began() {
        let total = parse("cpus:8;mem:1024;ports:[31000-32000];disks:{a,b}");
        let part = parse("cpus:0.1;mem:10;ports:[31000-31009,31500-31500];disks:{a}");
        assert!(total.contains(&part) && !part.contains(&total));
        let mut rest = total.clone();
        rest.subtract(&part);
        assert_eq!(rest.to_string(), "cpus:7.9; mem:1014; ports:[31010-31499, 31501-32000]; disks:{b}");
        assert!(!rest.contains(&part));
        rest.add(&part);
        assert_eq!(rest, total);
        rest.subtract(&total);
        assert!(rest.is_empty());
    }

    #[test]
    fn messages_carry_the_same_amounts() {
        let total = parse("cpus:8;ports:[1-2,4-5];disks:{a}");
        let messages = total.to_proto(&Format::default());
        assert_eq!(Resources::from_proto(&messages).expect("valid"), total);
        let mut negative = messages;
        negative[0].scalar = Some(value::Scalar { value: -1.0 });
        let why = Resources::from_proto(&negative).expect_err("negative");
        assert_eq!(why.to_string(), "Resource 'cpus:-1' is invalid: Invalid scalar resource: value <= 0");
    }

    #[test]
    fn kinds_do_not_mix_and_come_back_unreserved() {
        let reserved = |cpus: f64| {
            let resource = v1::Resource {
                name: "cpus".into(),
                r#type: value::Type::Scalar.into(),
                scalar: Some(value::Scalar { value: cpus }),
                reservations: vec![ReservationInfo {
                    r#type: Some(ReservationType::Dynamic.into()),
                    role: Some("a".into()),
                    principal: Some("p".into()),
                    labels: None,
                }],
                ..Default::default()
            };
            Resources::from_proto(&[resource]).expect("valid")
        };
        let mut total = parse("cpus:8;mem:1024");
        let part = reserved(2.0);
        assert!(!total.contains(&part), "nothing is reserved yet");
        total.subtract(&part.without_reservation());
        total.add(&part);
        assert_eq!(total.to_string(), "cpus:6; mem:1024; cpus(reservations: [(DYNAMIC,a,p)]):2");
        assert!(part.reserved_by("a", Some("p")) && !part.reserved_by("a", None) && !part.reserved_by("b", Some("p")));
        assert_eq!(total.available_to("a/b").scalar("cpus"), 8.0);
        assert_eq!(total.available_to("ab").scalar("cpus"), 6.0);
        let mut freed = total.clone();
        freed.subtract(&part);
        freed.add(&part.without_reservation());
        assert_eq!(freed, parse("cpus:8;mem:1024"));
    }

    #[test]
    fn sums_too_large_for_64_bits_are_more_than_anyone_has() {
        let mem = v1::Resource {
            name: "mem".into(),
            r#type: value::Type::Scalar.into(),
            scalar: Some(value::Scalar { value: 1e12 }),
            ..Default::default()
        };
        let total = parse("mem:1000000000000");
        for times in [2, 9_222, 9_223, 9_224, 9_300, 18_447] {
            let wanted = Resources::from_proto(&vec![mem.clone(); times]).expect("each is valid");
            assert!(!total.contains(&wanted), "{times}");
            let mut doubled = wanted.clone();
            doubled.add(&wanted);
            assert!(!total.contains(&doubled), "{times}");
            doubled.subtract(&wanted);
            doubled.subtract(&wanted);
            assert!(doubled.is_empty(), "{times}");
        }
    }

    #[test]
    fn ranges_may_reach_the_last_number() {
        let all = format!("ports:[0-{}]", u64::MAX);
        let total = parse(&all);
        for part in [format!("[0-0,{0}-{0}]", u64::MAX), format!("[1-{}]", u64::MAX), all[6..].to_owned()] {
            let part = parse(&format!("ports:{part}"));
            assert!(total.contains(&part));
            let mut rest = total.clone();
            rest.subtract(&part);
            assert!(!rest.contains(&part));
            rest.add(&part);
            rest.add(&part);
            assert_eq!(rest, total);
        }
        assert!(!parse(&format!("ports:[0-{}]", u64::MAX - 1)).contains(&total));
    }

    #[test]
    fn rubbish_is_named() {
        let twice = "mem:1000000000000;mem:1";
        for bad in ["cpus", "cpus:x", "ports:[2-1]", "cpus(role):2", ":1", "cpus:-1", "cpus:inf", "mem:1e300", twice] {
            let error = Resources::parse(bad).expect_err(bad);
            assert!(error.to_string().contains(bad), "{error}");
        }
    }
}
