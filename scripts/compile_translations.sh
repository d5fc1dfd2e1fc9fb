#!/usr/bin/env bash
# Compiles every catalogue of translations that is newer than what was made of it.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

for catalogue in locale/*/LC_MESSAGES/*.po; do
  compiled="${catalogue%.po}.mo"
  [ -e "$catalogue" ] && [ ! "$compiled" -nt "$catalogue" ] || continue
  .venv/bin/python -m babel.messages.frontend --quiet compile \
    --input-file "$catalogue" --output-file "$compiled"
done
