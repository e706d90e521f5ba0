//! The calls of an agent's operator API that need neither files nor processes. Follows `Http::_api` in
//! `src/slave/http.cpp`.

mod containers;
mod messages;
mod validation;

use super::{Agent, Draining};
use crate::local::master::MESOS_VERSION;
use crate::local::refusal::Refusal;
use crate::local::world::time_info;
use crate::proto::v1;
use crate::proto::v1::agent::{Call, Response, call, response};

pub use containers::{Listed, Shown, statistics};
pub use validation::validate;

impl Agent {
    /// Carries out a call that was validated. Calls that only change something have no response.
    ///
    /// # Errors
    ///
    /// Refuses what an agent does not have.
    pub fn operator_call(&self, call: &Call) -> Result<Option<Response>, Refusal> {
        let response = match call.r#type() {
            call::Type::Unknown => return Err(Refusal::new(501, "501 Not Implemented.")),
            call::Type::GetHealth => {
                Response { get_health: Some(response::GetHealth { healthy: true }), ..of(response::Type::GetHealth) }
            }
            call::Type::GetFlags => {
                let flags = self.config().flags.iter();
                let flags = flags.map(|(name, value)| v1::Flag { name: name.clone(), value: Some(value.clone()) });
                let get_flags = Some(response::GetFlags { flags: flags.collect() });
                Response { get_flags, ..of(response::Type::GetFlags) }
            }
            call::Type::GetVersion => {
                let version_info = v1::VersionInfo { version: MESOS_VERSION.to_owned(), ..Default::default() };
                let get_version = Some(response::GetVersion { version_info });
                Response { get_version, ..of(response::Type::GetVersion) }
            }
            call::Type::GetState => Response { get_state: Some(self.get_state()), ..of(response::Type::GetState) },
            call::Type::GetFrameworks => {
                Response { get_frameworks: Some(self.get_frameworks()), ..of(response::Type::GetFrameworks) }
            }
            call::Type::GetExecutors => {
                Response { get_executors: Some(self.get_executors()), ..of(response::Type::GetExecutors) }
            }
            call::Type::GetTasks => Response { get_tasks: Some(self.get_tasks()), ..of(response::Type::GetTasks) },
            call::Type::GetOperations => {
                let get_operations = Some(response::GetOperations { operations: self.operation_messages() });
                Response { get_operations, ..of(response::Type::GetOperations) }
            }
            call::Type::GetAgent => Response { get_agent: Some(self.get_agent()), ..of(response::Type::GetAgent) },
            call::Type::GetResourceProviders => Response {
                get_resource_providers: Some(response::GetResourceProviders::default()),
                ..of(response::Type::GetResourceProviders)
            },
            _ => return providers(call).map(|()| None),
        };
        Ok(Some(response))
    }
}

impl Agent {
    fn get_agent(&self) -> response::GetAgent {
        let draining = self.draining.as_ref();
        let config = |draining: &Draining| v1::DrainConfig {
            max_grace_period: draining.max_grace_period,
            mark_gone: Some(draining.mark_gone),
        };
        response::GetAgent {
            agent_info: Some(self.config().info.clone()),
            drain_config: draining.map(config),
            estimated_drain_start_time: draining.map(|draining| time_info(draining.since.floor())),
        }
    }
}

/// A response of this type.
pub fn of(kind: response::Type) -> Response {
    Response { r#type: Some(kind.into()), ..Default::default() }
}

/// The calls that change what an agent without resource providers and images does not have.
fn providers(call: &Call) -> Result<(), Refusal> {
    let add = call.add_resource_provider_config.as_ref().map(|add| &add.info);
    let update = call.update_resource_provider_config.as_ref().map(|update| &update.info);
    match call.r#type() {
        call::Type::AddResourceProviderConfig => provider(add),
        call::Type::UpdateResourceProviderConfig => provider(update),
        call::Type::RemoveResourceProviderConfig => Err(no_directory()),
        // Nothing is there to be marked gone, or to be pruned.
        _ => Ok(()),
    }
}

/// `LocalResourceProvider::validate`; without a directory for them none can be added.
fn provider(info: Option<&v1::ResourceProviderInfo>) -> Result<(), Refusal> {
    const STORAGE: &str = "org.apache.mesos.rp.local.storage";
    let Some(info) = info else { return Err(no_directory()) };
    let wrong = match info.r#type.as_str() {
        STORAGE if info.storage.is_none() => "'ResourceProviderInfo.storage' must be set".to_owned(),
        STORAGE => return Err(no_directory()),
        other => format!("Unknown local resource provider type '{other}'"),
    };
    let (kind, name) = (&info.r#type, &info.name);
    let why = format!("Failed to validate resource provider config with type '{kind}' and name '{name}': {wrong}");
    Err(Refusal::new(400, why))
}

fn no_directory() -> Refusal {
    Refusal::new(500, "Missing required flag --resource_provider_config_dir")
}
