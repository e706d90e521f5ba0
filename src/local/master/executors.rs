//! Which executors a master refuses, in its words and its order. Follows `executor::validate` in
//! `src/master/validation.cpp`.

use std::collections::BTreeMap;

use super::framework::ExecutorRecord;
use super::parts::{Checked, because, negative};
use super::validation::{STREAM_DIGITS, general};
use super::{parts, resource_rules};
use crate::local::ids::id;
use crate::local::refusal::Invalid;
use crate::local::resources::Resources;
use crate::proto::v1;
use crate::proto::v1::container_info::Type as ContainerType;
use crate::proto::v1::executor_info::Type as ExecutorType;
use crate::wire::json;

/// What the executor of a group has to have (`MIN_CPUS`, `MIN_MEM` in `src/slave/constants.hpp`).
const MIN_CPUS: f64 = 0.01;
const MIN_MEM: f64 = 32.0;
const MEGABYTE: f64 = 1_048_576.0;

/// What a task and its executor are held against.
pub struct Context<'a> {
    pub framework_id: &'a str,
    pub agent_id: &'a str,
    pub role: &'a str,
    /// Whether a task of this id is known already.
    pub known: bool,
    /// The framework's executors, by agent and id.
    pub executors: Option<&'a BTreeMap<(String, String), ExecutorRecord>>,
    pub available: &'a Resources,
}

/// The executor of tasks, its framework's id filled in.
pub struct ExecutorUse {
    pub info: v1::ExecutorInfo,
    /// The resources that it takes, if it does not run yet.
    pub new: Option<Resources>,
    /// The role that its resources are allocated to.
    pub role: String,
}

/// Whether an executor may run, whatever it runs; the resources that it uses if it is new.
pub fn validate(info: v1::ExecutorInfo, context: &Context) -> Checked<ExecutorUse> {
    check_type(&info)?;
    id(&info.executor_id.value)?;
    let grace = info.shutdown_grace_period.as_ref();
    Invalid::unless(!negative(grace), "ExecutorInfo's 'shutdown_grace_period' must be non-negative")?;
    because(info.command.as_ref().map_or(Ok(()), parts::environment), "Executor's `CommandInfo` is invalid")?;
    because(info.container.as_deref().map_or(Ok(()), parts::container), "Executor's `ContainerInfo` is invalid")?;
    let framework =
        info.framework_id.as_ref().ok_or_else(|| Invalid::new("'ExecutorInfo.framework_id' must be set"))?;
    let (actual, expected) = (&framework.value, context.framework_id);
    let why = format!("ExecutorInfo has an invalid FrameworkID (Actual: {actual} vs Expected: {expected})");
    Invalid::unless(actual == expected, why)?;
    because(resource_rules::usable(&info.resources), "Executor uses invalid resources")?;
    because(resource_rules::unique_volumes(&info.resources), "Executor uses duplicate persistence ID")?;
    let role = because(resource_rules::single_role(&info.resources, context.role), "Invalid executor resources")?;
    because(resource_rules::no_mix(&info.resources), "Executor mixes revocable and non-revocable resources")?;
    let resources = Resources::from_proto(&info.resources)?;
    let place = (context.agent_id.to_owned(), info.executor_id.value.clone());
    let running = context.executors.and_then(|executors| executors.get(&place));
    running.map_or(Ok(()), |running| compatible(&info, &running.info))?;
    Ok(ExecutorUse { info, new: running.is_none().then_some(resources), role })
}

fn check_type(info: &v1::ExecutorInfo) -> Checked {
    match info.r#type() {
        ExecutorType::Default => {
            Invalid::unless(info.command.is_none(), "'ExecutorInfo.command' must not be set for 'DEFAULT' executor")?;
            let Some(container) = &info.container else {
                return Ok(());
            };
            let why = "'ExecutorInfo.container.type' must be 'MESOS' for 'DEFAULT' executor";
            Invalid::unless(container.r#type() == ContainerType::Mesos, why)?;
            let image = container.mesos.as_ref().is_some_and(|mesos| mesos.image.is_some());
            Invalid::unless(!image, "'ExecutorInfo.container.mesos.image' must not be set for 'DEFAULT' executor")
        }
        ExecutorType::Custom => {
            Invalid::unless(info.command.is_some(), "'ExecutorInfo.command' must be set for 'CUSTOM' executor")
        }
        ExecutorType::Unknown => Ok(()),
    }
}

/// What the executor of a task outside of a group has to be.
pub fn check_custom(info: &v1::ExecutorInfo) -> Checked {
    let custom = info.r#type.is_none() || info.r#type() == ExecutorType::Custom;
    Invalid::unless(custom, "'ExecutorInfo.type' must be 'CUSTOM'")?;
    Invalid::unless(info.command.is_some(), "'ExecutorInfo.command' must be set")?;
    check_cgroups(info)
}

/// What the executor of a group has to be.
pub fn check_group(info: &v1::ExecutorInfo, tasks: &[v1::TaskInfo]) -> Checked {
    Invalid::unless(info.r#type.is_some(), "'ExecutorInfo.type' must be set")?;
    Invalid::unless(info.r#type() != ExecutorType::Unknown, "Unknown executor type")?;
    let docker = info.container.as_ref().is_some_and(|container| container.r#type() == ContainerType::Docker);
    Invalid::unless(!docker, "Docker ContainerInfo is not supported on the executor")?;
    let id = &info.executor_id.value;
    if let Some(task) = tasks.iter().find(|task| task.executor.as_deref().is_some_and(|own| own != info)) {
        let name = &task.task_id.value;
        return Err(Invalid::new(format!("The `ExecutorInfo` of task '{name}' is different from executor '{id}'")));
    }
    let amount = |name: &str| {
        let named = info.resources.iter().filter(|resource| resource.name == name && resource.revocable.is_none());
        let given: Vec<f64> = named.filter_map(|resource| resource.scalar.as_ref().map(|s| s.value)).collect();
        (given.iter().any(|value| *value > 0.0)).then(|| given.iter().sum::<f64>())
    };
    let less = |what: &str, has: Option<String>, least: &str| {
        let has = has.unwrap_or_else(|| "None".to_owned());
        format!("Executor '{id}' uses less {what} ({has}) than the minimum required ({least})")
    };
    let cpus = amount("cpus");
    let shown = cpus.map(|cpus| general(cpus, STREAM_DIGITS));
    Invalid::unless(cpus.is_some_and(|cpus| cpus >= MIN_CPUS), less("CPUs", shown, "0.01"))?;
    let mem = amount("mem");
    Invalid::unless(mem.is_some_and(|mem| mem >= MIN_MEM), less("memory", mem.map(shown_bytes), "32MB"))?;
    Invalid::unless(amount("disk").is_some(), format!("Executor '{id}' uses no disk"))?;
    check_cgroups(info)
}

fn check_cgroups(info: &v1::ExecutorInfo) -> Checked {
    let linux = info.container.as_ref().and_then(|container| container.linux_info.as_ref());
    let shares = linux.is_some_and(|linux| linux.share_cgroups == Some(true));
    Invalid::unless(!shares, "The 'share_cgroups' field cannot be set to 'true' on executor containers")
}

/// Megabytes as Mesos writes bytes: in the largest unit that leaves no fraction.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "less than the minimum")]
fn shown_bytes(megabytes: f64) -> String {
    let bytes = (megabytes * MEGABYTE) as u64;
    let units = [("TB", 40), ("GB", 30), ("MB", 20), ("KB", 10)];
    let fits = |(_, bits): &&(&str, u32)| bytes > 0 && bytes.trailing_zeros() >= *bits;
    units.iter().find(fits).map_or_else(|| format!("{bytes}B"), |(unit, bits)| format!("{}{unit}", bytes >> bits))
}

/// An executor of one id is one executor, on one agent.
fn compatible(info: &v1::ExecutorInfo, running: &v1::ExecutorInfo) -> Checked {
    const LINE: &str = "------------------------------------------------------------\n";
    let show = |info: &v1::ExecutorInfo| json::to_text("mesos.v1.ExecutorInfo", info);
    Invalid::unless(
        info == running,
        format!(
            "ExecutorInfo is not compatible with existing ExecutorInfo with same ExecutorID.\n{LINE}\
             Existing ExecutorInfo:\n{}\n{LINE}ExecutorInfo:\n{}\n{LINE}",
            show(running),
            show(info)
        ),
    )
}
