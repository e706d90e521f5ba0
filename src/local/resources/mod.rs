//! Resources: how much of what, and whose they are. Follows `src/v1/resources.cpp`, also in their order, which frameworks
//! see in offers.

mod amount;
mod declared;
mod kind;

use std::collections::BTreeMap;
use std::fmt;

use self::amount::show_value;
use self::kind::{Kind, Reservation};
use super::refusal::Invalid;
use super::roles::{self, UNRESERVED};
use crate::proto::v1;
use crate::proto::v1::resource::DiskInfo;

pub use self::amount::Amount;
pub use self::declared::{Declared, Host};
pub use self::kind::Format;

/// Resources in the order in which they came: what is added takes the place of its like, or the last one; of two that are
/// one, the last fills the gap.
#[derive(Debug, Clone, Default)]
pub struct Resources {
    entries: Vec<Entry>,
}

/// All of one name and one kind.
#[derive(Debug, Clone, PartialEq)]
struct Entry {
    name: String,
    kind: Kind,
    amount: Amount,
    /// How often a shared volume is in here, whose amount is the same however many use it; otherwise 1.
    shares: u32,
}

impl Resources {
    /// Reads a list such as `cpus:8;mem:8192`; see [`Declared::parse`].
    pub fn parse(text: &str) -> crate::Result<Self> {
        Ok(Declared::parse(text)?.resources())
    }

    /// Takes the resources of a message.
    ///
    /// Fails with the words of the real master (`src/v1/resources.cpp`, `Resources::validate`).
    pub fn from_proto(list: &[v1::Resource]) -> Result<Self, Invalid> {
        let mut resources = Self::default();
        for resource in list {
            let shared = if resource.shared.is_some() { "<SHARED>" } else { "" };
            let invalid = |why: Invalid| {
                Invalid::new(format!("Resource '{}{shared}:{}' is invalid: {why}", resource.name, show_value(resource)))
            };
            resources.add_entry(&Entry::of(resource).map_err(invalid)?);
        }
        Ok(resources)
    }

    /// As messages, the way a framework wants them.
    pub fn to_proto(&self, format: &Format) -> Vec<v1::Resource> {
        let message =
            |entry: &Entry| entry.amount.fill(v1::Resource { name: entry.name.clone(), ..entry.kind.base(format) });
        self.entries.iter().map(message).collect()
    }

    /// The amount of a scalar, of whatever kind.
    pub fn scalar(&self, name: &str) -> f64 {
        self.scalars().filter(|(found, _)| *found == name).map(|(_, amount)| amount).sum()
    }

    /// The scalars of whatever kind; a name may come several times.
    pub fn scalars(&self) -> impl Iterator<Item = (&str, f64)> {
        self.entries.iter().filter_map(|entry| Some((entry.name.as_str(), entry.amount.scalar()?)))
    }

    /// How many numbers and items ranges and sets have; a name may come several times.
    pub fn counts(&self) -> impl Iterator<Item = (&str, f64)> {
        self.entries.iter().filter_map(|entry| Some((entry.name.as_str(), entry.amount.count()?)))
    }

    /// The amounts by name, whoever they belong to. What may be revoked has `_revocable` after its name, as in `/state`.
    pub fn by_name(&self) -> Vec<(String, Amount)> {
        let mut sums: Vec<(String, Amount)> = Vec::new();
        for entry in &self.entries {
            let name = format!("{}{}", entry.name, if entry.kind.revocable { "_revocable" } else { "" });
            match sums.iter_mut().find(|(known, amount)| *known == name && amount.is_like(&entry.amount)) {
                Some((_, amount)) => amount.add(&entry.amount),
                None => sums.push((name, entry.amount.clone())),
            }
        }
        sums
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether all of `other` is in here. A shared volume is in here as often as one likes.
    pub fn contains(&self, other: &Self) -> bool {
        let contained = |wanted: &Entry| {
            let enough = |entry: &Entry| entry.kind.shared || entry.amount.contains(&wanted.amount);
            self.entries.iter().any(|entry| entry.is_like(wanted) && enough(entry))
        };
        other.entries.iter().all(contained)
    }

    /// Adds all of `other`.
    pub fn add(&mut self, other: &Self) {
        other.entries.iter().for_each(|entry| self.add_entry(entry));
    }

    /// Takes away what of `other` is in here.
    pub fn subtract(&mut self, other: &Self) {
        other.entries.iter().for_each(|less| self.subtract_entry(less));
    }

    /// Takes away what of `other` only one task at a time can use: shared volumes stay for others.
    pub fn subtract_exclusive(&mut self, other: &Self) {
        other.entries.iter().filter(|less| !less.kind.shared).for_each(|less| self.subtract_entry(less));
    }

    fn subtract_entry(&mut self, less: &Entry) {
        if let Some(at) = self.entries.iter().position(|entry| entry.is_like(less)) {
            let entry = &mut self.entries[at];
            let is_gone = if entry.kind.shared {
                entry.shares = entry.shares.saturating_sub(less.shares);
                entry.shares == 0
            } else {
                entry.amount.subtract(&less.amount);
                entry.amount.is_empty()
            };
            if is_gone {
                self.entries.swap_remove(at);
            }
        }
    }

    /// What a framework in this role may be offered: what nobody reserved, and what is kept for it or a role above.
    pub fn available_to(&self, role: &str) -> Self {
        self.only(|kind| kind.reservations.last().is_none_or(|r| roles::covers(&r.role, role)))
    }

    /// The shared volumes.
    pub fn shared(&self) -> Self {
        self.only(|kind| kind.shared)
    }

    /// What of these is in `other` too, in whatever amount.
    pub fn also_in(&self, other: &Self) -> Self {
        self.only(|kind| other.kinds().any(|known| known == kind))
    }

    /// The innermost reservation of the first kind, which is that of all if these are of one resource.
    pub fn reservation(&self) -> Option<&Reservation> {
        self.kinds().next().and_then(|kind| kind.reservations.last())
    }

    /// What a framework understands: refined reservations, what may be revoked, and shared volumes only if it says so.
    pub fn understood_by(&self, refinement: bool, revocable: bool, shared: bool) -> Self {
        self.only(|kind| {
            (refinement || kind.reservations.len() <= 1) && (revocable || !kind.revocable) && (shared || !kind.shared)
        })
    }

    /// What is reserved.
    pub fn reserved(&self) -> Self {
        self.only(|kind| !kind.reservations.is_empty())
    }

    /// What is reserved for a role or one below it.
    pub fn reserved_below(&self, role: &str) -> Self {
        self.only(|kind| kind.reservations.last().is_some_and(|r| roles::covers(role, &r.role)))
    }

    /// What is not reserved.
    pub fn not_reserved(&self) -> Self {
        self.only(|kind| kind.reservations.is_empty())
    }

    /// What may not be revoked.
    pub fn not_revocable(&self) -> Self {
        self.only(|kind| !kind.revocable)
    }

    /// What may be revoked.
    pub fn revocable(&self) -> Self {
        self.only(|kind| kind.revocable)
    }

    /// What is reserved by role, the innermost one.
    pub fn reservations(&self) -> BTreeMap<String, Self> {
        let mut by_role: BTreeMap<String, Self> = BTreeMap::new();
        for entry in &self.entries {
            if let Some(innermost) = entry.kind.reservations.last() {
                by_role.entry(innermost.role.clone()).or_default().add_entry(entry);
            }
        }
        by_role
    }

    /// What counts towards a quota, and what does not: the scalars that are neither reserved nor revocable, and the rest.
    pub fn by_charge(&self) -> (Self, Self) {
        let is_charged = |entry: &Entry| {
            entry.kind.reservations.is_empty() && !entry.kind.revocable && entry.amount.scalar().is_some()
        };
        let (charged, rest) = self.entries.iter().cloned().partition(is_charged);
        (Self { entries: charged }, Self { entries: rest })
    }

    /// Each scalar cut down to at most the limit that is given by its name.
    pub fn cut(&self, limit: impl Fn(&str) -> Option<f64>) -> Self {
        let mut cut = Self::default();
        for entry in &self.entries {
            let mut entry = entry.clone();
            if let Some(limit) = limit(&entry.name) {
                entry.amount.cut(limit - cut.scalar(&entry.name));
            }
            cut.add_entry(&entry);
        }
        cut
    }

    /// These without their innermost reservation, as they were before RESERVE.
    pub fn without_reservation(&self) -> Self {
        self.changed(|kind| {
            kind.reservations.pop();
        })
    }

    /// These without any reservation.
    pub fn without_reservations(&self) -> Self {
        self.changed(|kind| kind.reservations.clear())
    }

    /// These as plain disk, as they were before CREATE.
    pub fn without_volumes(&self) -> Self {
        self.changed(|kind| {
            kind.volume = None;
            kind.shared = false;
        })
    }

    /// The persistent volumes: the role, and what the volume is.
    pub fn volumes(&self) -> Vec<(String, DiskInfo)> {
        let volume = |kind: &Kind| {
            let disk = kind.volume.as_ref()?.0.as_ref().clone();
            Some((kind.reservations.last().map_or(UNRESERVED, |r| &r.role).to_owned(), disk))
        };
        self.kinds().filter_map(volume).collect()
    }

    /// Whether these are of the same names and kinds as others, in whatever amounts.
    pub fn is_as(&self, other: &Self) -> bool {
        let within = |one: &Self, other: &Self| one.entries.iter().all(|e| other.entries.iter().any(|o| e.is_like(o)));
        within(self, other) && within(other, self)
    }

    /// Written as the master writes resources that are allocated to a role: `cpus(allocated: *):8; mem(allocated: *):1`.
    pub fn show_allocated(&self, role: &str) -> String {
        self.show(&format!("(allocated: {role})"), true)
    }

    /// Written as the master writes a single resource, allocated to a role if one is given: not with how often a shared
    /// volume is in here.
    pub fn show_resource(&self, role: Option<&str>) -> String {
        self.show(&role.map(|role| format!("(allocated: {role})")).unwrap_or_default(), false)
    }

    fn show(&self, allocated: &str, counted: bool) -> String {
        let shown = |entry: &Entry| {
            let shares = if entry.kind.shared && counted { format!("<{}>", entry.shares) } else { String::new() };
            format!("{}{allocated}{}:{}{shares}", entry.name, entry.kind, entry.amount)
        };
        self.entries.iter().map(shown).collect::<Vec<_>>().join("; ")
    }

    fn kinds(&self) -> impl Iterator<Item = &Kind> {
        self.entries.iter().map(|entry| &entry.kind)
    }

    fn only(&self, wanted: impl Fn(&Kind) -> bool) -> Self {
        Self { entries: self.entries.iter().filter(|entry| wanted(&entry.kind)).cloned().collect() }
    }

    fn changed(&self, change: impl Fn(&mut Kind)) -> Self {
        let mut changed = Self::default();
        for entry in &self.entries {
            let mut entry = entry.clone();
            change(&mut entry.kind);
            if !entry.kind.shared {
                entry.shares = 1;
            }
            changed.add_entry(&entry);
        }
        changed
    }

    fn add_entry(&mut self, more: &Entry) {
        if more.amount.is_empty() {
            return;
        }
        match self.entries.iter_mut().find(|entry| entry.is_like(more)) {
            Some(entry) if entry.kind.shared => entry.shares = entry.shares.saturating_add(more.shares),
            Some(entry) => entry.amount.add(&more.amount),
            None => self.entries.push(more.clone()),
        }
    }
}

impl Entry {
    fn of(resource: &v1::Resource) -> Result<Self, Invalid> {
        Invalid::unless(!resource.name.is_empty(), "Empty resource name")?;
        let amount = Amount::from_proto(resource)?;
        Ok(Self::new(&resource.name, Kind::of(resource)?, amount))
    }

    fn new(name: &str, kind: Kind, amount: Amount) -> Self {
        Self { name: name.to_owned(), kind, amount, shares: 1 }
    }

    fn is_like(&self, other: &Self) -> bool {
        // A volume is taken as a whole.
        let whole = self.kind.volume.is_none() || self.amount == other.amount;
        self.name == other.name && self.amount.is_like(&other.amount) && self.kind == other.kind && whole
    }
}

/// In whatever order.
impl PartialEq for Resources {
    fn eq(&self, other: &Self) -> bool {
        self.contains(other) && other.contains(self)
    }
}

impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.show("", true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::v1::resource::ReservationInfo;
    use crate::proto::v1::resource::disk_info::Persistence;
    use crate::proto::v1::resource::reservation_info::Type as ReservationType;
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
        let reservation = part.reservation().expect("it is reserved");
        assert_eq!((&*reservation.role, reservation.principal.as_deref()), ("a", Some("p")));
        assert_eq!(total.available_to("a/b").scalar("cpus"), 8.0);
        assert_eq!(total.available_to("ab").scalar("cpus"), 6.0);
        let mut freed = total.clone();
        freed.subtract(&part);
        freed.add(&part.without_reservation());
        assert_eq!(freed, parse("cpus:8;mem:1024"));
    }

    #[test]
    fn a_volume_is_the_same_one_wherever_a_task_wants_it() {
        let volume = |path: &str, principal: Option<&str>| {
            let persistence = Persistence { id: "p".into(), principal: principal.map(Into::into) };
            let mode = v1::volume::Mode::Rw.into();
            let volume = v1::Volume { mode, container_path: path.into(), ..Default::default() };
            let disk = DiskInfo { persistence: Some(persistence), volume: Some(volume), source: None };
            Resources::from_proto(&[v1::Resource {
                disk: Some(Box::new(disk)),
                ..parse("disk:8").to_proto(&Format::default()).remove(0)
            }])
            .expect("valid")
        };
        assert_eq!(volume("a", Some("principal")), volume("b", None));
        assert_eq!(volume("a", None).to_string(), "disk[p:a]:8");
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
    fn the_order_is_that_of_mesos() {
        let mut total = parse("cpus:8;mem:1024;disk:100;ports:[1-9]");
        total.subtract(&parse("mem:1;cpus:8"));
        assert_eq!(total.to_string(), "ports:[1-9]; mem:1023; disk:100", "the last one fills the gap");
        total.add(&parse("cpus:1;disk:1"));
        assert_eq!(total.to_string(), "ports:[1-9]; mem:1023; disk:101; cpus:1");
    }
}
