//! What tasks and executors consist of, and what is wrong with it. Follows `src/common/validation.cpp`: its checks, in
//! its order and its words.

use crate::local::refusal::Invalid;
use crate::proto::v1;
use crate::proto::v1::environment::variable::Type as VariableType;
use crate::proto::v1::secret::Type as SecretType;
use crate::proto::v1::volume::source::Type as SourceType;
use crate::proto::v1::{check_info, health_check};

/// What was checked, or what is wrong.
pub type Checked<T = ()> = Result<T, Invalid>;

/// Puts words before what is wrong.
pub fn because<T>(checked: Checked<T>, of: &str) -> Checked<T> {
    checked.map_err(|why| Invalid::new(format!("{of}: {why}")))
}

/// Whether there is a duration below zero.
pub fn negative(duration: Option<&v1::DurationInfo>) -> bool {
    duration.is_some_and(|duration| duration.nanoseconds < 0)
}

/// `validateCommandInfo`: what is wrong with a command's environment.
pub fn environment(command: &v1::CommandInfo) -> Checked {
    for variable in command.environment.iter().flat_map(|e| &e.variables) {
        let name = &variable.name;
        let (kind, wanted, unwanted) = match variable.r#type() {
            VariableType::Unknown => {
                return Err(Invalid::new("Environment variable of type 'UNKNOWN' is not allowed"));
            }
            VariableType::Secret => ("SECRET", variable.secret.is_some(), variable.value.is_some()),
            VariableType::Value => ("VALUE", variable.value.is_some(), variable.secret.is_some()),
        };
        let (own, other) = if kind == "SECRET" { ("secret", "value") } else { ("value", "secret") };
        Invalid::unless(wanted, format!("Environment variable '{name}' of type '{kind}' must have a {own} set"))?;
        Invalid::unless(
            !unwanted,
            format!("Environment variable '{name}' of type '{kind}' must not have a {other} set"),
        )?;
        variable.secret.as_ref().map_or(Ok(()), |own| secret(name, own))?;
    }
    Ok(())
}

/// `validateSecret`.
fn secret(variable: &str, secret: &v1::Secret) -> Checked {
    let why = match secret.r#type() {
        SecretType::Reference if secret.reference.is_none() => {
            "Secret of type REFERENCE must have the 'reference' field set".to_owned()
        }
        SecretType::Reference if secret.value.is_some() => {
            let name = secret.reference.as_ref().map(|reference| reference.name.as_str()).unwrap_or_default();
            format!("Secret '{name}' of type REFERENCE must not have the 'value' field set")
        }
        SecretType::Value if secret.value.is_none() => {
            "Secret of type VALUE must have the 'value' field set".to_owned()
        }
        SecretType::Value if secret.reference.is_some() => {
            "Secret of type VALUE must not have the 'reference' field set".to_owned()
        }
        _ => {
            let zero = secret.value.as_ref().is_some_and(|value| value.data.contains(&0));
            let why = format!(
                "Environment variable '{variable}' specifies a secret containing null bytes, which is not allowed in \
                 the environment"
            );
            return Invalid::unless(!zero, why);
        }
    };
    Err(Invalid::new(format!("Environment variable '{variable}' specifies an invalid secret: {why}")))
}

/// Whether there is something to run; if not, what there should be.
fn has_value(command: &v1::CommandInfo) -> Result<(), &'static str> {
    let expected = if command.shell() { "'shell command'" } else { "'executable path'" };
    command.value.as_ref().map_or(Err(expected), |_| Ok(()))
}

fn seconds(checks: [(&str, Option<f64>); 4]) -> Checked {
    let below = checks.iter().find(|(_, seconds)| seconds.is_some_and(|s| s < 0.0));
    below.map_or(Ok(()), |(name, _)| Err(Invalid::new(format!("Expecting '{name}_seconds' to be non-negative"))))
}

/// `validateCheckInfo`.
pub fn check(check: &v1::CheckInfo) -> Checked {
    use check_info::Type;
    let expected = |name: &str, kind: &str| Invalid::new(format!("Expecting '{name}' to be set for {kind} check"));
    match check.r#type.map(|_| check.r#type()) {
        None => return Err(Invalid::new("CheckInfo must specify 'type'")),
        Some(Type::Unknown) => return Err(Invalid::new("'UNKNOWN' is not a valid check type")),
        Some(Type::Command) => {
            let command = check.command.as_ref().ok_or_else(|| expected("command", "COMMAND"))?;
            has_value(&command.command).map_err(|why| Invalid::new(format!("Command check must contain {why}")))?;
            environment(&command.command)
                .map_err(|why| Invalid::new(format!("Check's `CommandInfo` is invalid: {why}")))?;
        }
        Some(Type::Http) => {
            let http = check.http.as_ref().ok_or_else(|| expected("http", "HTTP"))?;
            path(http.path.as_deref(), "HTTP check")?;
        }
        Some(Type::Tcp) => drop(check.tcp.as_ref().ok_or_else(|| expected("tcp", "TCP"))?),
    }
    let given =
        [("delay", check.delay_seconds), ("interval", check.interval_seconds), ("timeout", check.timeout_seconds)];
    seconds([given[0], given[1], given[2], ("", None)])
}

/// `validateHealthCheck`.
pub fn health_check(check: &v1::HealthCheck) -> Checked {
    use health_check::Type;
    let expected =
        |name: &str, kind: &str| Invalid::new(format!("Expecting '{name}' to be set for {kind} health check"));
    match check.r#type.map(|_| check.r#type()) {
        None => return Err(Invalid::new("HealthCheck must specify 'type'")),
        Some(Type::Unknown) => return Err(Invalid::new("'UNKNOWN' is not a valid health check type")),
        Some(Type::Command) => {
            let command = check.command.as_ref().ok_or_else(|| expected("command", "COMMAND"))?;
            has_value(command).map_err(|why| Invalid::new(format!("Command health check must contain {why}")))?;
            environment(command)
                .map_err(|why| Invalid::new(format!("Health check's `CommandInfo` is invalid: {why}")))?;
        }
        Some(Type::Http) => {
            let http = check.http.as_ref().ok_or_else(|| expected("http", "HTTP"))?;
            let scheme = http.scheme.as_deref().unwrap_or("http");
            Invalid::unless(
                matches!(scheme, "http" | "https"),
                format!("Unsupported HTTP health check scheme: '{scheme}'"),
            )?;
            path(http.path.as_deref(), "HTTP health check")?;
        }
        Some(Type::Tcp) => drop(check.tcp.as_ref().ok_or_else(|| expected("tcp", "TCP"))?),
    }
    seconds([
        ("delay", check.delay_seconds),
        ("grace_period", check.grace_period_seconds),
        ("interval", check.interval_seconds),
        ("timeout", check.timeout_seconds),
    ])
}

fn path(path: Option<&str>, of: &str) -> Checked {
    let path = path.unwrap_or("/");
    Invalid::unless(path.starts_with('/'), format!("The path '{path}' of {of} must start with '/'"))
}

/// `validateContainerInfo`.
pub fn container(container: &v1::ContainerInfo) -> Checked {
    container
        .volumes
        .iter()
        .try_for_each(|v| volume(v).map_err(|why| Invalid::new(format!("Invalid volume: {why}"))))?;
    if container.r#type() != v1::container_info::Type::Docker {
        return Ok(());
    }
    let why = "DockerInfo 'docker' is not set for DOCKER typed ContainerInfo";
    let docker = container.docker.as_ref().ok_or_else(|| Invalid::new(why))?;
    let named = docker.parameters.iter().any(|parameter| parameter.key == "name");
    Invalid::unless(!named, "Parameter in DockerInfo must not be 'name'")
}

fn volume(volume: &v1::Volume) -> Checked {
    let given = [volume.host_path.is_some(), volume.image.is_some(), volume.source.is_some()];
    let one = given.into_iter().filter(|given| *given).count() == 1;
    Invalid::unless(one, "Only one of them should be set: 'host_path', 'image' and 'source'")?;
    let Some(source) = &volume.source else {
        return Ok(());
    };
    let (missing, name, kind) = match source.r#type() {
        SourceType::DockerVolume => (source.docker_volume.is_none(), "docker_volume", "DOCKER_VOLUME"),
        SourceType::HostPath => (source.host_path.is_none(), "host_path", "HOST_PATH"),
        SourceType::SandboxPath => (source.sandbox_path.is_none(), "sandbox_path", "SANDBOX_PATH"),
        SourceType::Secret => (source.secret.is_none(), "secret", "SECRET"),
        SourceType::CsiVolume => match &source.csi_volume {
            Some(csi) => (csi.static_provisioning.is_none(), "csi_volume.static_provisioning", "CSI"),
            None => (true, "csi_volume", "CSI"),
        },
        SourceType::Unknown => return Err(Invalid::new("'source.type' is unknown")),
    };
    Invalid::unless(!missing, format!("'source.{name}' is not set for {kind} volume"))
}
