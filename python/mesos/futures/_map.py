"""``map`` of a pool: chunks, their order, and a progress bar."""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from concurrent.futures import as_completed
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

    from mesos.futures._future import MesosFuture

_T = TypeVar("_T")


def _chunks(iterables: tuple[Iterable[Any], ...], size: int) -> Iterator[list[tuple[Any, ...]]]:
    items = zip(*iterables, strict=False)
    while chunk := list(itertools.islice(items, size)):
        yield chunk


class _Bar:
    """A progress bar, or nothing. It counts calls that have completed."""

    def __init__(self, progress: bool | str, total: int | None) -> None:
        self._bar: Any = None
        self._lock = threading.Lock()
        self._completed = self._taken = 0
        if progress:
            try:
                from tqdm.auto import tqdm  # type: ignore[import-untyped, import-not-found, unused-ignore]
            except ImportError:
                raise ImportError("progress needs the package tqdm: pip install tqdm") from None
            self._bar = tqdm(total=total, desc=progress if isinstance(progress, str) else None)

    def follow(self, futures: list[MesosFuture[Any]], chunks: list[list[Any]]) -> None:
        if self._bar is not None:
            for future, chunk in zip(futures, chunks, strict=True):
                future.add_done_callback(partial(self._complete, len(chunk)))

    def _complete(self, number: int, future: Future[Any]) -> None:
        if not future.cancelled():
            self._show(completed=number)

    def take(self, number: int) -> None:
        """Counts results that were taken, which may happen before the callbacks of their futures are called."""
        if self._bar is not None:
            self._show(taken=number)

    def _show(self, completed: int = 0, taken: int = 0) -> None:
        with self._lock:
            self._completed += completed
            self._taken += taken
            self._bar.update(max(self._completed, self._taken) - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def ordered(
    submit: Callable[..., list[MesosFuture[list[_T]]]],
    fn: Callable[..., _T],
    iterables: tuple[Iterable[Any], ...],
    timeout: float | None,
    size: int,
    buffersize: int | None,
    progress: bool | str,
) -> Iterator[_T]:
    """Submits the calls, or the first of them, and returns the iterator over their results."""
    until = None if timeout is None else time.monotonic() + timeout
    rest = _chunks(iterables, size)
    first = list(rest if buffersize is None else itertools.islice(rest, buffersize))
    bar = _Bar(progress, sum(map(len, first)) if buffersize is None else None)
    futures: deque[MesosFuture[list[_T]]] = deque()

    def add(chunks: list[Any]) -> None:
        made = submit(fn, chunks)
        bar.follow(made, chunks)
        futures.extend(made)

    def results() -> Iterator[_T]:
        try:
            while futures:
                found = futures[0].result(None if until is None else until - time.monotonic())
                futures.popleft()
                bar.take(len(found))
                if more := list(itertools.islice(rest, 1)):
                    add(more)
                found.reverse()
                while found:
                    yield found.pop()
        finally:
            _cancel(futures)
            bar.close()

    add(first)
    return results()


def unordered(
    submit: Callable[..., list[MesosFuture[list[_T]]]],
    fn: Callable[..., _T],
    iterables: tuple[Iterable[Any], ...],
    timeout: float | None,
    size: int,
    progress: bool | str,
) -> Iterator[_T]:
    """Submits the calls, and returns the iterator over their results as they complete."""
    until = None if timeout is None else time.monotonic() + timeout
    chunks = list(_chunks(iterables, size))
    bar = _Bar(progress, sum(map(len, chunks)))
    futures = submit(fn, chunks)
    bar.follow(futures, chunks)

    def results() -> Iterator[_T]:
        try:
            for future in as_completed(futures, None if until is None else until - time.monotonic()):
                found = future.result()
                bar.take(len(found))
                yield from found
        finally:
            _cancel(futures)
            bar.close()

    return results()


def _cancel(futures: Iterable[MesosFuture[Any]]) -> None:
    # The last first, so that no call starts in the place of one that is cancelled.
    for future in reversed(list(futures)):
        future.cancel()
