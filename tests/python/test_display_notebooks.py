"""What notebooks show, in a real kernel, as it is saved."""

from __future__ import annotations

import re
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

CELLS = {
    "setup": """
        import time, threading
        from mesos.interface import Scheduler, mesos_pb2
        from mesos.local import LocalCluster
        from mesos.native import MesosSchedulerDriver
        info = mesos_pb2.FrameworkInfo(user="", name="<script>alert(1)</script>")
        cluster = LocalCluster(agents=2, resources={"cpus": 2, "mem": 1024, "disk": 0})
        """,
    "show": "cluster.show()",
    "cluster": "cluster",
    "subscribe": """
        class Waiting(Scheduler):
            def __init__(self):
                self.there = threading.Event()
            def registered(self, *_):
                self.there.set()
            def resourceOffers(self, driver, offers):  # a warning would be shown in whichever cell runs then
                for offer in offers:
                    driver.declineOffer(offer.id)
        scheduler = Waiting()
        first = MesosSchedulerDriver(scheduler, info, cluster)
        first.start()
        assert scheduler.there.wait(30)
        first
        """,
    "lists": "cluster.agents",
    "plot": "cluster.history().plot()",
    "start": """
        class Again(Scheduler):
            pass
        drivers = globals().setdefault("drivers", [])
        drivers += [MesosSchedulerDriver(Again(), info, cluster) for _ in range(2)]
        for driver in drivers[-2:]:
            driver.start()
        """,
    "stop others": """
        from mesos.scheduler import running_drivers
        assert running_drivers() == [first, *drivers]
        running_drivers()[1].stop()
        assert running_drivers() == [first, *drivers[1:]]
        """,
    "show in a loop": """
        with LocalCluster(resources={"cpus": 1, "mem": 64, "disk": 0}) as other:
            other.show()
            own = MesosSchedulerDriver(Waiting(), mesos_pb2.FrameworkInfo(user="", name="loop"), other)
            own.start()
            assert own._scheduler.there.wait(30)
            while "loop" not in other._live._shown["text/html"]:
                time.sleep(0.05)
            print("seen while the cell ran")
        """,
    "let go": """
        class Failing(Scheduler):
            def registered(self, *_):
                raise ValueError("in a callback")
        with MesosSchedulerDriver(Failing(), info, cluster) as failing:
            failing.run(check=True)
        """,
    "end": """
        cluster.stop()
        assert [thread.name for thread in threading.enumerate() if thread.name == "mesos-show"] == []
        """,
}
ORDER = [*list(CELLS)[:7], "start", *list(CELLS)[7:]]


@pytest.fixture(scope="module")
def saved() -> dict[str, Any]:
    """The outputs of each cell of a notebook, of "start" when it ran a second time."""
    cells = []
    for name in ORDER:
        lines = CELLS[name].strip("\n").splitlines()
        indent = len(lines[0]) - len(lines[0].lstrip())
        cell = nbformat.v4.new_code_cell("\n".join(line[indent:] for line in lines))  # type: ignore[no-untyped-call]
        if name == "let go":
            cell.metadata["tags"] = ["raises-exception"]
        cells.append(cell)
    notebook = nbformat.v4.new_notebook(cells=cells)  # type: ignore[no-untyped-call]
    NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    shown = {name: cell.outputs for name, cell in zip(ORDER, cells, strict=True)}
    shown["started first"] = cells[6].outputs
    return shown


def shown(saved: dict[str, Any], name: str) -> list[Any]:
    return [output for output in saved[name] if "text/html" in output.get("data", {})]


def html(output: Any) -> str:
    found: str = output.data["text/html"]
    assert "<script" not in found
    return found


def test_a_view_is_in_the_cell_that_asked_for_it_as_it_was_last(saved: dict[str, Any]) -> None:
    (view,) = saved["show"]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html(view), "it follows what later cells do"
    assert "(stopped)" in html(view)
    assert "stopped" in view.data["text/plain"]
    others = [output for name in ORDER if name != "show" for output in shown(saved, name)]
    assert not any("(stopped)" in html(output) for output in others if output not in shown(saved, "show in a loop"))


def test_a_view_follows_the_cluster_while_its_cell_runs(saved: dict[str, Any]) -> None:
    (view,) = shown(saved, "show in a loop")
    assert "seen while the cell ran\n" in [output.get("text") for output in saved["show in a loop"]]
    assert "loop" in html(view)
    assert "(stopped)" in html(view)


def test_a_cluster_a_driver_and_a_list_are_shown_as_html(saved: dict[str, Any]) -> None:
    (cluster,) = saved["cluster"]
    assert re.search(r'<a href="(http://127\.0\.0\.1:\d+)"[^>]*>\1</a>', html(cluster))
    assert cluster.data["text/plain"].startswith("<LocalCluster http://127.0.0.1:")
    (driver,) = saved["subscribe"]
    assert "DRIVER_RUNNING" in html(driver)
    (agents,) = saved["lists"]
    assert html(agents).count("localhost") == 2


def test_a_plot_is_shown_without_pyplot(saved: dict[str, Any]) -> None:
    (plot,) = saved["plot"]
    assert plot.data["image/png"]


def test_a_cell_that_is_run_again_while_its_driver_runs_gets_a_warning(saved: dict[str, Any]) -> None:
    assert saved["started first"] == [], "several drivers of one run are meant"
    (told,) = [output.text for output in saved["start"]]
    assert "MesosWarning: this cell started a driver with the scheduler __main__.Again before" in told
    assert "mesos.scheduler.running_drivers()[1].stop()" in told
    assert "<MesosSchedulerDriver DRIVER_RUNNING, '<script>alert(1)</script>'" in told


def test_what_a_callback_raises_is_the_cells_error(saved: dict[str, Any]) -> None:
    error = saved["let go"][-1]
    assert (error.output_type, error.ename, error.evalue) == ("error", "ValueError", "in a callback")
