"""Suppressed and revived roles, and roles that change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.allocation.scenarios import scenario

if TYPE_CHECKING:
    from tests.allocation.stage import Stage


@scenario()
def suppressed_from_the_start(stage: Stage) -> None:
    a = stage.framework("a", "x", subscribe={"suppressed_roles": ["x"]})
    stage.step("a subscribes with its role suppressed")
    a.call("REVIVE")
    stage.step("a revives")


@scenario(alike=True)
def one_of_two_roles_is_suppressed(stage: Stage) -> None:
    a = stage.framework("a", "x", "y", subscribe={"suppressed_roles": ["x"]})
    stage.step("a subscribes with x suppressed")
    a.decline()
    stage.step("a declines")
    a.call("SUPPRESS", suppress={"roles": ["y"]})
    a.decline()
    stage.step("a suppresses y and declines")
    a.call("REVIVE", revive={"roles": ["x"]})
    stage.step("a revives x")


@scenario()
def suppression_keeps_offers(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes")
    a.call("SUPPRESS")
    stage.step("a suppresses")
    a.decline()
    stage.step("a declines")
    stage.framework("b")
    stage.step("b subscribes")


@scenario()
def reviving_clears_filters(stage: Stage) -> None:
    a = stage.framework("a")
    stage.step("a subscribes")
    a.decline(1000)
    stage.step("a declines for long")
    a.call("REVIVE")
    stage.step("a revives")


@scenario(alike=True)
def reviving_a_role_clears_its_filters_alone(stage: Stage) -> None:
    a = stage.framework("a", "x", "y")
    stage.step("a subscribes in x and y")
    for _ in range(2):
        a.decline(1000)
        stage.step("a declines for long")
    a.call("REVIVE", revive={"roles": ["x"]})
    stage.step("a revives x")
    a.decline(1000)
    stage.step("a declines for long")


@scenario(alike=True)
def an_update_suppresses_and_clears(stage: Stage) -> None:
    a = stage.framework("a", "x", "y")
    stage.step("a subscribes in x and y")
    a.update(suppressed_roles=["x", "y"])
    a.decline()
    stage.step("a suppresses both by an update, and declines")
    a.update(suppressed_roles=["x"])
    stage.step("y is not suppressed any more")


@scenario()
def a_role_is_added(stage: Stage) -> None:
    a = stage.framework("a", "x")
    stage.step("a subscribes in x")
    a.decline(1000)
    stage.step("a declines for long")
    a.roles = ("x", "y")
    a.update()
    stage.step("a is in y, too")


@scenario(alike=True)
def a_role_is_removed(stage: Stage) -> None:
    a = stage.framework("a", "x", "y")
    b = stage.framework("b", "z", subscribe={"suppressed_roles": ["z"]})
    stage.step("a subscribes in x and y, b in z, suppressed")
    a.roles = ("x",)
    a.update()
    stage.step("a leaves y")
    b.call("REVIVE")
    stage.step("b revives")
