"""Plain HTTP clients of a cluster whose time moves only when it is told to (``LocalCluster._connect()``)."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from mesos.errors import ClusterError
from mesos.local import LocalCluster, Run

from tests.allocation.client import Framework
from tests.allocation.masters import SkippingMaster

BEGIN = 946684800.0
REQUEST = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
PLAYS = 20
WAIT_SECONDS = 30
# In real time, for what must not happen.
A_WHILE = 0.3


def skipping(**options: Any) -> LocalCluster:
    return LocalCluster(agents=1, resources={"cpus": 4, "mem": 4096}, time="skip", allocation_interval=1, **options)


def subscribed(cluster: LocalCluster) -> Framework:
    framework = Framework(SkippingMaster(cluster), "plain", ("x",))
    assert framework.connect() == (200, "")
    return framework


def seen(framework: Framework) -> list[tuple[float, str]]:
    """The events of a framework, those apart that come again and again, and when they came."""
    told = []
    for one in framework.seen:
        kind = one.event["type"]
        if kind == "UPDATE":
            kind = one.event["update"]["status"]["state"]
        if kind not in ("HEARTBEAT", "OFFERS"):
            told.append((round(one.at - BEGIN, 6), kind))
    return told


def ten_minutes() -> list[tuple[float, str]]:
    """What a framework sees that runs a task for ten minutes."""
    with skipping(simulate=Run(seconds=600)) as cluster:
        cluster.advance(5)
        framework = subscribed(cluster)
        framework.wait_for_offers()
        framework.launch(framework.held()[0])
        cluster.advance(700)
        framework.disconnect()
        cluster.advance(1)
        return seen(framework)


def test_a_client_sees_the_same_events_at_the_same_times() -> None:
    # The framework acknowledges updates while it takes them, or else its task would not finish.
    expected = [(5.0, "TASK_STARTING"), (5.0, "TASK_RUNNING"), (605.0, "TASK_FINISHED"), (705.0, "CLOSED")]
    assert [ten_minutes() for _ in range(PLAYS)] == [expected] * PLAYS


def test_time_waits_until_an_event_is_taken() -> None:
    with skipping() as cluster:
        framework = subscribed(cluster)
        framework.wait_for_offers()
        framework.decline(3)
        moved = threading.Event()

        def move() -> None:
            cluster.advance(10)
            moved.set()

        # The framework cannot take the offers that it is made after three seconds.
        with framework.changed:
            mover = threading.Thread(target=move)
            mover.start()
            assert not moved.wait(A_WHILE)
            assert cluster.time() - BEGIN < 10
        assert moved.wait(WAIT_SECONDS)
        mover.join()
        assert cluster.time() - BEGIN == 10
        framework.disconnect()


def test_a_connection_that_is_closed_without_being_read_does_not_keep_the_time() -> None:
    with skipping() as cluster:
        connection = cluster._connect()
        connection.send(REQUEST)
        begin_of_answer = connection.receive(1)
        connection.send(REQUEST)
        connection.close()
        cluster.advance(60)
        assert begin_of_answer == b"H"
        assert cluster.time() - BEGIN == 60


def test_an_answer_can_be_read_in_pieces() -> None:
    with skipping() as cluster:
        connection = cluster._connect()
        connection.send(REQUEST)
        connection.shutdown()
        pieces = list(iter(lambda: connection.receive(7), b""))
        assert max(len(piece) for piece in pieces) == 7
        assert b"".join(pieces).startswith(b"HTTP/1.1 200 OK\r\n")
        with pytest.raises(ConnectionError, match="the connection is shut down"):
            connection.send(REQUEST)


def test_a_request_that_does_not_fit_into_the_connection_is_sent_whole() -> None:
    with skipping() as cluster:
        framework = subscribed(cluster)
        # It is more than is on its way at a time.
        framework.info["labels"] = {"labels": [{"key": "k", "value": "x" * 400_000}]}
        assert framework.update() == (200, "")
        framework.disconnect()


def test_readers_learn_that_the_cluster_stops() -> None:
    cluster = skipping()
    framework = subscribed(cluster)
    cluster.stop()
    with framework.changed:
        assert framework.changed.wait_for(lambda: framework.seen[-1].event["type"] == "CLOSED", WAIT_SECONDS)
    with pytest.raises(ClusterError, match="takes connections without a socket only"):
        cluster._connect()


def test_only_a_cluster_whose_time_is_moved_takes_such_connections() -> None:
    with LocalCluster() as cluster, pytest.raises(ClusterError, match="takes connections without a socket only"):
        cluster._connect()
