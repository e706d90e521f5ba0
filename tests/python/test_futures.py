"""``MesosPoolExecutor``: calls, results, exceptions, cancellation, lost workers, and what is left behind."""

from __future__ import annotations

import asyncio
import concurrent.futures
import gc
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from mesos.errors import ArgumentTypeError, ArgumentValueError, DriverAbortedError, DriverError
from mesos.futures import (
    CallError,
    MesosFuture,
    MesosPoolExecutor,
    PoolBrokenError,
    RemoteTraceback,
    WorkerLostError,
    _map,
    register_joblib,
)
from mesos.local import LocalCluster

from tests.apache_mesos import ApacheMesos, wants_credential
from tests.python.support import alive, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WAIT = 60


@pytest.fixture
def pool(master: str) -> Iterator[MesosPoolExecutor]:
    """A pool of up to two workers, on the embedded cluster and on the real one."""
    with MesosPoolExecutor(master, cpus=1, mem=64, max_workers=2) as made:
        yield made


@pytest.fixture
def quick(embedded: LocalCluster) -> Iterator[MesosPoolExecutor]:
    """A pool of up to two workers on the embedded cluster, for what has nothing to do with the master."""
    with MesosPoolExecutor(embedded, cpus=1, mem=64, max_workers=2) as made:
        yield made


def frameworks(address: str, name: str) -> list[Any]:
    with urllib.request.urlopen(f"http://{address}/state", timeout=10) as response:
        return [each for each in json.load(response)["frameworks"] if each["name"] == name]


def note(path: str, text: str = "x") -> int:
    """Adds a line to a file, with this process, and returns the process."""
    with open(path, "a") as file:
        file.write(f"{text}\n")
    return os.getpid()


def note_and_sleep(path: str, seconds: float) -> None:
    note(path, str(os.getpid()))
    time.sleep(seconds)


def note_and_die(path: str, how: int) -> None:
    note(path)
    os.kill(os.getpid(), how)


def die_once(path: str) -> str:
    note(path)
    if len(Path(path).read_text().split()) == 1:
        os._exit(7)
    return "survived"


def with_a_grandchild(path: str) -> None:
    child = subprocess.Popen(["sleep", "100"])
    note(path, str(child.pid))
    child.wait()


class Unpicklable:
    def __reduce__(self) -> Any:
        raise TypeError("this stays where it is")


class Demanding(Exception):
    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def raise_it(kind: type[BaseException], *arguments: Any) -> None:
    raise kind(*arguments)


def raise_unpicklable() -> None:
    error = ValueError("with a lock")
    error.lock = threading.Lock()  # type: ignore[attr-defined]
    raise error


def lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def test_a_call_returns_its_result(pool: MesosPoolExecutor) -> None:
    assert pool.submit(divmod, 17, 5).result(WAIT) == (3, 2)
    assert pool.submit(dict, a=1).result(WAIT) == {"a": 1}


def test_functions_may_be_closures_and_lambdas(pool: MesosPoolExecutor) -> None:
    factor = 7
    assert pool.submit(lambda x: x * factor, 6).result(WAIT) == 42


def test_map_returns_results_in_order(pool: MesosPoolExecutor) -> None:
    assert list(pool.map(pow, range(300), [2] * 300)) == [n * n for n in range(300)]
    assert list(pool.map(abs, range(-25, 0), chunksize=10)) == list(range(25, 0, -1))
    assert list(pool.map(abs, [])) == []


def test_exceptions_have_the_remote_traceback(pool: MesosPoolExecutor) -> None:
    error = pool.submit(raise_it, KeyError, "missing").exception(WAIT)
    assert isinstance(error, KeyError)
    assert isinstance(error.__cause__, RemoteTraceback)
    assert "in raise_it" in str(error.__cause__)
    assert "KeyError: 'missing'" in str(error.__cause__)


def test_large_arguments_and_results_arrive(pool: MesosPoolExecutor) -> None:
    data = os.urandom(1 << 20) * 12
    assert pool.submit(bytes.upper, data).result(WAIT) == data.upper()


def test_workers_are_used_again(pool: MesosPoolExecutor) -> None:
    processes = {pool.submit(os.getpid).result(WAIT) for _ in range(20)}
    assert len(processes) <= 2


def test_a_running_call_is_killed(pool: MesosPoolExecutor, tmp_path: Path) -> None:
    file = tmp_path / "pids"
    future = pool.submit(with_a_grandchild, str(file))
    wait_until(lambda: lines(file), "the call runs")
    assert future.running()
    assert future.cancel()
    assert future.cancelled()
    (grandchild,) = map(int, lines(file))
    wait_until(lambda: not alive(grandchild), "what the call started is killed")
    assert pool.submit(abs, -1).result(WAIT) == 1


def test_a_call_whose_process_ends_once_is_tried_again(pool: MesosPoolExecutor, tmp_path: Path) -> None:
    assert pool.submit(die_once, str(tmp_path / "tries")).result(WAIT) == "survived"


def test_a_call_whose_process_always_ends_fails(pool: MesosPoolExecutor, tmp_path: Path) -> None:
    future = pool.submit(note_and_die, str(tmp_path / "tries"), signal.SIGSEGV)
    others = [pool.submit(abs, -n) for n in range(20)]
    error = future.exception(WAIT)
    assert isinstance(error, WorkerLostError)
    assert isinstance(error, concurrent.futures.BrokenExecutor)
    assert "SIGSEGV" in str(error)
    assert len(lines(tmp_path / "tries")) == 3
    assert [other.result(WAIT) for other in others] == list(range(20))


def test_a_call_whose_worker_is_killed_is_tried_again(pool: MesosPoolExecutor, tmp_path: Path) -> None:
    def kill_the_worker() -> str:
        note(str(tmp_path / "tries"))
        if len(lines(tmp_path / "tries")) == 1:
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(WAIT)
        return "elsewhere"

    assert pool.submit(kill_the_worker).result(WAIT) == "elsewhere"


def test_nothing_is_left_behind(master: str, tmp_path: Path) -> None:
    with MesosPoolExecutor(master, mem=64, max_workers=2, name="leaves nothing") as pool:
        pids = set(pool.map(note, [str(tmp_path / "file")] * 10))
        parents = set(pool.map(lambda _: os.getppid(), range(10)))
        assert len(frameworks(master, "leaves nothing")) == 1
    assert frameworks(master, "leaves nothing") == []
    for pid in pids | parents:
        wait_until(lambda pid=pid: not alive(pid), "the workers' processes end")
    assert not [thread for thread in threading.enumerate() if thread.name == "mesos-pool"]
    with pytest.raises(RuntimeError, match="after shutdown"):
        pool.submit(abs, 1)


def test_idle_workers_are_given_back(master: str) -> None:
    with MesosPoolExecutor(master, mem=64, max_workers=1, idle_timeout=0.2) as pool:
        first = pool.submit(os.getppid).result(WAIT)
        wait_until(lambda: not alive(first), "the idle worker ends")
        assert pool.submit(os.getppid).result(WAIT) != first


def test_a_worker_that_cannot_start_breaks_the_pool(master: str) -> None:
    with MesosPoolExecutor(master, mem=64, python="/no/such/python") as pool:
        error = pool.submit(abs, 1).exception(WAIT)
        assert isinstance(error, PoolBrokenError)
        assert "no worker starts" in str(error)
        with pytest.raises(PoolBrokenError):
            pool.submit(abs, 1)


def test_only_agents_with_the_attributes_are_used() -> None:
    agents: list[dict[str, Any]] = [{"attributes": "rack:a;level:1"}, {"attributes": "rack:b;level:2"}]
    with LocalCluster(agents=agents, resources={"cpus": 2, "mem": 512}) as cluster:
        (_, wanted) = cluster.agents
        with MesosPoolExecutor(cluster, attributes={"rack": ["b", "c"], "level": 2}) as pool:
            list(pool.map(time.sleep, [0.05] * 8))
            assert {task.agent_id for task in cluster.tasks} == {wanted.id}


def test_short_calls_do_not_wait_behind_a_long_one(quick: MesosPoolExecutor) -> None:
    list(quick.map(abs, range(200)))  # so calls count as short
    long = quick.submit(time.sleep, WAIT)
    done = [quick.submit(abs, -n) for n in range(500)]
    assert [each.result(WAIT / 2) for each in done] == list(range(500))
    assert long.cancel()


def test_waiting_calls_are_cancelled(quick: MesosPoolExecutor, tmp_path: Path) -> None:
    blocking = [quick.submit(time.sleep, WAIT) for _ in range(2)]
    waiting = [quick.submit(note, str(tmp_path / "file")) for _ in range(10)]
    assert all(future.cancel() for future in reversed(waiting))
    assert all(future.cancel() for future in blocking)
    done, _ = concurrent.futures.wait(waiting + blocking, WAIT)
    assert len(done) == 12
    assert quick.submit(abs, -1).result(WAIT) == 1
    assert lines(tmp_path / "file") == []
    assert waiting[0].cancel()


def test_a_done_call_cannot_be_cancelled(quick: MesosPoolExecutor) -> None:
    future = quick.submit(abs, -1)
    assert future.result(WAIT) == 1
    assert not future.cancel()


def test_map_ends_with_its_timeout_and_kills_what_runs(quick: MesosPoolExecutor, tmp_path: Path) -> None:
    file = tmp_path / "pids"
    quick.submit(abs, 1).result(WAIT)
    results = quick.map(note_and_sleep, [str(file)] * 4, [WAIT] * 4, timeout=2)
    with pytest.raises(TimeoutError):
        next(results)
    for pid in map(int, lines(file)):
        wait_until(lambda pid=pid: not alive(pid), "the calls are killed")


def test_map_with_a_buffer_asks_for_items_as_results_are_taken(quick: MesosPoolExecutor) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    results = quick.map(abs, items(), buffersize=3)
    assert [next(results) for _ in range(5)] == [0, 1, 2, 3, 4]
    assert len(taken) == 8
    results.close()  # type: ignore[attr-defined]


def test_results_come_as_they_complete(quick: MesosPoolExecutor, tmp_path: Path) -> None:
    go = tmp_path / "go"

    def wait_for(path: Path | None) -> Path | None:
        while path is not None and not path.exists():
            time.sleep(0.01)
        return path

    quick.submit(abs, 1).result(WAIT)
    results = quick.map_unordered(wait_for, [go, None])
    assert next(results) is None
    go.touch()
    assert list(results) == [go]
    futures = [quick.submit(abs, -n) for n in range(5)]
    assert {future.result() for future in concurrent.futures.as_completed(futures, WAIT)} == set(range(5))


def test_a_progress_bar_is_shown(quick: MesosPoolExecutor, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(quick.map(abs, range(50), chunksize=5, progress="sweep")) == list(range(50))
    shown = capsys.readouterr().err
    assert "sweep" in shown
    assert "50/50" in shown


@pytest.mark.parametrize("map_", [_map.ordered, _map.unordered])
def test_a_progress_bar_is_full_although_the_callbacks_of_futures_come_late(
    map_: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    class Late(concurrent.futures.Future[list[int]]):
        def add_done_callback(self, fn: Any) -> None:
            late.append(lambda: fn(self))

    def submit(fn: Callable[[int], int], chunks: list[list[tuple[int]]]) -> list[Late]:
        futures = [Late() for _ in chunks]
        for future, chunk in zip(futures, chunks, strict=True):
            future.set_result([fn(*each) for each in chunk])
        return futures

    late: list[Callable[[], None]] = []
    more = {"buffersize": None} if map_ is _map.ordered else {}
    results = map_(submit, abs, (range(5),), timeout=None, size=2, progress=True, **more)
    assert sorted(results) == [0, 1, 2, 3, 4]
    for call in late:
        call()
    assert capsys.readouterr().err.split("\r")[-1].startswith("100%")


def test_unpicklable_arguments_are_an_error_of_the_future(quick: MesosPoolExecutor) -> None:
    assert "stays where it is" in str(quick.submit(abs, Unpicklable()).exception(WAIT))
    with pytest.raises(TypeError, match="stays where it is"):
        list(quick.map(abs, [Unpicklable()]))


def test_unpicklable_results_and_exceptions_are_errors_of_the_future(quick: MesosPoolExecutor) -> None:
    assert isinstance(quick.submit(threading.Lock).exception(WAIT), TypeError)
    error = quick.submit(raise_unpicklable).exception(WAIT)
    assert isinstance(error, CallError)
    assert "ValueError: with a lock" in str(error)
    error = quick.submit(raise_it, Demanding, 1, 2).exception(WAIT)
    assert isinstance(error, CallError)
    assert "Demanding: 1 and 2" in str(error)
    assert isinstance(quick.submit(sys.exit, 3).exception(WAIT), SystemExit)


def test_the_initializer_runs_in_each_process(embedded: LocalCluster) -> None:
    def prepare(value: str) -> None:
        os.environ["PREPARED"] = value

    with MesosPoolExecutor(embedded, max_workers=1, retries=0, initializer=prepare, initargs=("yes",)) as pool:
        assert pool.submit(os.getenv, "PREPARED").result(WAIT) == "yes"
        assert isinstance(pool.submit(os._exit, 1).exception(WAIT), WorkerLostError)
        assert pool.submit(os.getenv, "PREPARED").result(WAIT) == "yes"


@pytest.mark.parametrize("how", ["raises", "exits"])
def test_an_initializer_that_fails_breaks_the_pool(how: str, embedded: LocalCluster) -> None:
    initializer: Any = (raise_it, os._exit)[how == "exits"]
    with MesosPoolExecutor(
        embedded, initializer=initializer, initargs=(KeyError,) if how == "raises" else (3,)
    ) as pool:
        error = pool.submit(abs, 1).exception(WAIT)
        assert isinstance(error, PoolBrokenError)
        if how == "raises":
            assert isinstance(error.__cause__, KeyError)
        else:
            assert "status 3" in str(error)


def test_calls_are_lost_with_their_agent_and_tried_again(embedded: LocalCluster, tmp_path: Path) -> None:
    with MesosPoolExecutor(embedded, max_workers=1) as pool:
        future = pool.submit(
            lambda: note(str(tmp_path / "tries")) and len(lines(tmp_path / "tries")) < 2 and time.sleep(WAIT)
        )
        wait_until(lambda: lines(tmp_path / "tries"), "the call runs")
        (task,) = embedded.tasks
        embedded.agent(task.agent_id).kill()
        future.result(WAIT)
    assert len(lines(tmp_path / "tries")) == 2


def test_a_rejected_framework_fails_its_calls(tmp_path: Path) -> None:
    with (
        LocalCluster(authenticate_http_frameworks=True, credentials={"someone": "their secret"}) as cluster,
        MesosPoolExecutor(cluster, principal="someone", secret="another secret") as pool,
    ):
        with pytest.raises(DriverAbortedError):
            pool.submit(abs, 1).result(WAIT)
        with pytest.raises(DriverAbortedError):
            pool.submit(abs, 1)


def test_a_framework_is_authenticated() -> None:
    with (
        LocalCluster(authenticate_http_frameworks=True, credentials={"someone": "their secret"}) as cluster,
        MesosPoolExecutor(cluster, principal="someone", secret="their secret", role="team") as pool,
    ):
        assert pool.submit(abs, -1).result(WAIT) == 1
        with urllib.request.urlopen(f"{cluster.url}/state", timeout=10) as response:
            assert [each["role"] for each in json.load(response)["frameworks"]] == ["team"]


def test_the_real_master_authenticates_a_framework(apache_home: Path, tmp_path: Path) -> None:
    flags = wants_credential(tmp_path / "credentials", "someone", "their secret")
    with ApacheMesos(apache_home, tmp_path / "work", flags=flags) as mesos:
        with MesosPoolExecutor(mesos.address, mem=64, principal="someone", secret="their secret", role="team") as pool:
            data = bytes(3 << 20)
            assert pool.submit(bytes.lower, data).result(WAIT) == data
        with (
            MesosPoolExecutor(mesos.address, mem=64, principal="someone", secret="another") as pool,
            pytest.raises(DriverAbortedError),
        ):
            pool.submit(abs, 1).result(WAIT)


def test_a_cluster_that_stops_fails_the_calls() -> None:
    with LocalCluster() as cluster:
        pool = MesosPoolExecutor(cluster, max_workers=1)
        future = pool.submit(time.sleep, WAIT)
        waiting = pool.submit(abs, 1)
    assert isinstance(future.exception(WAIT), DriverAbortedError)
    assert isinstance(waiting.exception(WAIT), DriverAbortedError)
    with pytest.raises(DriverAbortedError):
        pool.submit(abs, 1)
    pool.shutdown()


def test_no_offers_are_held_or_made_while_nothing_waits(embedded: LocalCluster) -> None:
    with MesosPoolExecutor(embedded, max_workers=1) as pool:
        pool.submit(abs, 1).result(WAIT)
        wait_until(lambda: not embedded.offers, "offers are declined")
        assert len(embedded.tasks) == 1


def test_shutdown_finishes_what_was_submitted(embedded: LocalCluster) -> None:
    pool = MesosPoolExecutor(embedded, max_workers=1)
    futures = [pool.submit(abs, -n) for n in range(10)]
    pool.shutdown()
    assert [future.result(0) for future in futures] == list(range(10))
    pool.shutdown()


def test_shutdown_cancels_what_does_not_run(embedded: LocalCluster, tmp_path: Path) -> None:
    pool = MesosPoolExecutor(embedded, max_workers=1)
    running = pool.submit(note_and_sleep, str(tmp_path / "file"), 3)
    waiting = [pool.submit(time.sleep, 0.5) for _ in range(10)]
    wait_until(lambda: lines(tmp_path / "file"), "the call runs")
    pool.shutdown(cancel_futures=True)
    assert running.result(0) is None
    assert all(future.cancelled() for future in waiting)


def test_ctrl_c_does_not_wait_for_calls(embedded: LocalCluster) -> None:
    began = time.monotonic()
    futures = []

    def interrupted() -> None:
        with MesosPoolExecutor(embedded, max_workers=1) as pool:
            futures.append(pool.submit(time.sleep, WAIT))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert futures[0].cancelled()
    assert time.monotonic() - began < WAIT / 2


def test_a_pool_that_is_dropped_ends(embedded: LocalCluster) -> None:
    pool = MesosPoolExecutor(embedded, max_workers=1)
    future = pool.submit(time.sleep, 0.3)
    del pool
    gc.collect()
    future.result(WAIT)
    wait_until(lambda: not [each for each in embedded.frameworks if each.active], "the framework ends")


def test_the_end_of_the_interpreter_waits_for_calls(embedded: LocalCluster, tmp_path: Path) -> None:
    program = f"""
import pathlib, time
from mesos.futures import MesosPoolExecutor
def write():
    time.sleep(0.5)
    pathlib.Path({str(tmp_path / "file")!r}).write_text("written")
pool = MesosPoolExecutor({embedded.address!r}, max_workers=1)
pool.submit(write)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=WAIT)
    assert (done.returncode, done.stderr) == (0, "")
    assert lines(tmp_path / "file") == ["written"]
    assert not [each for each in embedded.frameworks if each.active]


def test_output_of_calls_is_shown_with_the_master_local() -> None:
    program = """
from mesos.futures import MesosPoolExecutor
with MesosPoolExecutor() as pool:
    pool.submit(print, "said on the cluster").result()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=WAIT)
    assert (done.returncode, done.stderr) == (0, "")
    assert "said on the cluster" in done.stdout


def test_a_forked_child_cannot_use_the_pool(quick: MesosPoolExecutor) -> None:
    pid = os.fork()
    if pid == 0:
        try:
            quick.submit(abs, 1)
        except DriverError:
            quick.shutdown()
            os._exit(0)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert quick.submit(abs, -1).result(WAIT) == 1


def test_asyncio_awaits_and_cancels_calls(quick: MesosPoolExecutor, tmp_path: Path) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert await loop.run_in_executor(quick, abs, -3) == 3
        assert await asyncio.wrap_future(quick.submit(abs, -4)) == 4
        call = loop.run_in_executor(quick, note_and_sleep, str(tmp_path / "pid"), WAIT)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(call, 2)

    asyncio.run(main())
    for pid in map(int, lines(tmp_path / "pid")):
        wait_until(lambda pid=pid: not alive(pid), "the call is killed")


def test_without_cloudpickle_functions_of_main_give_an_error(embedded: LocalCluster) -> None:
    program = f"""
import sys
sys.modules["cloudpickle"] = None
from mesos.futures import MesosPoolExecutor
def mine(): pass
with MesosPoolExecutor({embedded.address!r}, max_workers=1) as pool:
    assert pool.submit(abs, -1).result() == 1
    print(type(pool.submit(mine).exception()).__name__, pool.submit(mine).exception())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=WAIT)
    assert done.stderr == ""
    assert "PicklingError" in done.stdout
    assert "remesos[futures]" in done.stdout


def test_joblib_runs_its_calls_in_a_pool(quick: MesosPoolExecutor) -> None:
    joblib = pytest.importorskip("joblib")
    register_joblib()
    with joblib.parallel_config(backend="mesos", pool=quick):
        pids = joblib.Parallel()(joblib.delayed(os.getpid)() for _ in range(50))
        with pytest.raises(ZeroDivisionError):
            joblib.Parallel()(joblib.delayed(divmod)(1, n) for n in range(3))
    assert os.getpid() not in pids
    assert len(set(pids)) <= 2
    with pytest.raises(ArgumentTypeError, match="pool"), joblib.parallel_config(backend="mesos"):
        pass


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ({"cpus": 0}, ArgumentValueError),
        ({"mem": "1"}, ArgumentTypeError),
        ({"max_workers": 0}, ArgumentValueError),
        ({"max_workers": 1.5}, ArgumentTypeError),
        ({"retries": -1}, ArgumentValueError),
        ({"idle_timeout": float("nan")}, ArgumentValueError),
        ({"initializer": 3}, ArgumentTypeError),
        ({"environment": {"A": 1}}, ArgumentTypeError),
        ({"attributes": 3}, ArgumentTypeError),
        ({"attributes": {"rack": None}}, ArgumentTypeError),
        ({"uris": "http://one"}, ArgumentTypeError),
        ({"python": 3}, ArgumentTypeError),
    ],
)
def test_wrong_arguments_are_refused(arguments: dict[str, Any], kind: type[Exception]) -> None:
    with pytest.raises(kind, match=next(iter(arguments))):
        MesosPoolExecutor("127.0.0.1:1", **arguments)


def test_futures_are_those_of_concurrent_futures(quick: MesosPoolExecutor) -> None:
    future = quick.submit(abs, -1)
    assert isinstance(future, MesosFuture)
    assert isinstance(future, concurrent.futures.Future)
    assert isinstance(quick, concurrent.futures.Executor)
    assert pickle.loads(pickle.dumps(future.result(WAIT))) == 1


def test_functions_of_cells_run_on_the_cluster(tmp_path: Path) -> None:
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    cells = [
        "from mesos.futures import MesosPoolExecutor\nfrom mesos.local import LocalCluster\n"
        "cluster = LocalCluster(resources={'cpus': 2, 'mem': 512})\npool = MesosPoolExecutor(cluster)",
        "class Point:\n    def __init__(self, x): self.x = x\n"
        "scale = 3\ndef scaled(point): return Point(point.x * scale)",
        "print([point.x for point in pool.map(scaled, map(Point, range(4)))])",
        "scale = 5\nprint(pool.submit(scaled, Point(1)).result().x)",
        "pool.shutdown()\ncluster.stop()",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(text) for text in cells])
    nbclient.NotebookClient(notebook, timeout=WAIT, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = ["".join(output.get("text", "") for output in cell.outputs) for cell in notebook.cells]
    assert shown == ["", "", "[0, 3, 6, 9]\n", "5\n", ""]
