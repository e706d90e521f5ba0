//! Weights and quotas.

use super::*;
use crate::proto::v1::master::{Call, Response, call};
use crate::proto::v1::quota::{QuotaConfig, QuotaRequest};

fn ask(world: &mut World, kind: call::Type, call: Call) -> Result<Option<Response>, Refusal> {
    let outcome = world.master.operator_call(world.now, Call { r#type: Some(kind.into()), ..call });
    world.pump();
    outcome.map(Done::response)
}

fn refused<T: std::fmt::Debug>(outcome: Result<T, Refusal>) -> String {
    let refusal = outcome.expect_err("refused");
    format!("{} {}", refusal.status, refusal.message)
}

fn weigh(world: &mut World, role: &str, weight: f64) -> Result<Option<Response>, Refusal> {
    let weight_infos = vec![v1::WeightInfo { role: Some(role.into()), weight }];
    let update_weights = Some(call::UpdateWeights { weight_infos });
    ask(world, call::Type::UpdateWeights, Call { update_weights, ..Default::default() })
}

fn config_of(role: &str, guarantees: &str, limits: &str) -> QuotaConfig {
    let amounts = |text: &str| {
        let resources = Resources::parse(text).expect(text);
        resources.scalars().map(|(name, value)| (name.to_owned(), v1::value::Scalar { value })).collect()
    };
    QuotaConfig { role: role.into(), guarantees: amounts(guarantees), limits: amounts(limits) }
}

fn update(world: &mut World, config: QuotaConfig, force: bool) -> Result<Option<Response>, Refusal> {
    let update_quota = Some(call::UpdateQuota { force: Some(force), quota_configs: vec![config] });
    ask(world, call::Type::UpdateQuota, Call { update_quota, ..Default::default() })
}

#[allow(deprecated)]
fn in_role(role: &str) -> v1::FrameworkInfo {
    v1::FrameworkInfo { role: Some(role.into()), ..info(role) }
}

#[test]
fn weights_are_told_and_rescind_offers_if_they_concern_anyone() {
    let mut world = world_with(1, Config { weights: BTreeMap::from([("x".to_owned(), 2.5)]), ..config() });
    world.subscribe(1, in_role("a"));
    weigh(&mut world, "b", 3.0).expect("accepted");
    assert_eq!(world.take_rescinded(), [""; 0], "no framework is in this role");
    weigh(&mut world, " a ", 2.0).expect("accepted");
    assert_eq!(world.take_rescinded().len(), 1);
    let told = ask(&mut world, call::Type::GetWeights, Call::default()).expect("accepted").expect("a response");
    let told = told.get_weights.expect("weights").weight_infos;
    let shown: Vec<_> = told.iter().map(|info| (info.role(), info.weight)).collect();
    assert_eq!(shown, [("a", 2.0), ("b", 3.0), ("x", 2.5)]);

    let prefix = "400 Failed to validate update weights request JSON";
    let why = ": Invalid role '/a': Role '/a' cannot start with a slash";
    assert_eq!(refused(weigh(&mut world, "/a", 1.0)), format!("{prefix}{why}"));
    let why = " for role 'a': Invalid weight '0': Weights must be positive";
    assert_eq!(refused(weigh(&mut world, "a", 0.0)), format!("{prefix}{why}"));
}

#[test]
fn a_limit_takes_offers_back() {
    let mut world = world(2);
    world.subscribe(1, in_role("a"));
    assert_eq!(world.take_offers(1).len(), 2);
    update(&mut world, config_of("a", "", "cpus:5"), false).expect("accepted");
    assert_eq!(world.take_rescinded().len(), 1, "one agent is within the limit");
    world.pass(SECOND);
    let offers = world.take_offers(1);
    let cpus: Vec<_> =
        offers.iter().map(|o| Resources::from_proto(&o.resources).expect("valid").scalar("cpus")).collect();
    assert_eq!(cpus, [1.0]);
}

#[test]
fn a_guarantee_takes_offers_of_others_back() {
    let mut world = world(2);
    world.subscribe(1, in_role("a"));
    world.subscribe(2, in_role("b"));
    assert_eq!(world.take_offers(1).len(), 2);
    update(&mut world, config_of("b", "cpus:4", ""), false).expect("accepted");
    assert_eq!(world.take_rescinded().len(), 1);
    world.pass(SECOND);
    assert_eq!(world.take_offers(2).len(), 1);
}

#[test]
fn quotas_that_cannot_be_kept_are_refused_unless_forced() {
    let mut world = world(1);
    let framework = world.subscribe(1, in_role("a"));
    let offer = world.take_offers(1).remove(0);
    world.call(&framework, launch(&offer, "t")).expect("accepted");

    let below = config_of("a", "", "cpus:0.5");
    let why = "400 Invalid QuotaConfig: Role 'a' is already consuming 'cpus:1; mem:100'; this is more than the requested \
               limits 'cpus:0.5' (use 'force' flag to bypass this check)";
    assert_eq!(refused(update(&mut world, below.clone(), false)), why);
    update(&mut world, below, true).expect("forced");
    let much = config_of("b", "cpus:5", "");
    let why = "400 Invalid QuotaConfig: total quota guarantees 'cpus:5' exceed cluster capacity 'cpus:4; mem:400' (use \
               'force' flag to bypass this check)";
    assert_eq!(refused(update(&mut world, much.clone(), false)), why);
    update(&mut world, much, true).expect("forced");

    let nested = refused(update(&mut world, config_of("a/b", "", ""), true));
    assert_eq!(nested, "400 Updating quota on nested role 'a/b' is not supported yet");
    let contrary = refused(update(&mut world, config_of("a", "cpus:2", "cpus:1"), true));
    assert_eq!(
        contrary,
        "400 Invalid QuotaConfig: 'QuotaConfig.guarantees' { cpus: 2 } is not contained within the \
         'QuotaConfig.limits' { cpus: 1 }"
    );
}

#[test]
#[allow(deprecated)]
fn a_quota_of_the_older_kind_is_set_once_and_removed() {
    let mut world = world(1);
    let request = |cpus: &str, force| {
        let guarantee = Resources::parse(cpus).expect(cpus).to_proto(&Format::default());
        let quota_request = QuotaRequest { role: Some("a".into()), guarantee, force: Some(force) };
        Call { set_quota: Some(call::SetQuota { quota_request }), ..Default::default() }
    };
    let too_much = refused(ask(&mut world, call::Type::SetQuota, request("cpus:5", false)));
    assert_eq!(
        too_much,
        "409 Quota guarantees overcommit the cluster (use 'force' to bypass this check): Total quota guarantees 'cpus:5' \
         exceed cluster capacity 'cpus:4; mem:400'"
    );
    ask(&mut world, call::Type::SetQuota, request("cpus:5", true)).expect("forced");
    let again = refused(ask(&mut world, call::Type::SetQuota, request("cpus:1", false)));
    assert!(again.ends_with("Cannot set quota for role 'a' which already has quota"), "{again}");
    let ports = refused(ask(&mut world, call::Type::SetQuota, request("ports:[1-2]", false)));
    assert!(ports.ends_with("QuotaInfo must not include non-scalar resources"), "{ports}");

    let told = ask(&mut world, call::Type::GetQuota, Call::default()).expect("accepted").expect("a response");
    let status = told.get_quota.expect("quota").status;
    assert_eq!(status.configs, [config_of("a", "cpus:5", "cpus:5")]);
    assert_eq!(status.infos[0].guarantee[0].scalar, Some(v1::value::Scalar { value: 5.0 }));

    let remove = || Call { remove_quota: Some(call::RemoveQuota { role: "a".into() }), ..Default::default() };
    ask(&mut world, call::Type::RemoveQuota, remove()).expect("accepted");
    let gone = refused(ask(&mut world, call::Type::RemoveQuota, remove()));
    assert_eq!(gone, "400 Failed to remove quota: Role 'a' has no quota set");
}
