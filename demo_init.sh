#!/usr/bin/env bash
# Publishes the models and makes the demo users with a finished prediction of each model.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"

.venv/bin/python manage.py publish_model --all
if .venv/bin/python -m mlservice.embedded is-demo; then
  .venv/bin/python manage.py seed_demo
fi
