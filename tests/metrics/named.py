"""What alerts and dashboards name: metrics, their labels, and the values they ask for."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

FILES = Path(__file__).resolve().parents[2] / "helm" / "mlservice" / "files"
METRIC = re.compile(r"\b((?:mlservice|ledger)_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(=~|!=|!~|=)\s*"([^"]*)"')
GROUPED = re.compile(r"\bby\s*\(([^)]*)\)")


@dataclass(frozen=True)
class Named:
    """A metric as it is asked for somewhere."""

    where: str
    metric: str
    matchers: tuple[tuple[str, str, str], ...]
    grouped_by: tuple[str, ...]


def of_alerts() -> Iterator[tuple[str, str]]:
    for group in yaml.safe_load((FILES / "alerts.yaml").read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]


def of_dashboards() -> Iterator[tuple[str, str]]:
    for file in sorted((FILES / "dashboards").glob("*.json")):
        for panel in json.loads(file.read_text())["panels"]:
            for target in panel.get("targets", []):
                yield f"{file.stem}: {panel['title']}", target["expr"]


def named() -> list[Named]:
    found = []
    for where, expression in [*of_alerts(), *of_dashboards()]:
        asked = [name for each in GROUPED.findall(expression) for name in re.split(r",\s*", each)]
        grouped_by = tuple(name.strip() for name in asked if name.strip() not in ("le", ""))
        for metric, matchers in METRIC.findall(expression):
            found.append(Named(where, metric, tuple(MATCHER.findall(matchers)), grouped_by))
    return found
