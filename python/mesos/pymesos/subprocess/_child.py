"""What a process knows of a child that runs elsewhere."""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
from typing import TYPE_CHECKING

from mesos.pymesos.subprocess._loop import READ, Copy, Stream
from mesos.pymesos.subprocess._reports import Report, StartError

if TYPE_CHECKING:
    from mesos.pymesos.subprocess._connections import Door, Keys

log = logging.getLogger(__name__)
UNKNOWN_ERROR = -255
"""The return code of a child of which it is not known how it ended."""
CONTROL = 3
"""The connection on which the executor reports, and receives signals. Those of the standard files are 0, 1 and 2."""


class Child:
    """A child, from its submission to its end. It does not hold its ``Popen``, which may be forgotten meanwhile.

    :param number: its id
    :param name: what it is called in messages
    :param needs: its resources
    :param order: what the executor is to do, pickled
    :param files: the files of this process that its standard files are copied from or to, by their descriptors
    :param piped: which of them are pipes to the caller
    :param door: where executors connect
    """

    def __init__(
        self,
        number: int,
        name: str,
        needs: dict[str, float],
        order: bytes,
        files: dict[int, Stream],
        piped: set[int],
        door: Door,
    ) -> None:
        self.id = number
        self.name = name
        self.needs = needs
        self.order = order
        self.attempt = 0
        """How often its task was launched."""
        self.changed = threading.Condition()
        self.error: BaseException | None = None
        """Why it was not started."""
        self.started = False
        self.connected = False
        """Whether an executor has it."""
        self._files = files
        self._piped = piped
        self._door = door
        self._loop = door.loop
        self._keys: list[Keys] = []
        self._copies: dict[int, Copy] = {}
        self._control: Stream | None = None
        self._received = b""
        self._end: Report | None = None
        for stream in files.values():
            self._loop.own(stream)

    @property
    def ended(self) -> bool:
        """Whether it is known how it ended, or that nobody will know."""
        return self._end is not None

    @property
    def result(self) -> int | None:
        """How it ended."""
        return None if self._end is None else self._end.returncode

    @property
    def returncode(self) -> int | None:
        """The return code, or None until all of its output has been written to its destinations."""
        end = self._end
        if end is None:
            return None
        for fd, copy in list(self._copies.items()):
            if fd > 0 and fd not in self._piped and not copy.done and copy.copied < end.written.get(fd, 1 << 63):
                return None
        return end.returncode

    def new_keys(self) -> dict[int, Keys]:
        """Returns the keys of the connections for another launch. Those of an earlier one are no longer valid."""
        self._forget_keys()
        self.attempt += 1
        keys = {fd: self._door.expect(functools.partial(self._carry, fd)) for fd in self._files}
        keys[CONTROL] = self._door.expect(self._attach)
        self._keys = list(keys.values())
        return keys

    def _forget_keys(self) -> None:
        for each in self._keys:
            self._door.forget(each)

    def signal(self, number: int) -> None:
        """Sends a signal, if the child has not ended."""
        self._loop.call(functools.partial(self._signal, number))

    def handle_report(self, report: Report) -> None:
        """Takes note of what the executor reports, which it does twice: on its connection and in the task's status."""
        with self.changed:
            if self.ended:
                return
            if report.error is not None:
                self.error = report.error
                self._end = Report(returncode=UNKNOWN_ERROR)
            elif report.returncode is not None:
                self.started = True
                self._end = report
            else:
                self.started = True
            self.changed.notify_all()
        if self.ended:
            self._release()

    def mark_lost(self, error: BaseException) -> None:
        """Takes note that nobody will report how the child ended. If it still runs, its executor kills it."""
        if self._mark_lost(error) and self.started:
            log.warning("%s: %s", self.name, error)

    def _mark_lost(self, error: BaseException) -> bool:
        with self.changed:
            if self.ended:
                return False
            if not self.started:
                self.error = error
            self._end = Report(returncode=UNKNOWN_ERROR)
            self.changed.notify_all()
        self._release(lost=True)
        return True

    def abandon(self) -> None:
        """Leaves the child alone: its executor kills it, because the connection ends."""
        self._mark_lost(StartError("it was cancelled"))
        self._loop.call(self._disconnect)

    # Everything below is for the loop's thread, except the next method.

    def _release(self, *, lost: bool = False) -> None:
        self._forget_keys()
        self._loop.call(functools.partial(self._close_unused, lost))

    def _close_unused(self, lost: bool) -> None:
        """Ends what nobody will use: the input, and all that no executor has connected with."""
        for fd, stream in self._files.items():
            if fd not in self._copies:
                self._loop.close(stream)
            elif fd == 0:
                self._copies[fd].stop()
            elif lost or self.error is not None:
                self._copies[fd].finish()
        if lost and self._control is not None:
            self._loop.close(self._control)

    def _disconnect(self) -> None:
        for copy in self._copies.values():
            copy.stop()
        if self._control is not None:
            self._loop.close(self._control)

    def _signal(self, number: int) -> None:
        if self._control is not None:
            with contextlib.suppress(OSError):
                self._control.write(bytes([number]))

    def _carry(self, fd: int, stream: Stream) -> None:
        if self.ended:
            self._loop.close(stream)
            return
        ends = (self._files[fd], stream) if fd == 0 else (stream, self._files[fd])
        self._copies[fd] = Copy(self._loop, *ends, self._progressed)

    def _progressed(self) -> None:
        if self.ended:
            with self.changed:
                self.changed.notify_all()

    def _attach(self, stream: Stream) -> None:
        self.connected = True
        self._control = stream
        self._loop.watch(stream, READ, self._read_reports)
        if self.ended:
            self._disconnect()

    def _read_reports(self) -> None:
        assert self._control is not None
        try:
            part = self._control.read()
        except OSError:
            part = b""
        if part is None:
            return
        *lines, self._received = (self._received + part).split(b"\n")
        for line in lines:
            try:
                self.handle_report(Report.decode(line))
            except ValueError:
                log.exception("%s: a report cannot be read", self.name)
        if not part:
            self._loop.close(self._control)
            self.mark_lost(StartError("its executor is gone"))
