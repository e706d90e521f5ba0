//! The framework's info as the driver keeps it: the caller's bytes, with what the driver fills in appended.

use bytes::Bytes;
use prost::Message;

use crate::proto::{has_capability, roles, v1};
use crate::wire::duration::Period;
use crate::{Error, Result};

/// A `FrameworkInfo` that is ready to be sent, and the fields of it that the session reads.
///
/// ```
/// use prost::Message;
/// use remesos::proto::v1;
/// use remesos::session::framework::Framework;
///
/// let info = v1::FrameworkInfo { name: "example".to_owned(), ..Default::default() };
/// let mut framework = Framework::new(info.encode_to_vec().into(), "alice", "host")?;
/// framework.set_id("f-1");
/// let sent = v1::FrameworkInfo::decode(framework.info())?;
/// assert_eq!((sent.name.as_str(), sent.user.as_str(), framework.id()), ("example", "alice", Some("f-1")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Framework {
    info: Bytes,
    name: String,
    id: Option<String>,
    /// The serialized `FrameworkID`.
    id_bytes: Option<Bytes>,
    roles: Vec<String>,
    partition_aware: bool,
    failover_timeout: Period,
}

/// Fields to append to a serialized `FrameworkInfo`: in protobuf the last value of a field wins, and messages merge,
/// so that fields unknown to us pass through untouched.
#[derive(Clone, PartialEq, prost::Message)]
struct Filled {
    #[prost(string, optional, tag = "1")]
    user: Option<String>,
    #[prost(message, optional, tag = "3")]
    id: Option<v1::FrameworkId>,
    #[prost(string, optional, tag = "7")]
    hostname: Option<String>,
    #[prost(string, optional, tag = "8")]
    principal: Option<String>,
}

impl Framework {
    /// Fills in `user` and `hostname` if they are empty, as `SchedulerProcess` does, and nothing else.
    ///
    /// Fails if the bytes are not a `FrameworkInfo`.
    pub fn new(info: Bytes, user: &str, hostname: &str) -> Result<Self> {
        let decoded = v1::FrameworkInfo::decode(info.clone())
            .map_err(|e| Error::invalid("these bytes are not a FrameworkInfo").caused_by(e))?;
        let missing = |present: &str, value: &str| present.is_empty().then(|| value.to_owned());
        let filled = Filled {
            user: missing(&decoded.user, user),
            hostname: missing(decoded.hostname(), hostname),
            ..Filled::default()
        };
        let failover = decoded.failover_timeout();
        let id = decoded.id.as_ref().map(|id| id.value.clone()).filter(|id| !id.is_empty());
        Ok(Self {
            info: append(&info, &filled),
            name: decoded.name.clone(),
            id_bytes: id.as_deref().map(serialized),
            id,
            roles: roles(&decoded),
            partition_aware: has_capability(&decoded, v1::framework_info::capability::Type::PartitionAware),
            failover_timeout: Period::from_seconds(failover).unwrap_or_default(),
        })
    }

    /// Sets the principal if it is empty. The master refuses calls of a framework whose principal is not the one that it
    /// authenticates with.
    #[must_use]
    pub fn with_principal(mut self, principal: Option<&str>) -> Self {
        let has = v1::FrameworkInfo::decode(self.info.clone()).is_ok_and(|info| !info.principal().is_empty());
        if let Some(principal) = principal.filter(|_| !has) {
            self.info = append(&self.info, &Filled { principal: Some(principal.to_owned()), ..Filled::default() });
        }
        self
    }

    /// Sets the id that the master has assigned.
    pub fn set_id(&mut self, id: &str) {
        if self.id.as_deref() != Some(id) {
            let filled = Filled { id: Some(v1::FrameworkId { value: id.to_owned() }), ..Filled::default() };
            self.info = append(&self.info, &filled);
            self.id = Some(id.to_owned());
            self.id_bytes = Some(serialized(id));
        }
    }

    /// The serialized `FrameworkInfo`.
    pub fn info(&self) -> Bytes {
        self.info.clone()
    }

    /// The framework's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The framework's id, once there is one.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The serialized `FrameworkID`, once there is one.
    pub fn id_bytes(&self) -> Option<Bytes> {
        self.id_bytes.clone()
    }

    /// The roles it subscribes to: `roles` with MULTI_ROLE, else the one in `role`.
    pub fn roles(&self) -> &[String] {
        &self.roles
    }

    /// Whether the framework has the capability PARTITION_AWARE, and so knows TASK_DROPPED and similar states.
    pub fn partition_aware(&self) -> bool {
        self.partition_aware
    }

    /// How long the master keeps the framework while no scheduler is connected.
    pub fn failover_timeout(&self) -> Period {
        self.failover_timeout
    }
}

fn serialized(id: &str) -> Bytes {
    v1::FrameworkId { value: id.to_owned() }.encode_to_vec().into()
}

fn append(info: &Bytes, filled: &Filled) -> Bytes {
    [info.as_ref(), &filled.encode_to_vec()].concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_user_and_hostname_are_filled_in_and_unknown_fields_survive() {
        let info = v1::FrameworkInfo { user: String::new(), name: "hello-world".into(), ..Default::default() };
        let mut bytes = info.encode_to_vec();
        bytes.extend([0xba, 0x3e, 3, b'n', b'e', b'w']); // field 999, unknown here
        let mut framework = Framework::new(bytes.clone().into(), "alice", "host").expect("valid");
        framework.set_id("f-1");
        let filled = v1::FrameworkInfo::decode(framework.info()).expect("valid");
        assert_eq!((filled.user.as_str(), filled.hostname(), filled.name.as_str()), ("alice", "host", "hello-world"));
        assert_eq!(filled.id.expect("an id").value, "f-1");
        assert!(framework.info().starts_with(&bytes));
    }
}
