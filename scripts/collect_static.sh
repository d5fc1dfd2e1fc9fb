#!/usr/bin/env bash
# Collects and compresses the static files unless neither they nor the packages have changed.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

stamp=staticfiles/.collected-from
now="$(find static requirements.txt mlservice/settings.py -type f -exec sha256sum {} + | sort | sha256sum)"
[ -f "$stamp" ] && [ "$(<"$stamp")" = "$now" ] && exit 0

.venv/bin/python manage.py collectstatic --noinput --verbosity 0
printf '%s' "$now" >"$stamp"
