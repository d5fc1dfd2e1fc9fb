"""The only place that asks axe-core what a page keeps from somebody who cannot see or point."""

from importlib.resources import files
from typing import Any

from playwright.sync_api import Page

GRAVE = {"serious", "critical"}
# Loaded by the test itself, past the policy that keeps pages from loading it.
RULES = (files("axe_playwright_python") / "axe.min.js").read_text()
RUN = "axe.run(document, {resultTypes: ['violations']})"


def barriers(page: Page) -> list[str]:
    """Return the serious and critical findings, each with the first element that it is about."""
    page.evaluate(RULES)
    found: dict[str, Any] = page.evaluate(RUN)
    return [said(one) for one in found["violations"] if one["impact"] in GRAVE]


def said(finding: dict[str, Any]) -> str:
    node = finding["nodes"][0]
    return (
        f"{finding['id']}: {finding['help']}: {node['html'][:160]} {node['failureSummary'][:300]}"
    )
