//! Mesos 1.11.0's v1 messages as Rust types, and every file's descriptors. Made by `build.rs` from `proto/`.

use std::sync::LazyLock;

use prost::Message;
use prost_reflect::{DescriptorPool, MessageDescriptor};

#[allow(missing_docs, deprecated, clippy::all)]
mod generated {
    pub mod v1 {
        include!(concat!(env!("OUT_DIR"), "/mesos.v1.rs"));
        pub mod scheduler {
            include!(concat!(env!("OUT_DIR"), "/mesos.v1.scheduler.rs"));
        }
        pub mod executor {
            include!(concat!(env!("OUT_DIR"), "/mesos.v1.executor.rs"));
        }
        pub mod allocator {
            include!(concat!(env!("OUT_DIR"), "/mesos.v1.allocator.rs"));
        }
        pub mod master {
            include!(concat!(env!("OUT_DIR"), "/mesos.v1.master.rs"));
        }
        pub mod agent {
            include!(concat!(env!("OUT_DIR"), "/mesos.v1.agent.rs"));
        }
        pub mod quota {
            include!(concat!(env!("OUT_DIR"), "/mesos.v1.quota.rs"));
        }
        pub mod maintenance {
            include!(concat!(env!("OUT_DIR"), "/mesos.v1.maintenance.rs"));
        }
    }
}
pub use generated::v1;

static DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// The serialized `FileDescriptorProto` of a file, by the name that its importers write; `None` for an unknown file.
/// The classic file is `mesos.proto`, as in Apache's Python package.
pub fn file_descriptor(name: &str) -> Option<Vec<u8>> {
    /// A descriptor set with its files left as bytes.
    #[derive(Clone, PartialEq, prost::Message)]
    struct RawSet {
        #[prost(bytes = "vec", repeated, tag = "1")]
        file: Vec<Vec<u8>>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    struct Named {
        #[prost(string, tag = "1")]
        name: String,
    }
    static FILES: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(|| {
        let set = RawSet::decode(DESCRIPTORS).expect("build.rs wrote a descriptor set");
        let name = |file: &[u8]| Named::decode(file).expect("build.rs wrote file descriptors").name;
        set.file.into_iter().map(|file| (name(&file), file)).collect()
    });
    FILES.iter().find(|(n, _)| n == name).map(|(_, file)| file.clone())
}

/// The descriptor of a message, for the JSON form of bodies; `None` for an unknown name.
pub fn message_descriptor(full_name: &str) -> Option<MessageDescriptor> {
    static POOL: LazyLock<DescriptorPool> =
        LazyLock::new(|| DescriptorPool::decode(DESCRIPTORS).expect("build.rs wrote a valid descriptor set"));
    POOL.get_message_by_name(full_name)
}

impl v1::scheduler::Event {
    /// An event of this type, with nothing in it.
    pub fn of(kind: v1::scheduler::event::Type) -> Self {
        Self { r#type: Some(kind.into()), ..Default::default() }
    }
}

impl v1::executor::Event {
    /// An event of this type, with nothing in it.
    pub fn of(kind: v1::executor::event::Type) -> Self {
        Self { r#type: Some(kind.into()), ..Default::default() }
    }
}

/// Whether a framework has a capability.
pub fn has_capability(info: &v1::FrameworkInfo, capability: v1::framework_info::capability::Type) -> bool {
    info.capabilities.iter().any(|c| c.r#type() == capability)
}

/// The roles of a framework: `roles` with MULTI_ROLE, else `role` (`protobuf::framework::getRoles`).
#[allow(deprecated)]
pub fn roles(info: &v1::FrameworkInfo) -> Vec<String> {
    if has_capability(info, v1::framework_info::capability::Type::MultiRole) {
        info.roles.clone()
    } else {
        vec![info.role().to_owned()]
    }
}
