"""Every variable the service reads stands in .env.example, and nothing there is unread."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("accounts", "billing", "deploy", "ml_models", "mlservice", "predictions", "scripts")
# By django-environ, or from the environment itself.
READ = re.compile(r"""env(?:iron)?(?:\.Env\(\))?(?:\.\w+\(\s*|\[)["']([A-Z][A-Z0-9_]+)["']""")
# These are the machine's and Django's own.
NOT_OURS = {"PATH", "DJANGO_SETTINGS_MODULE"}


def variables_listed() -> set[str]:
    example = (ROOT / ".env.example").read_text()
    return set(re.findall(r"^([A-Z][A-Z0-9_]+)=", example, flags=re.MULTILINE))


def variables_read() -> set[str]:
    files = (file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py"))
    return {name for file in files for name in READ.findall(file.read_text())} - NOT_OURS


def variables_of_compose() -> set[str]:
    named = set(re.findall(r"\$\{([A-Z][A-Z0-9_]+)", (ROOT / "docker-compose.yml").read_text()))
    lists = re.findall(r"_ONES=\(([^)]+)\)", (ROOT / "scripts" / "write_secrets.sh").read_text())
    return named | {name for names in lists for name in names.split()}


def test_every_variable_that_is_read_is_listed() -> None:
    read = variables_read()

    unlisted = read - variables_listed()

    assert "DATABASE_URL" in read
    assert unlisted == set()


def test_every_variable_that_is_listed_is_read() -> None:
    unread = variables_listed() - variables_read() - variables_of_compose()

    assert unread == set()
