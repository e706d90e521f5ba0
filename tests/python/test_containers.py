"""Tasks with a container: what an agent without Docker does with them, and what ``containers`` makes of them."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from mesos.errors import ArgumentValueError, ClusterError
from mesos.interface import mesos_pb2
from mesos.local import LocalCluster

from tests.python.support import (
    WAIT_SECONDS,
    Recorder,
    capable,
    executor,
    framework,
    heard,
    running,
    task,
    task_of,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Container = mesos_pb2.ContainerInfo
OVER = {mesos_pb2.TASK_FINISHED, mesos_pb2.TASK_FAILED, mesos_pb2.TASK_KILLED, mesos_pb2.TASK_ERROR}
LAUNCH_FAILED = mesos_pb2.TaskStatus.REASON_CONTAINER_LAUNCH_FAILED


def mesos(image: str = "") -> mesos_pb2.ContainerInfo:
    made = Container(type=Container.MESOS)
    if image:
        made.mesos.image.type = mesos_pb2.Image.DOCKER
        made.mesos.image.docker.name = image
    return made


def docker(image: str, **fields: Any) -> mesos_pb2.ContainerInfo:
    return Container(type=Container.DOCKER, docker=Container.DockerInfo(image=image, **fields))


def volume(made: mesos_pb2.ContainerInfo, place: str, host: object) -> mesos_pb2.ContainerInfo:
    made.volumes.add(mode=mesos_pb2.Volume.RW, container_path=place, host_path=str(host))
    return made


def network(made: mesos_pb2.ContainerInfo, **fields: str) -> mesos_pb2.ContainerInfo:
    made.network_infos.add(**fields)
    return made


def end(master: str, container: mesos_pb2.ContainerInfo, command: str = "exit 0") -> mesos_pb2.TaskStatus:
    """The last status of a task in this container."""
    scheduler = Recorder()
    with running(master, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer, command)
        launched.container.CopyFrom(container)
        driver.launchTasks(offer.id, [launched])
        status: mesos_pb2.TaskStatus = scheduler.wait("statusUpdate", lambda status: status.state in OVER)
        return status


@pytest.mark.parametrize("container", [mesos(), network(mesos())], ids=["plain", "network"])
def test_a_container_without_an_image_is_a_plain_task(master: str, container: mesos_pb2.ContainerInfo) -> None:
    assert end(master, container).state == mesos_pb2.TASK_FINISHED


@pytest.mark.parametrize(
    ("container", "why"),
    [
        (mesos("busybox"), "Unsupported container image type: DOCKER"),
        (volume(mesos("busybox"), "v", "/tmp"), "Unsupported container image type: DOCKER"),
        (volume(mesos(), "v", "/tmp"), "Volumes in ContainerInfo is not supported"),
        (network(mesos(), name="x"), "Unknown CNI network 'x'"),
    ],
    ids=["image", "image and volume", "volume", "network"],
)
def test_a_container_that_the_agent_cannot_make_fails(
    master: str, container: mesos_pb2.ContainerInfo, why: str
) -> None:
    status = end(master, container)
    assert (status.state, status.source) == (mesos_pb2.TASK_FAILED, mesos_pb2.TaskStatus.SOURCE_SLAVE)
    assert (status.reason, status.message) == (LAUNCH_FAILED, f"Failed to launch container: {why}")


def test_a_container_that_nobody_takes_fails(master: str) -> None:
    status = end(master, docker("busybox"))
    assert (status.state, status.source) == (mesos_pb2.TASK_FAILED, mesos_pb2.TaskStatus.SOURCE_SLAVE)
    assert status.reason == mesos_pb2.TaskStatus.REASON_EXECUTOR_TERMINATED
    assert status.message == "Abnormal executor termination: unknown container"


@pytest.mark.parametrize(
    ("container", "why"),
    [
        (mesos("busybox"), "Failed to launch container: Unsupported container image type: DOCKER"),
        (docker("busybox"), "Abnormal executor termination: unknown container"),
    ],
    ids=["image", "docker"],
)
def test_an_executor_in_a_container_that_the_agent_cannot_make(
    master: str, container: mesos_pb2.ContainerInfo, why: str
) -> None:
    scheduler, made = Recorder(), executor()
    made.container.CopyFrom(container)
    with running(master, scheduler) as driver:
        offer = scheduler.offer()
        driver.launchTasks(offer.id, [task_of(offer, made)])
        assert scheduler.wait("executorLost") == -1
        status = scheduler.wait("statusUpdate")
    assert (status.state, status.message) == (mesos_pb2.TASK_FAILED, why)


@pytest.mark.parametrize(("aware", "state"), [(False, mesos_pb2.TASK_LOST), (True, mesos_pb2.TASK_DROPPED)])
@pytest.mark.parametrize(("name", "shown"), [("cpus", "CPU"), ("mem", "Memory")])
@pytest.mark.parametrize("custom", [False, True], ids=["command", "executor"])
def test_a_task_with_resource_limits(
    master: str, custom: bool, name: str, shown: str, aware: bool, state: mesos_pb2.TaskState
) -> None:
    scheduler = Recorder()
    with running(master, scheduler, framework(capabilities=capable("PARTITION_AWARE") if aware else [])) as driver:
        offer = scheduler.offer()
        launched = task_of(offer, executor()) if custom else task(offer)
        launched.limits[name].value = 1000
        driver.launchTasks(offer.id, [launched])
        status = scheduler.state(launched.task_id.value, state)
    assert (status.source, status.reason) == (mesos_pb2.TaskStatus.SOURCE_SLAVE, mesos_pb2.TaskStatus.REASON_GC_ERROR)
    assert not status.HasField("executor_id")
    assert status.message.startswith(f"{shown} limits can only be set on tasks launched in Mesos containers when")


def test_a_volume_without_a_path_is_refused(master: str) -> None:
    container = mesos()
    container.volumes.add(mode=mesos_pb2.Volume.RW, container_path="v")
    status = end(master, container)
    why = "Invalid volume: Only one of them should be set: 'host_path', 'image' and 'source'"
    assert (status.state, status.message) == (mesos_pb2.TASK_ERROR, f"Task's `ContainerInfo` is invalid: {why}")


@pytest.fixture
def without_images() -> Iterator[str]:
    with LocalCluster(containers="ignore-image") as cluster:
        yield cluster.address


@pytest.mark.parametrize("make", [mesos, docker])
def test_a_command_runs_without_its_image_and_with_its_volumes(
    without_images: str, make: Callable[[str], mesos_pb2.ContainerInfo], tmp_path: Path
) -> None:
    (tmp_path / "there").write_text("something")
    container = make("no/such-image:1")
    for place in ("data", "/var/deep/data", "/mnt/mesos/sandbox/mounted"):
        volume(container, place, tmp_path)
    volume(container, "own", "made-here")
    command = "cat data/there var/deep/data/there mounted/there > own/copies && cp own/copies data/"
    with heard("runs without its image 'no/such-image:1'") as said:
        assert end(without_images, container, command).state == mesos_pb2.TASK_FINISHED
        assert said.wait(WAIT_SECONDS)
    assert (tmp_path / "copies").read_text() == "something" * 3


def test_a_named_volume_is_shared_by_the_tasks_of_an_agent(without_images: str) -> None:
    container = docker("no/such-image:1")
    named = container.volumes.add(mode=mesos_pb2.Volume.RW, container_path="/var/shared")
    named.source.type = mesos_pb2.Volume.Source.DOCKER_VOLUME
    named.source.docker_volume.name = "shared"
    named.source.docker_volume.driver = "local"
    assert end(without_images, container, "echo kept > var/shared/file").state == mesos_pb2.TASK_FINISHED
    assert end(without_images, container, "grep kept var/shared/file").state == mesos_pb2.TASK_FINISHED


def test_what_containers_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ArgumentValueError, match="containers: expected 'ignore-image' or 'docker', got 'rkt'"):
        LocalCluster(containers="rkt")
    monkeypatch.setenv("REMESOS_LOCAL_CONTAINERS", "lxc")
    with pytest.raises(ArgumentValueError, match="REMESOS_LOCAL_CONTAINERS: .* got 'lxc'"):
        LocalCluster()
    monkeypatch.setenv("REMESOS_LOCAL_CONTAINERS", "docker")
    monkeypatch.setenv("MESOS_DOCKER", "/no/such/program")
    with pytest.raises(ClusterError, match="expected docker, with its daemon running, or podman .*/no/such/program"):
        LocalCluster()


def output(*arguments: str, given: bytes | None = None) -> str:
    return subprocess.run(arguments, input=given, check=True, capture_output=True, timeout=60).stdout.decode()


@pytest.fixture(scope="session")
def engine() -> Iterator[str]:
    """Docker or Podman, with a small image ``remesos-test``; skips if neither runs containers here."""
    busybox, problems = shutil.which("busybox"), []
    if busybox is None:
        pytest.skip("there is no busybox to make an image from")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as image:
        image.add(Path(busybox).resolve(), "bin/busybox")
        for name in ("sh", "cat", "echo", "env", "kill", "pwd", "sleep", "test", "touch", "true"):
            link = tarfile.TarInfo(f"bin/{name}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            image.addfile(link)
    for program in filter(shutil.which, ("docker", "podman")):
        try:
            output(program, "import", "-", "remesos-test", given=archive.getvalue())
            output(program, "run", "--rm", "remesos-test", "true")
        except subprocess.SubprocessError as error:
            problems.append(f"{program}: {getattr(error, 'stderr', error)!r}")
            continue
        yield program
        output(program, "rmi", "--force", "remesos-test")
        return
    pytest.skip(f"nothing runs containers here: {'; '.join(problems) or 'neither docker nor podman is installed'}")


def containers(engine: str) -> list[str]:
    return output(engine, "ps", "--all", "--quiet", "--filter", "label=remesos").split()


@pytest.fixture
def with_docker(engine: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalCluster]:
    monkeypatch.setenv("MESOS_DOCKER", engine)
    with LocalCluster(containers="docker") as cluster:
        yield cluster
    assert containers(engine) == []


@pytest.mark.parametrize("make", [mesos, docker])
def test_a_command_runs_in_its_image(
    with_docker: LocalCluster, make: Callable[[str], mesos_pb2.ContainerInfo], tmp_path: Path
) -> None:
    (tmp_path / "there").write_text("something")
    container = volume(volume(make("remesos-test"), "/data", tmp_path), "own", "made")
    command = "cat /data/there; test -e /usr && exit 5; test -e $MESOS_SANDBOX/own && touch $MESOS_SANDBOX/written"
    assert end(with_docker.address, container, command).state == mesos_pb2.TASK_FINISHED
    (done,) = with_docker.tasks
    assert (done.sandbox / "stdout").read_text() == "something"
    assert (done.sandbox / "written").exists()
    status = end(with_docker.address, make("remesos-test"), "exit 3")
    assert (status.state, status.message) == (mesos_pb2.TASK_FAILED, "Command exited with status 3")


def test_a_persistent_volume_is_mounted_in_an_image(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESOS_DOCKER", engine)
    volume = mesos_pb2.Resource(name="disk", type=mesos_pb2.Value.SCALAR, role="r")
    volume.scalar.value = 10
    volume.disk.persistence.id = "v"
    volume.disk.volume.container_path = "kept"
    volume.disk.volume.mode = mesos_pb2.Volume.RW
    scheduler, operation = Recorder(), mesos_pb2.Offer.Operation
    with (
        LocalCluster(containers="docker", resources="cpus:4;mem:1000;disk(r):100") as cluster,
        running(cluster.address, scheduler, framework(role="r")) as driver,
    ):
        offer = scheduler.offer()
        create = operation(type=operation.CREATE, create=operation.Create(volumes=[volume]))
        for command, image in (("echo something > kept/file", "remesos-test"), ("grep something kept/file", "")):
            launched = task(offer, command)
            launched.resources.append(volume)
            launched.container.CopyFrom(mesos(image))
            launch = operation(type=operation.LAUNCH, launch=operation.Launch(task_infos=[launched]))
            driver.acceptOffers([offer.id], [create, launch] if image else [launch], mesos_pb2.Filters())
            scheduler.state(launched.task_id.value, mesos_pb2.TASK_FINISHED)
            if image:
                offer = scheduler.offer(lambda o: any(r.disk.HasField("persistence") for r in o.resources))


def test_a_task_in_an_image_is_killed(with_docker: LocalCluster, engine: str) -> None:
    for command, message in (
        ("trap 'exit 9' TERM; touch ready; while true; do sleep 0.1; done", "Command exited with status 9"),
        ("trap '' TERM; touch ready; while true; do sleep 0.1; done", "Command exited with status 137"),
    ):
        scheduler = Recorder()
        with running(with_docker.address, scheduler) as driver:
            offer = scheduler.offer()
            launched = task(offer, command)
            launched.kill_policy.grace_period.nanoseconds = 500_000_000
            launched.container.CopyFrom(mesos("remesos-test"))
            driver.launchTasks(offer.id, [launched])
            scheduler.state(launched.task_id.value, mesos_pb2.TASK_RUNNING)
            (sandbox,) = (t.sandbox for t in with_docker.tasks if t.id == launched.task_id.value)
            wait_until((sandbox / "ready").exists, "the command runs")
            driver.killTask(launched.task_id)
            assert scheduler.state(launched.task_id.value, mesos_pb2.TASK_KILLED).message == message
        assert containers(engine) == []


def test_a_check_is_made_in_the_container(with_docker: LocalCluster) -> None:
    scheduler = Recorder()
    with running(with_docker.address, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer, "sleep 60")
        launched.container.CopyFrom(mesos("remesos-test"))
        launched.health_check.type = mesos_pb2.HealthCheck.COMMAND
        launched.health_check.command.value = "test ! -e /usr"
        launched.health_check.delay_seconds = launched.health_check.interval_seconds = 0.1
        driver.launchTasks(offer.id, [launched])
        assert scheduler.wait("statusUpdate", lambda status: status.HasField("healthy")).healthy


def test_an_executor_runs_in_its_image(with_docker: LocalCluster) -> None:
    """It cannot subscribe, since its image has no program for that; what it is told to do is done in the image."""
    scheduler, made = Recorder(), executor()
    made.command.value = "test ! -e /usr && exit 4"
    made.container.CopyFrom(mesos("remesos-test"))
    with running(with_docker.address, scheduler) as driver:
        offer = scheduler.offer()
        driver.launchTasks(offer.id, [task_of(offer, made)])
        assert scheduler.wait("executorLost") == 4 << 8


def test_containers_go_with_a_cluster_that_is_killed(engine: str, tmp_path: Path) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from mesos.interface import mesos_pb2
from mesos.local import LocalCluster
from tests.python.support import Recorder, running, task
from tests.python.test_containers import mesos
with LocalCluster(containers="docker", work_dir={str(tmp_path)!r}) as cluster:
    scheduler = Recorder()
    with running(cluster.address, scheduler) as driver:
        offer = scheduler.offer()
        launched = task(offer, "touch ready; sleep 60")
        launched.container.CopyFrom(mesos("remesos-test"))
        driver.launchTasks(offer.id, [launched])
        scheduler.wait("error", seconds=60)
"""
    before = set(containers(engine))
    process = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "MESOS_DOCKER": engine})
    wait_until(lambda: list(tmp_path.rglob("ready")), "the command runs", 20)
    assert set(containers(engine)) - before
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_until(lambda: set(containers(engine)) <= before, "the container is removed", 20)


def test_what_docker_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """With a stand-in for the command line, which runs the command itself and writes down its arguments."""
    program, said = tmp_path / "docker", tmp_path / "said"
    program.write_text(
        f"""#!/bin/sh
echo "$@" >> {said}
[ "$1" = run ] || exit 0
while [ "$1" != -c ]; do shift; done
exec /bin/sh "$@"
"""
    )
    program.chmod(0o755)
    monkeypatch.setenv("MESOS_DOCKER", str(program))
    with LocalCluster(containers="docker") as cluster:
        assert end(cluster.address, docker("some/image:1"), "exit 4").message == "Command exited with status 4"
    first, run, last = said.read_text().splitlines()
    assert first == "ps --quiet"
    assert run.startswith("run --rm --name mesos-")
    assert run.endswith(" --entrypoint /bin/sh some/image:1 -c exit 4")
    assert last.startswith("ps --all --quiet --filter label=remesos=")


def test_remesos_run_takes_containers(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.python.test_containers import docker, end
sys.exit(end("local", docker("some/image"), "exit 7").message != "Command exited with status 7")
"""
    )
    command = [sys.executable, "-m", "mesos", "run", "--containers", "ignore-image", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "runs without its image 'some/image'" in done.stderr
