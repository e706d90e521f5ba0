"""The channel of pools and workers: what arrives if framework messages are lost."""

from __future__ import annotations

import random
from collections import deque

import pytest
from mesos.futures._channel import PART_BYTES, Channel


class Pair:
    """Two ends, and the messages on their way."""

    def __init__(self, loss: float = 0.0, seed: int = 1) -> None:
        self.now = 0.0
        self.random = random.Random(seed)
        self.loss = loss
        self.on_way: deque[tuple[Channel, bytes]] = deque()
        self.sent = 0
        self.left: Channel = Channel(lambda data: self.send(self.right, data), lambda: self.now)
        self.right: Channel = Channel(lambda data: self.send(self.left, data), lambda: self.now)
        self.got: dict[Channel, list[bytes]] = {self.left: [], self.right: []}

    def send(self, end: Channel, data: bytes) -> None:
        self.sent += 1
        if self.random.random() >= self.loss:
            self.on_way.append((end, data))

    def deliver(self) -> None:
        while self.on_way:
            end, data = self.on_way.popleft()
            message = end.receive(data)
            if message is not None:
                self.got[end].append(message)

    def run(self) -> None:
        """Goes on until all is acknowledged."""
        self.deliver()
        while self.left.busy or self.right.busy:
            assert self.now < 10_000
            self.now += 0.1
            self.left.tick()
            self.right.tick()
            self.deliver()


def test_messages_arrive_once_and_in_order() -> None:
    pair = Pair()
    for index in range(10):
        pair.left.post(b"to the right %d" % index)
        pair.right.post(b"to the left %d" % index)
    pair.run()
    assert pair.got[pair.right] == [b"to the right %d" % index for index in range(10)]
    assert pair.got[pair.left] == [b"to the left %d" % index for index in range(10)]


@pytest.mark.parametrize("size", [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 20 * PART_BYTES])
def test_messages_have_any_size(size: int) -> None:
    pair = Pair()
    message = random.Random(size).randbytes(size)
    pair.left.post(message)
    pair.left.post(b"after it")
    assert len(pair.on_way) <= 9, "only what the window has room for is on its way"
    pair.run()
    assert pair.got[pair.right] == [message, b"after it"]


@pytest.mark.parametrize("seed", range(20))
def test_lost_messages_are_sent_again(seed: int) -> None:
    pair = Pair(loss=0.4, seed=seed)
    messages = [b"%d" % index for index in range(50)] + [bytes(3 * PART_BYTES), b"last"]
    for message in messages:
        pair.left.post(message)
        pair.right.post(message)
    pair.run()
    assert pair.got[pair.right] == messages
    assert pair.got[pair.left] == messages


def test_answers_carry_acknowledgements() -> None:
    pair = Pair()
    for _ in range(100):
        pair.left.post(b"call")
        pair.deliver()
        pair.right.post(b"result")
        pair.deliver()
    assert pair.sent == 200


def test_a_reconnection_sends_again_at_once() -> None:
    pair = Pair()
    pair.left.post(b"one")
    pair.on_way.clear()
    pair.left.resend()
    pair.deliver()
    assert pair.got[pair.right] == [b"one"]
