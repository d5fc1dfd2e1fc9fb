"""The service's settings with the naive addresses, and no middleware to slow them."""

from mlservice.settings import *  # noqa: F403

ROOT_URLCONF = "benchmarks.naive.urls"
WSGI_APPLICATION = "benchmarks.naive.wsgi.application"
MIDDLEWARE = []
