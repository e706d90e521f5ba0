"""``LocalCluster``: starts and stops an embedded cluster, and shows what is in it."""

from __future__ import annotations

import atexit
import json
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakValueDictionary

from mesos import _core, _logging, _options, _simulation
from mesos._display import _links
from mesos._display._history import History
from mesos._display._html import Displayed, DisplayedList, Html, tag
from mesos._display._overview import Overview
from mesos._faults import ClusterFaults
from mesos.errors import ArgumentTypeError, ArgumentValueError, ClusterError
from mesos.local._time import ClusterTime
from mesos.local._views import LocalAgent, LocalFramework, LocalOffer, LocalTask

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import timedelta
    from types import TracebackType

    from mesos._simulation import Run
    from mesos.interface import mesos_pb2

_T = TypeVar("_T")
_HISTORY_KEYS = (
    "time",
    "kind",
    "call",
    "framework_id",
    "agent_id",
    "executor_id",
    "task_id",
    "offer_id",
    "state",
    "reason",
    "source",
    "message",
)

atexit.register(_core.shutdown)
CLUSTERS: WeakValueDictionary[str, LocalCluster] = WeakValueDictionary()
"""The clusters of this process, by their address."""


class LocalCluster(ClusterFaults, ClusterTime, Displayed):
    """A Mesos cluster on a port of this machine.

    It runs until :meth:`stop`, the end of a ``with`` block, or the end of the process.

    The master's ``/api/v1/scheduler``, ``/state`` and web page are at :attr:`url`. Tasks run as processes of the
    current user and are killed with the cluster, however its process ends.

    The cluster accepts requests from its own user and root. Everyone else needs its :attr:`token`, which :attr:`link`
    contains.

    >>> with LocalCluster(agents=2, resources={"cpus": 2, "mem": 1024}) as cluster:
    ...     cluster.address.startswith("127.0.0.1:")
    True

    What no argument says is taken from the variables that libmesos' ``local``, a master and an agent read: the
    argument ``offer_timeout`` overrides ``MESOS_OFFER_TIMEOUT``, and so do the others. Text has the form of Mesos' own
    flags, and may be ``file:///path``.

    :param port: the port, or 0 for any free port
    :param agents: the number of agents, 1 to 1000 (``MESOS_NUM_SLAVES``; default 1), or a list of mappings, one for
        each agent, with any of ``resources``, ``attributes``, ``hostname`` and ``domain`` in which it differs
    :param initial: what another cluster's :meth:`snapshot` returned, or some of it: agents, which take the place of
        ``agents``, weights, quotas and maintenance (``REMESOS_LOCAL_INITIAL``)
    :param resources: the resources of each agent, as text such as ``cpus:8;mem:8192;ports:[31000-32000]`` or as a
        mapping such as ``{"cpus": 8, "mem": 8192, "ports": "[31000-32000]"}`` (mem and disk in MB), with static
        reservations as in ``cpus(role)``; or as a list of mappings, or text, with resources in JSON. If cpus, mem,
        disk or ports are not among them, the machine's own are added, as a real agent does
    :param work_dir: the directory of the sandboxes; if nothing sets it, a temporary directory, which is removed at the
        end
    :param ip: the address to listen on. With an address beyond loopback, such as ``0.0.0.0``, other machines that have
        the token can use the cluster; this is logged as a warning
    :param token: 16 to 256 letters, digits and characters of ``-._~``. If None, ``REMESOS_LOCAL_TOKEN`` is used, or a
        random token if it is not set
    :param attributes: the attributes of each agent, as text such as ``rack:a;level:3`` or as a mapping
    :param hostname: the host name of master and agents; if nothing sets it, ``localhost``, or the machine's name if the
        cluster listens on an address beyond loopback
    :param domain: the fault domain of master and agents, as a mapping or text in JSON:
        ``{"fault_domain": {"region": {"name": "a"}, "zone": {"name": "b"}}}``
    :param cluster: the name of the cluster
    :param roles: the roles that frameworks may have, as text such as ``a,b`` or several str; any if nothing sets it
    :param weights: the weights of roles, as text such as ``a=2,b=0.5`` or as a mapping
    :param allocation_interval: the time between batch allocations, as text such as ``500ms``, a number of seconds, or a
        timedelta (default 50 milliseconds; ``master="local"`` and the command line have Mesos' 1 second)
    :param allocate_on_recovery: whether the resources of a task that ended are offered at once (default), instead of
        with the next batch as the real Mesos does
    :param offer_timeout: how long an offer stands before it is rescinded; as long as the framework holds it if nothing
        sets it
    :param min_allocatable_resources: what an offer has at least: one of several quantities, as in ``cpus:0.01|mem:32``
    :param filter_gpu_resources: whether agents with GPUs are offered only to frameworks with the capability
        GPU_RESOURCES (default True)
    :param authenticate_http_frameworks: whether schedulers need one of ``credentials``
    :param credentials: secrets by principal, or the path of a file in Mesos' JSON format
    :param max_completed_frameworks: how many completed frameworks the master shows (default 50)
    :param max_completed_tasks_per_framework: how many completed tasks the master shows of each framework (default 1000)
    :param max_completed_executors_per_framework: how many completed executors an agent shows of each framework
        (default 1000)
    :param executor_environment_variables: variables of executors and tasks, as a mapping or text in JSON; a ``PATH``
        here replaces that of an agent
    :param executor_registration_timeout: how long an executor may take to register (default 60 seconds)
    :param executor_shutdown_grace_period: how long an executor may take to shut down (default 5 seconds)
    :param containers: how tasks run whose container has an image, or volumes of this machine: with ``ignore-image``
        their commands run without the image, with ``docker`` in containers of Docker or Podman. If nothing sets it,
        such tasks fail, as on an agent that has neither
    :param keep: a directory where the sandboxes of the last ten failed tasks are kept when the cluster ends
    :param simulate: how tasks go that are described instead of run: a :class:`Run` for all, or a callable that gets a
        ``mesos_pb2.TaskInfo`` and returns a ``Run``, or None if the task is to be run. It is called on the cluster's
        thread and must not use the cluster or a driver. If it raises an exception, the task fails with its text. A
        custom executor is not started if its first task is described; then all its tasks have to be
    :param time: how time passes. If ``"real"``, as it does (the default). If ``"skip"``, it begins at the year 2000 and
        moves only when :meth:`advance` or :meth:`run_until` is called; the drivers of this process that use the cluster
        follow it. Then the same program gives the same events in the same order every time: callbacks are made one at a
        time, and what they ask of the driver is done when they have returned. Schedulers and executors in other
        processes are refused
    :param seed: what everything that is left to chance follows from with ``time="skip"``: ids, and how long drivers
        wait before they try again
    :raises ArgumentTypeError: an argument has the wrong type
    :raises ArgumentValueError: the value of an argument or a variable is not valid
    :raises AddressInUseError: the port is already in use
    :raises ClusterError: the cluster could not be started
    """

    def __init__(
        self,
        port: int = 0,
        agents: int | Sequence[Mapping[str, Any]] | None = None,
        resources: str | Mapping[str, float | str] | list[Mapping[str, Any]] | None = None,
        work_dir: str | bytes | os.PathLike[str] | os.PathLike[bytes] | None = None,
        *,
        initial: str | Mapping[str, Any] | None = None,
        ip: str = "127.0.0.1",
        token: str | None = None,
        attributes: str | Mapping[str, float | str] | None = None,
        hostname: str | None = None,
        domain: str | Mapping[str, Any] | None = None,
        cluster: str | None = None,
        roles: str | Iterable[str] | None = None,
        weights: str | Mapping[str, float] | None = None,
        allocation_interval: str | float | timedelta | None = None,
        allocate_on_recovery: bool | None = None,
        offer_timeout: str | float | timedelta | None = None,
        min_allocatable_resources: str | None = None,
        filter_gpu_resources: bool | None = None,
        authenticate_http_frameworks: bool | None = None,
        credentials: str | os.PathLike[str] | Mapping[str, str] | None = None,
        max_completed_frameworks: int | None = None,
        max_completed_tasks_per_framework: int | None = None,
        max_completed_executors_per_framework: int | None = None,
        executor_environment_variables: str | Mapping[str, str] | None = None,
        executor_registration_timeout: str | float | timedelta | None = None,
        executor_shutdown_grace_period: str | float | timedelta | None = None,
        containers: str | None = None,
        keep: str | bytes | os.PathLike[str] | os.PathLike[bytes] | None = None,
        simulate: Run | Callable[[mesos_pb2.TaskInfo], Run | None] | None = None,
        time: str | None = None,
        seed: int | None = None,
    ) -> None:
        arguments = dict(locals())
        del arguments["self"], arguments["simulate"]
        if port is None:  # which is any other argument's default
            raise ArgumentTypeError("expected an int as port, got None")
        self._start(_options.texts(_options.with_defaults(arguments)), simulate)

    @classmethod
    def from_environment(cls) -> LocalCluster:
        """Starts a cluster from the variables alone, like libmesos' ``local``."""
        return cls._with({})

    @classmethod
    def _with(cls, options: dict[str, Any]) -> LocalCluster:
        """Starts a cluster with options by name, those that are only for the package among them."""
        cluster = cls.__new__(cls)
        cluster._start(_options.texts(options))
        return cluster

    def _start(self, options: dict[str, str], simulate: Any = None) -> None:
        _logging.set_level()
        self._simulation = _simulation.simulation(simulate)
        self._core = _core.LocalCluster(options, _simulation.to_core(self._simulation))
        CLUSTERS[self._core.address] = self

    @property
    def address(self) -> str:
        """The address of the master for drivers on this machine, as ``127.0.0.1:port``."""
        return self._core.address

    def _connect(self) -> _core.Connection:
        """Connects a plain client of this process, whose bytes are part of what happens in the time of the cluster.

        :raises ClusterError: the time of the cluster passes by itself, or it was stopped
        """
        connection = self._core.connect()
        if connection is None:
            raise ClusterError(
                f"{self._named()} takes connections without a socket only with time='skip', and while it runs"
            )
        return connection

    @property
    def url(self) -> str:
        """The address of the web page."""
        return f"http://{self.address}"

    @property
    def link(self) -> str:
        """The address of the web page with the token, for other users and machines."""
        return self._core.link

    @property
    def token(self) -> str:
        """The token for other users and machines. Everyone who has it can run commands as this user.

        It is sent in the header ``X-Remesos-Token``, as ``Authorization: Bearer``, or as the secret of a framework's
        ``Credential``.
        """
        return self._core.token

    @property
    def agents(self) -> list[LocalAgent]:
        """Every agent, in the order in which they were added; those that are gone are last."""
        return DisplayedList(LocalAgent(self, seen) for seen in self._core.agents())

    @property
    def frameworks(self) -> list[LocalFramework]:
        """Every framework that the master knows, the completed ones last."""
        return DisplayedList(LocalFramework(self, seen) for seen in self._core.frameworks())

    @property
    def tasks(self) -> list[LocalTask]:
        """Every task that is not over, and the last 1000 completed tasks of each agent."""
        return DisplayedList(LocalTask(self, seen) for seen in self._core.tasks())

    @property
    def offers(self) -> list[LocalOffer]:
        """Every offer that a framework has and has not answered."""
        return DisplayedList(LocalOffer(self, seen) for seen in self._core.offers())

    def add_agent(
        self,
        resources: str | Mapping[str, float | str] | list[Mapping[str, Any]] | None = None,
        attributes: str | Mapping[str, float | str] | None = None,
        hostname: str | None = None,
        domain: str | Mapping[str, Any] | None = None,
    ) -> LocalAgent:
        """Starts another agent, whose resources are offered at once. Returns it.

        The arguments are those of the constructor; what none says is as for all agents.

        :raises ArgumentTypeError: an argument has the wrong type
        :raises ArgumentValueError: the value of an argument is not valid
        :raises ClusterError: the cluster is stopped
        """
        given = {"resources": resources, "attributes": attributes, "hostname": hostname, "domain": domain}
        agent_id = self._core.add_agent(json.dumps(_options.agent(given)))
        if agent_id is None:
            raise ClusterError(f"{self._named()} is stopped")
        return self.agent(agent_id)

    def agent(self, agent_id: str) -> LocalAgent:
        """Returns the agent with an id.

        :raises LookupError: there is none
        """
        return self._found("agent", agent_id, [agent for agent in self.agents if agent.id == agent_id])

    def framework(self, id_or_name: str) -> LocalFramework:
        """Returns the framework with an id or a name. Of several with one name it is the last that registered.

        :raises LookupError: there is none
        """
        found = [each for each in self.frameworks if id_or_name in (each.id, each.name)]
        return self._found("framework", id_or_name, found)

    def task(self, task_id: str) -> LocalTask:
        """Returns the task with an id. Of several with one id it is one that is not over, if there is one.

        :raises LookupError: there is none
        """
        found = [task for task in self.tasks if task.id == task_id]
        return self._found("task", task_id, [task for task in found if not task.is_over] or found)

    def history(self) -> History:
        """Returns what happened since the cluster started or was reset, in order: the last 100,000 records.

        It is a list with a method that plots it: ``cluster.history().plot()``.

        Each is a dict of plain values with the same keys, so that ``pandas.DataFrame(cluster.history())`` has a column
        for each: ``time`` (seconds since the epoch), ``kind``, ``call``, ``framework_id``, ``agent_id``,
        ``executor_id``, ``task_id``, ``offer_id``, ``state``, ``reason``, ``source`` and ``message``. What a record
        says nothing of is None.

        The kinds are: ``call``, ``operator_call`` and ``call_refused``, with the name of what a framework or an
        operator asked for as ``call``; ``framework_subscribed``, ``offer_sent``, ``offer_rescinded``, ``task_status``,
        ``operation_status``, ``framework_message``, ``executor_lost``, ``agent_lost``, ``framework_error``,
        ``inverse_offers_sent`` and ``inverse_offer_rescinded``, which a framework was sent; ``framework_disconnected``
        and ``framework_removed``; ``agent_added``, ``agent_disconnected``, ``agent_reregistered``,
        ``agent_unreachable``, ``agent_removed`` and ``agent_gone``; ``master_restarted``; and ``fault``.
        """
        records = (dict(zip(_HISTORY_KEYS, record, strict=True)) for record in self._core.history())
        return History(records, self, whole=True)

    @property
    def is_stopped(self) -> bool:
        """Whether the cluster has stopped."""
        return self._core.is_stopped()

    def snapshot(self) -> dict[str, Any]:
        """Returns the state of the cluster as plain data, from which ``LocalCluster(initial=snapshot)`` starts.

        ``agents`` has what each agent that has not left was given, and as ``total`` what it has by now if reservations
        or persistent volumes were made; ``weights`` has the weights of roles; ``quotas`` and ``maintenance`` are as in
        Mesos' operator API. Frameworks and tasks are no part of it, and neither are the files of volumes.

        >>> with LocalCluster(agents=2, weights={"a": 2}) as cluster:
        ...     snapshot = cluster.snapshot()
        >>> snapshot["weights"]
        {'a': 2.0}
        >>> with LocalCluster(initial=snapshot) as cluster:
        ...     len(cluster.agents)
        2

        :raises ClusterError: the cluster is stopped
        """
        text = self._core.snapshot()
        if text is None:
            raise ClusterError(f"{self._named()} is stopped")
        snapshot: dict[str, Any] = json.loads(text)
        return snapshot

    def reset(self) -> None:
        """Makes the cluster as it was at its start, in less time than another one takes to start.

        Frameworks are removed and may not subscribe again; the drivers of this process that use the cluster are
        stopped, and those that still ran are named in a warning in the log. Tasks are killed. Agents, weights, quotas,
        maintenance and reservations are as the constructor was told, faults are over, functions that
        :meth:`call_later` was given are not called any more, and the history is empty. The
        master and the agents have other ids. Address, token and clock stay, as do the sandboxes in a ``work_dir``.

        :raises ClusterError: the cluster is stopped
        """
        if self.is_stopped:
            raise ClusterError(f"{self._named()} is stopped")
        self._cancel_calls()
        self._core.reset()

    def stop(self, *, drivers: bool = True) -> None:
        """Kills all tasks and closes the port. Has no effect on a stopped cluster.

        Views, such as :attr:`tasks`, and the output of tasks show what was there then.

        :param drivers: whether the drivers of this process that use the cluster are stopped first. Their status is
            DRIVER_STOPPED, and those that still ran are named in a warning in the log. If false, they are disconnected
            and try to reach a master again, such as another cluster on the same port
        """
        self._core.stop(drivers)
        if self._live is not None:
            self._live.end()

    def __enter__(self) -> LocalCluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def show(self) -> None:
        """Shows what is in the cluster: in a notebook a view that follows it, elsewhere a text.

        The view is updated up to twice a second while something changes, also while other cells run, until the cluster
        stops; then the last state stays in the notebook. With ``time="skip"`` it is updated by :meth:`advance`,
        :meth:`run_until`, and at the end of each cell. The next :meth:`show` ends the view of the one before.

        >>> with LocalCluster(agents=2, resources={"cpus": 2, "mem": 1024, "disk": 0}) as cluster:
        ...     cluster.show()  # doctest: +ELLIPSIS
        LocalCluster http://127.0.0.1:...
          cpus  0 of 4 used
          mem   0 of 2048 MB used
        ...
        """
        from mesos._display import _live

        seen = self._overview()
        shell = _live.notebook()
        if self._live is not None:
            self._live.end()
            self._live = None
        if seen is None:
            print(self._named())
        elif shell is None:
            print(seen.text())
        elif seen.stopped:
            from IPython.display import display

            display(self)  # type: ignore[no-untyped-call]
        else:
            self._live = _live.Live(self, seen, shell)

    @property
    def notebook_link(self) -> str:
        """The address of the web page for a browser that shows a notebook of this process.

        It follows the template in the variable ``REMESOS_WEBUI_LINK``, such as
        ``{JUPYTERHUB_SERVICE_PREFIX}/proxy/{port}/``, which may have ``{host}``, ``{port}`` and variables of the
        environment. If it is not set, it is this one on JupyterHub, and :attr:`url` elsewhere.

        :raises ArgumentValueError: the template is not valid
        """
        return _links.page(self.address)

    def _page(self) -> str:
        try:
            return self.notebook_link
        except ArgumentValueError as error:
            _logging.log.warning("%s", error)
            return self.url

    def _overview(self) -> Overview | None:
        """Returns what is in the cluster; None if it does not answer soon, as on its own thread."""
        seen = self._core.overview()
        return None if seen is None else Overview.of(seen, self.url, self._page())

    def _html(self) -> Html:
        seen = self._overview()
        return tag("div", self._named()) if seen is None else seen.html()

    def _named(self) -> str:
        return f"<LocalCluster {self.url}>"

    def __repr__(self) -> str:
        try:
            seen = self._overview()
            return self._named() if seen is None else f"<LocalCluster {seen.line()}>"
        except AttributeError:
            # It could not be started.
            return "<LocalCluster>"

    def _found(self, kind: str, wanted: str, found: list[_T]) -> _T:
        """Returns the last of what was found."""
        if not isinstance(wanted, str):
            raise ArgumentTypeError(f"expected a str as the id of the {kind}, got {wanted!r}")
        if not found:
            raise LookupError(f"{self._named()} has no {kind} {wanted!r}")
        return found[-1]
