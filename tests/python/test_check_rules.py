"""Each rule of ``remesos check`` finds its own example, and not the other one."""

from __future__ import annotations

from typing import Any

import pytest
from mesos._check._paths import RULES, check_text


def codes(text: str, path: str = "framework.py") -> list[str]:
    return [finding.code for finding in check_text(path, text)]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_a_rule_finds_what_it_is_for_and_nothing_else(rule: Any) -> None:
    assert rule.code in codes(rule.bad)
    assert rule.code not in codes(rule.good)


def test_codes_are_unique() -> None:
    assert len({rule.code for rule in RULES}) == len(RULES)
