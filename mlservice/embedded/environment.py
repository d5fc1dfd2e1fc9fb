"""The only place that reads `.env`, the file form of the environment."""

import environ

from mlservice.embedded.home import CHECKOUT

FILE = CHECKOUT / ".env"


def load() -> None:
    """Bring the file's values into the environment, which wins where both speak."""
    if FILE.exists():
        environ.Env.read_env(FILE)


def is_demo() -> bool:
    """Say whether the demonstration is on; a checkout turns it on unless told not to."""
    return bool(environ.Env().bool("DEMO_MODE", default=True))


def port() -> int:
    return int(environ.Env().int("PORT", default=8000))
