"""The settings under test: the real ones, with servers started and keys that are not secret."""

import os
import sys

from tests.servers import ensure_servers

os.environ.setdefault("SECRET_KEY", "a key for tests only, long enough to satisfy every check")
os.environ.setdefault("JWT_SIGNING_KEY", "another key for tests only, also long enough")
os.environ.setdefault("METRICS_TOKEN", "a token for tests only")
os.environ["DEMO_MODE"] = "true"
# Tests side by side must not count in the folder of the process that started them all.
if "pytest" in sys.modules and "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
ensure_servers()

from mlservice.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Tests need no collected files.
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_AUTOREFRESH = True
