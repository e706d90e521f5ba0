//! Whose resources are, and what they are besides their names and amounts.

use std::fmt;

use prost::Message;

use crate::local::refusal::Invalid;
use crate::local::roles::{self, UNRESERVED};
use crate::proto::v1;
use crate::proto::v1::resource::reservation_info::Type as ReservationType;
use crate::proto::v1::resource::{AllocationInfo, DiskInfo, ReservationInfo, RevocableInfo, SharedInfo};

/// What sets resources of the same name apart: only those of one kind can be added up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kind {
    /// From the widest role to the narrowest.
    pub reservations: Vec<Reservation>,
    pub volume: Option<Volume>,
    pub revocable: bool,
    /// Tasks of several frameworks may use it at a time.
    pub shared: bool,
}

/// A persistent volume. It is the same one wherever in a container it is, and whoever has made it (`operator==` of
/// `DiskInfo` in `src/common/type_utils.cpp`).
#[derive(Debug, Clone)]
pub struct Volume(pub Box<DiskInfo>);

impl Volume {
    fn id(&self) -> Option<&str> {
        self.0.persistence.as_ref().map(|persistence| persistence.id.as_str())
    }
}

impl PartialEq for Volume {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for Volume {}

/// For whom resources are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    pub role: String,
    pub dynamic: bool,
    pub principal: Option<String>,
    pub labels: Option<Vec<u8>>,
}

/// How a framework wants resources written.
#[derive(Debug, Clone, Default)]
pub struct Format {
    /// With RESERVATION_REFINEMENT the old `role` field is absent.
    pub reservation_refinement: bool,
    /// With MULTI_ROLE resources say which role they are allocated to.
    pub allocated_to: Option<String>,
}

impl Kind {
    /// Whose a message says they are.
    ///
    /// Fails with the words of `Resources::validate`.
    #[allow(deprecated)]
    pub fn of(resource: &v1::Resource) -> Result<Self, Invalid> {
        if resource.provider_id.is_some() {
            return Err(Invalid::new("the embedded cluster has no resource providers"));
        }
        if resource.shared.is_some() && resource.disk.as_ref().is_none_or(|disk| disk.persistence.is_none()) {
            return Err(Invalid::new(format!("Resource {} cannot be shared", resource.name)));
        }
        if resource.disk.as_ref().is_some_and(|disk| disk.source.is_some()) {
            return Err(Invalid::new("the embedded cluster has no disk sources"));
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
        let volume = resource.disk.clone().map(Volume);
        let (revocable, shared) = (resource.revocable.is_some(), resource.shared.is_some());
        Ok(Self { reservations, volume, revocable, shared })
    }

    /// A message without a name and an amount.
    #[allow(deprecated)]
    pub fn base(&self, format: &Format) -> v1::Resource {
        let allocated = |role: String| AllocationInfo { role: Some(role) };
        let base = v1::Resource {
            disk: self.volume.clone().map(|volume| volume.0),
            revocable: self.revocable.then(RevocableInfo::default),
            shared: self.shared.then(SharedInfo::default),
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
        if let Some(volume) = &self.volume {
            let path = volume.0.volume.as_ref().map_or("", |v| &v.container_path);
            write!(f, "[{}:{path}]", volume.id().unwrap_or_default())?;
        }
        if self.revocable {
            f.write_str("{REV}")?;
        }
        if self.shared { f.write_str("<SHARED>") } else { Ok(()) }
    }
}
