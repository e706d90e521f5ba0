"""Faults on request, as methods of an embedded cluster and of what is in it."""

from __future__ import annotations

import contextlib
import signal as signals
from typing import TYPE_CHECKING

from mesos import _chaos
from mesos.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from mesos import _core as core
    from mesos._chaos import Chaos, Step
    from mesos.local._cluster import LocalCluster

__all__ = ["AgentFaults", "ClusterFaults", "FrameworkFaults", "OfferFaults", "TaskFaults"]

_FOREVER = 3_000_000_000.0


def _found(is_there: object, what: str) -> None:
    if not is_there:
        raise ClusterError(what)


class _Handle:
    """What all handles have."""

    id: str
    _cluster: LocalCluster

    @property
    def _faults(self) -> core.Faults:
        return self._cluster._core.faults()


class FrameworkFaults(_Handle):
    """What can happen to a framework."""

    def disconnect(self) -> None:
        """Break the connection of the framework's stream.

        It stands for a proxy, a firewall or a network that drops a connection. The master rescinds nothing, offers go
        to others, and the framework is removed after its failover timeout unless it subscribes again
        (``Master::exited(FrameworkID, ...)`` in ``src/master/master.cpp``). The driver calls ``disconnected`` and
        subscribes again.

        :raises ClusterError: if the framework is not connected
        """
        _found(self._faults.disconnect_framework(self.id), f"the framework '{self.id}' is not connected")

    def refuse(self, seconds: float) -> None:
        """Answer the framework's subscriptions with 503 for so many seconds of the cluster's time.

        It stands for a master that has not finished recovery (``Master::Http::scheduler`` in ``src/master/http.cpp``).
        A connection that stands is not touched: call :meth:`disconnect` as well.
        """
        self._faults.refuse_framework(self.id, seconds)


class OfferFaults(_Handle):
    """What can happen to an offer."""

    def rescind(self) -> None:
        """Take the offer back.

        It stands for an agent that is deactivated, an offer timeout, or an operator who reserves resources
        (``Master::rescindOffer``). The framework is sent RESCIND. An ACCEPT that is on its way comes too late: its
        tasks are lost.

        :raises ClusterError: if the offer was already answered or rescinded
        """
        _found(self._faults.rescind_offer(self.id), f"the offer '{self.id}' is not outstanding")


class TaskFaults(_Handle):
    """What can happen to a task."""

    agent_id: str
    framework_id: str

    def kill_process(self, signal: int = signals.SIGKILL) -> None:
        """Send a signal to the task's processes.

        It stands for a kernel that runs out of memory, or for somebody who kills the process on the agent. Unless the
        task handles the signal it ends in TASK_FAILED with the message "Command terminated with signal Killed"
        (``CommandExecutor::reaped`` in ``src/launcher/executor.cpp``). A task of a custom executor gets it with its
        executor, since only the executor knows its processes.

        :param signal: the number of the signal
        :raises ClusterError: if the task does not run
        """
        sent = self._faults.signal_task(self.agent_id, self.framework_id, self.id, int(signal))
        _found(sent, f"the task '{self.id}' does not run")

    def kill_executor(self) -> None:
        """Kill the executor of the task, and with it all tasks that it runs.

        It stands for an executor that crashes. Its tasks end in TASK_FAILED with the reason REASON_EXECUTOR_TERMINATED;
        the framework is sent FAILURE with the executor's id, unless it is the executor of a command task
        (``Slave::executorTerminated`` in ``src/slave/slave.cpp``).

        :raises ClusterError: if the task does not run
        """
        killed = self._faults.kill_executor(self.agent_id, self.framework_id, self.id)
        _found(killed, f"the task '{self.id}' does not run")


class AgentFaults(_Handle):
    """What can happen to an agent."""

    def disconnect(self, *, at_once: bool = False) -> None:
        """Cut the network between the master and the agent. Its tasks go on.

        It stands for a partition of the network. The agent answers no pings and is unreachable when five of them, 15
        seconds apart, were not answered (``SlaveObserver`` and ``Master::markUnreachable`` in
        ``src/master/master.cpp``): after 75 to 90 seconds. Its tasks become TASK_UNREACHABLE, or TASK_LOST for
        frameworks without the capability PARTITION_AWARE, offers are rescinded, and ``slaveLost`` is called.

        :param at_once: whether the pings have already been missed, so that the agent is unreachable now
        :raises ClusterError: if there is no such agent
        """
        _found(self._faults.disconnect_agent(self.id, at_once), f"there is no agent '{self.id}'")

    def reconnect(self) -> None:
        """Mend the network that :meth:`disconnect` cut.

        If the agent is not unreachable yet, what was sent meanwhile comes late, as TCP delivers it. Otherwise the agent
        registers again within a second and its tasks are back: the framework is told their states with the reason
        REASON_SLAVE_REREGISTERED (``Master::__reregisterSlave``). An agent that was marked gone is shut down.

        :raises ClusterError: if the network is not cut
        """
        _found(self._faults.reconnect_agent(self.id), f"the network to the agent '{self.id}' is not cut")

    def restart(self, *, memory: bool = True, down: float = 0.0) -> str:
        """Kill the agent's process, and start it again.

        It stands for a crash or an upgrade of the agent. Offers are rescinded, and tasks of frameworks without
        checkpointing are lost (``Master::exited``). With memory the agent recovers the executors of frameworks with
        checkpointing, gives them two seconds to subscribe again, and registers with its id (``Slave::recover`` in
        ``src/slave/slave.cpp``). Tasks of executors that did not subscribe are TASK_GONE, tasks whose launch was lost
        are TASK_DROPPED; both are TASK_LOST without PARTITION_AWARE. Without memory, as with a new disk, another agent
        registers at the same address, and all tasks of the former one are TASK_LOST (``Master::_registerSlave``).

        :param memory: whether the agent's work directory is kept
        :param down: for how many seconds no process runs; after 75 to 90 seconds the agent is unreachable
        :returns: the agent's id from now on
        :raises ClusterError: if there is no such agent
        """
        agent_id = self._faults.restart_agent(self.id, memory, down)
        if agent_id is None:
            raise ClusterError(f"there is no agent '{self.id}'")
        return agent_id

    def drain(self, max_grace_period: float | None = None, *, mark_gone: bool = False) -> None:
        """Drain the agent of its tasks: the operator's call DRAIN_AGENT (``Master::Http::_drainAgent``).

        Its resources are not offered, its tasks are killed and end in TASK_KILLED with the reason
        REASON_AGENT_DRAINING.

        :param max_grace_period: how long a task may take to end at most, in whole seconds
        :param mark_gone: whether the agent is marked gone when it is drained; tasks are then TASK_GONE_BY_OPERATOR
        """
        grace = None if max_grace_period is None else int(max_grace_period)
        self._faults.drain_agent(self.id, grace, mark_gone)

    def deactivate(self) -> None:
        """Offer the agent to nobody; its tasks go on: DEACTIVATE_AGENT (``Master::Http::_deactivateAgent``)."""
        self._faults.deactivate_agent(self.id)

    def reactivate(self) -> None:
        """Offer a drained or deactivated agent again: REACTIVATE_AGENT (``Master::Http::_reactivateAgent``)."""
        self._faults.reactivate_agent(self.id)

    def mark_gone(self) -> None:
        """Remove the agent for good: MARK_AGENT_GONE (``Master::markGone``).

        It stands for an operator who says that a machine never comes back. Its tasks are TASK_GONE_BY_OPERATOR, or
        TASK_LOST without the capability PARTITION_AWARE, and the agent shuts down.
        """
        self._faults.mark_agent_gone(self.id)

    def exhaust_disk(self) -> None:
        """Fill the agent's disk.

        It stands for a disk that tasks filled. Executors that run are killed, as by the isolator ``disk/du`` with
        ``--enforce_container_disk_quota``: their tasks end in TASK_FAILED with the reason
        REASON_CONTAINER_LIMITATION_DISK (``src/slave/containerizer/mesos/isolators/posix/disk.cpp``). Until
        :meth:`free_disk`, tasks cannot be started: REASON_CONTAINER_LAUNCH_FAILED, "No space left on device".

        :raises ClusterError: if there is no such agent
        """
        _found(self._faults.exhaust_disk(self.id), f"there is no agent '{self.id}'")

    def free_disk(self) -> None:
        """Make room on the agent's disk again."""
        self._faults.free_disk(self.id)


class ClusterFaults:
    """What can happen to a cluster."""

    _core: core.LocalCluster

    @property
    def _faults(self) -> core.Faults:
        return self._core.faults()

    def restart_master(self, *, memory: bool = True) -> None:
        """Kill the master's process, and start it again.

        It stands for a crash or an upgrade of the master. The streams of frameworks end, and the new master has another
        id. It knows neither frameworks nor tasks nor offers: frameworks subscribe again with their ids, and agents
        register again within a second, with their tasks (``Master::recover``, ``Master::__reregisterSlave``,
        ``Master::recoverFramework`` in ``src/master/master.cpp``). Reconciliation has no answer for tasks of an agent
        that did not register yet.

        :param memory: whether the registry is kept, which has agents, weights, quotas and the maintenance schedule
        """
        self._faults.restart_master(memory)

    def elect(self) -> None:
        """Let another master be elected, at the same address.

        It stands for a leading master that lost its ZooKeeper session: the next one shares the replicated log, and
        nothing else (``Master::detected``). So it does what :meth:`restart_master` does with memory.
        """
        self._faults.restart_master(True)

    @contextlib.contextmanager
    def updates(self, *, delay: float = 0.0, duplicate: float = 0.0, lose: float = 0.0) -> Iterator[None]:
        """Disturb status updates on their way from the agents to the master, within a ``with`` block.

        It stands for a slow or lossy network. A lost update is sent again by its agent after 10 seconds, then after
        twice as long as before, up to 10 minutes (``STATUS_UPDATE_RETRY_INTERVAL_MIN`` and ``_MAX`` in
        ``src/slave/constants.hpp``); a duplicate is what such a repetition gives if only the acknowledgement was lost.

        :param delay: how many seconds an update takes
        :param duplicate: how likely it is that an update comes twice, 0 to 1
        :param lose: how likely it is that an update is lost, 0 to 1
        """
        self._disturb_updates(delay, duplicate, lose)
        try:
            yield
        finally:
            with contextlib.suppress(ClusterError):
                self._disturb_updates()

    def _disturb_updates(self, delay: float = 0.0, duplicate: float = 0.0, lose: float = 0.0) -> None:
        self._faults.updates(delay, duplicate, lose)

    def chaos(self, seed: int, rate: float, faults: Iterable[str] | None = None) -> Chaos:
        """Let random faults happen, as of now.

        The seed decides which faults happen to what and when, of what there is at that time: with ``time="skip"`` the
        same framework sees the same story with the same seed. What a fault breaks is mended after a while.

        >>> from mesos.local import LocalCluster
        >>> with LocalCluster(time="skip") as cluster:
        ...     with cluster.chaos(seed=1, rate=0.1, faults=["agent.restart"]) as chaos:
        ...         cluster.advance(30)
        >>> print(chaos.story().lstrip())
        1.443  agent['slave(1)'].restart(memory=True)
            15.754  agent['slave(1)'].restart(memory=True)
            16.740  agent['slave(1)'].restart(memory=True)

        :param seed: decides what is left to chance
        :param rate: how many faults happen in a second of the cluster's time on average
        :param faults: the names of the faults to choose from, such as ``agent.restart`` and ``task.kill_process``; if
            None, all but those that last for ever: ``agent.mark_gone``
        :returns: what happens; its ``story()`` can be printed and given to :meth:`replay`, its ``stop()`` ends it and
            mends what is broken, and so does the end of a ``with`` block
        :raises ArgumentValueError: the rate is not more than 0, or a fault is unknown
        """
        return _chaos.chaos(self._itself(), seed, rate, faults)

    def replay(self, story: Chaos | str | Iterable[Step]) -> Chaos:
        """Let the faults of a story happen again, each so long after now as it was after the beginning.

        Agents are found by their paths, such as ``slave(1)``, frameworks by their names and tasks by their ids. A
        fault that is not possible is noted in the new story.

        :param story: what :meth:`chaos` returned, its printed story, or its steps
        :returns: what happens; ``is_over`` and ``wait()`` say when all of it has happened
        :raises ArgumentValueError: a line of the story cannot be read
        """
        return _chaos.replay(self._itself(), story)

    def _itself(self) -> LocalCluster:
        return self  # type: ignore[return-value]

    @contextlib.contextmanager
    def reject_authentication(self) -> Iterator[None]:
        """Answer all requests of schedulers with 401, within a ``with`` block.

        It stands for a credential that was revoked or changed (``BasicAuthenticator`` of libprocess). A stream that
        stands is not touched. A driver that subscribes meanwhile is aborted with an error.
        """
        self._faults.reject_authentication(_FOREVER)
        try:
            yield
        finally:
            with contextlib.suppress(ClusterError):
                self._faults.reject_authentication(0.0)
