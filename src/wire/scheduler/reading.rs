//! Calls as they are read from their bytes.

use bytes::Bytes;
use prost::Message;

use super::call::{Accept, Acknowledge, Decline, Other, Reconcile, Requests, Roles, Subscribe};
use super::{Call, CallType, FrameworkMessage};

impl Call {
    /// Reads the call in a serialized `mesos.v1.scheduler.Call`; the framework's id is left out. `None` if the bytes are no
    /// call, or one without the field of its type.
    pub fn decode(bytes: Bytes) -> Option<Self> {
        let fields = Fields::decode(bytes).ok()?;
        let other = |message| Other::new(fields.kind(), message).map(Self::Other);
        match fields.kind() {
            CallType::Subscribe => fields.subscribe.map(Self::Subscribe),
            CallType::Teardown => Some(Self::Teardown),
            CallType::Accept => fields.accept.map(Self::from),
            CallType::Decline => fields.decline.map(Self::Decline),
            CallType::Revive => Some(Self::Revive(fields.revive.unwrap_or_default())),
            CallType::Suppress => Some(Self::Suppress(fields.suppress.unwrap_or_default())),
            CallType::Kill => fields.kill.clone().and_then(other),
            CallType::Shutdown => fields.shutdown.clone().and_then(other),
            CallType::Acknowledge => fields.acknowledge.map(Self::from),
            CallType::Reconcile => fields.reconcile.map(Self::Reconcile),
            CallType::Message => fields.message.map(Self::from),
            CallType::Request => fields.request.map(Self::Request),
            CallType::AcceptInverseOffers => fields.accept_inverse_offers.clone().and_then(other),
            CallType::DeclineInverseOffers => fields.decline_inverse_offers.clone().and_then(other),
            CallType::AcknowledgeOperationStatus => fields.acknowledge_operation_status.clone().and_then(other),
            CallType::ReconcileOperations => fields.reconcile_operations.clone().and_then(other),
            CallType::UpdateFramework => fields.update_framework.map(Self::UpdateFramework),
            CallType::Unknown => None,
        }
    }
}

/// `mesos.v1.scheduler.Call`, as far as calls are read from it.
#[derive(Clone, PartialEq, prost::Message)]
struct Fields {
    #[prost(enumeration = "CallType", tag = "2")]
    kind: i32,
    #[prost(message, optional, tag = "3")]
    subscribe: Option<Subscribe>,
    #[prost(message, optional, tag = "4")]
    accept: Option<Accept>,
    #[prost(message, optional, tag = "5")]
    decline: Option<Decline>,
    #[prost(bytes = "bytes", optional, tag = "6")]
    kill: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "7")]
    shutdown: Option<Bytes>,
    #[prost(message, optional, tag = "8")]
    acknowledge: Option<Acknowledge>,
    #[prost(message, optional, tag = "9")]
    reconcile: Option<Reconcile>,
    #[prost(message, optional, tag = "10")]
    message: Option<FrameworkMessage>,
    #[prost(message, optional, tag = "11")]
    request: Option<Requests>,
    #[prost(bytes = "bytes", optional, tag = "13")]
    accept_inverse_offers: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "14")]
    decline_inverse_offers: Option<Bytes>,
    #[prost(message, optional, tag = "15")]
    revive: Option<Roles>,
    #[prost(message, optional, tag = "16")]
    suppress: Option<Roles>,
    #[prost(bytes = "bytes", optional, tag = "17")]
    acknowledge_operation_status: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "18")]
    reconcile_operations: Option<Bytes>,
    #[prost(message, optional, tag = "19")]
    update_framework: Option<Subscribe>,
}
