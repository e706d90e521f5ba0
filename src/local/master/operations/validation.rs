//! Which operations a master refuses, in its words, and what the others do to resources. Follows `operation::validate`
//! in `src/master/validation.cpp` and `getResourceConversions` in `src/common/resources_utils.cpp`.

use std::collections::BTreeSet;

use crate::local::master::{resource_rules, tasks};
use crate::local::refusal::Invalid;
use crate::local::resources::Resources;
use crate::proto::v1::framework_info::capability::Type as Capability;
use crate::proto::v1::offer::{Operation, operation};
use crate::proto::v1::{self, Resource};
use crate::proto::{self, has_capability};

type Checked<T = ()> = Result<T, Invalid>;

/// What an operation takes of an agent's resources and what it gives for it.
#[derive(Debug, Clone)]
pub struct Conversion {
    pub before: Resources,
    pub after: Resources,
}

/// Who asks for an operation.
#[derive(Debug, Clone, Copy)]
pub enum Origin<'a> {
    /// A framework, for resources that were offered to it in this role.
    Framework { info: &'a v1::FrameworkInfo, role: &'a str },
    /// An operator, for resources that are not allocated.
    Operator,
}

impl Origin<'_> {
    /// Resources as the master writes them to this origin.
    pub fn show(&self, resources: &Resources) -> String {
        match self.allocated_to() {
            Some(role) => resources.show_allocated(role),
            None => resources.to_string(),
        }
    }

    fn show_one(&self, resource: &Resource) -> Checked<String> {
        Ok(one(resource)?.show_resource(self.allocated_to()))
    }

    /// The role that a resource is allocated to; the offer's unless the framework names another.
    fn role_of<'r>(&'r self, resource: &'r Resource) -> Option<&'r str> {
        let named = resource.allocation_info.as_ref().and_then(|info| info.role.as_deref());
        named.or(self.allocated_to())
    }

    fn role(&self) -> &str {
        self.allocated_to().unwrap_or_default()
    }

    /// The role that its resources are allocated to, if they are.
    fn allocated_to(&self) -> Option<&str> {
        match self {
            Self::Framework { role, .. } => Some(role),
            Self::Operator => None,
        }
    }

    fn principal(&self) -> Option<&str> {
        match self {
            Self::Framework { info, .. } => info.principal.as_deref(),
            Self::Operator => None,
        }
    }
}

/// The agent that an operation is for.
#[derive(Debug)]
pub struct Place<'a> {
    /// All that it has.
    pub total: &'a Resources,
    /// What tasks and executors use.
    pub used: &'a Resources,
}

/// The resources that an operation names, each of which has to be valid (`validateAndUpgradeResources`).
pub fn structure(operation: &Operation) -> Checked {
    use operation::Type;
    let valid = resource_rules::structure;
    match operation.r#type() {
        Type::Reserve => operation.reserve.iter().try_for_each(|o| {
            valid(&o.source)?;
            valid(&o.resources)
        }),
        Type::Unreserve => operation.unreserve.iter().try_for_each(|o| valid(&o.resources)),
        Type::Create => operation.create.iter().try_for_each(|o| valid(&o.volumes)),
        Type::Destroy => operation.destroy.iter().try_for_each(|o| valid(&o.volumes)),
        Type::GrowVolume => operation.grow_volume.iter().try_for_each(|o| {
            valid(std::slice::from_ref(&o.volume))?;
            valid(std::slice::from_ref(&o.addition))
        }),
        Type::ShrinkVolume => operation.shrink_volume.iter().try_for_each(|o| valid(std::slice::from_ref(&o.volume))),
        Type::CreateDisk => operation.create_disk.iter().try_for_each(|o| valid(std::slice::from_ref(&o.source))),
        Type::DestroyDisk => operation.destroy_disk.iter().try_for_each(|o| valid(std::slice::from_ref(&o.source))),
        Type::Launch | Type::LaunchGroup | Type::Unknown => Ok(()),
    }
}

/// Allocates the resources of an operation to the role of the offer, unless they say otherwise
/// (`protobuf::injectAllocationInfo`).
pub fn allocate(operation: &mut Operation, role: &str) {
    let Operation { reserve, unreserve, create, destroy, grow_volume, shrink_volume, .. } = operation;
    let lists = reserve.iter_mut().map(|o| &mut o.resources[..]);
    let lists = lists.chain(unreserve.iter_mut().map(|o| &mut o.resources[..]));
    let lists = lists.chain(create.iter_mut().map(|o| &mut o.volumes[..]));
    let lists = lists.chain(destroy.iter_mut().map(|o| &mut o.volumes[..]));
    let lists = lists.chain(shrink_volume.iter_mut().map(|o| std::slice::from_mut(&mut o.volume)));
    lists.for_each(|list| tasks::allocate(list, role));
    if let Some(o) = grow_volume {
        tasks::allocate(std::slice::from_mut(&mut o.volume), role);
        tasks::allocate(std::slice::from_mut(&mut o.addition), role);
    }
}

/// What an operation does, one conversion after the other.
///
/// # Errors
///
/// Says why the operation is not valid, whether or not the resources for it are there.
pub fn conversions(operation: &Operation, origin: &Origin, place: &Place) -> Checked<Vec<Conversion>> {
    use operation::Type;
    let conversions = match operation.r#type() {
        Type::Reserve => operation.reserve.as_ref().map(|o| reserve(o, origin)),
        Type::Unreserve => operation.unreserve.as_ref().map(|o| unreserve(o, origin)),
        Type::Create => operation.create.as_ref().map(|o| create(o, origin, place)),
        Type::Destroy => operation.destroy.as_ref().map(|o| destroy(o, place)),
        Type::GrowVolume => operation.grow_volume.as_ref().map(|o| grow(o, origin)),
        Type::ShrinkVolume => operation.shrink_volume.as_ref().map(|o| shrink(o, origin)),
        Type::CreateDisk => Some(Err(Invalid::new("'source' is not managed by a resource provider"))),
        Type::DestroyDisk => Some(Err(Invalid::new("'source' is not managed by a resource provider"))),
        Type::Launch | Type::LaunchGroup | Type::Unknown => None,
    };
    conversions.unwrap_or_else(|| Ok(Vec::new()))
}

fn one(resource: &Resource) -> Checked<Resources> {
    Resources::from_proto(std::slice::from_ref(resource))
}

/// `resource::validate`, and `validateSingleResourceProvider`, which finds no provider if there are no resources.
fn valid(resources: &[Resource]) -> Checked {
    let nothing = "The resources have multiple resource providers: ";
    let checked = resource_rules::usable(resources).and_then(|()| Invalid::unless(!resources.is_empty(), nothing));
    checked.map_err(|why| Invalid::new(format!("Invalid resources: {why}")))
}

fn reserve(reserve: &operation::Reserve, origin: &Origin) -> Checked<Vec<Conversion>> {
    valid(&reserve.resources)?;
    let source = source_of(reserve)?;
    for resource in &reserve.resources {
        let (named, shown) = (one(resource)?, origin.show_one(resource)?);
        let reservation = named.reservation().filter(|reservation| reservation.dynamic);
        let reservation =
            reservation.ok_or_else(|| Invalid::new(format!("Resource {shown} is not dynamically reserved")))?;
        if let Some(principal) = origin.principal() {
            let own = reservation.principal.as_deref();
            let by = format!("A reserve operation was attempted by principal '{principal}', but there is a ");
            own.ok_or_else(|| Invalid::new(by + "reserved resource in the request with no principal set"))?;
            Invalid::unless(
                own == Some(principal),
                format!(
                    "A reserve operation was attempted by authenticated principal '{principal}', which does not match a \
                     reserved resource in the request with principal '{}'",
                    own.unwrap_or_default()
                ),
            )?;
        }
        let allocated = origin.role_of(resource);
        match origin {
            Origin::Framework { info, .. } => {
                let (allocated, reserved) = (allocated.unwrap_or_default(), &reservation.role);
                Invalid::unless(
                    allocated == reserved,
                    format!(
                        "A reserve operation was attempted for a resource with role '{reserved}', but the resource was \
                         allocated to role '{allocated}'"
                    ),
                )?;
                let roles = proto::roles(info);
                let all = format!("{{ {} }}", roles.join(", "));
                Invalid::unless(
                    roles.iter().any(|role| role == allocated),
                    format!(
                        "A reserve operation was attempted for a resource allocated to role '{allocated}', but the \
                         framework only has roles '{all}'"
                    ),
                )?;
            }
            Origin::Operator => Invalid::unless(
                allocated.is_none(),
                "A reserve operation was attempted with an allocated resource, but the operator API only allows \
                 reservations to be made to unallocated resources",
            )?,
        }
    }
    if matches!(origin, Origin::Framework { .. }) {
        let invalid = |why| Invalid::new(format!("Invalid reservation resources: {why}"));
        resource_rules::single_role(&reserve.resources, origin.role()).map_err(invalid)?;
    }
    let after = Resources::from_proto(&reserve.resources)?;
    let before = source.unwrap_or_else(|| after.without_reservation());
    Ok(vec![Conversion { before, after }])
}

/// The resources whose reservation is to be changed, if the operation does that.
fn source_of(reserve: &operation::Reserve) -> Checked<Option<Resources>> {
    if reserve.source.is_empty() {
        return Ok(None);
    }
    let invalid = |why| Invalid::new(format!("Invalid source: {why}"));
    valid(&reserve.source).map_err(invalid)?;
    let (source, target) = (Resources::from_proto(&reserve.source)?, Resources::from_proto(&reserve.resources)?);
    let (from, to) = (source.without_reservations(), target.without_reservations());
    Invalid::unless(
        from == to,
        format!("Source and target resources should refer to identical resource quantities: {from} vs. {to}"),
    )?;
    Ok(Some(source))
}

fn unreserve(unreserve: &operation::Unreserve, origin: &Origin) -> Checked<Vec<Conversion>> {
    valid(&unreserve.resources)?;
    for resource in &unreserve.resources {
        let shown = origin.show_one(resource)?;
        let named = one(resource)?;
        let dynamic = named.reservation().is_some_and(|reservation| reservation.dynamic);
        Invalid::unless(dynamic, format!("Resource {shown} is not dynamically reserved"))?;
        Invalid::unless(
            !is_volume(resource),
            format!(
                "A dynamically reserved persistent volume {shown} cannot be unreserved directly. Please destroy the \
                 persistent volume first then unreserve the resource"
            ),
        )?;
    }
    each(&unreserve.resources, |before| Conversion { after: before.without_reservation(), before })
}

fn create(create: &operation::Create, origin: &Origin, place: &Place) -> Checked<Vec<Conversion>> {
    valid(&create.volumes)?;
    volumes(&create.volumes, origin).map_err(|why| Invalid::new(format!("Not a persistent volume: {why}")))?;
    let known = place.total.volumes();
    let mut ids: BTreeSet<(String, String)> = known.into_iter().map(|(role, disk)| (role, id(&disk))).collect();
    for (role, disk) in Resources::from_proto(&create.volumes)?.volumes() {
        let id = id(&disk);
        Invalid::unless(ids.insert((role, id.clone())), format!("Persistence ID '{id}' is not unique"))?;
    }
    for volume in &create.volumes {
        if let Origin::Framework { info, .. } = origin
            && volume.shared.is_some()
            && !has_capability(info, Capability::SharedResources)
        {
            let (shown, id) = (origin.show_one(volume)?, info.id.clone().unwrap_or_default().value);
            return Err(Invalid::new(format!(
                "Create volume operation for '{shown}' has been attempted by framework '{id}' with no SHARED_RESOURCES \
                 capability"
            )));
        }
        if let Some(principal) = origin.principal() {
            let persistence = volume.disk.as_ref().and_then(|disk| disk.persistence.as_ref());
            let own = persistence.and_then(|persistence| persistence.principal.as_deref());
            let own = own.ok_or_else(|| {
                Invalid::new(format!(
                    "Create volume operation attempted by principal '{principal}', but there is a volume in the \
                     operation with no principal set in 'disk.persistence'"
                ))
            })?;
            Invalid::unless(
                own == principal,
                format!(
                    "Create volume operation attempted by authenticated principal '{principal}', which does not match a \
                     volume in the operation with principal '{own}' set in 'disk.persistence'"
                ),
            )?;
        }
    }
    if matches!(origin, Origin::Framework { .. }) {
        let invalid = |why| Invalid::new(format!("Invalid volume resources: {why}"));
        resource_rules::single_role(&create.volumes, origin.role()).map_err(invalid)?;
    }
    each(&create.volumes, |after| Conversion { before: after.without_volumes(), after })
}

fn destroy(destroy: &operation::Destroy, place: &Place) -> Checked<Vec<Conversion>> {
    valid(&destroy.volumes)?;
    volumes(&destroy.volumes, &Origin::Operator)
        .map_err(|why| Invalid::new(format!("Not a persistent volume: {why}")))?;
    for volume in &destroy.volumes {
        let volume = one(volume)?;
        Invalid::unless(place.total.contains(&volume), "Persistent volumes not found")?;
        Invalid::unless(!place.used.contains(&volume), "Persistent volumes in use")?;
    }
    each(&destroy.volumes, |before| Conversion { after: before.without_volumes(), before })
}

fn grow(grow: &operation::GrowVolume, origin: &Origin) -> Checked<Vec<Conversion>> {
    let (volume, addition) = (&grow.volume, &grow.addition);
    let field = |name: &'static str| {
        move |why| Invalid::new(format!("Invalid resource in the 'GrowVolume.{name}' field: {why}"))
    };
    let whole = one(volume).map_err(field("volume"))?;
    let added = one(addition).map_err(field("addition"))?;
    Invalid::unless(!added.is_empty(), "The size of 'GrowVolume.addition' field must be greater than zero")?;
    volumes(std::slice::from_ref(volume), origin)
        .map_err(|why| Invalid::new(format!("Invalid persistent volume in the 'GrowVolume.volume' field: {why}")))?;
    Invalid::unless(volume.shared.is_none(), "Growing a shared persistent volume is not supported")?;
    Invalid::unless(
        whole.without_volumes().is_as(&added),
        "Incompatible resources in the 'GrowVolume.volume' and 'GrowVolume.addition' fields",
    )?;
    let after = resized(volume, scalar(volume) + scalar(addition))?;
    let mut before = whole;
    before.add(&added);
    Ok(vec![Conversion { before, after }])
}

fn shrink(shrink: &operation::ShrinkVolume, origin: &Origin) -> Checked<Vec<Conversion>> {
    let volume = &shrink.volume;
    let invalid = |why| Invalid::new(format!("Invalid resource in the 'ShrinkVolume.volume' field: {why}"));
    let before = one(volume).map_err(invalid)?;
    let subtract = shrink.subtract.value;
    Invalid::unless(subtract > 0.0, "Value of 'ShrinkVolume.subtract' must be greater than zero")?;
    Invalid::unless(
        scalar(volume) > subtract,
        "Value of 'ShrinkVolume.subtract' must be smaller than the size of 'ShrinkVolume.volume'",
    )?;
    volumes(std::slice::from_ref(volume), origin)
        .map_err(|why| Invalid::new(format!("Invalid persistent volume in the 'ShrinkVolume.volume' field: {why}")))?;
    Invalid::unless(volume.shared.is_none(), "Shrinking a shared persistent volume is not supported")?;
    let mut after = resized(volume, scalar(volume) - subtract)?;
    after.add(&resized(volume, subtract)?.without_volumes());
    Ok(vec![Conversion { before, after }])
}

fn scalar(resource: &Resource) -> f64 {
    resource.scalar.as_ref().map(|scalar| scalar.value).unwrap_or_default()
}

fn resized(volume: &Resource, size: f64) -> Checked<Resources> {
    one(&Resource { scalar: Some(v1::value::Scalar { value: size }), ..volume.clone() })
}

fn each(resources: &[Resource], convert: impl Fn(Resources) -> Conversion) -> Checked<Vec<Conversion>> {
    resources.iter().map(|resource| one(resource).map(&convert)).collect()
}

fn id(disk: &v1::resource::DiskInfo) -> String {
    disk.persistence.as_ref().map(|persistence| persistence.id.clone()).unwrap_or_default()
}

fn is_volume(resource: &Resource) -> bool {
    resource.disk.as_ref().is_some_and(|disk| disk.persistence.is_some())
}

/// `validatePersistentVolume`.
fn volumes(resources: &[Resource], origin: &Origin) -> Checked {
    for resource in resources {
        let disk = resource.disk.as_ref();
        let shown = origin.show_one(resource)?;
        let disk = disk.ok_or_else(|| Invalid::new(format!("Resource {shown} does not have DiskInfo")))?;
        Invalid::unless(disk.persistence.is_some(), "'persistence' is not set in DiskInfo")?;
        let volume = disk.volume.as_ref();
        let volume = volume.ok_or_else(|| Invalid::new("Expecting 'volume' to be set for persistent volume"))?;
        Invalid::unless(volume.mode() != v1::volume::Mode::Ro, "Read-only persistent volume not supported")?;
    }
    Ok(())
}
