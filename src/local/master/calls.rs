//! The calls of the scheduler API. Follows `Master::Http::scheduler` in `src/master/http.cpp`.

use std::collections::BTreeSet;
use std::time::Instant;

use super::framework::{Connection, Framework};
use super::validation::OfFramework;
use super::{HEARTBEAT_INTERVAL, Master, Output, heartbeat, operator, validation};
use crate::local::allocator::{Constraints, FrameworkOptions, Was};
use crate::local::messages::{ConnectionId, ToAgent, is_terminal};
use crate::local::refusal::{Invalid, Refusal};
use crate::local::resources::Resources;
use crate::local::roles::UNRESERVED;
use crate::proto::v1::allocator::inverse_offer_status::Status;
use crate::proto::v1::scheduler::{Event, OfferConstraints, call, event};
use crate::proto::{self, v1};

impl Master {
    /// SUBSCRIBE on a new stream. Returns the stream's id; what is wrong with the framework is told by an ERROR event
    /// and the end of the stream, as the real master does.
    pub fn subscribe(&mut self, now: Instant, connection: ConnectionId, subscribe: call::Subscribe) -> String {
        self.counters.count(match subscribe.framework_info.id {
            Some(_) => "master/messages_reregister_framework",
            None => "master/messages_register_framework",
        });
        let stream_id = self.world.uuid().to_string();
        match self.check_subscribe(&subscribe) {
            Ok(options) => self.accept_subscription(now, connection, &stream_id, subscribe, options),
            Err(why) => self.end_with_error(connection, why.to_string()),
        }
        stream_id
    }

    fn check_subscribe(&self, subscribe: &call::Subscribe) -> Result<FrameworkOptions, Invalid> {
        let info = &subscribe.framework_info;
        validation::framework(info, &subscribe.suppressed_roles)?;
        self.check_roles(info)?;
        let id = info.id.as_ref().map(|id| id.value.as_str()).unwrap_or_default();
        if self.removed.contains(id) || self.completed.iter().any(|f| f.id() == id) {
            return Err(Invalid::new("Framework has been removed"));
        }
        let options = options(&subscribe.suppressed_roles, subscribe.offer_constraints.as_ref())?;
        match self.frameworks.get(id) {
            Some(known) if known.info.principal != info.principal => {
                Err(Invalid::new("Changing framework's principal is not allowed."))
            }
            _ => Ok(options),
        }
    }

    /// Whether the roles of a framework are among those that there are.
    fn check_roles(&self, info: &v1::FrameworkInfo) -> Result<(), Invalid> {
        let strange: BTreeSet<_> = proto::roles(info).into_iter().filter(|role| !self.has_role(role)).collect();
        if strange.is_empty() {
            return Ok(());
        }
        let shown = strange.into_iter().collect::<Vec<_>>().join(", ");
        Err(Invalid::new(format!("Roles {{ {shown} }} are not present in the master's --roles")))
    }

    /// Whether there is a role; the default one there always is.
    pub(super) fn has_role(&self, role: &str) -> bool {
        self.config.roles.as_ref().is_none_or(|roles| role == UNRESERVED || roles.contains(role))
    }

    fn accept_subscription(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        stream_id: &str,
        subscribe: call::Subscribe,
        options: FrameworkOptions,
    ) {
        let offer_constraints = subscribe.offer_constraints;
        let mut info = subscribe.framework_info;
        let given = info.id.take().map(|id| id.value).filter(|id| !id.is_empty());
        let id = given.unwrap_or_else(|| self.new_framework_id());
        info.id = Some(v1::FrameworkId { value: id.clone() });
        let connected = self.frameworks.get(&id).is_some_and(|known| known.connection.is_some());
        self.replace_stream(&id);
        let former = self.frameworks.remove(&id);
        let is_new = former.is_none();
        let framework = match former {
            Some(known) => {
                let known = resubscribed(known, info, self.world.timestamp(now));
                self.allocator.update_framework(now, &id, &known.info, options);
                if !connected {
                    self.allocator.activate_framework(now, &id);
                }
                self.tell_agents(&ToAgent::UpdateFramework { framework: Box::new(known.info.clone()) });
                known
            }
            None => {
                self.allocator.add_framework(now, &id, &info, options);
                Framework::new(info, self.world.timestamp(now))
            }
        };
        tracing::info!("Subscribed framework '{}' as {id}", framework.info.name);
        let stream =
            Connection { id: connection, stream_id: stream_id.to_owned(), next_heartbeat: now + HEARTBEAT_INTERVAL };
        self.frameworks.insert(
            id.clone(),
            Framework { connection: Some(stream), removal_due: None, offer_constraints, recovered: false, ..framework },
        );
        self.streams.insert(connection, id.clone());
        self.set_timer(&id);
        let subscribed = event::Subscribed {
            framework_id: v1::FrameworkId { value: id.clone() },
            heartbeat_interval_seconds: Some(HEARTBEAT_INTERVAL.as_secs_f64()),
            master_info: Some(self.master_info()),
        };
        if let Some(framework) = self.frameworks.get_mut(&id) {
            framework.tally.subscribed();
        }
        self.send(&id, Event { subscribed: Some(subscribed), ..Event::of(event::Type::Subscribed) });
        self.send(&id, heartbeat());
        let make = if is_new { operator::framework_added } else { operator::framework_updated };
        self.publish_framework(&id, make);
    }

    /// The newest SUBSCRIBE wins: an older stream is told and ended, its offers are gone without RESCIND.
    fn replace_stream(&mut self, framework_id: &str) {
        let known = self.frameworks.get_mut(framework_id);
        if let Some(old) = known.and_then(|f| f.connection.take()) {
            self.end_with_error(old.id, "Framework failed over".to_owned());
        }
        self.discard_offers(framework_id);
    }

    fn end_with_error(&mut self, connection: ConnectionId, message: String) {
        let error = Some(event::Error { message });
        self.send_to(connection, Event { error, ..Event::of(event::Type::Error) });
        self.outputs.push_back(Output::Close(connection));
    }

    fn new_framework_id(&mut self) -> String {
        let id = format!("{}-{:04}", self.id, self.next_framework);
        self.next_framework = self.next_framework.saturating_add(1);
        id
    }

    /// What the framework with this id asks for, with the `Mesos-Stream-Id` that came along.
    pub fn call(
        &mut self,
        now: Instant,
        stream_id: Option<&str>,
        id: &str,
        request: OfFramework,
    ) -> Result<(), Refusal> {
        self.check_stream(id, stream_id)?;
        self.counters.count_call(&request);
        if let Some(framework) = self.frameworks.get_mut(id) {
            framework.tally.call(&request);
            framework.info.principal.iter().for_each(|principal| self.counters.add_principal(principal));
        }
        match request {
            OfFramework::Teardown => self.remove_framework(now, id),
            OfFramework::Accept(accept) => self.accept(now, id, accept),
            OfFramework::Decline(decline) => self.decline(now, id, &decline),
            OfFramework::Revive(revive) => self.revive(now, id, &revive.roles),
            OfFramework::Suppress(suppress) => self.suppress(id, &suppress.roles),
            OfFramework::Kill(kill) => self.kill(now, id, kill),
            OfFramework::Shutdown(shutdown) => self.shut_down_executor(id, shutdown),
            OfFramework::Message(message) => self.pass_message(id, message),
            OfFramework::Acknowledge(acknowledge) => self.acknowledge(now, id, acknowledge),
            OfFramework::Reconcile(reconcile) => self.reconcile(now, id, &reconcile),
            OfFramework::UpdateFramework(update) => return self.update_framework(now, id, *update),
            OfFramework::AcknowledgeOperationStatus(acknowledge) => self.acknowledge_operation(now, id, acknowledge),
            OfFramework::ReconcileOperations(reconcile) => self.reconcile_operations(id, &reconcile),
            OfFramework::AcceptInverseOffers(call) => {
                self.answer_inverse_offers(now, id, &call.inverse_offer_ids, Status::Accept, call.filters.as_ref());
            }
            OfFramework::DeclineInverseOffers(call) => {
                self.answer_inverse_offers(now, id, &call.inverse_offer_ids, Status::Decline, call.filters.as_ref());
            }
            OfFramework::Ignored(kind) => tracing::debug!("Nothing to do for {kind:?}"),
        }
        Ok(())
    }

    fn check_stream(&self, framework_id: &str, stream_id: Option<&str>) -> Result<(), Refusal> {
        let framework = self.frameworks.get(framework_id).ok_or(Refusal::new(400, "Framework cannot be found"))?;
        let connection = framework.connection.as_ref().ok_or(Refusal::new(403, "Framework is not subscribed"))?;
        match stream_id {
            None => Err(Refusal::new(400, "All non-subscribe calls should include the 'Mesos-Stream-Id' header")),
            Some(id) if id == connection.stream_id => Ok(()),
            Some(id) => Err(Refusal::new(
                400,
                format!(
                    "The stream ID '{id}' included in this request didn't match the stream ID currently associated with framework ID {framework_id}"
                ),
            )),
        }
    }

    fn decline(&mut self, now: Instant, framework_id: &str, decline: &call::Decline) {
        for id in &decline.offer_ids {
            let of_framework = |offer: &super::OfferRecord| offer.framework_id == framework_id;
            if self.offers.get(&id.value).is_some_and(of_framework)
                && let Some(offer) = self.offers.remove(&id.value)
            {
                self.refuse(now, framework_id, &offer.agent_id, &offer.role, offer.resources, decline.filters.as_ref());
            }
        }
    }

    /// Resources come back, and are not offered to this framework again for a while.
    pub(super) fn refuse(
        &mut self,
        now: Instant,
        framework_id: &str,
        agent_id: &str,
        role: &str,
        resources: Resources,
        filters: Option<&v1::Filters>,
    ) {
        self.allocator.recover(framework_id, agent_id, role, &resources, Was::Offered);
        let refuse_seconds = filters.and_then(|filters| filters.refuse_seconds);
        self.allocator.refuse(now, framework_id, agent_id, role, resources, refuse_seconds);
    }

    fn revive(&mut self, now: Instant, framework_id: &str, roles: &[String]) {
        let Some(framework) = self.frameworks.get(framework_id) else {
            return;
        };
        let known = framework.roles();
        if let Some(unknown) = roles.iter().find(|role| !known.contains(role)) {
            return tracing::warn!("Ignoring REVIVE of {framework_id}: it is not in the role '{unknown}'");
        }
        self.allocator.revive(now, framework_id, roles);
    }

    fn suppress(&mut self, framework_id: &str, roles: &[String]) {
        let Some(framework) = self.frameworks.get(framework_id) else {
            return;
        };
        let known = framework.roles();
        if let Some(unknown) = roles.iter().find(|role| !known.contains(role)) {
            return tracing::warn!("Ignoring SUPPRESS of {framework_id}: it is not in the role '{unknown}'");
        }
        self.allocator.suppress(framework_id, roles);
    }

    fn kill(&mut self, now: Instant, framework_id: &str, kill: call::Kill) {
        let task_id = kill.task_id.value.clone();
        let known = self.frameworks.get(framework_id).and_then(|f| f.tasks.get(&task_id));
        let Some(task) = known else {
            let task = call::reconcile::Task { task_id: kill.task_id, agent_id: kill.agent_id };
            return self.reconcile(now, framework_id, &call::Reconcile { tasks: vec![task] });
        };
        if kill.agent_id.is_some_and(|agent| agent.value != task.agent_id) {
            return tracing::warn!("Ignoring KILL of '{task_id}': it is on another agent");
        }
        if let Some(agent) = self.agents.get_mut(&task.agent_id).filter(|agent| !agent.connected) {
            tracing::warn!("Cannot kill '{task_id}' now: its agent is disconnected");
            agent.killed.insert((framework_id.to_owned(), task_id));
            return;
        }
        let message =
            ToAgent::KillTask { framework_id: framework_id.to_owned(), task_id, kill_policy: kill.kill_policy };
        self.outputs.push_back(Output::Tell(task.agent_id.clone(), message));
    }

    fn shut_down_executor(&mut self, framework_id: &str, shutdown: call::Shutdown) {
        let (agent_id, executor_id) = (shutdown.agent_id.value, shutdown.executor_id.value);
        let framework_id = framework_id.to_owned();
        let message = ToAgent::ShutdownExecutor { framework_id, executor_id };
        self.outputs.push_back(Output::Tell(agent_id, message));
    }

    /// Passes bytes to an executor; drops them if the executor does not exist.
    fn pass_message(&mut self, framework_id: &str, message: call::Message) {
        self.counters.count(match self.agents.contains_key(&message.agent_id.value) {
            true => "master/valid_framework_to_executor_messages",
            false => "master/invalid_framework_to_executor_messages",
        });
        let (framework_id, executor_id) = (framework_id.to_owned(), message.executor_id.value);
        let to_agent = ToAgent::Message { framework_id, executor_id, data: message.data };
        self.outputs.push_back(Output::Tell(message.agent_id.value, to_agent));
    }

    fn acknowledge(&mut self, now: Instant, framework_id: &str, acknowledge: call::Acknowledge) {
        let Some(framework) = self.frameworks.get_mut(framework_id) else {
            return;
        };
        let task_id = acknowledge.task_id.value;
        if let Some(task) = framework.tasks.get(&task_id) {
            let acknowledged = |s: &v1::TaskStatus| s.uuid.as_deref() == Some(&acknowledge.uuid);
            if task.statuses.iter().any(|s| acknowledged(s) && is_terminal(s.state())) {
                framework.complete_task(&task_id, self.config.max_completed_tasks_per_framework);
            }
        }
        let message = ToAgent::Acknowledge { framework_id: framework_id.to_owned(), task_id, uuid: acknowledge.uuid };
        self.outputs.push_back(Output::Tell(acknowledge.agent_id.value.clone(), message));
        self.check_drained(now, &acknowledge.agent_id.value);
    }

    fn update_framework(&mut self, now: Instant, id: &str, update: call::UpdateFramework) -> Result<(), Refusal> {
        let Some(framework) = self.frameworks.get(id) else {
            return Ok(());
        };
        let info = update.framework_info;
        validation::framework(&info, &update.suppressed_roles)
            .and_then(|()| self.check_roles(&info))
            .map_err(|why| Refusal::new(400, format!("Supplied FrameworkInfo is not valid: {why}")))?;
        validation::framework_update(&framework.info, &info)
            .map_err(|why| Refusal::new(400, format!("FrameworkInfo update is not valid: {why}")))?;
        let options = options(&update.suppressed_roles, update.offer_constraints.as_ref())
            .map_err(|why| Refusal::new(400, format!("'UpdateFramework.offer_constraints' are not valid: {why}")))?;
        self.allocator.update_framework(now, id, &info, options);
        let roles = proto::roles(&info);
        if let Some(framework) = self.frameworks.get_mut(id) {
            framework.info = info;
            framework.offer_constraints = update.offer_constraints;
        }
        self.publish_framework(id, operator::framework_updated);
        let left = self.offers.of_framework(id).filter(|(_, offer)| !roles.contains(&offer.role));
        for offer_id in left.map(|(offer_id, _)| offer_id.clone()).collect::<Vec<_>>() {
            self.rescind(&offer_id);
        }
        Ok(())
    }
}

/// What a framework tells the allocator besides its `FrameworkInfo`.
fn options(suppressed: &[String], constraints: Option<&OfferConstraints>) -> Result<FrameworkOptions, Invalid> {
    let constraints = constraints.map(Constraints::new).transpose()?.unwrap_or_default();
    Ok(FrameworkOptions { suppressed: suppressed.iter().cloned().collect(), constraints })
}

/// On a new SUBSCRIBE user and checkpointing stay as they were, and so does what is unacknowledged.
fn resubscribed(mut known: Framework, info: v1::FrameworkInfo, timestamp: f64) -> Framework {
    let (user, checkpoint) = (known.info.user.clone(), known.info.checkpoint);
    known.info = v1::FrameworkInfo { user, checkpoint, ..info };
    known.reregistered_time = Some(timestamp);
    known
}
