//! ACCEPT: offers are used up by operations. Follows `Master::accept` and `Master::_accept`.

use std::collections::BTreeSet;
use std::time::Instant;

use super::executors::{self, ExecutorUse};
use super::framework::ExecutorRecord;
use super::operations::Remaining;
use super::placed::Task;
use super::tasks::{self, Use};
use super::{Master, OfferRecord, Output, operator, resource_rules};
use crate::local::allocator::Was;
use crate::local::messages::ToAgent;
use crate::local::refusal::Invalid;
use crate::local::resources::Resources;
use crate::proto::v1;
use crate::proto::v1::offer::{Operation, operation};
use crate::proto::v1::scheduler::call;
use crate::proto::v1::task_status::{Reason, Source};

impl Master {
    pub(super) fn accept(&mut self, now: Instant, framework_id: &str, accept: call::Accept) {
        let valid = self.check_offers(framework_id, &accept.offer_ids);
        // Valid or not, and whoever was offered them, the offers are gone.
        let taken: Vec<OfferRecord> = accept.offer_ids.iter().filter_map(|id| self.offers.remove(&id.value)).collect();
        let first = match (valid, taken.first()) {
            (Ok(()), Some(first)) => first.clone(),
            (Err(why), _) => {
                taken.iter().for_each(|offer| self.recover_offer(offer));
                return self.lose_tasks(now, framework_id, &accept.operations, &why.to_string());
            }
            (Ok(()), None) => return,
        };
        let mut remaining = Remaining::default();
        taken.iter().for_each(|offer| remaining.resources.add(&offer.resources));
        let offered = remaining.resources.clone();
        for operation in accept.operations {
            match operation.r#type() {
                operation::Type::Launch | operation::Type::LaunchGroup if operation.id.is_some() => {
                    self.refuse_id(now, framework_id, &operation);
                }
                operation::Type::Launch => {
                    let tasks = operation.launch.unwrap_or_default().task_infos;
                    self.launch(now, framework_id, &first, tasks, &mut remaining);
                }
                operation::Type::LaunchGroup => {
                    let group = operation.launch_group.unwrap_or_default();
                    self.launch_group(now, framework_id, &first, group, &mut remaining);
                }
                _ => self.operate(framework_id, &first, operation, &mut remaining),
            }
        }
        let (converted, declined) = remaining.settle(&offered);
        let OfferRecord { agent_id, role, .. } = &first;
        self.allocator.recover(framework_id, agent_id, role, &converted, Was::Offered);
        self.refuse(now, framework_id, agent_id, role, declined, accept.filters.as_ref());
    }

    /// Tasks tell of themselves, so no feedback can be asked for on their launch.
    fn refuse_id(&mut self, now: Instant, framework_id: &str, operation: &Operation) {
        let why = format!("The `id` field cannot be set on {} operations", operation.r#type().as_str_name());
        for task in operation.launch.iter().flat_map(|launch| &launch.task_infos) {
            self.report(now, framework_id, task, v1::TaskState::TaskError, Reason::TaskInvalid, &why);
        }
        for task in operation.launch_group.iter().flat_map(|group| &group.task_group.tasks) {
            self.report(now, framework_id, task, v1::TaskState::TaskError, Reason::TaskGroupInvalid, &why);
        }
    }

    /// In the order and with the words of `validation::offer::validate` in `src/master/validation.cpp`.
    fn check_offers(&self, framework_id: &str, ids: &[v1::OfferId]) -> Result<(), Invalid> {
        if ids.is_empty() {
            return Err(Invalid::new("No offers specified"));
        }
        let mut known = BTreeSet::new();
        for id in ids {
            if !known.insert(&id.value) {
                return Err(Invalid::new(format!("Duplicate offer {} in offer list", id.value)));
            }
        }
        let mut offers = Vec::new();
        for id in ids {
            let offer = self.offers.get(&id.value);
            offers.push((id, offer.ok_or_else(|| Invalid::new(format!("Offer {} is no longer valid", id.value)))?));
        }
        for (id, offer) in &offers {
            if offer.framework_id != framework_id {
                return Err(Invalid::new(format!(
                    "Offer {} has invalid framework {} while framework {framework_id} is expected",
                    id.value, offer.framework_id
                )));
            }
        }
        let (_, first) = offers[0];
        for (id, offer) in &offers {
            if offer.role != first.role {
                return Err(Invalid::new(format!(
                    "Aggregated offers must be allocated to the same role. Offer {} uses role '{} but another is using role '{}",
                    id.value, offer.role, first.role
                )));
            }
            if offer.agent_id != first.agent_id {
                return Err(Invalid::new(format!(
                    "Aggregated offers must belong to one single agent. Offer {} uses agent {} and agent {}",
                    id.value, offer.agent_id, first.agent_id
                )));
            }
        }
        Ok(())
    }

    fn lose_tasks(&mut self, now: Instant, framework_id: &str, operations: &[Operation], why: &str) {
        let message = format!("Task launched with invalid offers: {why}");
        let launches = operations.iter().filter_map(|o| o.launch.as_ref()).flat_map(|l| &l.task_infos);
        let groups = operations.iter().filter_map(|o| o.launch_group.as_ref()).flat_map(|g| &g.task_group.tasks);
        for task in launches.chain(groups) {
            self.report(now, framework_id, task, v1::TaskState::TaskDropped, Reason::InvalidOffers, &message);
        }
    }

    fn launch(
        &mut self,
        now: Instant,
        framework_id: &str,
        offer: &OfferRecord,
        tasks: Vec<v1::TaskInfo>,
        remaining: &mut Remaining,
    ) {
        let structure = tasks.iter().find_map(|task| structure(None, task).err());
        for mut task in tasks {
            tasks::upgrade(&mut task, &offer.role);
            let checked = match &structure {
                Some(why) => Err(why.clone()),
                None => self.check_task(framework_id, offer, &task, &remaining.resources),
            };
            match checked {
                Ok(used) => self.run(framework_id, offer, vec![(task, used.task)], used.executor, false, remaining),
                Err(why) => self.report(
                    now,
                    framework_id,
                    &task,
                    v1::TaskState::TaskError,
                    Reason::TaskInvalid,
                    &why.to_string(),
                ),
            }
        }
    }

    fn check_task(
        &self,
        framework_id: &str,
        offer: &OfferRecord,
        task: &v1::TaskInfo,
        available: &Resources,
    ) -> Result<Use, Invalid> {
        tasks::validate(task, &self.task_context(framework_id, offer, task, available))
    }

    fn task_context<'a>(
        &'a self,
        framework_id: &'a str,
        offer: &'a OfferRecord,
        task: &v1::TaskInfo,
        available: &'a Resources,
    ) -> executors::Context<'a> {
        let framework = self.frameworks.get(framework_id);
        let known = framework.is_some_and(|f| f.tasks.contains_key(&task.task_id.value));
        let executors = framework.map(|f| &f.executors);
        executors::Context { framework_id, agent_id: &offer.agent_id, role: &offer.role, known, executors, available }
    }

    /// Tasks are on their way, on an executor that may be new.
    fn run(
        &mut self,
        framework_id: &str,
        offer: &OfferRecord,
        tasks: Vec<(v1::TaskInfo, Resources)>,
        executor: Option<ExecutorUse>,
        group: bool,
        remaining: &mut Remaining,
    ) {
        let Some(framework) = self.frameworks.get_mut(framework_id) else {
            return;
        };
        let mut volumes: Vec<_> = tasks.iter().flat_map(|(_, resources)| resources.volumes()).collect();
        let info = executor.as_ref().map(|executor| Box::new(executor.info.clone()));
        let (agent_id, role) = (&offer.agent_id, &offer.role);
        if let Some(ExecutorUse { info, new: Some(resources), .. }) = executor {
            let again = remaining.take(&resources);
            self.allocator.share(framework_id, agent_id, role, &again);
            self.allocator.use_offered(framework_id, agent_id, role, &resources);
            volumes.extend(resources.volumes());
            let place = (offer.agent_id.clone(), info.executor_id.value.clone());
            framework.executors.insert(place, ExecutorRecord { info, role: offer.role.clone(), resources });
        }
        if group {
            framework.tally.operation(operation::Type::LaunchGroup, 1);
        } else {
            framework.tally.operation(operation::Type::Launch, tasks.len());
        }
        let mut sent = Vec::new();
        for (mut task, resources) in tasks {
            let again = remaining.take(&resources);
            self.allocator.share(framework_id, agent_id, role, &again);
            self.allocator.use_offered(framework_id, agent_id, role, &resources);
            task.executor.clone_from(&info);
            sent.push(task.clone());
            let record = Task {
                agent_id: offer.agent_id.clone(),
                role: offer.role.clone(),
                resources,
                released: false,
                state: v1::TaskState::TaskStaging,
                latest: v1::TaskState::TaskStaging,
                update_uuid: None,
                statuses: Vec::new(),
                info: task,
            };
            self.subscribers.publish(&mut self.outputs, || operator::task_added(framework_id, &record));
            framework.tasks.insert(record);
        }
        let message = ToAgent::Run {
            framework: Box::new(framework.info.clone()),
            executor: info,
            tasks: sent,
            group,
            role: offer.role.clone(),
            volumes,
            runs: Vec::new(),
        };
        self.outputs.push_back(Output::Tell(offer.agent_id.clone(), message));
    }

    /// All tasks of a group or none.
    fn launch_group(
        &mut self,
        now: Instant,
        framework_id: &str,
        offer: &OfferRecord,
        group: operation::LaunchGroup,
        remaining: &mut Remaining,
    ) {
        let operation::LaunchGroup { mut executor, task_group } = group;
        let mut tasks = task_group.tasks;
        let structure = tasks.iter().try_for_each(|task| structure(Some(&executor), task));
        tasks.iter_mut().for_each(|task| tasks::upgrade(task, &offer.role));
        tasks::allocate(&mut executor.resources, &offer.role);
        let Some(first) = tasks.first() else {
            return;
        };
        let mut ids = BTreeSet::new();
        let available = &remaining.resources;
        let mut is_known = |task: &v1::TaskInfo| {
            !ids.insert(task.task_id.value.clone()) || self.task_context(framework_id, offer, task, available).known
        };
        let known: Vec<bool> = tasks.iter().map(&mut is_known).collect();
        let context = self.task_context(framework_id, offer, first, available);
        match structure.and_then(|()| tasks::validate_group(&tasks, &known, &executor, &context)) {
            Ok((used, executor)) => {
                let tasks = tasks.into_iter().zip(used).collect();
                self.run(framework_id, offer, tasks, Some(executor), true, remaining);
            }
            Err(why) => {
                for task in &tasks {
                    self.report(
                        now,
                        framework_id,
                        task,
                        v1::TaskState::TaskError,
                        Reason::TaskGroupInvalid,
                        &why.to_string(),
                    );
                }
            }
        }
    }

    /// An update that the master makes itself: without uuid, so it wants no acknowledgement.
    pub(super) fn report(
        &mut self,
        now: Instant,
        framework_id: &str,
        task: &v1::TaskInfo,
        state: v1::TaskState,
        reason: Reason,
        message: &str,
    ) {
        let status = v1::TaskStatus {
            task_id: task.task_id.clone(),
            agent_id: Some(task.agent_id.clone()),
            state: state.into(),
            source: Some(Source::Master.into()),
            reason: Some(reason.into()),
            message: Some(message.to_owned()),
            timestamp: Some(self.world.timestamp(now)),
            ..Default::default()
        };
        self.send_update(framework_id, status);
    }
}

/// Whether the resources of a launch are well-formed (`validateAndUpgradeResources`).
fn structure(executor: Option<&v1::ExecutorInfo>, task: &v1::TaskInfo) -> Result<(), Invalid> {
    executor.map_or(Ok(()), |executor| resource_rules::structure(&executor.resources))?;
    resource_rules::structure(&task.resources)?;
    task.executor.as_ref().map_or(Ok(()), |executor| resource_rules::structure(&executor.resources))
}
