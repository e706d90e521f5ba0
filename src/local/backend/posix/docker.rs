//! Containers with an image, run by Docker or Podman through their command lines. Follows `src/docker/docker.cpp`.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::image::{SANDBOX, docker_volume, host_path};
use super::reaper::{Output, Program, Terminal};
use super::sandbox;
use crate::local::backend::{Launch, StartError, Stop};
use crate::proto::v1;
use crate::proto::v1::container_info::Type;
use crate::proto::v1::container_info::docker_info::Network;
use crate::{Error, Result};

/// Tried in this order.
const PROGRAMS: [&str; 2] = ["docker", "podman"];
/// Removes a cluster's containers when its process is gone, which standard input tells. It gets the program and the
/// label.
const REMOVER: &str = "cat >/dev/null; \
    ids=$(\"$1\" ps --all --quiet --filter \"label=$2\" 2>/dev/null) && \
    if [ -n \"$ids\" ]; then \"$1\" kill $ids; \"$1\" rm --force --volumes $ids; fi >/dev/null 2>&1";

/// A program with Docker's command line, and what it has run for one cluster. What is left of that is removed when this
/// is dropped, or the process ends.
#[derive(Debug)]
pub struct Docker {
    program: PathBuf,
    label: String,
    remover: Option<Child>,
}

impl Docker {
    /// Finds a program that can run containers: this one, or `docker` or `podman`.
    ///
    /// Fails if none works.
    pub fn find(wanted: Option<PathBuf>) -> Result<Self> {
        let programs = wanted.map_or_else(|| PROGRAMS.map(PathBuf::from).into(), |program| vec![program]);
        let mut reasons = Vec::new();
        for program in programs {
            match works(&program) {
                Ok(()) => return Ok(Self::new(program)),
                Err(why) => reasons.push(format!("{}: {why}", program.display())),
            }
        }
        Err(Error::cluster(format!(
            "nothing here runs containers with images: expected docker, with its daemon running, or podman ({})",
            reasons.join("; ")
        )))
    }

    fn new(program: PathBuf) -> Self {
        let label = format!("remesos={}", crate::clock::uuid());
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(REMOVER).arg("sh").arg(&program).arg(&label).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let remover = command.spawn();
        let remover = remover.inspect_err(|e| tracing::warn!("Containers stay if this process is killed: {e}")).ok();
        Self { program, label, remover }
    }

    /// What runs a container with an image, in the foreground.
    pub fn run(
        &self,
        image: &str,
        launch: &Launch,
        work_dir: &Path,
        directory: &Path,
    ) -> std::result::Result<Program, StartError> {
        let mut arguments = Arguments(vec![self.program.clone().into(), "run".into(), "--rm".into()]);
        arguments.pair("--name", name(&launch.container));
        arguments.pair("--label", &self.label);
        let info = launch.container_info.clone().unwrap_or_default();
        arguments.settings(&info);
        arguments.volumes(&info, launch, work_dir, directory)?;
        arguments.environment(launch);
        arguments.command(image, &launch.command, info.r#type())?;
        Ok(self.client(arguments.0, directory, Output::Files))
    }

    /// What runs a command in a container, for a check of its task.
    pub fn exec(&self, container: &str, info: &v1::CommandInfo, directory: &Path) -> Program {
        let mut arguments = Arguments(vec![self.program.clone().into(), "exec".into()]);
        for variable in info.environment.iter().flat_map(|e| &e.variables) {
            arguments.pair("--env", format!("{}={}", variable.name, variable.value()));
        }
        arguments.0.push(name(container).into());
        if info.shell() {
            arguments.0.extend(["/bin/sh", "-c", info.value()].map(OsString::from));
        } else {
            let rest = info.arguments.iter().skip(usize::from(info.value.is_some()));
            arguments.0.extend(info.value.iter().chain(rest).map(OsString::from));
        }
        self.client(arguments.0, directory, Output::Nowhere)
    }

    /// Sends a signal to a container. Returns false if there is no such container.
    pub async fn kill(&self, container: &str, how: Stop) -> bool {
        let signal = match how {
            Stop::Ask => "TERM",
            Stop::Kill => "KILL",
        };
        let mut command = tokio::process::Command::new(&self.program);
        command.args(["kill", "--signal", signal, &name(container)]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().await.is_ok_and(|status| status.success())
    }

    /// The client has the environment of this process, which says where its daemon and its settings are.
    fn client(&self, arguments: Vec<OsString>, directory: &Path, output: Output) -> Program {
        Program {
            executable: self.program.clone(),
            arguments,
            environment: std::env::vars_os().collect(),
            directory: directory.to_owned(),
            output,
            identity: None,
            terminal: Terminal::Left,
        }
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        if let Some(remover) = &mut self.remover {
            drop(remover.stdin.take());
            // It ends by itself.
            let _ = remover.wait();
        }
    }
}

fn works(program: &Path) -> std::result::Result<(), String> {
    let output =
        Command::new(program).args(["ps", "--quiet"]).stdin(Stdio::null()).output().map_err(|e| e.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(said.lines().last().unwrap_or("it failed").to_owned()) }
}

/// The name of a container, as a real agent gives it.
fn name(container: &str) -> String {
    format!("mesos-{container}")
}

/// The driver of all named volumes, if it is not Docker's own; a client takes only one.
fn volume_driver(info: &v1::ContainerInfo) -> std::result::Result<Option<&String>, StartError> {
    let mut drivers = info.volumes.iter().filter_map(|volume| docker_volume(volume)?.driver.as_ref());
    let first = drivers.next();
    if drivers.any(|driver| Some(driver) != first) {
        return Err(StartError::new("Only one volume driver is supported"));
    }
    Ok(first.filter(|driver| *driver != "local"))
}

/// The arguments of a client.
struct Arguments(Vec<OsString>);

impl Arguments {
    fn pair(&mut self, option: &str, value: impl Into<OsString>) {
        self.0.extend([OsString::from(option), value.into()]);
    }

    fn settings(&mut self, info: &v1::ContainerInfo) {
        let docker = info.docker.clone().unwrap_or_default();
        let named = info.network_infos.iter().find_map(|network| network.name.clone());
        let network = match docker.network() {
            _ if info.r#type() != Type::Docker => "host".to_owned(),
            Network::Host => "host".to_owned(),
            Network::Bridge => "bridge".to_owned(),
            Network::None => "none".to_owned(),
            Network::User => named.unwrap_or_else(|| "bridge".to_owned()),
        };
        self.pair("--network", network);
        if let Some(hostname) = &info.hostname {
            self.pair("--hostname", hostname);
        }
        if docker.privileged() {
            self.0.push("--privileged".into());
        }
        if docker.force_pull_image() {
            self.pair("--pull", "always");
        }
        for port in &docker.port_mappings {
            let protocol = port.protocol.as_ref().map(|protocol| format!("/{protocol}")).unwrap_or_default();
            self.pair("--publish", format!("{}:{}{protocol}", port.host_port, port.container_port));
        }
        for parameter in &docker.parameters {
            self.0.push(format!("--{}={}", parameter.key, parameter.value).into());
        }
    }

    fn volumes(
        &mut self,
        info: &v1::ContainerInfo,
        launch: &Launch,
        work_dir: &Path,
        directory: &Path,
    ) -> std::result::Result<(), StartError> {
        if let Some(driver) = volume_driver(info)? {
            self.pair("--volume-driver", driver);
        }
        self.volume(directory, SANDBOX, "rw");
        for volume in &launch.volumes {
            let source = sandbox::volume(work_dir, volume);
            self.volume(&source, &format!("{SANDBOX}/{}", volume.path), "rw");
        }
        for volume in &info.volumes {
            let place = Path::new(SANDBOX).join(&volume.container_path);
            let mode = if volume.mode() == v1::volume::Mode::Ro { "ro" } else { "rw" };
            if let Some(named) = docker_volume(volume) {
                self.volume(Path::new(&named.name), &place.to_string_lossy(), mode);
                continue;
            }
            let source = host_path(volume, directory)?;
            // Podman does not make it.
            if !source.exists() {
                std::fs::create_dir_all(&source)?;
            }
            self.volume(&source, &place.to_string_lossy(), mode);
        }
        Ok(())
    }

    fn volume(&mut self, source: &Path, place: &str, mode: &str) {
        let mut value = source.as_os_str().to_owned();
        value.push(format!(":{place}:{mode}"));
        self.pair("--volume", value);
    }

    /// Of the agent's variables all but its `PATH`, since the image has its own.
    fn environment(&mut self, launch: &Launch) {
        let own = |name: &str| launch.command.environment.iter().flat_map(|e| &e.variables).any(|v| v.name == name);
        let places = ["MESOS_DIRECTORY", "MESOS_SANDBOX"].map(|name| (name.to_owned(), SANDBOX.to_owned()));
        let container = ("MESOS_CONTAINER_NAME".to_owned(), name(&launch.container));
        let others = launch.environment.iter().filter(|(name, _)| name != "PATH" || own(name)).cloned();
        for (name, value) in places.into_iter().chain([container]).chain(others) {
            self.pair("--env", format!("{name}={value}"));
        }
    }

    /// A shell's command goes before the image's entrypoint, another one after it; in a container of type MESOS either
    /// replaces it, and runs in the sandbox.
    fn command(&mut self, image: &str, info: &v1::CommandInfo, kind: Type) -> std::result::Result<(), StartError> {
        if kind == Type::Mesos {
            self.pair("--workdir", SANDBOX);
        }
        let mut arguments: Vec<OsString> = info.arguments.iter().map(OsString::from).collect();
        if info.shell() {
            let value = info.value.as_ref().ok_or_else(|| StartError::new("Shell command is not specified"))?;
            self.pair("--entrypoint", "/bin/sh");
            arguments = ["-c", value].map(OsString::from).into();
        } else if let Some(value) = &info.value {
            if kind == Type::Mesos {
                self.pair("--entrypoint", value);
                // The first one is its own name.
                arguments = arguments.split_off(arguments.len().min(1));
            } else {
                arguments.insert(0, value.into());
            }
        }
        self.0.push(image.into());
        self.0.extend(arguments);
        Ok(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;
    use crate::local::backend::{Sandbox, Volume};
    use crate::proto::v1::container_info::{DockerInfo, docker_info};
    use crate::proto::v1::volume::source::DockerVolume;

    fn docker() -> Docker {
        Docker { program: "/bin/docker".into(), label: "remesos=1".into(), remover: None }
    }

    fn arguments(container_info: v1::ContainerInfo, command: v1::CommandInfo) -> Vec<String> {
        let sandbox =
            Sandbox { framework_id: "f".into(), executor_id: "e".into(), run: "r".into(), ..Sandbox::default() };
        let environment = [("PATH", "/bin"), ("MESOS_SLAVE_ID", "S0")].map(|(name, value)| (name.into(), value.into()));
        let launch = Launch {
            run: None,
            container: "c".into(),
            sandbox,
            command,
            container_info: Some(container_info),
            environment: environment.into(),
            user: None,
            volumes: vec![Volume { role: "r".into(), id: "v".into(), path: "mine".into() }],
        };
        let program = docker().run("image", &launch, Path::new("/work"), Path::new("/sandbox")).unwrap();
        assert_eq!(program.executable, Path::new("/bin/docker"));
        program.arguments.into_iter().map(|argument| argument.into_string().unwrap()).collect()
    }

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_container_of_type_docker_is_run_as_its_agent_would() {
        let port = docker_info::PortMapping { host_port: 31000, container_port: 80, protocol: Some("tcp".into()) };
        let docker = DockerInfo {
            image: "image".into(),
            network: Some(Network::Bridge.into()),
            port_mappings: vec![port],
            privileged: Some(true),
            parameters: vec![v1::Parameter { key: "cap-add".into(), value: "NET_ADMIN".into() }],
            force_pull_image: Some(true),
            ..Default::default()
        };
        let volume = v1::Volume {
            mode: v1::volume::Mode::Ro.into(),
            container_path: "/etc/it".into(),
            host_path: Some("/tmp".into()),
            ..Default::default()
        };
        let docker_volume = DockerVolume { name: "n".into(), driver: Some("rexray".into()), ..Default::default() };
        let source = v1::volume::Source { docker_volume: Some(docker_volume), ..Default::default() };
        let named = v1::Volume { container_path: "/n".into(), source: Some(source), ..Default::default() };
        let info = v1::ContainerInfo {
            r#type: Type::Docker.into(),
            docker: Some(docker),
            volumes: vec![volume, named],
            hostname: Some("h".into()),
            ..Default::default()
        };
        let command =
            v1::CommandInfo { shell: Some(false), arguments: vec!["a".into(), "b".into()], ..Default::default() };
        let expected = "/bin/docker run --rm --name mesos-c --label remesos=1 --network bridge --hostname h --privileged \
            --pull always --publish 31000:80/tcp --cap-add=NET_ADMIN --volume-driver rexray --volume /sandbox:/mnt/mesos/sandbox:rw \
            --volume /work/volumes/roles/r/v:/mnt/mesos/sandbox/mine:rw --volume /tmp:/etc/it:ro --volume n:/n:rw \
            --env MESOS_DIRECTORY=/mnt/mesos/sandbox --env MESOS_SANDBOX=/mnt/mesos/sandbox \
            --env MESOS_CONTAINER_NAME=mesos-c --env MESOS_SLAVE_ID=S0 image a b";
        assert_eq!(arguments(info, command), words(expected));
    }

    #[test]
    fn a_container_of_type_mesos_runs_its_command_in_the_sandbox() {
        let info = v1::ContainerInfo { r#type: Type::Mesos.into(), ..Default::default() };
        let shell = v1::CommandInfo { value: Some("echo".into()), ..Default::default() };
        let end = |arguments: Vec<String>| arguments[arguments.len() - 7..].join(" ");
        let with_shell = arguments(info.clone(), shell);
        assert_eq!(end(with_shell), "--workdir /mnt/mesos/sandbox --entrypoint /bin/sh image -c echo");
        let plain = v1::CommandInfo {
            shell: Some(false),
            value: Some("/bin/echo".into()),
            arguments: ["echo", "a", "b"].map(str::to_owned).into(),
            ..Default::default()
        };
        let without = arguments(info, plain);
        assert_eq!(end(without), "--workdir /mnt/mesos/sandbox --entrypoint /bin/echo image a b");
    }

    #[test]
    fn a_check_runs_its_command_in_the_container() {
        let command = v1::CommandInfo { value: Some("test -e x".into()), ..Default::default() };
        let program = docker().exec("c", &command, Path::new("/sandbox"));
        let expected = ["/bin/docker", "exec", "mesos-c", "/bin/sh", "-c", "test -e x"].map(OsString::from);
        assert_eq!(program.arguments, expected);
    }
}
