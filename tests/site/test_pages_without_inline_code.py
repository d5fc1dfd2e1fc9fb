"""Pages hold no code and no style of their own, and say so to the browser."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from accounts.models import User
from ml_models.models import ModelVersion
from tests.conftest import make_prediction
from tests.test_guards import named_paths

PageOf = Callable[[User], Client]
TEMPLATES = Path(settings.BASE_DIR) / "templates"
INLINE = re.compile(
    r"<style|<script|javascript:|\s(?:style|on[a-z]+|hx-on[^=]*)\s*=", re.IGNORECASE
)
# The operators' desk extends the pages of a package that has a policy of its own.
OURS = [
    path for path in sorted(TEMPLATES.rglob("*.html")) if TEMPLATES / "admin" not in path.parents
]
OTHERS = {"api_docs", "api_schema", "livez", "readyz", "metrics"}


@pytest.mark.parametrize(
    "bad",
    [
        '<p style="x">',
        "<p\nonclick=x>",
        "<script>",
        "<a href='javascript:x'>",
        '<p hx-on:click="x">',
    ],
)
def test_the_search_finds_what_it_is_for(bad: str) -> None:
    assert INLINE.search(bad)


@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(TEMPLATES)))
def test_no_template_holds_code_or_style(path: Path) -> None:
    text = path.read_text()

    # A file of our own, or of a package, is no inline code.
    text = re.sub(r"<script [^>]*src=[^>]*></script>", "", text)
    assert INLINE.findall(text) == []


def test_every_page_keeps_the_strict_policy(
    page: PageOf, alice: User, published_version: ModelVersion
) -> None:
    made = make_prediction(alice)
    paths = {
        name: path
        for name, path in named_paths().items()
        if name not in OTHERS and not path.startswith("/api/")
    }
    paths |= {"prediction": made.get_absolute_url(), "nothing": "/nothing/here"}
    client = page(alice)

    answers = {name: client.get(path) for name, path in paths.items()}

    assert {"landing", "dashboard", "prediction", "wallet", "model"} <= answers.keys()
    for name, answer in answers.items():
        policy = answer["Content-Security-Policy"]
        assert "default-src 'self'" in policy, name
        assert "unsafe" not in policy, name
    assert answers["prediction"].status_code == 200
