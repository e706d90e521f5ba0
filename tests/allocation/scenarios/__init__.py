"""The scenarios, by subject."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from typing import TYPE_CHECKING

from tests.allocation.stage import Scenario

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.allocation.stage import Stage

_made: list[Scenario] = []


def scenario(
    flags: dict[str, str] | None = None,
    agents: int = 2,
    fresh: bool = False,
    alike: bool = False,
    shuffled: bool = False,
    metronome: str = "*",
) -> Callable[[Callable[[Stage], None]], Callable[[Stage], None]]:
    """Makes a scenario of a function.

    :param flags: ``MESOS_*`` variables of its cluster
    :param agents: how many agents
    :param fresh: whether it leaves traces, so that it needs a cluster of its own
    :param alike: whether agents do not differ, so that they are numbered anew in each step: it is random who gets which
    :param shuffled: whether the order of resources within an offer is random, as it is when a quota cuts the offer
    :param metronome: a role in which something is offered at each batch allocation, if nothing else is done
    """

    def made(play: Callable[[Stage], None]) -> Callable[[Stage], None]:
        options = tuple(sorted((flags or {}).items()))
        _made.append(Scenario(play.__name__, play, options, agents, fresh, alike, shuffled, metronome))
        return play

    return made


@cache
def scenarios() -> list[Scenario]:
    """Every scenario, in the order in which they are written."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return list(_made)
