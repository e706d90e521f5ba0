"""Offer constraints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.allocation.scenarios import scenario

if TYPE_CHECKING:
    from tests.allocation.stage import Stage

FLAGS = {"MESOS_ATTRIBUTES": "rack:r1;zone:z1;level:[1-3];weight:2.5", "MESOS_HOSTNAME": "localhost"}
RACK = {"attribute_name": "rack"}
HOSTNAME = {"pseudoattribute_type": "HOSTNAME"}


def constrained(role: str, *constraints: dict[str, Any]) -> dict[str, Any]:
    """Each constraint in a group of its own: any of them will do."""
    groups = [{"attribute_constraints": [one]} for one in constraints]
    return {"offer_constraints": {"role_constraints": {role: {"groups": groups}}}}


def constraint(selector: dict[str, Any], predicate: str, **value: str) -> dict[str, Any]:
    return {"selector": selector, "predicate": {predicate: value}}


def served(stage: Stage, *constraints: tuple[dict[str, Any], str, dict[str, str]]) -> None:
    """Which of these constraints let offers through."""
    for selector, predicate, value in constraints:
        made = constraint(selector, predicate, **value)
        framework = stage.framework("a", "x", subscribe=constrained("x", made))
        stage.step(f"a subscribes in x; constraint: {next(iter(selector.values()))} {predicate} {value}")
        framework.call("SUPPRESS")
        framework.decline()
        stage.quiet()


@scenario(flags=FLAGS, agents=1)
def constraints_on_the_presence_of_attributes(stage: Stage) -> None:
    none = {"attribute_name": "none"}
    served(stage, (RACK, "exists", {}), (RACK, "not_exists", {}), (none, "exists", {}), (none, "not_exists", {}))


@scenario(flags=FLAGS, agents=1)
def constraints_on_text(stage: Stage) -> None:
    served(stage, (RACK, "text_equals", {"value": "r1"}), (RACK, "text_equals", {"value": "r2"}))
    served(stage, (RACK, "text_not_equals", {"value": "r1"}), (RACK, "text_not_equals", {"value": "r2"}))


@scenario(flags=FLAGS, agents=1)
def constraints_on_patterns(stage: Stage) -> None:
    served(stage, (RACK, "text_matches", {"regex": "r[0-9]"}), (RACK, "text_matches", {"regex": "r"}))
    served(stage, (RACK, "text_not_matches", {"regex": "r[0-9]"}), (RACK, "text_not_matches", {"regex": "r"}))


@scenario(flags=FLAGS, agents=1)
def constraints_on_attributes_that_are_no_text(stage: Stage) -> None:
    level, weight = {"attribute_name": "level"}, {"attribute_name": "weight"}
    served(stage, (level, "text_equals", {"value": "none"}), (weight, "text_not_equals", {"value": "none"}))
    served(stage, (level, "text_matches", {"regex": "none"}), (weight, "text_not_matches", {"regex": "none"}))


@scenario(flags=FLAGS, agents=1)
def constraints_on_the_host_and_the_region(stage: Stage) -> None:
    region = {"pseudoattribute_type": "REGION"}
    served(stage, (HOSTNAME, "text_equals", {"value": "localhost"}), (HOSTNAME, "text_equals", {"value": "other"}))
    served(stage, (region, "exists", {}), (region, "not_exists", {}))


@scenario(flags=FLAGS, agents=1)
def constraints_are_joined_by_or_and_and(stage: Stage) -> None:
    right, wrong = constraint(RACK, "text_equals", value="r1"), constraint(RACK, "text_equals", value="r2")
    a = stage.framework("a", "x", subscribe=constrained("x", wrong, right))
    stage.step("a subscribes in x: one of two groups is right")
    a.call("SUPPRESS")
    a.decline()
    both = {"offer_constraints": {"role_constraints": {"x": {"groups": [{"attribute_constraints": [wrong, right]}]}}}}
    stage.framework("b", "x", subscribe=both)
    stage.step("b subscribes in x: one of two constraints of a group is right")
    stage.framework("c", "y", subscribe=constrained("x", wrong))
    stage.step("c subscribes in y with constraints for x")


@scenario(flags=FLAGS, agents=1)
def constraints_are_changed(stage: Stage) -> None:
    a = stage.framework("a", "x", subscribe=constrained("x", constraint(RACK, "not_exists")))
    stage.step("a subscribes in x with a constraint that nothing meets")
    a.update(**constrained("x", constraint(RACK, "exists")))
    stage.step("a gets another")
    a.update(**constrained("x", constraint(RACK, "not_exists")))
    stage.step("a gets the first again: what it is offered stays")
    a.decline()
    stage.step("a declines")
    a.update()
    stage.step("a gets none")


@scenario(flags=FLAGS, agents=1)
def constraints_that_are_refused(stage: Stage) -> None:
    for name, made in (
        ("a", constraint(RACK, "text_matches", regex="(")),
        ("b", {"predicate": {"exists": {}}}),
        ("c", {"selector": RACK}),
        ("d", {"selector": RACK, "predicate": {}}),
        ("e", constraint({}, "exists")),
        ("f", constraint({"pseudoattribute_type": "UNKNOWN"}, "exists")),
        ("g", constraint(RACK, "text_matches", regex="a" * 2000)),
    ):
        stage.framework(name, "x", subscribe=constrained("x", made))
    stage.framework("h", "x", subscribe={"offer_constraints": {"role_constraints": {"-x": {"groups": []}}}})
    stage.framework("i", "x", subscribe={"offer_constraints": {"role_constraints": {"x": {"groups": [{}]}}}})
    stage.framework("j", "x", subscribe={"offer_constraints": {"role_constraints": {"x": {}}}})
    stage.step("what is not refused is served")
