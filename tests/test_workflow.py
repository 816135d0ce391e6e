"""The table of actions stands in the documentation as it stands in the code."""

from pathlib import Path

import pytest

from villagemap.model import Status
from villagemap.workflow import ACTIONS, OPEN, allowed, transition_table

PAGE = Path(__file__).parents[1] / "docs" / "workflow.md"


def test_the_documented_table_is_the_codes_own() -> None:
    rows = [
        f"| {label} `{code}` | {before} | {after} | {needs} |"
        for code, label, before, after, needs in transition_table("zh")
    ]
    page = PAGE.read_text(encoding="utf-8")
    assert "\n".join(rows) in page


def test_closed_is_never_terminal_and_nothing_open_is_stuck() -> None:
    assert "reopen" in allowed(Status.CLOSED)
    for status in OPEN:
        assert any(ACTIONS[code].after not in {None, status} for code in allowed(status))


@pytest.mark.parametrize("code", ["close", "defer", "duplicate", "reject", "reopen"])
def test_a_duty_unit_never_decides(code: str) -> None:
    assert "work" not in ACTIONS[code].policies
