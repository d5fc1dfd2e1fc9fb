"""Every variable the service reads stands in .env.example, and nothing else does."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("accounts", "billing", "deploy", "ml_models", "mlservice", "predictions", "scripts")
# By django-environ, or from the environment itself.
READ = re.compile(r"""env(?:iron)?(?:\.Env\(\))?(?:\.\w+\(\s*|\[)["']([A-Z][A-Z0-9_]+)["']""")
# These are the machine's and Django's own.
NOT_OURS = {"PATH", "DJANGO_SETTINGS_MODULE"}


def variables_read() -> Iterator[str]:
    for folder in FOLDERS:
        for file in (ROOT / folder).rglob("*.py"):
            yield from READ.findall(file.read_text())


def test_the_example_environment_lists_every_variable_that_is_read() -> None:
    example = (ROOT / ".env.example").read_text()

    listed = set(re.findall(r"^([A-Z][A-Z0-9_]+)=", example, flags=re.MULTILINE))

    assert listed == set(variables_read()) - NOT_OURS
