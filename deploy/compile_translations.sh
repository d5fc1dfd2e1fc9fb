#!/bin/sh
# Compiles the translations while the image is built.
set -eu

for catalogue in locale/*/LC_MESSAGES/*.po; do
  [ -e "$catalogue" ] || continue
  pybabel --quiet compile --input-file "$catalogue" --output-file "${catalogue%.po}.mo"
done
