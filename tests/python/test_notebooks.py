"""The notebooks in `examples/`, and what users do in one: run a cell twice, interrupt, restart, look for the output."""

from __future__ import annotations

import inspect
import os
import re
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_core.utils import run_sync
from nbclient import NotebookClient

from tests.python.support import wait_until
from tools.notebooks import EXAMPLES, executed

if TYPE_CHECKING:
    from collections.abc import Iterator

SAID = {
    "hello_world": ["Registered with the framework id", "hello-1 is in state TASK_FINISHED", "hello from task 2"],
    "parameter_sweep": ["[0.799, 0.513, 0.799, 0.513]", "400"],
    "scheduling_policies": ["spread small tasks wait 0 s, large tasks wait 337 s", "pack   small tasks wait 0 s"],
}


def shown(cell: Any) -> list[str]:
    """The kinds of a cell's outputs. Pieces of text that follow one another are one."""
    kinds: list[str] = []
    for output in cell.outputs:
        kind = output.get("name") or "+".join(sorted(output.get("data", ()))) or output.output_type
        if kinds[-1:] != [kind]:
            kinds.append(kind)
    return kinds


def text(outputs: list[Any]) -> str:
    """What outputs say, without the colors of tracebacks."""
    said = []
    for output in outputs:
        said += [output.get("text", ""), *output.get("traceback", ()), output.get("data", {}).get("text/plain", "")]
    return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(said))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", SAID)
def test_an_example_runs_and_is_saved_with_what_it_shows(name: str) -> None:
    path = EXAMPLES / f"{name}.ipynb"
    saved, now = nbformat.read(path, as_version=4), executed(path)
    for notebook in (saved, now):
        said = text([output for cell in notebook.cells for output in cell.get("outputs", ())])
        assert [each for each in SAID[name] if each not in said] == []
        assert not re.search(r"Traceback|/tmp/|/home/|/root/|token=", said)
    for before, after in zip(saved.cells, now.cells, strict=True):
        if before.cell_type == "code":
            assert shown(after) == shown(before), before.source
            assert {"stderr", "error"}.isdisjoint(shown(after)), after.outputs


def test_every_example_is_run() -> None:
    assert sorted(path.stem for path in EXAMPLES.glob("*.ipynb")) == sorted(SAID)


class Kernel:
    """A notebook whose cells are added and run one by one."""

    def __init__(self, client: NotebookClient) -> None:
        self.client = client
        self.late: dict[str, list[Any]] = {}
        self._listener = self._listen()

    def run(self, code: str, *, raises: bool = False) -> Any:
        """Runs a cell. Returns it."""
        cell = nbformat.v4.new_code_cell(inspect.cleandoc(code))  # type: ignore[no-untyped-call]
        if raises:
            cell.metadata["tags"] = ["raises-exception"]
        self.client.nb.cells.append(cell)
        self.client.execute_cell(cell, len(self.client.nb.cells) - 1)
        errors = [output.ename for output in cell.outputs if output.output_type == "error"]
        assert bool(errors) == raises, text(cell.outputs)
        return cell

    def says(self, code: str) -> str:
        return text(self.run(code).outputs)

    def interrupted(self, code: str, waiting: Path) -> str:
        """Interrupts a cell once a file is there, as Jupyter does. Returns what the cell raised."""
        group = int(self.says("import os; print(os.getpgid(0))"))

        def interrupt() -> None:
            wait_until(waiting.exists, "the cell waits")
            os.killpg(group, signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        thread.start()
        try:
            cell = self.run(code, raises=True)
        finally:
            thread.join()
        (error,) = (output for output in cell.outputs if output.output_type == "error")
        return str(error.ename)

    def restart(self, *, now: bool = False) -> None:
        run_sync(self.client.km.restart_kernel)(now=now)
        run_sync(self.client.kc.wait_for_ready)(timeout=60)

    def all_output(self, code: str, *until: str) -> list[tuple[str, str]]:
        """Runs a cell. Returns what the kernel shows until it has said all texts: each with the code of its cell."""
        self.run(code)
        said: list[tuple[str, str]] = []
        while not all(text in "".join(piece for _, piece in said) for text in until):
            message = self._listener.get_iopub_msg(timeout=30)
            parent = message["parent_header"].get("msg_id", "")
            if message["msg_type"] == "execute_input":
                self._codes[parent] = message["content"]["code"]
            elif message["msg_type"] == "stream":
                said.append((self._codes.get(parent, ""), message["content"]["text"]))
        return said

    def _listen(self) -> Any:
        # nbclient drops what comes for a cell that has ended; notebooks show it there.
        self._codes: dict[str, str] = {}
        listener = BlockingKernelClient(connection_file=self.client.km.connection_file)
        listener.load_connection_file()
        listener.start_channels(shell=False, stdin=False, hb=False, control=False)
        return listener

    def close(self) -> None:
        self._listener.stop_channels()


BEGIN = """
    import os, sys, threading, time
    from pathlib import Path
    from mesos import aio
    from mesos.futures import MesosPoolExecutor
    from mesos.interface import Scheduler, mesos_pb2
    from mesos.local import LocalCluster
    from mesos.native import MesosSchedulerDriver

    def info():
        return mesos_pb2.FrameworkInfo(user="", name="cells")

    def new_task(offer, command):
        task = mesos_pb2.TaskInfo(name="cell", task_id={"value": f"task-{time.time()}"}, slave_id=offer.slave_id)
        task.command.value = command
        for name, amount in (("cpus", 0.1), ("mem", 32)):
            task.resources.add(name=name, type=mesos_pb2.Value.SCALAR).scalar.value = amount
        return task

    class Sleeper(Scheduler):
        "Launches a task that runs for long."
        def __init__(self, path=None):
            self.path, self.running = path, threading.Event()
        def resourceOffers(self, driver, offers):
            driver.suppressOffers()
            driver.launchTasks(offers[0].id, [new_task(offers[0], f"exec sleep 86400.{os.getppid()}")])
        def statusUpdate(self, driver, status):
            if status.state == mesos_pb2.TASK_RUNNING:
                self.running.set()
                if self.path:
                    # The cell waits in `join` by now, or is about to.
                    threading.Thread(target=tell_once_in_join, args=(self.path,)).start()

    def tell_once_in_join(path):
        main = threading.main_thread().ident
        while True:
            frame = sys._current_frames()[main]
            while frame is not None:
                if frame.f_code.co_name == "join" and "mesos" in frame.f_code.co_filename:
                    return Path(path).touch()
                frame = frame.f_back
            time.sleep(0.01)

    cluster = LocalCluster(agents=2, resources={"cpus": 2, "mem": 1024})
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    notebook = nbformat.v4.new_notebook()  # type: ignore[no-untyped-call]
    folder = str(tmp_path_factory.mktemp("notebook"))
    client = NotebookClient(notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": folder}})
    with client.setup_kernel():
        kernel = Kernel(client)
        yield kernel
        kernel.close()


@pytest.fixture
def kernel(shared: Kernel) -> Iterator[Kernel]:
    """One kernel for all tests, with a cluster for each."""
    shared.run(BEGIN)
    yield shared
    shared.run("cluster.stop()")
    assert tasks_of(os.getpid()) == []


def tasks_of(marker: int) -> list[int]:
    """The processes of this test's tasks: the kernel is started by the process of the test."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if f"86400.{marker}".encode() in line:
            found.append(int(folder.name))
    return found


class TestInterrupt:
    """The kernel sends SIGINT to its process group, in which the cluster's own processes are too."""

    def check_cluster_works(self, kernel: Kernel) -> None:
        assert "TASK_RUNNING" in kernel.says("print([task.state for task in cluster.tasks])")
        assert len(tasks_of(os.getpid())) == 1

    @pytest.mark.parametrize("call", ["driver.start(); driver.join()", "driver.run()"])
    def test_a_driver_that_is_waited_for(self, kernel: Kernel, tmp_path: Path, call: str) -> None:
        waiting = tmp_path / "waiting"
        kernel.run(f"driver = MesosSchedulerDriver(Sleeper({str(waiting)!r}), info(), cluster)")
        assert kernel.interrupted(call, waiting) == "KeyboardInterrupt"
        self.check_cluster_works(kernel)
        assert kernel.says("print(driver.stop() == driver.join() == mesos_pb2.DRIVER_STOPPED)").strip() == "True"

    def test_a_driver_in_a_with_block_is_stopped(self, kernel: Kernel, tmp_path: Path) -> None:
        waiting = tmp_path / "waiting"
        code = f"""
            with MesosSchedulerDriver(Sleeper({str(waiting)!r}), info(), cluster) as driver:
                driver.run()
        """
        assert kernel.interrupted(code, waiting) == "KeyboardInterrupt"
        assert "DRIVER_STOPPED" in kernel.says("driver")
        wait_until(lambda: tasks_of(os.getpid()) == [], "the task of the framework ends")

    def test_an_asynchronous_iteration(self, kernel: Kernel, tmp_path: Path) -> None:
        waiting = tmp_path / "waiting"
        # The kernel cancels what a cell awaits when its event loop wakes up the next time: with the next offers.
        code = f"""
            from mesos.v1.interface import mesos_pb2 as v1

            async with aio.Framework("cells", cluster) as framework:
                async for event in framework:
                    if isinstance(event, aio.Offers):
                        await framework.decline(event.offers, filters=v1.Filters(refuse_seconds=0))
                        Path({str(waiting)!r}).touch()
        """
        assert kernel.interrupted(code, waiting) == "CancelledError"
        done = """
            async with aio.Framework("again", cluster) as framework:
                async for event in framework:
                    if isinstance(event, aio.Offers):
                        break
            print("offered again;", [each.name for each in cluster.frameworks if each.active])
        """
        assert kernel.says(done).strip() == "offered again; []"

    def test_a_pool_that_computes(self, kernel: Kernel, tmp_path: Path) -> None:
        waiting = tmp_path / "waiting"
        code = f"""
            def endless(path):
                Path(path).touch()
                time.sleep(3600)

            with MesosPoolExecutor(cluster, cpus=0.5, mem=32) as pool:
                list(pool.map(endless, [{str(waiting)!r}]))
        """
        assert kernel.interrupted(code, waiting) == "KeyboardInterrupt"
        left = "print([task.state for task in cluster.tasks if task.state in ('TASK_RUNNING', 'TASK_STARTING')])"
        assert kernel.says(left).strip() == "[]"
        again = """
            with MesosPoolExecutor(cluster, cpus=0.5, mem=32) as pool:
                print(list(pool.map(pow, [2, 3], [4, 4])))
        """
        assert kernel.says(again).strip() == "[16, 81]"


class TestOutput:
    """What callbacks print is below the cell that started their driver, whichever cell runs then."""

    START = """
        class Speaker(Scheduler):
            def __init__(self):
                self.go, self.spoken = threading.Event(), threading.Event()
            def registered(self, driver, framework_id, master_info):
                assert self.go.wait(60)
                print("from a callback")
                self.spoken.set()
                {then}

        speaker = Speaker()
        driver = MesosSchedulerDriver(speaker, info(), cluster)
        driver.start()
    """

    def test_of_a_callback_is_below_the_cell_that_started_the_driver(self, kernel: Kernel) -> None:
        started = kernel.run(self.START.format(then="pass")).source
        said = kernel.all_output(
            "speaker.go.set(); speaker.spoken.wait(60)\nprint('the end')", "from a callback", "the end"
        )
        assert [code for code, piece in said if "from a callback" in piece] == [started]
        assert kernel.run("driver.stop(); driver.join()").outputs[0].data["text/plain"] == "4"

    def test_of_an_exception_is_below_the_cell_that_started_the_driver(self, kernel: Kernel) -> None:
        started = kernel.run(self.START.format(then="raise ValueError('raised on purpose')")).source
        said = kernel.all_output("speaker.go.set(); driver.join()", "ValueError: raised on purpose")
        assert {code for code, piece in said if "raised on purpose" in piece} == {started}
        assert "ValueError('raised on purpose')" in kernel.says("driver.exception")

    def test_of_an_exception_is_raised_in_the_cell_that_asks_for_it(self, kernel: Kernel) -> None:
        kernel.run(self.START.format(then="raise ValueError('raised on purpose')"))
        failed = kernel.run("speaker.go.set(); driver.join(check=True)", raises=True)
        assert "ValueError: raised on purpose" in text(failed.outputs)
        assert "registered(self, driver, framework_id, master_info)" in text(failed.outputs)

    def test_of_tasks_is_below_the_cell_that_started_their_cluster(self, kernel: Kernel, tmp_path: Path) -> None:
        go = tmp_path / "go"
        started = kernel.run(f"""
            class Hello(Scheduler):
                def resourceOffers(self, driver, offers):
                    driver.suppressOffers()
                    command = "while [ ! -e {go} ]; do sleep 0.05; done; echo hello from a task"
                    driver.launchTasks(offers[0].id, [new_task(offers[0], command)])
                def statusUpdate(self, driver, status):
                    if status.state == mesos_pb2.TASK_FINISHED:
                        driver.stop()

            driver = MesosSchedulerDriver(Hello(), info(), "local")
            driver.start()
        """).source
        said = kernel.all_output(f"Path({str(go)!r}).touch(); driver.join()", "hello from a task")
        assert [code for code, piece in said if "hello from a task" in piece] == [started]


def test_a_cell_that_is_run_twice_names_the_driver_of_its_first_run(kernel: Kernel) -> None:
    cell = """
        driver = MesosSchedulerDriver(Sleeper(), info(), cluster)
        kept = globals().setdefault("kept", [])
        kept.append(driver)
        driver.start()
    """
    assert "MesosWarning" not in text(kernel.run(cell).outputs)
    assert "this cell started a driver with the scheduler" in text(kernel.run(cell).outputs)
    with_block = """
        sleeper = Sleeper()
        with MesosSchedulerDriver(sleeper, info(), cluster) as inner:
            inner.start()
            assert sleeper.running.wait(60)
    """
    kernel.run("for each in kept: each.stop(); each.join()")
    assert [text(kernel.run(with_block).outputs) for _ in range(2)] == ["", ""]


@pytest.mark.parametrize("now", [False, True])
def test_a_restart_leaves_no_process_and_no_sandbox(shared: Kernel, now: bool) -> None:
    shared.run(BEGIN)
    shared.run("""
        scheduler = Sleeper()
        driver = MesosSchedulerDriver(scheduler, info(), cluster)
        driver.start()
        assert scheduler.running.wait(60)
        pool = MesosPoolExecutor(cluster, cpus=0.5, mem=32, environment={"TEST_OF_NOTEBOOKS": str(os.getppid())})
        assert pool.submit(pow, 2, 3).result(60) == 8
    """)
    sandbox = Path(shared.says("print(cluster.tasks[0].sandbox)").strip())
    assert sandbox.is_dir()
    (task,) = tasks_of(os.getpid())
    shared.restart(now=now)
    wait_until(lambda: tasks_of(os.getpid()) == [], f"the process {task} of a task ends")
    wait_until(lambda: not sandbox.exists(), "the sandbox is removed")
    wait_until(lambda: workers() == [], "the worker ends")
    assert "NameError" in text(shared.run("cluster", raises=True).outputs)


def workers() -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line, environment = (folder / "cmdline").read_bytes(), (folder / "environ").read_bytes()
        except OSError:
            continue
        if b"mesos.futures._worker" in line and f"TEST_OF_NOTEBOOKS={os.getpid()}".encode() in environment:
            found.append(int(folder.name))
    return found
