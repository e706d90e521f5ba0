//! The allocator alone, in virtual time.

use std::time::Duration;

use super::quantities::Limits;
use super::*;
use crate::proto::v1::framework_info::Capability;
use crate::proto::v1::framework_info::capability::Type;

const SECOND: Duration = Duration::from_secs(1);

struct World {
    allocator: Allocator,
    now: Instant,
}

fn parse(text: &str) -> Resources {
    Resources::parse(text).expect(text)
}

fn quantities(text: &str) -> Quantities {
    Quantities::of(&parse(text))
}

fn limits(text: &str) -> Limits {
    let items = text.split(';').filter_map(|item| item.split_once(':'));
    Limits::new(items.map(|(name, limit)| (name, limit.parse().expect(text))))
}

/// With agents `S0`, `S1`, ...
fn world(agents: &[&str]) -> World {
    let options = Options {
        interval: SECOND.into(),
        on_recovery: false,
        min_allocatable: vec![quantities("cpus:0.01"), quantities("mem:32")],
        weights: BTreeMap::new(),
        filter_gpus: true,
        domain: Some(domain("home")),
    };
    let mut world = World { allocator: Allocator::new(options, 7), now: Instant::now() };
    for (index, total) in agents.iter().enumerate() {
        world.allocator.add_agent(world.now, &format!("S{index}"), v1::AgentInfo::default(), parse(total));
    }
    world
}

fn domain(region: &str) -> v1::DomainInfo {
    use v1::domain_info::FaultDomain;
    use v1::domain_info::fault_domain::{RegionInfo, ZoneInfo};
    let (region, zone) = (RegionInfo { name: region.into() }, ZoneInfo { name: "z".into() });
    v1::DomainInfo { fault_domain: Some(FaultDomain { region, zone }) }
}

fn info(roles: &[&str], capabilities: &[Type]) -> v1::FrameworkInfo {
    let all = capabilities.iter().chain(&[Type::MultiRole]);
    v1::FrameworkInfo {
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        capabilities: all.map(|kind| Capability { r#type: Some((*kind).into()) }).collect(),
        ..Default::default()
    }
}

impl World {
    fn add(&mut self, id: &str, role: &str) {
        self.allocator.add_framework(self.now, id, &info(&[role], &[]), FrameworkOptions::default());
    }

    fn add_with(&mut self, id: &str, roles: &[&str], capabilities: &[Type]) {
        self.allocator.add_framework(self.now, id, &info(roles, capabilities), FrameworkOptions::default());
    }

    /// The offers made now, written as `framework role agent resources`, sorted.
    fn offers(&mut self) -> Vec<String> {
        let show = |a: &Allocation| format!("{} {} {} {}", a.framework_id, a.role, a.agent_id, a.resources);
        let mut offers: Vec<_> = self.allocator.allocate(self.now).iter().map(show).collect();
        offers.sort_unstable();
        offers
    }

    fn next_batch(&mut self) -> Vec<String> {
        self.now += SECOND;
        self.offers()
    }

    /// Makes the offers of the next batch, gives all of them back unused, and counts them by framework.
    fn batch_declined(&mut self, counts: &mut BTreeMap<String, u32>) {
        self.now += SECOND;
        for offer in self.allocator.allocate(self.now) {
            *counts.entry(offer.framework_id.clone()).or_default() += 1;
            self.give_back(&offer);
        }
    }

    fn give_back(&mut self, offer: &Allocation) {
        let Allocation { framework_id, role, agent_id, resources } = offer;
        self.allocator.recover(framework_id, agent_id, role, resources, Was::Offered);
    }

    /// Of the next offers of this framework this much is used, and the rest is given back.
    fn take(&mut self, id: &str, used: &str) {
        let used = parse(used);
        for offer in self.allocator.allocate(self.now) {
            if offer.framework_id != id {
                self.give_back(&offer);
                continue;
            }
            let Allocation { framework_id, role, agent_id, resources } = &offer;
            self.allocator.use_offered(framework_id, agent_id, role, &used);
            let mut rest = resources.clone();
            rest.subtract(&used);
            self.allocator.recover(framework_id, agent_id, role, &rest, Was::Offered);
        }
    }

    fn set_quota(&mut self, role: &str, guarantees: &str, most: &str) {
        let quota = Quota { guarantees: quantities(guarantees), limits: limits(most) };
        self.allocator.set_quota(role, quota);
    }
}

#[test]
fn who_was_offered_something_less_often_is_served_first() {
    let mut world = world(&["cpus:4;mem:400"; 2]);
    for id in ["a", "b", "c"] {
        world.add(id, "*");
    }
    let mut counts = BTreeMap::new();
    for _ in 0..12 {
        world.batch_declined(&mut counts);
    }
    assert_eq!(counts.values().copied().collect::<Vec<_>>(), [8, 8, 8]);
}

#[test]
fn the_lowest_dominant_share_is_served_first() {
    let mut world = world(&["cpus:10;mem:1000", "cpus:10;mem:1000"]);
    world.add("a", "a");
    world.take("a", "cpus:1;mem:300");
    world.add("b", "b");
    world.take("b", "cpus:2;mem:100");
    assert!(world.allocator.clients.contains_key("a"));
    let mut counts = BTreeMap::new();
    world.now += SECOND;
    let offers = world.allocator.allocate(world.now);
    offers.iter().for_each(|offer| *counts.entry(offer.framework_id.as_str()).or_insert(0) += 1);
    assert_eq!(offers[0].framework_id, "b", "a holds 30 % of the memory, b 20 % of the processors");
}

#[test]
fn what_a_suppressed_framework_holds_counts_for_its_role() {
    let mut world = world(&["cpus:10;mem:1000"]);
    world.add("idle", "a");
    world.take("idle", "cpus:4;mem:10");
    world.allocator.suppress("idle", &[]);
    world.add("a", "a");
    world.add("b", "b");
    world.take("b", "cpus:2;mem:10");
    assert_eq!(
        world.next_batch(),
        ["b b S0 cpus:4; mem:980"],
        "role b has the lower share, though framework a has none"
    );
}

#[test]
fn shares_are_hierarchical() {
    let mut world = world(&["cpus:12;mem:1200"]);
    world.add("x", "a/x");
    world.take("x", "cpus:2;mem:1");
    world.add("y", "a/y");
    world.take("y", "cpus:2;mem:1");
    world.add("b", "b");
    world.take("b", "cpus:3;mem:1");
    // Alone x and y have less than b, together they have more.
    assert_eq!(world.next_batch(), ["b b S0 cpus:5; mem:1197"]);
}

#[test]
fn weights_divide_shares() {
    let mut world = world(&["cpus:10;mem:1000"]);
    world.allocator.set_weight("a", 4.0);
    world.add("a", "a");
    world.take("a", "cpus:4;mem:1");
    world.add("b", "b");
    world.take("b", "cpus:2;mem:1");
    assert_eq!(world.next_batch(), ["a a S0 cpus:4; mem:998"], "0.4 / 4 is less than 0.2");
}

#[test]
fn guarantees_are_met_first() {
    let mut world = world(&["cpus:4;mem:400", "cpus:4;mem:400"]);
    world.set_quota("prod", "cpus:6;mem:600", "");
    world.add("dev", "dev");
    assert_eq!(world.offers().len(), 1, "what is left besides the guarantee");
    let mut counts = BTreeMap::new();
    world.add("prod", "prod");
    world.batch_declined(&mut counts);
    assert!(counts["prod"] >= 1);
}

#[test]
fn what_is_guaranteed_is_kept_back() {
    let mut world = world(&["cpus:4;mem:400"]);
    world.set_quota("prod", "cpus:3;mem:300", "");
    world.add("dev", "dev");
    assert_eq!(world.offers(), ["dev dev S0 cpus:1; mem:100"]);
    world.add("prod", "prod");
    assert_eq!(world.offers(), ["prod prod S0 cpus:3; mem:300"]);
}

#[test]
fn no_role_is_offered_more_than_its_limit() {
    let mut world = world(&["cpus:4;mem:400;ports:[1-10]", "cpus:4;mem:400"]);
    world.set_quota("dev", "", "cpus:5");
    world.add("dev", "dev");
    let offered: f64 = world.allocator.allocate(world.now).iter().map(|offer| offer.resources.scalar("cpus")).sum();
    assert_eq!(offered, 5.0);
    assert_eq!(world.next_batch(), [""; 0]);
}

#[test]
fn a_role_without_cpus_left_gets_the_rest_of_an_agent() {
    let mut world = world(&["cpus:4;mem:400;ports:[1-10]"]);
    world.set_quota("dev", "", "cpus:0");
    world.add("dev", "dev");
    assert_eq!(world.offers(), ["dev dev S0 ports:[1-10]; mem:400"]);
}

#[test]
fn suppressed_roles_are_offered_nothing_until_they_are_revived() {
    let mut world = world(&["cpus:4;mem:400"]);
    let options = FrameworkOptions { suppressed: BTreeSet::from(["a".to_owned()]), ..Default::default() };
    world.allocator.add_framework(world.now, "f", &info(&["a", "b"], &[]), options);
    assert_eq!(world.offers(), ["f b S0 cpus:4; mem:400"]);
    world.allocator.suppress("f", &[]);
    assert_eq!(world.allocator.poll_timeout(), None, "no one wants offers");
    world.allocator.revive(world.now, "f", &["a".to_owned()]);
    assert_eq!(world.offers(), [""; 0], "all is offered in role b");
    world.allocator.recover("f", "S0", "b", &parse("cpus:4;mem:400"), Was::Offered);
    assert_eq!(world.next_batch(), ["f a S0 cpus:4; mem:400"]);
}

#[test]
fn agents_with_gpus_are_for_those_who_know_of_them() {
    let mut world = world(&["cpus:4;mem:400;gpus:1"]);
    world.add("a", "*");
    assert_eq!(world.offers(), [""; 0]);
    world.add_with("b", &["*"], &[Type::GpuResources]);
    assert_eq!(world.offers(), ["b * S0 cpus:4; mem:400; gpus:1"]);
}

#[test]
fn agents_in_other_regions_are_for_those_who_know_of_them() {
    let mut world = world(&[]);
    for (id, region) in [("S0", "home"), ("S1", "away")] {
        let info = v1::AgentInfo { domain: Some(domain(region)), ..Default::default() };
        world.allocator.add_agent(world.now, id, info, parse("cpus:4;mem:400"));
    }
    world.add("a", "*");
    assert_eq!(world.offers(), ["a * S0 cpus:4; mem:400"]);
    world.add_with("b", &["*"], &[Type::RegionAware]);
    assert_eq!(world.offers(), ["b * S1 cpus:4; mem:400"]);
}

#[test]
fn revocable_and_refined_resources_are_for_those_who_know_of_them() {
    use v1::resource::{ReservationInfo, RevocableInfo, reservation_info};
    let reservation = |role: &str| ReservationInfo {
        r#type: Some(reservation_info::Type::Dynamic.into()),
        role: Some(role.into()),
        ..Default::default()
    };
    let of = |cpus: &str| parse(cpus).to_proto(&crate::local::resources::Format::default()).remove(0);
    let revocable = v1::Resource { revocable: Some(RevocableInfo::default()), ..of("cpus:1") };
    let refined = v1::Resource { reservations: vec![reservation("a"), reservation("a/b")], ..of("cpus:2") };
    let total = Resources::from_proto(&[of("cpus:4"), revocable, refined]).expect("valid");
    let mut world = world(&[]);
    world.allocator.add_agent(world.now, "S0", v1::AgentInfo::default(), total);
    world.add("f", "a/b");
    let offered = |world: &mut World| {
        let offers = world.allocator.allocate(world.now);
        offers.iter().map(|offer| offer.resources.scalar("cpus")).collect::<Vec<_>>()
    };
    assert_eq!(offered(&mut world), [4.0]);
    world.add_with("g", &["a/b"], &[Type::RevocableResources]);
    assert_eq!(offered(&mut world), [1.0]);
    world.add_with("h", &["a/b"], &[Type::ReservationRefinement]);
    assert_eq!(offered(&mut world), [2.0]);
}

#[test]
fn what_is_too_small_is_not_offered() {
    let mut world = world(&["cpus:0.005;mem:31", "mem:32"]);
    world.add("a", "*");
    assert_eq!(world.offers(), ["a * S1 mem:32"]);
    let mut own = info(&["*"], &[]);
    own.offer_filters.insert(
        "*".into(),
        v1::OfferFilters {
            min_allocatable_resources: Some(v1::offer_filters::MinAllocatableResources {
                quantities: vec![v1::offer_filters::ResourceQuantities {
                    quantities: [("mem".to_owned(), v1::value::Scalar { value: 1.0 })].into(),
                }],
            }),
        },
    );
    world.allocator.add_framework(world.now, "b", &own, FrameworkOptions::default());
    assert_eq!(world.offers(), ["b * S0 cpus:0.005; mem:31"]);
}

#[test]
fn inactive_agents_and_frameworks_are_left_out() {
    let mut world = world(&["cpus:4;mem:400", "cpus:2;mem:200"]);
    world.allocator.set_agent_active("S0", false);
    world.add("a", "*");
    assert_eq!(world.offers(), ["a * S1 cpus:2; mem:200"]);
    world.allocator.deactivate_framework("a");
    world.allocator.recover("a", "S1", "*", &parse("cpus:2;mem:200"), Was::Offered);
    world.allocator.set_agent_active("S0", true);
    assert_eq!(world.next_batch(), [""; 0]);
    world.allocator.activate_framework(world.now, "a");
    assert_eq!(world.offers().len(), 2);
}

#[test]
fn what_a_task_gives_back_is_offered_at_once_only_if_that_is_chosen() {
    for chosen in [false, true] {
        let mut world = world(&["cpus:4;mem:400", "cpus:4;mem:400"]);
        world.allocator.options.on_recovery = chosen;
        world.add("f", "*");
        world.take("f", "cpus:4;mem:400");
        world.now += SECOND / 10;
        world.allocator.recover("f", "S1", "*", &parse("cpus:1;mem:100"), Was::Used);
        world.allocator.given_back(world.now, "S1");
        assert_eq!(world.offers(), [""; 0]);
        world.now += MOMENT.get();
        let expected: &[&str] = if chosen { &["f * S1 cpus:1; mem:100"] } else { &[] };
        let due = world.allocator.poll_timeout().is_some_and(|due| due <= world.now);
        assert_eq!((due, world.offers()), (chosen, expected.iter().map(|&text| text.to_owned()).collect()));
        assert_eq!(world.offers(), [""; 0], "what is declined after that waits for the next batch");
    }
}

#[test]
fn what_is_refused_is_offered_to_others() {
    let mut world = world(&["cpus:4;mem:400"]);
    world.add("a", "*");
    world.add("b", "*");
    let offer = world.allocator.allocate(world.now).remove(0);
    world.give_back(&offer);
    let resources = offer.resources.clone();
    world.allocator.refuse(world.now, &offer.framework_id, "S0", "*", resources, Some(60.0));
    world.now += SECOND;
    let other = world.allocator.allocate(world.now).remove(0);
    assert_ne!(other.framework_id, offer.framework_id);
    world.give_back(&other);
    world.allocator.revive(world.now, &offer.framework_id, &[]);
    assert_eq!(world.offers().len(), 1);
}

#[test]
fn a_framework_counts_for_a_role_that_it_left_as_long_as_it_holds_something_in_it() {
    let mut world = world(&["cpus:4;mem:400"]);
    world.add("f", "a");
    world.take("f", "cpus:1;mem:100");
    world.allocator.update_framework(world.now, "f", &info(&["b"], &[]), FrameworkOptions::default());
    assert!(world.allocator.clients.contains_key("a"));
    world.allocator.recover("f", "S0", "a", &parse("cpus:1;mem:100"), Was::Used);
    assert!(!world.allocator.clients.contains_key("a"));
    assert_eq!(world.next_batch(), ["f b S0 cpus:4; mem:400"]);
}

#[test]
fn sums_come_back_to_where_they_began() {
    let mut world = world(&["cpus:4;mem:400", "cpus:4;mem:400"]);
    world.set_quota("a", "cpus:1", "cpus:8");
    world.add("f", "a");
    world.take("f", "cpus:1;mem:100");
    assert_eq!(world.allocator.used("S0"), parse("cpus:1;mem:100"));
    assert_eq!(world.allocator.consumed_quota("a"), quantities("cpus:2;mem:200"));
    world.allocator.remove_agent("S1");
    assert_eq!(world.allocator.consumed_quota("a"), quantities("cpus:1;mem:100"));
    world.allocator.remove_framework("f");
    assert!(world.allocator.consumed_quota("a").is_empty());
    assert!(world.allocator.ledger.held("a").is_empty());
    assert!(world.allocator.roles.allocated_to_all().is_empty());
    assert!(world.allocator.clients.is_empty());
    assert_eq!(world.allocator.agents["S0"].available, parse("cpus:4;mem:400"));
}

/// What was offered or is used, for a check of the sums.
#[derive(Default)]
struct Holdings(Vec<(Allocation, Was)>);

impl Holdings {
    fn sum(&self, wanted: impl Fn(&Allocation) -> bool) -> Resources {
        let mut sum = Resources::default();
        self.0.iter().filter(|(held, _)| wanted(held)).for_each(|(held, _)| sum.add(&held.resources));
        sum
    }

    fn check(&self, allocator: &Allocator) {
        for (id, agent) in &allocator.agents {
            let mut free = agent.total.clone();
            free.subtract(&self.sum(|held| held.agent_id == **id));
            assert_eq!(Quantities::of(&agent.available), Quantities::of(&free));
        }
        assert_eq!(allocator.roles.allocated_to_all(), &Quantities::of(&self.sum(|_| true)));
        let wanting = allocator.frameworks.iter().filter(|(_, framework)| framework.wants_offers());
        assert!(wanting.map(|(id, _)| id).eq(&allocator.wanting));
        let maintained = allocator.agents.iter().filter(|(_, agent)| agent.maintenance.is_some());
        assert!(maintained.map(|(id, _)| id).eq(&allocator.maintained));
        for role in ["a", "a/x", "b"] {
            let held = self.sum(|held| roles::covers(role, &held.role));
            assert_eq!(allocator.ledger.held(role), Quantities::of(&held), "{role}");
        }
    }
}

#[test]
fn sums_stay_right_whatever_happens() {
    let mut random = fastrand::Rng::with_seed(7);
    let mut world = world(&["cpus:8;mem:800"; 3]);
    let mut holdings = Holdings::default();
    let sets: [&[&str]; 4] = [&["a"], &["a/x", "b"], &["a", "a/x"], &["b"]];
    for step in 0..2000 {
        let framework = format!("f{}", random.u32(0..4));
        let known = world.allocator.frameworks.contains_key(&*framework);
        let info = info(sets[random.usize(..sets.len())], &[]);
        match random.u32(0..12) {
            0 if known => {
                world.allocator.remove_framework(&framework);
                holdings.0.retain(|(held, _)| held.framework_id != framework);
            }
            1 if known => world.allocator.update_framework(world.now, &framework, &info, FrameworkOptions::default()),
            2 if known => world.allocator.suppress(&framework, &[]),
            3 if known => world.allocator.revive(world.now, &framework, &[]),
            10 if known && random.bool() => world.allocator.deactivate_framework(&framework),
            10 if known => world.allocator.activate_framework(world.now, &framework),
            11 => world.allocator.set_maintenance(world.now, &format!("S{}", random.u32(0..3)), random.bool()),
            4 => {
                let agent = format!("S{}", random.u32(0..3));
                world.allocator.remove_agent(&agent);
                holdings.0.retain(|(held, _)| held.agent_id != agent);
                world.allocator.add_agent(world.now, &agent, v1::AgentInfo::default(), parse("cpus:8;mem:800"));
            }
            5 | 6 => {
                world.now += SECOND;
                let offers = world.allocator.allocate(world.now);
                holdings.0.extend(offers.into_iter().map(|offer| (offer, Was::Offered)));
            }
            7..=9 if !holdings.0.is_empty() => {
                let (held, was) = holdings.0.swap_remove(random.usize(..holdings.0.len()));
                let Allocation { framework_id, role, agent_id, resources } = &held;
                let part = parse("cpus:1;mem:50");
                if was == Was::Offered && resources.contains(&part) {
                    world.allocator.use_offered(framework_id, agent_id, role, &part);
                    let mut rest = resources.clone();
                    rest.subtract(&part);
                    world.allocator.recover(framework_id, agent_id, role, &rest, Was::Offered);
                    holdings.0.push((Allocation { resources: part, ..held.clone() }, Was::Used));
                } else {
                    world.allocator.recover(framework_id, agent_id, role, resources, was);
                }
            }
            _ if !known => world.allocator.add_framework(world.now, &framework, &info, FrameworkOptions::default()),
            _ => {}
        }
        if step % 10 == 0 {
            holdings.check(&world.allocator);
        }
    }
}
