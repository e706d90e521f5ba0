"""What a process holds, and whether that stays the same."""

from __future__ import annotations

import array
import ctypes
import gc
import itertools
import os
import statistics
import sys
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

COUNTED = ("threads", "descriptors", "children")
MOST_RESIDENT_GROWTH = 0.05
RESIDENT_ALLOWANCE_KB = 2048
HEAP_ALLOWANCE_BYTES = 64 * 1024
BLOCKS_ALLOWANCE = 200
"""What a shorter soak may add altogether."""


class _MallInfo(ctypes.Structure):
    """``struct mallinfo2`` of glibc, which counts over all arenas."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "used", "free", "keepcost")
    ]


_LIBC = ctypes.CDLL(None)
_LIBC.mallinfo2.restype = _MallInfo


# The interpreter's cache of attributes keeps up to 4096 names, and takes thousands of lifetimes to fill.
_clear_caches: Callable[[], None] = getattr(sys, "_clear_internal_caches", None) or sys._clear_type_cache


@dataclass(frozen=True)
class Sample:
    """What this process holds now."""

    resident_kb: float
    heap_kb: float
    """What is allocated of malloc's memory."""
    python_blocks: float
    """What is allocated of Python's memory."""
    threads: float
    descriptors: float
    children: float

    @classmethod
    def take(cls) -> Sample:
        gc.collect()
        _clear_caches()
        info = _LIBC.mallinfo2()
        status = Path("/proc/self/status").read_text().splitlines()
        resident = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
        tasks = os.listdir("/proc/self/task")
        children = sum(len(_children(task)) for task in tasks)
        # The directory that is being listed is open itself.
        descriptors = len(os.listdir("/proc/self/fd")) - 1
        heap = (info.used + info.hblkhd) / 1024
        return cls(resident, heap, sys.getallocatedblocks(), len(tasks), descriptors, children)


def _children(task: str) -> list[str]:
    try:
        return Path(f"/proc/self/task/{task}/children").read_text().split()
    except (FileNotFoundError, ProcessLookupError):
        return []


class Samples:
    """Samples with the work done until then, in memory that does not grow with them."""

    def __init__(self, most: int) -> None:
        self._values, self._width = (
            array.array("d", bytes(8 * most * (1 + len(fields(Sample))))),
            1 + len(fields(Sample)),
        )
        self._taken = 0

    def take(self, units: float) -> Sample:
        """Take another one."""
        sample = Sample.take()
        row = array.array("d", (units, *astuple(sample)))
        self._values[self._taken * self._width : (self._taken + 1) * self._width] = row
        self._taken += 1
        return sample

    def all(self) -> list[tuple[float, Sample]]:
        """All that were taken."""
        rows = [self._values[n * self._width : (n + 1) * self._width] for n in range(self._taken)]
        return [(row[0], Sample(*row[1:])) for row in rows]


def slope(points: list[tuple[float, float]]) -> float:
    """The median of the slopes of all pairs of points (Theil and Sen), which few outliers do not change."""
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in itertools.combinations(points, 2) if b[0] > a[0]]
    return statistics.median(slopes) if slopes else 0.0


@dataclass(frozen=True)
class Rule:
    """What counts as flat, for a unit of work: a lifetime or a task."""

    heap_bytes: float
    """How many bytes of malloc's memory may be added by each unit after the warm-up, by :func:`slope`."""
    python_blocks: float
    """How many blocks of Python's memory."""

    def broken(self, done: list[tuple[float, Sample]]) -> list[str]:
        """What is not flat in samples with the work done until then; the first quarter is the warm-up."""
        warm = done[len(done) // 4 :]
        early, late = warm[: len(warm) // 3], warm[-(len(warm) // 3) :]
        wrong = []
        for name in COUNTED:
            before, after = max(getattr(s, name) for _, s in early), min(getattr(s, name) for _, s in late)
            if after > before:
                wrong.append(f"{name} grew from {before:.0f} to {after:.0f}")
        span = warm[-1][0] - warm[0][0]
        heap = slope([(units, s.heap_kb * 1024) for units, s in warm])
        if heap > self.heap_bytes and heap * span > HEAP_ALLOWANCE_BYTES:
            wrong.append(f"malloc's memory grew by {heap:.1f} bytes each, more than {self.heap_bytes}")
        blocks = slope([(units, s.python_blocks) for units, s in warm])
        if blocks > self.python_blocks and blocks * span > BLOCKS_ALLOWANCE:
            wrong.append(f"Python's memory grew by {blocks:.3f} blocks each, more than {self.python_blocks}")
        before, after = (statistics.median(s.resident_kb for _, s in part) for part in (early, late))
        if after > before * (1 + MOST_RESIDENT_GROWTH) + RESIDENT_ALLOWANCE_KB:
            wrong.append(f"resident memory grew from {before / 1024:.1f} to {after / 1024:.1f} MB")
        return wrong


def table(done: list[tuple[float, Sample]]) -> str:
    """The samples at the start, after the warm-up, in the middle and at the end, and the slopes after the warm-up."""
    places = {"start": 0, "after warm-up": len(done) // 4, "middle": len(done) // 2, "end": len(done) - 1}
    head = ("", "units", "resident kB", "heap kB", "Python blocks", "threads", "descriptors", "children")
    rows = [head, tuple("---" for _ in head)]
    for name, place in places.items():
        units, sample = done[place]
        rows.append((name, f"{units:.0f}", *(f"{value:.0f}" for value in astuple(sample))))
    warm = done[len(done) // 4 :]
    slopes = [slope([(units, getattr(s, each.name)) for units, s in warm]) * 1000 for each in fields(Sample)]
    rows.append(("slope per 1000", "", *(f"{value:.2f}" for value in slopes)))
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
