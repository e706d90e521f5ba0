//! What schedulers ask of their drivers.

use prost::Message;
use remesos::driver::Status;
use remesos::proto::v1;
use remesos::proto::v1::scheduler::call::Type;
use remesos::wire::scheduler::{Call, FrameworkMessage, call};
use remesos::wire::views::Wrapped;

use super::{NEVER, Scheduler};

impl Scheduler<'_> {
    /// Makes a call, of which the truth is told.
    fn call(&mut self, kind: Type, call: Call, told: v1::scheduler::Call) {
        if self.driver.status() == Status::Running {
            let told = v1::scheduler::Call { r#type: Some(kind.into()), ..told };
            self.framework.stage.world.truth(|truth| truth.calls(self.client, &told));
            self.driver.call(call);
        }
    }

    pub(super) fn decline(&mut self, offer: v1::Offer) {
        let seconds = if self.is_calm() { NEVER } else { self.framework.random.f64() * 10.0 };
        let filters = Some(v1::Filters { refuse_seconds: Some(seconds) }.encode_to_vec().into());
        let offer_ids = vec![offer.id.encode_to_vec().into()];
        let told = v1::scheduler::call::Decline { offer_ids: vec![offer.id.clone()], ..Default::default() };
        let told = v1::scheduler::Call { decline: Some(told), ..Default::default() };
        self.call(Type::Decline, Call::Decline(call::Decline { offer_ids, filters }), told);
        self.spent.push(offer);
    }

    pub(super) fn launch(&mut self, offer: v1::Offer) {
        let Some(framework_id) = self.framework.id.clone() else { return };
        let cores = offer.resources.iter().find(|resource| resource.name == "cpus");
        let cores = cores.and_then(|resource| resource.scalar.as_ref()).map_or(0.0, |scalar| scalar.value);
        let most = ((cores / 0.5) as u32).clamp(1, 3);
        let count = self.framework.random.u32(1..=most);
        let tasks: Vec<_> = (0..count).map(|_| self.task(&offer, &framework_id)).collect();
        let bytes = tasks.iter().map(|task| task.encode_to_vec().into()).collect();
        let filters = Some(v1::Filters { refuse_seconds: Some(0.0) }.encode_to_vec().into());
        let offer_ids = vec![offer.id.encode_to_vec().into()];
        let accept = call::Accept { offer_ids, operations: vec![call::launch_operation(bytes)], filters };
        let launch = Some(v1::offer::operation::Launch { task_infos: tasks.clone() });
        let operations = vec![v1::offer::Operation { launch, ..Default::default() }];
        let told = v1::scheduler::call::Accept { offer_ids: vec![offer.id.clone()], operations, ..Default::default() };
        let told = v1::scheduler::Call { accept: Some(told), ..Default::default() };
        if self.driver.status() == Status::Running {
            self.framework.stage.world.truth(|truth| {
                tasks.iter().for_each(|task| truth.wants(&framework_id, task));
            });
        }
        self.call(Type::Accept, Call::from(accept), told);
        self.spent.push(offer);
    }

    fn task(&mut self, offer: &v1::Offer, framework_id: &str) -> v1::TaskInfo {
        let framework = &mut *self.framework;
        framework.launched += 1;
        let id = format!("t{}.{}", framework.number, framework.launched);
        let scalar = |name: &str, value: f64| v1::Resource {
            name: name.to_owned(),
            r#type: v1::value::Type::Scalar.into(),
            scalar: Some(v1::value::Scalar { value }),
            ..Default::default()
        };
        let command = v1::CommandInfo { value: Some("run".to_owned()), ..Default::default() };
        let executor = framework.plan.custom.then(|| v1::ExecutorInfo {
            r#type: Some(v1::executor_info::Type::Custom.into()),
            executor_id: v1::ExecutorId { value: format!("e{}.{}", framework.number, framework.random.u32(0..2)) },
            framework_id: Some(v1::FrameworkId { value: framework_id.to_owned() }),
            command: Some(command.clone()),
            ..Default::default()
        });
        if let Some(executor) = &executor {
            self.executors.insert(executor.executor_id.value.clone(), offer.agent_id.value.clone());
        }
        v1::TaskInfo {
            name: id.clone(),
            task_id: v1::TaskId { value: id },
            agent_id: offer.agent_id.clone(),
            resources: vec![scalar("cpus", 0.5), scalar("mem", 32.0)],
            command: executor.is_none().then_some(command),
            executor: executor.map(Into::into),
            ..Default::default()
        }
    }

    /// The tasks that are not known to be over, with their agents.
    fn open_tasks(&self) -> Vec<(String, String)> {
        let id = self.framework.id.clone().unwrap_or_default();
        self.framework.stage.world.truth(|truth| {
            let mine = truth.tasks.iter().filter(|(_, task)| task.framework_id == id && !task.is_told_over());
            mine.map(|(task_id, task)| (task_id.clone(), task.agent_id.clone())).collect()
        })
    }

    pub(super) fn kill(&mut self) {
        let tasks = self.open_tasks();
        if tasks.is_empty() {
            return;
        }
        let (task_id, _) = tasks[self.framework.random.usize(0..tasks.len())].clone();
        let id = v1::TaskId { value: task_id };
        let kill = v1::scheduler::call::Kill { task_id: id.clone(), ..Default::default() };
        let told = v1::scheduler::Call { kill: Some(kill), ..Default::default() };
        self.call(Type::Kill, Call::Kill(Wrapped { inner: id.encode_to_vec().into() }), told);
    }

    /// Asks for the tasks that are not known to be over. The first that it asks for does not exist, and names the call.
    pub(super) fn reconcile(&mut self) {
        let tasks = self.open_tasks();
        if tasks.is_empty() {
            return;
        }
        let token = (self.framework.token("r"), String::new());
        let all: Vec<_> = std::iter::once(token).chain(tasks).collect();
        let tasks = all.iter().map(|(task, agent)| call::ReconcileTask {
            task_id: v1::TaskId { value: task.clone() }.encode_to_vec().into(),
            agent_id: (!agent.is_empty()).then(|| v1::AgentId { value: agent.clone() }.encode_to_vec().into()),
        });
        let task_id = v1::TaskId { value: all[0].0.clone() };
        let first = v1::scheduler::call::reconcile::Task { task_id, agent_id: None };
        let told = v1::scheduler::call::Reconcile { tasks: vec![first] };
        let told = v1::scheduler::Call { reconcile: Some(told), ..Default::default() };
        let call = Call::Reconcile(call::Reconcile { tasks: tasks.collect() });
        self.call(Type::Reconcile, call, told);
    }

    pub(super) fn send_message(&mut self) {
        let Some((executor, agent)) = self.executors.first_key_value().map(|(e, a)| (e.clone(), a.clone())) else {
            return;
        };
        let data = self.framework.token("m").into_bytes();
        let message = FrameworkMessage {
            agent_id: v1::AgentId { value: agent.clone() }.encode_to_vec().into(),
            executor_id: v1::ExecutorId { value: executor.clone() }.encode_to_vec().into(),
            data: data.clone().into(),
        };
        let told = v1::scheduler::call::Message { data, ..Default::default() };
        let told = v1::scheduler::Call { message: Some(told), ..Default::default() };
        self.call(Type::Message, Call::from(message), told);
    }
}
