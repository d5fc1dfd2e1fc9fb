#!/usr/bin/env bash
# Checks the types; the plugin loads the settings, which must start no server for that.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

DATABASE_URL=postgresql:///unused BROKER_URL=memory:// exec .venv/bin/mypy .
