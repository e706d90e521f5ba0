"""How clusters, drivers and what they have are shown, in a line and as HTML."""

from __future__ import annotations

import html.parser
import pickle
import re
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from mesos.errors import ArgumentTypeError, ArgumentValueError
from mesos.interface import Scheduler, mesos_pb2
from mesos.local import LocalCluster, Run
from mesos.native import MesosSchedulerDriver

from tests.python.support import Recorder, framework, running, task, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

HOSTILE = """<script>alert('x')</script><img src=x onerror="alert(1)">&"'"""
SMALL: dict[str, float | str] = {"cpus": 2, "mem": 512, "disk": 0}


class Checked(html.parser.HTMLParser):
    """What HTML consists of. It has no scripts, and nothing in it is loaded."""

    def __init__(self, text: str | None) -> None:
        super().__init__()
        assert text is not None
        self.open: list[str] = []
        self.text = ""
        self.links: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in {"div", "span", "table", "thead", "tbody", "tr", "th", "td", "a"}
        assert {name for name, _ in attrs} <= {"style", "href", "target", "rel", "colspan"}
        for name, value in attrs:
            if name == "href":
                self.links.append(value or "")
            if name == "style":
                assert not re.search(r"url\(|expression|#fff\b|#000\b|black|white", value or "")
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(resources=SMALL, attributes="label:<b>") as cluster:
        yield cluster


def test_hostile_names_are_text(cluster: LocalCluster) -> None:
    scheduler = Recorder()
    with running(cluster.address, scheduler, framework(name=HOSTILE)) as driver:
        offer = scheduler.offer()
        assert Checked(cluster.offers._repr_html_()).text.count(offer.id.value) == 1  # type: ignore[attr-defined]
        made = task(offer, "sleep 100")
        made.name = HOSTILE
        driver.launchTasks(offer.id, [made])
        scheduler.state(made.task_id.value, mesos_pb2.TASK_RUNNING)
        things = [cluster, driver, *cluster.agents, *cluster.frameworks, *cluster.tasks]
        lists = [cluster.agents, cluster.frameworks, cluster.tasks]
        shown = [Checked(thing._repr_html_()).text for thing in [*things, *lists]]  # type: ignore[attr-defined]
        assert [HOSTILE in text for text in shown] == [True, True, False, True, True, False, True, True]
        assert "label:<b>" in shown[2]
        for thing in things:
            assert "\n" not in repr(thing)
            bundle = thing._repr_mimebundle_()
            assert bundle == {"text/html": thing._repr_html_(), "text/plain": repr(thing)}
            assert list(thing._repr_mimebundle_(include={"text/plain"})) == ["text/plain"]
            assert list(thing._repr_mimebundle_(exclude={"text/plain"})) == ["text/html"]


def test_a_cluster_says_what_it_has_while_it_runs_and_afterwards(cluster: LocalCluster) -> None:
    line = f"<LocalCluster {cluster.url}, 1 agent, cpus 0/2, mem 0/512, 0 frameworks, 0 tasks>"
    assert repr(cluster) == line
    scheduler = Recorder()
    with running(cluster.address, scheduler) as driver:
        offer = scheduler.offer()
        made = [task(offer, "sleep 100", cpus=0.5, mem=64) for _ in range(2)]
        driver.launchTasks(offer.id, made)
        wait_until(lambda: "2 TASK_RUNNING" in repr(cluster), "both run")
        assert re.search(r", cpus 1(\.\d+)?/2, mem \d+/512, 1 framework, 2 tasks \(2 TASK_RUNNING\)>$", repr(cluster))
        (agent,) = cluster.agents
        assert float(agent.used["cpus"]) >= 1
        assert [each.resources["cpus"] for each in cluster.tasks] == [0.5, 0.5]
        shown = Checked(cluster._repr_html_())
        assert shown.links == [cluster.url], "without the token"
        assert "2 TASK_RUNNING" in shown.text
        cluster.stop()
        assert "stopped" in repr(cluster)
        assert "2 tasks" in repr(cluster)
        assert Checked(cluster._repr_html_()).links == []


def test_a_driver_says_what_it_knows(master: str) -> None:
    scheduler = Recorder()
    driver = MesosSchedulerDriver(scheduler, framework(name="shown"), master)
    assert repr(driver) == f"<MesosSchedulerDriver DRIVER_NOT_STARTED, 'shown', not connected to {master}>"
    assert "not registered yet" in Checked(driver._repr_html_()).text
    with driver:
        driver.start()
        offer = scheduler.offer()
        made = [task(offer, "sleep 100"), task(offer, "true")]
        driver.launchTasks(offer.id, made)
        counted = "2 tasks (1 TASK_RUNNING, 1 TASK_FINISHED)"
        wait_until(lambda: counted in repr(driver), "both are counted")
        port = master.rpartition(":")[2]
        known = rf"<MesosSchedulerDriver DRIVER_RUNNING, 'shown' {offer.framework_id.value}, connected to \S+:{port}, "
        assert re.fullmatch(known + re.escape(counted) + ">", repr(driver))
        assert "1 TASK_RUNNING" in Checked(driver._repr_html_()).text
    assert "DRIVER_STOPPED" in repr(driver)
    assert counted in repr(driver), "what it heard until then"


def test_what_could_not_be_created_has_a_repr() -> None:
    assert repr(MesosSchedulerDriver.__new__(MesosSchedulerDriver)) == "<MesosSchedulerDriver>"
    assert repr(LocalCluster.__new__(LocalCluster)) == "<LocalCluster>"
    assert LocalCluster.__new__(LocalCluster)._repr_html_() is None


def test_a_cluster_is_shown_in_callbacks_on_its_own_thread_and_in_virtual_time() -> None:
    seen: list[str] = []

    def simulate(_: mesos_pb2.TaskInfo) -> Run:
        seen.append(repr(cluster))
        return Run(5)

    class Showing(Scheduler):
        def resourceOffers(self, driver: Any, offers: Any) -> None:
            assert Checked(cluster._repr_html_()).links == [cluster.url]
            for offer in offers:
                driver.launchTasks(offer.id, [] if seen else [task(offer, "pretended")])

    before = time.monotonic()
    with (
        LocalCluster(resources=SMALL, simulate=simulate, time="skip") as cluster,
        MesosSchedulerDriver(Showing(), framework(), cluster) as driver,
    ):
        driver.start()
        cluster.run_until(lambda: cluster.tasks and cluster.tasks[0].is_over, 60)
        lines: list[str] = []
        thread = threading.Thread(target=lambda: lines.append(repr(cluster)))
        thread.start()
        thread.join()
        assert "1 TASK_FINISHED" in lines[0]
        assert "1 TASK_FINISHED" in repr(driver)
    assert seen == [f"<LocalCluster {cluster.url}>"]
    assert time.monotonic() - before < 20


def test_show_prints_text_in_a_terminal(cluster: LocalCluster, capsys: pytest.CaptureFixture[str]) -> None:
    cluster.show()
    shown = capsys.readouterr().out
    assert shown.splitlines()[:2] == [f"LocalCluster {cluster.url}", "  cpus  0 of 2 used"]
    cluster.stop()
    cluster.show()
    assert capsys.readouterr().out.startswith(f"LocalCluster {cluster.url}, stopped\n")
    assert "mesos-show" not in [thread.name for thread in threading.enumerate()]


class Handle:
    """What a notebook shows."""

    def __init__(self, first: dict[str, str]) -> None:
        self.shown = [first]

    def update(self, bundle: dict[str, str], raw: bool) -> None:
        assert raw
        self.shown.append(bundle)


class Notebook:
    """The part of a notebook's shell that views use."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import IPython.display

        self.events, self.kernel, self.handles, self.hooks = self, object(), [], []  # type: ignore[var-annotated]
        monkeypatch.setattr(IPython.display, "display", self.display)
        monkeypatch.setattr("mesos._display._live.notebook", lambda: self)

    def display(self, bundle: Any, raw: bool, display_id: bool) -> Handle:
        assert raw
        assert display_id
        self.handles.append(Handle(bundle))
        return self.handles[-1]

    def register(self, event: str, hook: Any) -> None:
        assert event == "post_run_cell"
        self.hooks.append(hook)

    def unregister(self, event: str, hook: Any) -> None:
        self.hooks.remove(hook)


def is_shown() -> bool:
    return "mesos-show" in [thread.name for thread in threading.enumerate()]


def test_a_view_shows_changes_alone_and_ends_with_its_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = Notebook(monkeypatch)
    with LocalCluster(resources=SMALL) as cluster:
        cluster.show()
        (handle,) = notebook.handles
        for _ in range(10):
            notebook.hooks[0]()
        assert len(handle.shown) == 1, "nothing changed"
        cluster.add_agent()
        wait_until(lambda: len(handle.shown) == 2, "the view follows")
        cluster.show()
        assert len(notebook.hooks) == 1, "the view before has ended"
        cluster.stop()
        assert not is_shown()
        assert notebook.hooks == []
        assert "(stopped)" in notebook.handles[1].shown[-1]["text/html"]
        assert "(stopped)" not in handle.shown[-1]["text/html"]


def test_a_view_does_not_keep_its_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = Notebook(monkeypatch)
    cluster = LocalCluster(resources=SMALL)
    cluster.show()
    del cluster
    wait_until(lambda: not is_shown(), "the view has ended")
    assert "(stopped)" in notebook.handles[0].shown[-1]["text/html"]


def test_a_view_does_not_change_what_happens_in_virtual_time(monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = Notebook(monkeypatch)
    monkeypatch.setattr("mesos._display._live._PERIOD", 0.001)
    histories = []
    for shown in (False, True):
        with LocalCluster(agents=3, resources=SMALL, simulate=Run(30), time="skip", seed=7) as cluster:
            if shown:
                cluster.show()
            with MesosSchedulerDriver(Greedy(40), framework(), cluster) as driver:
                driver.start()
                cluster.run_until(lambda: sum(each.is_over for each in cluster.tasks) == 40)
                assert not shown or len(notebook.handles[0].shown) > 10, "it follows"
            histories.append(cluster.history())
    assert histories[0] == histories[1]
    assert "40 TASK_FINISHED" in notebook.handles[0].shown[-1]["text/html"]


class Greedy(Scheduler):
    """Launches so many tasks as soon as there is room."""

    def __init__(self, count: int, cpus: float = 1) -> None:
        self.left, self.cpus = count, cpus

    def resourceOffers(self, driver: Any, offers: Any) -> None:
        for offer in offers:
            cpus = next((each.scalar.value for each in offer.resources if each.name == "cpus"), 0)
            count = min(self.left, int(cpus / self.cpus))
            self.left -= count
            made = [task(offer, "pretended", cpus=self.cpus, mem=16) for _ in range(count)]
            for number, each in enumerate(made):
                each.task_id.value = f"{self.left}-{number}"
            driver.launchTasks(offer.id, made)


class TestPlot:
    def test_states_and_resources_over_the_clusters_time(self) -> None:
        with LocalCluster(resources=SMALL, simulate=Run(600), time="skip") as cluster:
            with MesosSchedulerDriver(Greedy(4), framework(), cluster) as driver:
                driver.start()
                cluster.run_until(lambda: sum(each.is_over for each in cluster.tasks) == 4)
            history = cluster.history()
            figure = history.plot()
            states, use = figure.axes
            assert use.get_xlabel() == "minutes since the start"
            assert {"TASK_RUNNING", "TASK_FINISHED"} <= {text.get_text() for text in states.get_legend().get_texts()}
            (finished,) = [line for line in states.lines if line.get_label() == "TASK_FINISHED"]
            assert max(finished.get_ydata()) == 4
            (cpus,) = [line for line in use.lines if line.get_label() == "cpus of 2"]
            assert max(cpus.get_ydata()) == 100
            assert cpus.get_ydata()[-1] == 0
            last = finished.get_xdata()[-1]
            assert 20 <= last < 25
        assert len(history.plot().axes) == 2, "also when the cluster has stopped"
        assert "matplotlib.pyplot" not in sys.modules or not sys.modules["matplotlib.pyplot"].get_fignums()

    def test_axes_can_be_given(self, cluster: LocalCluster) -> None:
        from matplotlib.figure import Figure

        figure = Figure()
        one, two = figure.subplots(1, 2)
        assert cluster.history().plot(ax=one) is figure
        assert (one.get_ylabel(), two.get_ylabel()) == ("tasks", "")
        assert cluster.history().plot(ax=[one, two]) is figure
        assert two.get_ylabel() == "in use (%)"
        for wrong in ("x", [], [one, two, one], figure):
            with pytest.raises(ArgumentTypeError, match="expected one or two matplotlib Axes as ax"):
                cluster.history().plot(ax=wrong)  # type: ignore[arg-type]

    def test_a_history_is_a_list_of_plain_records(self, cluster: LocalCluster) -> None:
        history = cluster.history()
        copied = pickle.loads(pickle.dumps(history))
        assert copied == history
        assert type(copied) is list
        assert cluster.agents[0].history().plot().axes

    def test_without_matplotlib_it_says_what_to_install(
        self, cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "matplotlib.axes", None)
        monkeypatch.delitem(sys.modules, "mesos._display._plot", raising=False)
        monkeypatch.delattr("mesos._display._plot", raising=False)
        with pytest.raises(ImportError, match=re.escape("pip install 'remesos[notebook]'")):
            cluster.history().plot()


class TestLinks:
    @pytest.mark.parametrize(
        ("template", "expected"),
        [
            ("{JUPYTERHUB_SERVICE_PREFIX}/proxy/{port}/", "/user/ann/proxy/PORT/"),
            ("/proxy/{port}/", "/proxy/PORT/"),
            ("https://{WHERE}/{host}/{{x}}", "https://there/127.0.0.1/{x}"),
        ],
    )
    def test_a_template(
        self, cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch, template: str, expected: str
    ) -> None:
        monkeypatch.setenv("REMESOS_WEBUI_LINK", template)
        monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ann/")
        monkeypatch.setenv("WHERE", "there")
        expected = expected.replace("PORT", cluster.address.rpartition(":")[2])
        assert cluster.notebook_link == expected
        assert Checked(cluster._repr_html_()).links == [expected]

    def test_a_hub_has_a_proxy(self, cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("REMESOS_WEBUI_LINK", raising=False)
        monkeypatch.delenv("JUPYTERHUB_SERVICE_PREFIX", raising=False)
        assert cluster.notebook_link == cluster.url
        monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/")
        assert cluster.notebook_link == f"/proxy/{cluster.address.rpartition(':')[2]}/"

    @pytest.mark.parametrize("template", ["{NO_SUCH_VARIABLE}/", "{port", "}", "{0}", "{port.x}", "javascript:1", ""])
    def test_one_that_is_not_valid(
        self, cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch, template: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        monkeypatch.setenv("REMESOS_WEBUI_LINK", template)
        monkeypatch.delenv("NO_SUCH_VARIABLE", raising=False)
        with pytest.raises(ArgumentValueError, match="REMESOS_WEBUI_LINK"):
            _ = cluster.notebook_link
        assert Checked(cluster._repr_html_()).links == [cluster.url]
        assert "REMESOS_WEBUI_LINK" in caplog.text


def test_many_agents_and_tasks_are_shown_in_short() -> None:
    with LocalCluster(agents=200, resources=SMALL) as cluster:
        shown = cluster._repr_html_()
        assert "and 180 more agents" in Checked(shown).text
        assert "and 100 more" in Checked(cluster.agents._repr_html_()).text  # type: ignore[attr-defined]
        assert len(shown or "") < 100_000
        assert "200 agents, cpus 0/400" in repr(cluster)
