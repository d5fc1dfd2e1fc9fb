"""The only place that reads secrets from files: NAME_FILE says where the value of NAME stands.

No Django here: the health check and the script that brings the models read them too.
"""

import os
from pathlib import Path
from string import Template
from urllib.parse import quote

SECRETS = (
    "SECRET_KEY",
    "SECRET_KEY_FALLBACKS",
    "JWT_SIGNING_KEY",
    "JWT_SIGNING_KEY_FALLBACKS",
    "DATABASE_PASSWORD",
    "POSTGRES_PASSWORD",
    "RABBITMQ_PASSWORD",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "STRIPE_API_KEY",
    "STRIPE_WEBHOOK_SECRET",
    "EMAIL_HOST_PASSWORD",
    "METRICS_TOKEN",
    "DEMO_ADMIN_PASSWORD",
    "DEMO_CLIENT_PASSWORD",
)
# They may say ${DATABASE_PASSWORD} and the like, so that a password stands in one file alone.
ADDRESSES = ("DATABASE_URL", "MIGRATION_DATABASE_URL", "LISTEN_DATABASE_URL", "BROKER_URL")


def read_secret_files() -> None:
    """Put each secret that has a file into the environment; what stands there already wins."""
    for name in (*SECRETS, *ADDRESSES):
        path = os.environ.get(f"{name}_FILE")
        if path and not os.environ.get(name):
            os.environ[name] = Path(path).read_text(encoding="utf-8").strip()
    written = {name: quote(os.environ[name], safe="") for name in SECRETS if name in os.environ}
    for name in ADDRESSES:
        if "${" in os.environ.get(name, ""):
            os.environ[name] = Template(os.environ[name]).substitute(written)
