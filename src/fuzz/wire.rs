//! The bytes of streams, the messages in them, and durations.

use arbitrary::{Result, Unstructured};
use bytes::Bytes;
use prost::Message;
use prost_reflect::DynamicMessage;

use crate::proto::{self, v1};
use crate::session::Session;
use crate::session::scheduler::SchedulerSession;
use crate::wire::duration::Period;
use crate::wire::operator::{self, Format};
use crate::wire::recordio::{Decoder, encode};
use crate::wire::views::{ErrorMessage, StatusView, TaskGroup, TaskView, Wrapped};
use crate::wire::{Post, executor, scheduler};

/// A stream of records gives the same ones however it is cut into pieces, and they give the same stream again.
///
/// The input begins with a number of pieces, at most 15, and their lengths.
pub fn recordio(data: &[u8]) {
    let mut input = Unstructured::new(data);
    let Ok(lengths) = lengths(&mut input) else { return };
    let stream = input.take_rest();
    let whole = read([stream].into_iter());
    assert_eq!(read(pieces(&lengths, stream)), whole, "the same in pieces");
    let records = whole.0;
    let size = records.iter().map(Bytes::len).sum::<usize>();
    assert!(size <= stream.len(), "{size} bytes of {}", stream.len());
    let again: Vec<u8> = records.iter().flat_map(|record| encode(record)).collect();
    assert_eq!(read([again.as_slice()].into_iter()), (records, true, false), "the same again");
}

fn lengths(input: &mut Unstructured<'_>) -> Result<Vec<usize>> {
    let count = input.int_in_range(0..=15_u8)?;
    (0..count).map(|_| input.arbitrary::<u8>().map(usize::from)).collect()
}

fn pieces<'a>(lengths: &[usize], mut stream: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut pieces = Vec::new();
    for length in lengths {
        let (piece, rest) = stream.split_at((*length).min(stream.len()));
        pieces.push(piece);
        stream = rest;
    }
    pieces.push(stream);
    pieces.into_iter()
}

/// The records of a stream, whether it may end here, and whether it is out of step.
fn read<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Bytes>, bool, bool) {
    let (mut decoder, mut records) = (Decoder::default(), Vec::new());
    for piece in pieces {
        decoder.feed(piece);
        loop {
            match decoder.next_record() {
                Ok(Some(record)) => records.push(record),
                Ok(None) => break,
                Err(_) => return (records, false, true),
            }
        }
    }
    (records, decoder.is_between_records(), false)
}

/// The views of events say what the messages of the API say, and what is in them is what the classic classes read.
pub fn events(data: &[u8]) {
    scheduler_event(data);
    executor_event(data);
    let bytes = Bytes::copy_from_slice(data);
    for format in [Format::Json, Format::Protobuf] {
        if let Ok(event) = operator::Event::read(format, bytes.clone()) {
            assert_eq!(event.bytes, bytes);
        }
    }
    // None of these panics.
    let _ = (StatusView::read(data), TaskView::decode(data), TaskGroup::decode(data), ErrorMessage::decode(data));
}

fn scheduler_event(data: &[u8]) {
    let Ok(real) = v1::scheduler::Event::decode(data) else { return };
    let view = scheduler::Event::decode(real.encode_to_vec().as_slice()).expect("an event");
    assert_eq!(view.kind(), real.r#type());
    let offers = |offers: Vec<Bytes>| offers.into_iter().map(|offer| classic("mesos.Offer", &offer)).collect();
    let seen: Option<Vec<v1::Offer>> = view.offers.map(|event| offers(event.offers));
    same(seen.as_deref(), real.offers.as_ref().map(|event| event.offers.as_slice()));
    let seen: Option<[v1::TaskStatus; 1]> = view.update.map(|update| [classic("mesos.TaskStatus", &update.inner)]);
    same(
        seen.as_ref().map(<[_; 1]>::as_slice),
        real.update.as_ref().map(|update| std::slice::from_ref(&update.status)),
    );
    if let Some(update) = &real.update {
        is_viewed(&update.status);
    }
    let rescinded = view.rescind.map(|rescind| v1::OfferId::decode(rescind.inner).expect("an id"));
    assert_eq!(rescinded, real.rescind.map(|rescind| rescind.offer_id));
    let message = view.message.map(|message| message.data.to_vec());
    assert_eq!(message, real.message.map(|message| message.data));
    let status =
        view.failure.map(|failure| (failure.status, failure.executor_id.is_some(), failure.agent_id.is_some()));
    assert_eq!(status, real.failure.map(|of| (of.status, of.executor_id.is_some(), of.agent_id.is_some())));
    assert_eq!(view.error.map(|error| error.message), real.error.map(|error| error.message));
}

/// What is read of a status is what it says.
fn is_viewed(status: &v1::TaskStatus) {
    let bytes = status.encode_to_vec();
    let view = StatusView::read(&bytes).expect("a status");
    assert_eq!(view.task_id, Some(status.task_id.encode_to_vec().as_slice()));
    assert_eq!((view.state, view.uuid), (status.state, status.uuid.as_deref()));
    assert_eq!(view.agent_id, status.agent_id.as_ref().map(Message::encode_to_vec).as_deref());
}

fn executor_event(data: &[u8]) {
    let Ok(real) = v1::executor::Event::decode(data) else { return };
    let view = executor::Event::decode(real.encode_to_vec().as_slice()).expect("an event");
    assert_eq!(view.kind(), real.r#type());
    let seen: Option<[v1::TaskInfo; 1]> = view.launch.map(|launch| [classic("mesos.TaskInfo", &launch.inner)]);
    same(seen.as_ref().map(<[_; 1]>::as_slice), real.launch.as_ref().map(|launch| std::slice::from_ref(&launch.task)));
    let tasks = |group: TaskGroup| group.tasks.iter().map(|task| classic("mesos.TaskInfo", task)).collect();
    let seen: Option<Vec<v1::TaskInfo>> = view.launch_group.map(|launch| tasks(launch.task_group.unwrap_or_default()));
    same(seen.as_deref(), real.launch_group.as_ref().map(|launch| launch.task_group.tasks.as_slice()));
    let acknowledged = view.acknowledged.map(|of| of.uuid.to_vec());
    assert_eq!(acknowledged, real.acknowledged.map(|of| of.uuid));
    let killed = view.kill.map(|kill| v1::TaskId::decode(kill.task_id).expect("an id"));
    assert_eq!(killed, real.kill.map(|kill| kill.task_id));
    assert_eq!(view.message.map(|message| message.data.to_vec()), real.message.map(|message| message.data));
}

/// Has the class of this name in the classic API read and write a message, as a framework may, and reads it again.
fn classic<M: Message + Default>(name: &str, bytes: &[u8]) -> M {
    let descriptor = proto::message_descriptor(name).expect("a message of proto/");
    let message = DynamicMessage::decode(descriptor, bytes).expect("a message of both APIs");
    M::decode(message.encode_to_vec().as_slice()).expect("a message of both APIs")
}

/// Compared as bytes: a number may be none.
fn same<M: Message>(seen: Option<&[M]>, expected: Option<&[M]>) {
    let bytes = |messages: &[M]| messages.iter().map(Message::encode_to_vec).collect::<Vec<_>>();
    assert_eq!(seen.map(bytes), expected.map(bytes));
}

/// Calls are written as they were read, with the length that was announced.
pub fn calls(data: &[u8]) {
    if let Ok(real) = v1::scheduler::Call::decode(data) {
        scheduler_call(&real);
    }
    let _ = scheduler::Call::decode(Bytes::copy_from_slice(data));
    // The executor's calls are not read anywhere: they are built of these bytes.
    let inner = Bytes::copy_from_slice(data);
    let wrapped = Wrapped { inner: inner.clone() };
    let subscribe = executor::Subscribe {
        unacknowledged_tasks: vec![inner.clone(); 2],
        unacknowledged_updates: vec![wrapped.clone()],
    };
    for call in [
        executor::Call::Update(wrapped),
        executor::Call::Subscribe(subscribe),
        executor::Call::Message(executor::CallMessage { data: inner }),
    ] {
        executor_call(data, call);
    }
}

fn scheduler_call(real: &v1::scheduler::Call) {
    let Some(call) = scheduler::Call::decode(real.encode_to_vec().into()) else { return };
    let framework_id = real.framework_id.as_ref().map(|id| id.encode_to_vec().into());
    let envelope = scheduler::Envelope { framework_id, call };
    let bytes = envelope.to_bytes();
    assert_eq!(bytes.len(), envelope.encoded_len());
    assert_eq!(envelope.name(), real.r#type().as_str_name());
    let sent = v1::scheduler::Call::decode(bytes.clone()).expect("a call");
    assert_eq!((sent.r#type(), &sent.framework_id), (real.r#type(), &real.framework_id));
    let again = scheduler::Call::decode(bytes.clone()).expect("a call");
    let again = scheduler::Envelope { framework_id: envelope.framework_id.clone(), call: again };
    assert_eq!(again.to_bytes(), bytes, "written as it was read");
    if sent.accept.is_some() {
        same(sent.accept.as_ref().map(std::slice::from_ref), real.accept.as_ref().map(std::slice::from_ref));
    }
    assert!(sent.kill.is_none() || sent.kill == real.kill);
    assert!(sent.acknowledge.is_none() || sent.acknowledge == real.acknowledge);
    assert!(sent.reconcile.is_none() || sent.reconcile == real.reconcile);
    // What is done about it if its connection breaks.
    let _ = SchedulerSession::unanswered(envelope);
}

fn executor_call(inner: &[u8], call: executor::Call) {
    let (executor_id, framework_id) = (Bytes::from_static(b"\n\x01e"), Bytes::from_static(b"\n\x01f"));
    let is_message = matches!(call, executor::Call::Message(_));
    let envelope = executor::Envelope { executor_id, framework_id, call };
    let bytes = envelope.to_bytes();
    assert_eq!(bytes.len(), envelope.encoded_len());
    let sent = v1::executor::Call::decode(bytes);
    if is_message {
        let message = sent.expect("a message has any bytes").message.expect("a MESSAGE");
        assert_eq!(message.data, inner);
    }
}

/// A duration is read as it is shown, and its arithmetic does not overflow.
pub fn durations(data: &[u8]) {
    if let Some((number, _)) = data.split_first_chunk() {
        sound(Period::from_nanoseconds(i64::from_le_bytes(*number)));
        sound(Period::from_seconds(f64::from_le_bytes(*number)).unwrap_or_default());
    }
    if let Some(period) = std::str::from_utf8(data).ok().and_then(|text| Period::parse(text).ok()) {
        sound(period);
    }
}

fn sound(period: Period) {
    let all = [period * 3, period.scaled(1e9), period.saturating_sub(Period::from_secs(1)), period];
    let now = crate::clock::now();
    assert!(all.iter().all(|period| *period <= Period::MAX && now + *period >= now), "{all:?}");
    let again = Period::parse(&period.to_string()).expect("a duration");
    // More digits than a number has are rounded, as in Mesos.
    assert!(
        again.get().abs_diff(period.get()).as_secs_f64() <= period.as_secs_f64() * 1e-15,
        "{again:?} of {period:?}"
    );
}
