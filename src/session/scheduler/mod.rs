//! The scheduler's side of the v1 scheduler API, without IO.
//!
//! | state | MasterDetected | stream opens | SUBSCRIBED | stream ends or is refused | timeout | framework's call |
//! |---|---|---|---|---|---|---|
//! | Disconnected | Subscribing | - | - | - | - | answered here |
//! | Waiting | Subscribing | - | - | - | Subscribing | answered here |
//! | Subscribing | Subscribing anew | stays | Subscribed | Waiting | Waiting | answered here |
//! | Subscribed | Subscribing anew | - | - | Waiting | Waiting (heartbeats missed) | sent |
//!
//! `MasterDetected(None)` leads to Disconnected from anywhere. "Answered here" is what `src/sched/sched.cpp` does for a
//! driver that is not connected: launches are reported lost, suppressed roles remembered, the rest dropped.
//! May touch: bytes and time given to it. Follows `src/sched/sched.cpp` and `docs/scheduler-http-api.md` of Mesos.

mod io;
mod offers;
mod unanswered;

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::time::{Duration, Instant};

use bytes::Bytes;
use prost::Message;

use super::backoff::Backoff;
use super::framework::Framework;
use super::{Endpoint, Session, Unanswered};
use crate::proto::v1;
use crate::wire::call::{self, Call};
use crate::wire::duration::Period;
use crate::wire::envelope::{Event, TaskKeys, Type as EventType, Wrapped};
use crate::wire::recordio::Decoder;

use self::offers::{OFFERS_TIMEOUT, Offers};
pub use io::{Config, Delivery, Input, Output, StreamEvent};

/// SUBSCRIBE has to be answered within this, connecting included.
const SUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(15);
/// So many heartbeats may be missing before the stream counts as dead (`docs/scheduler-http-api.md`).
const HEARTBEATS_MISSED: u32 = 5;
const DEFAULT_HEARTBEAT: Period = Period::from_secs(15);
/// A driver that is stopped waits so long for the answer to a SUBSCRIBE: a master that has it and is left would keep the
/// framework, and all that it offers to it.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// Redirects followed in a row before the master that was detected is tried again.
const REDIRECTS_MAX: u8 = 5;

/// Where the session stands towards the master.
#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    /// No leading master is known.
    Disconnected,
    /// The last attempt failed; the next is due then.
    Waiting { until: Instant },
    /// SUBSCRIBE is on its way; it has to be answered by then. Before it is `sent` the master cannot have it.
    Subscribing { until: Instant, sent: bool },
    /// SUBSCRIBED came; without any byte until then the stream counts as dead.
    Subscribed { until: Instant },
}

/// Whether the framework still takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Running,
    Aborted,
    /// The driver is stopped, and waits until then for the answer to its SUBSCRIBE.
    Stopping {
        until: Instant,
        failover: bool,
    },
    Stopped,
}

/// The state machine of one scheduler driver.
#[derive(Debug)]
pub struct SchedulerSession {
    framework: Framework,
    suppressed: BTreeSet<String>,
    principal: Option<String>,
    state: State,
    mode: Mode,
    detected: Option<Endpoint>,
    current: Option<Endpoint>,
    redirects: u8,
    attempt: u64,
    was_registered: bool,
    /// Whether the master comes from the detector and was not subscribed to since.
    newly_detected: bool,
    /// The ids of the masters at which this session was registered.
    registered_at: HashSet<String>,
    heartbeat: Period,
    backoff: Backoff,
    /// Whether the back-off begins anew when the stream ends.
    settled: bool,
    decoder: Decoder,
    offers: Offers,
    /// To be asked once subscribed again.
    inquiries: Vec<Call>,
    outputs: VecDeque<Output>,
}

impl Session for SchedulerSession {
    type Input = Input;
    type Call = Call;
    type Delivery = Delivery;

    fn handle_input(&mut self, now: Instant, input: Input) {
        match input {
            Input::MasterDetected(master) => self.on_detected(now, master),
            Input::Stream(attempt, event) if attempt == self.attempt => self.on_stream(now, event),
            Input::Stream(..) => {}
            Input::Call(call) => self.on_call(call),
            Input::Acknowledge(status) => self.on_acknowledge(&status),
            Input::Refused { kind, status, body } => self.on_call_refused(kind, status, body),
            Input::Unsent(calls) => calls.iter().for_each(|call| self.answer_here(call)),
            Input::Inquiries(calls) => self.on_inquiries(calls),
            Input::Stop { failover } => self.on_stop(now, failover),
            Input::Abort => self.on_abort(),
            Input::Held => self.on_held(now),
            Input::Timeout => self.on_timeout(now),
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let of_state = match self.state {
            State::Disconnected => None,
            State::Waiting { until } | State::Subscribing { until, .. } | State::Subscribed { until } => Some(until),
        };
        let of_mode = if let Mode::Stopping { until, .. } = self.mode { Some(until) } else { None };
        [of_state, of_mode, self.offers.due()].into_iter().flatten().min()
    }

    fn unanswered(call: Box<Call>) -> Unanswered<Call> {
        unanswered::outcome(call)
    }

    fn error(message: String) -> Delivery {
        Delivery::Error(message)
    }

    fn size(delivery: &Delivery) -> usize {
        delivery.size()
    }
}

impl SchedulerSession {
    /// A session that knows no master yet.
    pub fn new(config: Config) -> Self {
        let backoff = Backoff::new(config.backoff_factor, config.framework.failover_timeout(), config.seed);
        Self {
            framework: config.framework,
            suppressed: config.suppressed_roles.into_iter().collect(),
            principal: config.principal,
            state: State::Disconnected,
            mode: Mode::Running,
            detected: None,
            current: None,
            redirects: 0,
            attempt: 0,
            was_registered: false,
            newly_detected: false,
            registered_at: HashSet::new(),
            heartbeat: DEFAULT_HEARTBEAT,
            backoff,
            settled: false,
            decoder: Decoder::default(),
            offers: Offers::default(),
            inquiries: Vec::new(),
            outputs: VecDeque::new(),
        }
    }

    /// Whether SUBSCRIBED came and the stream stands.
    pub fn is_subscribed(&self) -> bool {
        matches!(self.state, State::Subscribed { .. })
    }

    fn on_detected(&mut self, now: Instant, master: Option<Endpoint>) {
        if self.mode != Mode::Running || (master.is_some() && master == self.detected) {
            return;
        }
        match &master {
            Some(master) => tracing::info!("New master detected at {master}"),
            None => tracing::info!("No leading master is known; waiting for one"),
        }
        self.leave_stream();
        self.detected = master;
        self.newly_detected = true;
        self.current = self.detected.clone();
        self.redirects = 0;
        self.backoff.reset();
        self.subscribe(now);
    }

    fn on_stream(&mut self, now: Instant, event: StreamEvent) {
        match event {
            StreamEvent::Connected => self.on_connected(),
            StreamEvent::Opened => tracing::debug!("The master opened the stream of events"),
            StreamEvent::Data(bytes) => self.on_data(now, &bytes),
            StreamEvent::Redirected(master) => self.on_redirect(now, master),
            StreamEvent::Refused(status, body) => self.on_refused(now, status, &body),
            StreamEvent::Closed(reason) => self.on_closed(now, &reason),
        }
    }

    fn on_connected(&mut self) {
        if let State::Subscribing { sent, .. } = &mut self.state {
            *sent = true;
        }
    }

    fn on_data(&mut self, now: Instant, bytes: &[u8]) {
        self.decoder.feed(bytes);
        self.heard(now);
        loop {
            match self.decoder.next_record().map(|r| r.map(Event::decode)) {
                Ok(None) => return,
                Ok(Some(Ok(event))) => self.on_event(now, event),
                Ok(Some(Err(error))) => {
                    return self.on_nonsense(now, &format!("the event is not a v1 event: {error}"));
                }
                Err(error) => return self.on_nonsense(now, &error.to_string()),
            }
        }
    }

    /// A master that cannot be understood is tried less and less often, however often it lets us subscribe.
    fn on_nonsense(&mut self, now: Instant, reason: &str) {
        self.settled = false;
        self.on_closed(now, reason);
    }

    /// What was not read until now may have been there for long; and nobody could answer.
    fn on_held(&mut self, now: Instant) {
        self.heard(now);
        self.offers.held(now);
        if let State::Subscribing { until, .. } = &mut self.state {
            *until = now + SUBSCRIBE_TIMEOUT;
        }
    }

    fn heard(&mut self, now: Instant) {
        if let State::Subscribed { until } = &mut self.state {
            *until = now + self.heartbeat * HEARTBEATS_MISSED;
        }
    }

    fn on_event(&mut self, now: Instant, event: Event) {
        tracing::debug!("Received {:?}", event.kind());
        match event.kind() {
            EventType::Subscribed => self.on_subscribed(now, event),
            EventType::Heartbeat => {}
            EventType::Error => self.fail(event.error.unwrap_or_default().message),
            _ if !self.is_subscribed() => {
                tracing::warn!("Ignoring {:?} before SUBSCRIBED", event.kind())
            }
            EventType::Offers => self.on_offers(now, event.offers.unwrap_or_default().offers),
            EventType::Rescind => {
                let id = event.rescind.unwrap_or_default().inner;
                self.offers.remove(&id);
                self.deliver(Delivery::OfferRescinded(id));
            }
            EventType::Update => self.deliver(Delivery::StatusUpdate(event.update.unwrap_or_default().inner)),
            EventType::Message => {
                let m = event.message.unwrap_or_default();
                self.deliver(Delivery::FrameworkMessage {
                    executor_id: m.executor_id,
                    slave_id: m.agent_id,
                    data: m.data,
                });
            }
            EventType::Failure => self.on_failure(event.failure.unwrap_or_default()),
            EventType::Unknown
            | EventType::InverseOffers
            | EventType::RescindInverseOffer
            | EventType::UpdateOperationStatus => {
                // The classic driver has no callback for these (`src/sched/sched.cpp`).
                tracing::debug!("Ignoring {:?}: the classic API has no callback for it", event.kind());
            }
        }
    }

    fn on_subscribed(&mut self, now: Instant, event: Event) {
        let State::Subscribing { .. } = self.state else {
            return tracing::warn!("Ignoring SUBSCRIBED on a stream that is subscribed already");
        };
        let subscribed = event.subscribed.unwrap_or_default();
        let Ok(id) = v1::FrameworkId::decode(subscribed.framework_id.clone()) else {
            return self.on_closed(now, "SUBSCRIBED holds no framework id");
        };
        tracing::info!("Framework registered with {}", id.value);
        self.framework.set_id(&id.value);
        let seconds = subscribed.heartbeat_interval_seconds.filter(|s| *s > 0.0);
        self.heartbeat = seconds.and_then(Period::from_seconds).unwrap_or(DEFAULT_HEARTBEAT);
        self.state = State::Subscribed { until: now + self.heartbeat * HEARTBEATS_MISSED };
        self.settled = true;
        self.redirects = 0;
        let (framework_id, master_info) = (subscribed.framework_id, subscribed.master_info);
        if self.registers_anew(&master_info) {
            self.deliver(Delivery::Registered { framework_id, master_info });
        } else {
            self.deliver(Delivery::Reregistered { master_info });
        }
        self.after_subscribed();
    }

    /// Does what had to wait for SUBSCRIBED.
    fn after_subscribed(&mut self) {
        match self.mode {
            Mode::Running => std::mem::take(&mut self.inquiries).into_iter().for_each(|call| self.transmit(call)),
            Mode::Aborted => self.suppress_all(),
            Mode::Stopping { failover, .. } => self.finish(failover),
            Mode::Stopped => {}
        }
    }

    fn on_inquiries(&mut self, calls: Vec<Call>) {
        if self.mode == Mode::Running {
            self.inquiries.extend(calls);
        }
    }

    /// Whether this registration is a first one. libmesos calls `registered` again when another master was elected,
    /// which does not know the framework (MESOS-786), and frameworks live with that.
    fn registers_anew(&mut self, master_info: &Bytes) -> bool {
        let first = !std::mem::replace(&mut self.was_registered, true);
        let elected = std::mem::replace(&mut self.newly_detected, false);
        let master = v1::MasterInfo::decode(master_info.clone()).unwrap_or_default().id;
        let unknown = !master.is_empty() && self.registered_at.insert(master);
        first || (elected && unknown)
    }

    fn on_offers(&mut self, now: Instant, offers: Vec<Bytes>) {
        // Copied, so that an id does not keep the event that it came in.
        let ids = offers.iter().filter_map(|o| Wrapped::decode(o.clone()).ok());
        let ids = ids.map(|o| Bytes::copy_from_slice(&o.inner));
        if self.mode == Mode::Running {
            self.offers.offered(now, ids);
            self.deliver(Delivery::ResourceOffers(offers));
        } else if self.mode == Mode::Aborted {
            let ids = ids.collect();
            self.decline_all(ids);
        }
    }

    fn on_failure(&mut self, failure: crate::wire::envelope::Failure) {
        match (failure.executor_id, failure.agent_id) {
            (Some(executor_id), agent_id) => self.deliver(Delivery::ExecutorLost {
                executor_id,
                slave_id: agent_id.unwrap_or_default(),
                status: failure.status.unwrap_or(-1),
            }),
            (None, Some(agent_id)) => self.deliver(Delivery::SlaveLost(agent_id)),
            (None, None) => {
                tracing::warn!("Ignoring a FAILURE that names neither executor nor agent")
            }
        }
    }

    fn on_redirect(&mut self, now: Instant, master: Endpoint) {
        if self.mode != Mode::Running {
            return self.on_closed(now, "redirected");
        }
        self.redirects = self.redirects.saturating_add(1);
        if self.redirects > REDIRECTS_MAX {
            return self.on_closed(now, &format!("redirected {REDIRECTS_MAX} times in a row"));
        }
        if self.current.as_ref().is_some_and(|from| from.tls) && !master.tls {
            return self.on_closed(now, &format!("redirected from https to {master}, which is not followed"));
        }
        match &self.principal {
            None => tracing::info!("Redirected to the leading master at {master}"),
            Some(principal) => {
                tracing::info!(
                    "Redirected to the leading master at {master}, which gets the credential of '{principal}' too"
                );
            }
        }
        self.current = Some(master);
        self.subscribe(now);
    }

    fn on_refused(&mut self, now: Instant, status: u16, body: &str) {
        match status {
            401 => {
                let who =
                    self.principal.as_ref().map_or("no principal was given".to_owned(), |p| format!("principal '{p}'"));
                self.fail(format!("Master refused authentication: {who}"));
            }
            // Recovering, no leader elected, or not yet listening on this path (`src/scheduler/scheduler.cpp`).
            404 | 500.. => self.on_closed(now, &format!("HTTP {status}: {body}")),
            _ => self.fail(format!("Received unexpected '{status}' ({body}) for SUBSCRIBE")),
        }
    }

    fn on_closed(&mut self, now: Instant, reason: &str) {
        if self.mode != Mode::Running {
            self.leave_stream();
            return self.finish_if_stopping();
        }
        if std::mem::take(&mut self.settled) {
            self.backoff.reset();
        }
        let delay = self.backoff.next_delay();
        let master = self.current.as_ref().map(ToString::to_string).unwrap_or_default();
        tracing::warn!(
            "Not connected to the master at {master}: {reason}; trying again in {:.1} s",
            delay.as_secs_f64()
        );
        self.leave_stream();
        if self.current != self.detected {
            self.current = self.detected.clone();
            self.redirects = 0;
        }
        self.state = State::Waiting { until: now + delay };
    }

    fn on_timeout(&mut self, now: Instant) {
        self.look_for_offers(now);
        if self.poll_timeout().is_none_or(|until| now < until) {
            return;
        }
        if matches!(self.mode, Mode::Stopping { until, .. } if until <= now) {
            tracing::warn!("Stopping before the master answered SUBSCRIBE");
            return self.finish_if_stopping();
        }
        match self.state {
            State::Disconnected => {}
            State::Waiting { .. } => self.subscribe(now),
            State::Subscribing { .. } => self.on_closed(now, "no answer to SUBSCRIBE"),
            State::Subscribed { .. } => {
                self.on_closed(now, &format!("{HEARTBEATS_MISSED} heartbeats are missing"));
            }
        }
    }

    /// Tells the framework, once, of offers that it has neither accepted nor declined: nobody else is offered what they
    /// hold.
    fn look_for_offers(&mut self, now: Instant) {
        if let Some(late) = self.offers.look(now)
            && self.mode == Mode::Running
        {
            let (name, id) = (self.framework.name(), self.framework.id().unwrap_or_default());
            tracing::warn!(
                "Framework '{name}' ({id}) has neither accepted nor declined {late} offers within {OFFERS_TIMEOUT:?}; \
                 their resources are offered to nobody else until it does"
            );
        }
    }

    fn on_call(&mut self, call: Box<Call>) {
        if self.mode != Mode::Running {
            return;
        }
        match call.kind() {
            call::Type::Suppress => self.note_suppressed(&call.suppress.clone().unwrap_or_default().roles, true),
            call::Type::Revive => self.note_suppressed(&call.revive.clone().unwrap_or_default().roles, false),
            call::Type::UpdateFramework if !self.note_update(&call) => return,
            _ => {}
        }
        if self.is_subscribed() {
            self.forget_offers(&call);
            self.transmit(call);
        } else {
            self.answer_here(&call);
        }
    }

    /// libmesos' master takes back a framework's update by an error; other calls are refused without a word to it.
    fn on_call_refused(&mut self, kind: call::Type, status: u16, body: String) {
        tracing::warn!("The master refused {kind:?}: HTTP {status}: {body}");
        if kind == call::Type::UpdateFramework && self.mode == Mode::Running {
            self.give_up(body);
        }
    }

    /// What the framework asked cannot reach the master: what `src/sched/sched.cpp` does then.
    fn answer_here(&mut self, call: &Call) {
        let Some(accept) = &call.accept else {
            return tracing::debug!("Dropping {:?}: not connected to a master", call.kind());
        };
        let tasks = accept.operations.iter().flat_map(call::launched_tasks);
        for task in tasks.collect::<Vec<_>>() {
            let status = self.lost(&task);
            self.deliver(Delivery::StatusUpdate(status));
        }
    }

    fn lost(&self, task: &Bytes) -> Bytes {
        let id = TaskKeys::decode(task.clone()).ok().and_then(|t| v1::TaskId::decode(t.task_id).ok());
        let state = if self.framework.partition_aware() { v1::TaskState::TaskDropped } else { v1::TaskState::TaskLost };
        let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let status = v1::TaskStatus {
            task_id: id.unwrap_or_default(),
            state: state.into(),
            source: Some(v1::task_status::Source::Master.into()),
            reason: Some(v1::task_status::Reason::MasterDisconnected.into()),
            message: Some("Master disconnected".to_owned()),
            timestamp: Some(since_epoch.as_secs_f64()),
            ..Default::default()
        };
        status.encode_to_vec().into()
    }

    fn note_suppressed(&mut self, roles: &[String], suppress: bool) {
        let all = if roles.is_empty() { self.framework.roles().to_vec() } else { roles.to_vec() };
        for role in all {
            if suppress {
                self.suppressed.insert(role);
            } else {
                self.suppressed.remove(&role);
            }
        }
    }

    /// Takes a new `FrameworkInfo`; false where it cannot be (the driver is then aborted, as libmesos does).
    fn note_update(&mut self, call: &Call) -> bool {
        let Some(update) = &call.update_framework else {
            return false;
        };
        let Some(id) = self.framework.id().filter(|_| self.was_registered).map(str::to_owned) else {
            let why = "must not be called prior to registration with the master";
            self.give_up(format!("MesosSchedulerDriver::updateFramework() {why}"));
            return false;
        };
        match Framework::new(update.framework_info.clone(), "", "") {
            Ok(new) if new.id() == Some(&id) => {
                self.framework = new;
                self.suppressed = update.suppressed_roles.iter().cloned().collect();
                true
            }
            Ok(new) => {
                let got = new.id().unwrap_or_default();
                self.give_up(format!(
                    "The 'FrameworkInfo.id' provided to MesosSchedulerDriver::updateFramework() ({got}) must be equal to \
                     the value known to the MesosSchedulerDriver ({id})"
                ));
                false
            }
            Err(error) => {
                self.give_up(format!("UpdateFramework: {error}"));
                false
            }
        }
    }

    fn on_acknowledge(&mut self, status: &Bytes) {
        let Some(acknowledge) = call::Acknowledge::of(status) else {
            return;
        };
        if self.mode == Mode::Running && self.is_subscribed() {
            self.transmit(Call {
                kind: call::Type::Acknowledge.into(),
                acknowledge: Some(acknowledge),
                ..Call::default()
            });
        }
    }

    /// A SUBSCRIBE that is on its way is waited for: the framework is removed, or left for another scheduler, then.
    fn on_stop(&mut self, now: Instant, failover: bool) {
        match (self.mode, self.state) {
            (Mode::Stopping { .. } | Mode::Stopped, _) => {}
            (_, State::Subscribing { sent: true, .. }) => {
                self.mode = Mode::Stopping { until: now + STOP_TIMEOUT, failover };
            }
            _ => self.finish(failover),
        }
    }

    fn finish_if_stopping(&mut self) {
        if let Mode::Stopping { failover, .. } = self.mode {
            self.finish(failover);
        }
    }

    fn finish(&mut self, failover: bool) {
        self.mode = Mode::Stopped;
        let subscribed = self.is_subscribed();
        if subscribed && !failover {
            self.transmit(Call { kind: call::Type::Teardown.into(), ..Call::default() });
        }
        self.outputs.push_back(Output::Finished { linger: subscribed && failover });
    }

    /// HTTP has no DEACTIVATE: the stream stays open, so that the tasks live, and no offer is kept.
    fn on_abort(&mut self) {
        if self.mode != Mode::Running {
            return;
        }
        self.mode = Mode::Aborted;
        match self.state {
            State::Subscribed { .. } => self.suppress_all(),
            // Done when SUBSCRIBED comes.
            State::Subscribing { sent: true, .. } => {}
            _ => self.leave_stream(),
        }
    }

    fn suppress_all(&mut self) {
        let suppress = Some(call::Roles::default());
        self.transmit(Call { kind: call::Type::Suppress.into(), suppress, ..Call::default() });
        let ids = self.offers.take();
        self.decline_all(ids);
    }

    /// The framework asked what cannot be: it is told, and the driver aborted as the framework itself would.
    fn give_up(&mut self, message: String) {
        self.deliver(Delivery::Error(message));
        self.on_abort();
    }

    /// The master ended it: the driver is aborted, and told why.
    fn fail(&mut self, message: String) {
        tracing::debug!("Aborting: {message}");
        self.deliver(Delivery::Error(message));
        if self.mode == Mode::Running {
            self.mode = Mode::Aborted;
        }
        self.leave_stream();
        self.finish_if_stopping();
    }

    fn subscribe(&mut self, now: Instant) {
        let Some(master) = self.current.clone() else {
            self.state = State::Disconnected;
            return;
        };
        self.attempt += 1;
        self.decoder = Decoder::default();
        self.state = State::Subscribing { until: now + SUBSCRIBE_TIMEOUT, sent: false };
        let call = Call {
            framework_id: self.framework.id_bytes(),
            kind: call::Type::Subscribe.into(),
            subscribe: Some(call::Subscribe {
                framework_info: self.framework.info(),
                suppressed_roles: self.suppressed.iter().cloned().collect(),
            }),
            ..Call::default()
        };
        self.outputs.push_back(Output::Subscribe(self.attempt, master, call.encode_to_vec().into()));
    }

    fn leave_stream(&mut self) {
        let was_subscribed = self.is_subscribed();
        self.state = State::Disconnected;
        self.attempt += 1;
        self.offers.take();
        self.outputs.push_back(Output::Disconnect);
        if was_subscribed {
            self.deliver(Delivery::Disconnected);
        }
    }

    fn forget_offers(&mut self, call: &Call) {
        let accepted = call.accept.iter().flat_map(|a| &a.offer_ids);
        for id in accepted.chain(call.decline.iter().flat_map(|d| &d.offer_ids)) {
            self.offers.remove(id);
        }
    }

    fn decline_all(&mut self, offer_ids: Vec<Bytes>) {
        if !offer_ids.is_empty() {
            let decline = Some(call::Decline { offer_ids, filters: None });
            self.transmit(Call { kind: call::Type::Decline.into(), decline, ..Call::default() });
        }
    }

    fn transmit(&mut self, call: impl Into<Box<Call>>) {
        let mut call = call.into();
        call.framework_id = self.framework.id_bytes();
        self.outputs.push_back(Output::Transmit(call));
    }

    fn deliver(&mut self, delivery: Delivery) {
        if self.mode == Mode::Running {
            self.outputs.push_back(Output::Deliver(delivery));
        }
    }
}
