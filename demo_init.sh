#!/usr/bin/env bash
# Makes the demo users, pays the client's demo top-up and runs a prediction of each model.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"

# In a container it is the one on the path.
python=.venv/bin/python
[ -x "$python" ] || python=python
exec "$python" manage.py seed_demo
