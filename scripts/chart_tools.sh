#!/usr/bin/env bash
# Makes .venv-chart with what only the chart's tests run: a checker of policies, a server that
# speaks Vault's API. Their own environment, for their packages would push others' aside.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

stamp=.venv-chart/installed
now="$(sha256sum requirements-chart.txt)"
stands() { [ -f "$stamp" ] && [ "$(<"$stamp")" = "$now" ]; }

stands && exit 0
# Tests run side by side: one of them installs.
exec 9>.venv/chart-tools.lock
flock 9
stands && exit 0

uv=.venv/bin/uv
[ -x "$uv" ] || .venv/bin/python -m pip --quiet --disable-pip-version-check install uv
"$uv" venv --quiet --clear --python .venv/bin/python .venv-chart
VIRTUAL_ENV="$PWD/.venv-chart" "$uv" pip install --quiet --compile-bytecode --requirement requirements-chart.txt
printf '%s' "$now" >"$stamp"
