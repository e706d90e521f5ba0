"""The framework under test, as a process: ``framework.py FACE MASTER JOURNAL LAUNCHES SEED [LOG]``.

It is told line by line on its standard input what to do: ``pause``, ``resume``, ``hog`` (take all descriptors that are
left), ``free`` (give them back), ``look`` (note what it sees of itself) and ``stop``.
"""

from __future__ import annotations

import logging
import os
import select
import sys

from tests.chaos.faces import FACES, Face
from tests.chaos.load import Load

TICK_SECONDS = 1.0


class Commands:
    def __init__(self, face: Face, load: Load) -> None:
        self._face, self._load = face, load
        self._hogged: list[int] = []
        self._paused = False

    def run(self) -> None:
        waiting = b""
        while True:
            if not select.select([0], [], [], TICK_SECONDS)[0]:
                self._tick()
                continue
            waiting += (read := os.read(0, 4096))
            *lines, waiting = waiting.split(b"\n")
            for line in lines:
                if line == b"stop":
                    return self._face.stop()
                getattr(self, line.decode())()
            if not read:
                return None

    def _tick(self) -> None:
        """A pause is used to find out what became of each task."""
        if self._paused:
            self._face.run(self._face.reconciliation.reconcile)
            self._face.run(self._load.kill, self._face)

    def pause(self) -> None:
        self._paused = True
        self._face.run(self._load.pause, self._face, True)
        self._tick()

    def resume(self) -> None:
        self._paused = False
        self._face.run(self._load.pause, self._face, False)

    def hog(self) -> None:
        try:
            while True:
                self._hogged.append(os.open("/dev/null", os.O_RDONLY))
        except OSError as error:
            self._load.note("hogged", descriptors=len(self._hogged), error=str(error))

    def free(self) -> None:
        for descriptor in self._hogged:
            os.close(descriptor)
        self._hogged.clear()

    def look(self) -> None:
        self._load.note("look", running=self._face.is_running())


def main(face: str, master: str, journal: str, launches: str, seed: str, log: str | None = None) -> None:
    logging.raiseExceptions = False  # what a log on a full disk does
    logging.basicConfig(filename=log, level=logging.DEBUG if log else logging.WARNING, format="%(message)s")
    with open(journal, "a") as file:
        load = Load(file, int(seed), launches)
        made = FACES[face](load, master)
        made.start()
        Commands(made, load).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
