"""The table of docs/kubernetes.md: every line it names is rendered so."""

import json
import re
from typing import Any

import pytest

from tests.chart.rendering import ROOT, Object, of_kind

TEXT = (ROOT / "docs" / "kubernetes.md").read_text()
ROW = re.compile(r"^\|([^|]*)\| `(\w+)/([\w*]+)` \| `([\w.]+)` \| (?:`(.+)`|(present)) \|$", re.M)
PROMISES = [match.groups() for match in ROW.finditer(TEXT)]


def line(each: Object, path: str) -> Any:
    found: Any = each
    for word in path.split("."):
        found = found[int(word)] if word.isdigit() else found.get(word)
    return found


@pytest.mark.parametrize(
    ("kind", "component", "path", "value"), [(*row[1:4], row[4]) for row in PROMISES]
)
def test_a_promised_line_is_rendered(
    kind: str, component: str, path: str, value: str | None
) -> None:
    found = of_kind("prod", kind)
    chosen = found.values() if component == "*" else [found[component]]

    for each in chosen:
        if value is None:
            assert line(each, path)
        else:
            assert line(each, path) == json.loads(value)


def test_no_row_of_the_table_is_missed() -> None:
    table = TEXT.split("## Promises")[1].split("\n## ")[0]

    assert len(PROMISES) == table.count("\n| ") - 1
    assert len(PROMISES) > 35


def test_it_says_what_was_never_done() -> None:
    assert "never applied to a cluster" in TEXT.replace("\n", " ")
