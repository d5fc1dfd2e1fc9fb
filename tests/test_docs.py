"""What the documents say of the code is so: links, names, the object model, figures."""

import inspect
import json
import re
from functools import reduce
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, models

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("benchmarks/*.md"),
        *ROOT.glob("ml_models/**/*.md"),
    ]
)
DECISIONS = sorted(ROOT.glob("docs/adr/*.md"))
PACKAGES = ("accounts", "billing", "ml_models", "predictions", "mlservice")
OBJECT_MODEL = (ROOT / "docs" / "object-model.md").read_text()
DATABASE_WORDS = {"timestamp with time zone": "timestamp", "double precision": "float"}

every_document = pytest.mark.parametrize(
    "document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT))
)


def prose(document: Path) -> str:
    return re.sub(r"^```.*?^```$", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)


def quoted(document: Path) -> list[str]:
    return re.findall(r"`([^`\n]+)`", prose(document))


def anchors(document: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", prose(document), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def stored_classes() -> dict[str, type[models.Model]]:
    own = (apps.get_app_config(label).get_models() for label in (*PACKAGES, "mail"))
    return {model.__name__: model for model in chain.from_iterable(own)}


def classes_in_motion() -> dict[str, type]:
    places = re.findall(r"^\| `(\w+)` \| `([\w.]+)` \|$", OBJECT_MODEL, flags=re.MULTILINE)
    return {name: getattr(import_module(module), name) for name, module in places}


def drawn_classes(heading: str) -> dict[str, list[str]]:
    """Return each class drawn under the heading with its lines."""
    section = OBJECT_MODEL.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    drawn = re.findall(r"^ +class (\w+) \{\n(.*?)^ +\}$", section, re.MULTILINE | re.DOTALL)
    return {name: [line.strip() for line in body.splitlines()] for name, body in drawn}


def column_line(field: Any) -> str:
    if field.is_relation:
        kind = field.related_model.__name__
    else:
        kind = re.sub(r"\(.*\)", "", field.db_type(connection))
    return f"{DATABASE_WORDS.get(kind, kind)}{'?' * field.null} {field.name}"


def has_member(owner: Any, name: str) -> bool:
    """Say whether a module, class or instance of the class carries the name."""
    if hasattr(owner, name) or name in getattr(owner, "__annotations__", {}):
        return True
    return inspect.isclass(owner) and f"self.{name}" in inspect.getsource(owner)


def names_of(line: str) -> str:
    return line.partition("(")[0] if "(" in line else line.split()[-1]


def exists(name: str) -> bool:
    """Say whether a dotted name leads to a module or to something in it."""
    first, *rest = name.split(".")
    known = {**stored_classes(), **classes_in_motion()}
    try:
        owner: Any = known[first] if first in known else import_module(first)
        *path, last = rest
        return has_member(reduce(descend, path, owner), last) or is_module(name)
    except (AttributeError, ImportError):
        return False


def descend(owner: Any, name: str) -> Any:
    if inspect.ismodule(owner) and not hasattr(owner, name):
        return import_module(f"{owner.__name__}.{name}")
    return getattr(owner, name)


def is_module(name: str) -> bool:
    return ROOT.joinpath(*name.split(".")).with_suffix(".py").exists() or (
        ROOT.joinpath(*name.split(".")).is_dir()
    )


@every_document
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", prose(document))

    targets = [(document.parent / path if path else document, anchor) for path, anchor in links]

    assert [path for path, _ in targets if not path.exists()] == []
    assert [anchor for path, anchor in targets if anchor and anchor not in anchors(path)] == []


@every_document
def test_names_of_the_code_exist(document: Path) -> None:
    known = (*PACKAGES, *stored_classes(), *classes_in_motion())
    pattern = re.compile(rf"(?:{'|'.join(known)})(?:\.\w+)+")

    dotted = {name for name in quoted(document) if pattern.fullmatch(name)}

    assert {name for name in dotted if not exists(name)} == set()


@every_document
def test_paths_of_the_code_exist(document: Path) -> None:
    folders = "|".join(
        [
            *PACKAGES,
            "benchmarks",
            "docs",
            "tests",
            "scripts",
            "locale",
            "templates",
            "static",
            "helm",
        ]
    )

    paths = {path for path in quoted(document) if re.fullmatch(rf"(?:{folders})/[\w./-]*", path)}

    assert {path for path in paths if not (ROOT / path).exists()} == set()


@every_document
def test_commands_of_make_exist(document: Path) -> None:
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)

    named = re.findall(
        r"^(?:CI=true )?make ([\w-]+)|`make ([\w-]+)`", document.read_text(), re.MULTILINE
    )

    assert {first or second for first, second in named} <= set(targets)


@pytest.mark.parametrize("name", sorted(stored_classes()))
def test_a_stored_class_is_drawn_as_it_is(name: str) -> None:
    model = stored_classes()[name]

    drawn = drawn_classes("Stored classes")[name]

    columns = [line for line in drawn if "(" not in line]
    assert sorted(columns) == sorted(column_line(field) for field in model._meta.local_fields)
    assert [line for line in drawn if not has_member(model, names_of(line))] == []


def test_no_class_is_drawn_that_is_not_stored() -> None:
    assert set(drawn_classes("Stored classes")) == set(stored_classes())


def test_classes_in_motion_have_the_members_drawn() -> None:
    drawn, real = drawn_classes("Classes in motion"), classes_in_motion()

    assert set(drawn) == set(real)
    assert [
        f"{name}: {line}"
        for name, lines in drawn.items()
        for line in lines
        if not has_member(real[name], names_of(line))
    ] == []


def test_every_constraint_has_its_note() -> None:
    invariants = OBJECT_MODEL.split("\n## Invariants\n")[1].split("triggers go further")[0]

    noted = set(re.findall(r"^\| `(\w+)` \|", invariants, flags=re.MULTILINE))

    metas = [model._meta for model in stored_classes().values()]
    assert noted == {constraint.name for meta in metas for constraint in meta.constraints}


def test_every_trigger_has_its_note() -> None:
    migrations = (path.read_text() for path in ROOT.glob("*/migrations/0*.py"))
    real = {name for text in migrations for name in re.findall(r"CREATE TRIGGER (\w+)", text)}

    assert {name for name in real if f"| `{name}` |" not in OBJECT_MODEL} == set()


def test_decisions_are_short_and_numbered_without_gaps() -> None:
    numbers = [int(path.name[:4]) for path in DECISIONS]

    assert numbers == list(range(1, len(DECISIONS) + 1))
    assert [path.name for path in DECISIONS if len(path.read_text().splitlines()) > 40] == []


@pytest.mark.parametrize("readme", ["README.md", "README.ru.md"])
@pytest.mark.parametrize("slug", ["random-forest", "linear-regression"])
def test_the_readme_gives_the_measured_errors(readme: str, slug: str) -> None:
    measured = json.loads((ROOT / "ml_models" / "metrics" / f"{slug}.json").read_text())

    assert f"| {measured['mae']} | {measured['r2']} |" in (ROOT / readme).read_text()
