#!/usr/bin/env bash
# Checks the types; the plugin loads the settings, which must start no server for that.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

# Nor is anything counted: mypy ends without a farewell, and would leave the folder of it.
DATABASE_URL=postgresql:///unused BROKER_URL=memory:// METRICS_TOKEN="" exec .venv/bin/mypy .
