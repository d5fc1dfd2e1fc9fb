#!/usr/bin/env bash
# Makes the demo users, pays the client's demo top-up and runs a prediction of each model.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"

.venv/bin/python manage.py seed_demo
