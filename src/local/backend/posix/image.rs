//! What becomes of a container that wants an image or volumes of the machine. Follows
//! `src/slave/containerizer/mesos/containerizer.cpp` and, for what Docker is asked, `src/docker/docker.cpp`.

use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use crate::local::backend::StartError;
use crate::proto::v1;
use crate::proto::v1::container_info::Type;
use crate::proto::v1::volume::source::{self, DockerVolume};

/// Where a sandbox is in a container with an image (`--sandbox_directory` of a real agent).
pub const SANDBOX: &str = "/mnt/mesos/sandbox";

/// What is done with containers that want an image.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Containers {
    /// They fail, as on an agent that has neither Docker nor an image provider.
    #[default]
    Unsupported,
    /// Their commands run without the image.
    IgnoreImage,
    /// Docker or Podman runs them.
    Docker,
}

/// How a container runs.
#[derive(Debug, PartialEq)]
pub enum Plan {
    /// As processes of this machine, with these volumes linked into its sandbox.
    Processes(Vec<Link>),
    /// By Docker.
    Image(String),
}

/// A directory of this machine that is to be in a sandbox.
#[derive(Debug, PartialEq, Eq)]
pub struct Link {
    pub source: PathBuf,
    /// Relative to the sandbox.
    pub target: PathBuf,
}

/// The directories of this machine that volumes are in.
#[derive(Debug, Clone, Copy)]
pub struct Places<'a> {
    pub sandbox: &'a Path,
    /// Where Docker's named volumes are if it is not Docker that runs their container.
    pub named: &'a Path,
}

/// How a container is to run, or why it cannot.
pub fn plan(info: Option<&v1::ContainerInfo>, mode: Containers, places: Places<'_>) -> Result<Plan, StartError> {
    let Some(info) = info else { return Ok(Plan::Processes(Vec::new())) };
    match mode {
        Containers::Unsupported => supported(info).map(|()| Plan::Processes(Vec::new())),
        Containers::IgnoreImage => links(info, places).map(Plan::Processes),
        Containers::Docker => match docker_image(info) {
            Some(image) => Ok(Plan::Image(image)),
            None => other_image(info).map_or_else(|| links(info, places).map(Plan::Processes), Err),
        },
    }
}

/// The name of the image, whichever kind it is of.
pub fn name(info: &v1::ContainerInfo) -> Option<String> {
    let appc = |image: &v1::Image| image.appc.as_ref().map(|appc| appc.name.clone());
    docker_image(info).or_else(|| image(info).and_then(appc))
}

fn image(info: &v1::ContainerInfo) -> Option<&v1::Image> {
    info.mesos.as_ref().and_then(|mesos| mesos.image.as_ref())
}

fn docker_image(info: &v1::ContainerInfo) -> Option<String> {
    if info.r#type() == Type::Docker {
        return info.docker.as_ref().map(|docker| docker.image.clone());
    }
    image(info).and_then(|image| image.docker.as_ref()).map(|docker| docker.name.clone())
}

fn other_image(info: &v1::ContainerInfo) -> Option<StartError> {
    let kind = image(info)?.r#type().as_str_name();
    Some(StartError::new(format!("Unsupported container image type: {kind}")))
}

/// What an agent with `--containerizers=mesos` and the isolators of its defaults runs.
fn supported(info: &v1::ContainerInfo) -> Result<(), StartError> {
    if info.r#type() == Type::Docker {
        return Err(StartError::NoContainerizer);
    }
    if let Some(why) = other_image(info) {
        return Err(why);
    }
    if !info.volumes.is_empty() {
        return Err(StartError::new("Volumes in ContainerInfo is not supported"));
    }
    match info.network_infos.iter().find_map(|network| network.name.as_ref()) {
        Some(name) => Err(StartError::new(format!("Unknown CNI network '{name}'"))),
        None => Ok(()),
    }
}

fn links(info: &v1::ContainerInfo, places: Places<'_>) -> Result<Vec<Link>, StartError> {
    let of_volume = |volume: &v1::Volume| {
        let source = match docker_volume(volume) {
            Some(volume) => places.named.join(file_name(&volume.name)?),
            None => host_path(volume, places.sandbox)?,
        };
        let target = within_sandbox(Path::new(&volume.container_path));
        // What the command finds there anyway.
        let same = Path::new(&volume.container_path) == source;
        Ok((!same).then_some(Link { source, target }))
    };
    info.volumes.iter().map(of_volume).filter_map(Result::transpose).collect()
}

/// The volume of Docker's that a volume is.
pub fn docker_volume(volume: &v1::Volume) -> Option<&DockerVolume> {
    volume.source.as_ref().and_then(|source| source.docker_volume.as_ref())
}

fn file_name(name: &str) -> Result<&str, StartError> {
    let is_one = Path::new(name).file_name().is_some_and(|file| file == name);
    is_one.then_some(name).ok_or_else(|| StartError::new(format!("'{name}' is not a valid name of a Docker volume")))
}

/// The directory of this machine that a volume is.
pub fn host_path(volume: &v1::Volume, sandbox: &Path) -> Result<PathBuf, StartError> {
    let source = volume.source.as_ref();
    let named = match source.map(v1::volume::Source::r#type) {
        None => volume.host_path.as_ref(),
        Some(source::Type::HostPath) => source.and_then(|s| s.host_path.as_ref()).map(|host| &host.path),
        Some(source::Type::SandboxPath) => source.and_then(|s| s.sandbox_path.as_ref()).map(|path| &path.path),
        Some(kind) => {
            return Err(StartError::new(format!("Volumes of type {} are not supported", kind.as_str_name())));
        }
    };
    // A relative one is in the sandbox.
    named.map(|path| sandbox.join(path)).ok_or_else(|| StartError::new("A volume has no path on the host"))
}

/// The place of a path in a container, relative to its sandbox.
fn within_sandbox(path: &Path) -> PathBuf {
    let path = path.strip_prefix(SANDBOX).unwrap_or(path);
    path.components().filter(|part| matches!(part, Component::Normal(_))).collect()
}

/// Makes the links of a plan; one that is there already stays.
pub fn link(links: &[Link], sandbox: &Path) -> Result<(), StartError> {
    for Link { source, target } in links {
        let target = sandbox.join(target);
        let made = || {
            if !source.exists() {
                std::fs::create_dir_all(source)?;
            }
            target.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            match symlink(source, &target) {
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
                _ => Ok(()),
            }
        };
        made()
            .map_err(|e| StartError::new(format!("cannot link {} to {}: {e}", target.display(), source.display())))?;
    }
    Ok(())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test")]
mod tests {
    use super::*;

    fn container(kind: Type) -> v1::ContainerInfo {
        v1::ContainerInfo { r#type: kind.into(), ..Default::default() }
    }

    fn with_image(name: &str) -> v1::ContainerInfo {
        let docker = Some(v1::image::Docker { name: name.into(), ..Default::default() });
        let image = Some(v1::Image { r#type: v1::image::Type::Docker.into(), docker, ..Default::default() });
        v1::ContainerInfo { mesos: Some(v1::container_info::MesosInfo { image }), ..container(Type::Mesos) }
    }

    fn with_volume(container_path: &str, host_path: &str) -> v1::ContainerInfo {
        let (container_path, host_path) = (container_path.into(), Some(host_path.into()));
        let volume = v1::Volume { container_path, host_path, ..Default::default() };
        v1::ContainerInfo { volumes: vec![volume], ..container(Type::Mesos) }
    }

    fn places() -> Places<'static> {
        Places { sandbox: Path::new("/sandbox"), named: Path::new("/named") }
    }

    fn planned(info: &v1::ContainerInfo, mode: Containers) -> Result<Plan, String> {
        plan(Some(info), mode, places()).map_err(|why| why.to_string())
    }

    #[test]
    fn what_a_plain_agent_lacks_fails_in_its_words() {
        let why = |info| planned(&info, Containers::Unsupported).unwrap_err();
        assert_eq!(why(with_image("busybox")), "Unsupported container image type: DOCKER");
        assert_eq!(why(with_volume("v", "/tmp")), "Volumes in ContainerInfo is not supported");
        let network_infos = vec![v1::NetworkInfo { name: Some("x".into()), ..Default::default() }];
        let network = v1::ContainerInfo { network_infos, ..container(Type::Mesos) };
        assert_eq!(why(network), "Unknown CNI network 'x'");
        let docker = plan(Some(&container(Type::Docker)), Containers::Unsupported, places());
        assert_eq!(docker, Err(StartError::NoContainerizer));
        assert_eq!(planned(&container(Type::Mesos), Containers::Unsupported), Ok(Plan::Processes(vec![])));
    }

    #[test]
    fn without_their_image_commands_have_their_volumes_in_the_sandbox() {
        let links = |info| match planned(&info, Containers::IgnoreImage).unwrap() {
            Plan::Processes(links) => links.into_iter().map(|l| (l.source, l.target)).collect::<Vec<_>>(),
            Plan::Image(image) => panic!("{image}"),
        };
        assert_eq!(links(with_image("busybox")), []);
        let link = |source: &str, target: &str| vec![(PathBuf::from(source), PathBuf::from(target))];
        assert_eq!(links(with_volume("data", "/srv")), link("/srv", "data"));
        assert_eq!(links(with_volume("/var/data", "here")), link("/sandbox/here", "var/data"));
        assert_eq!(links(with_volume("/mnt/mesos/sandbox/../x", "/srv")), link("/srv", "x"));
        assert_eq!(links(with_volume("/srv", "/srv")), [], "it is there");
    }

    #[test]
    fn a_volume_of_docker_s_is_a_directory_of_its_name() {
        let of = |name: &str| {
            let docker_volume = Some(DockerVolume { name: name.into(), ..Default::default() });
            let source = v1::volume::Source {
                r#type: Some(source::Type::DockerVolume.into()),
                docker_volume,
                ..Default::default()
            };
            let volume = v1::Volume { container_path: "/dags".into(), source: Some(source), ..Default::default() };
            let info = v1::ContainerInfo { volumes: vec![volume], ..container(Type::Docker) };
            planned(&info, Containers::IgnoreImage)
        };
        let link = Link { source: "/named/dags".into(), target: "dags".into() };
        assert_eq!(of("dags"), Ok(Plan::Processes(vec![link])));
        for name in ["", ".", "..", "a/b", "a/", "/etc"] {
            assert_eq!(of(name), Err(format!("'{name}' is not a valid name of a Docker volume")));
        }
    }

    #[test]
    fn docker_runs_what_has_an_image_of_it() {
        assert_eq!(planned(&with_image("busybox"), Containers::Docker), Ok(Plan::Image("busybox".into())));
        assert_eq!(planned(&container(Type::Mesos), Containers::Docker), Ok(Plan::Processes(vec![])));
    }
}
