"""The rules: what each finds, an example that it finds and one that it does not, and the remedy."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from mesos._check._findings import MAY, WILL, Finding

if TYPE_CHECKING:
    from tree_sitter import Node

    from mesos._check._tree import Source

    Found = bool | str | None | tuple[Node, str]
    Find = Callable[[Source, Node], Found]


@dataclasses.dataclass(frozen=True)
class Rule:
    """What a place of one kind is, and the remedy.

    ``find`` is called for each node of the types ``nodes``. It returns whether the place is one, or what there is to
    say about it instead of ``message``, or another place and what there is to say about that.
    """

    code: str
    severity: str
    message: str
    remedy: str
    bad: str
    good: str
    nodes: tuple[str, ...]
    find: Find

    def finding(self, path: str, line: int, column: int, found: bool | str = True) -> Finding:
        """Returns the finding at a place."""
        message = found if isinstance(found, str) else self.message
        return Finding(path, line, column, self.code, self.severity, message, self.remedy)


class Rules:
    """Collects rules: ``will`` and ``may`` decorate the function that finds a kind of place."""

    def __init__(self) -> None:
        self.all: list[Rule] = []

    def will(self, code: str, *nodes: str, says: str, remedy: str, bad: str, good: str) -> Callable[[Find], Find]:
        """Adds a rule for places that do not run."""
        return self._add(WILL, code, nodes, (says, remedy, bad, good))

    def may(self, code: str, *nodes: str, says: str, remedy: str, bad: str, good: str) -> Callable[[Find], Find]:
        """Adds a rule for places that may not run, or that do something else than before."""
        return self._add(MAY, code, nodes, (says, remedy, bad, good))

    def _add(
        self, severity: str, code: str, nodes: tuple[str, ...], texts: tuple[str, str, str, str]
    ) -> Callable[[Find], Find]:
        def add(find: Find) -> Find:
            self.all.append(Rule(code, severity, *texts, nodes, find))
            return find

        return add


def apply(rules: Iterable[Rule], source: Source) -> Iterator[Finding]:
    """Yields what rules find in a file."""
    by_type: dict[str, list[Rule]] = {}
    seen: set[tuple[str, int]] = set()
    for rule in rules:
        for kind in rule.nodes:
            by_type.setdefault(kind, []).append(rule)
    for node in source.nodes:
        if not node.is_named:
            continue
        for rule in by_type.get(node.type, ()):
            found = rule.find(source, node)
            place, said = found if isinstance(found, tuple) else (node, found)
            if said and (rule.code, place.id) not in seen:
                seen.add((rule.code, place.id))
                yield rule.finding(source.path, *source.position(place), said)
