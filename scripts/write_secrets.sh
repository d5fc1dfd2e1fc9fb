#!/usr/bin/env bash
# Writes secrets/ for docker compose, a file each: what the environment or .env says, else something
# random. Those that few need are empty until somebody says them. What stands there is never
# overwritten, for a key that was changed must not come back.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

RANDOM_ONES=(SECRET_KEY JWT_SIGNING_KEY DATABASE_PASSWORD POSTGRES_PASSWORD RABBITMQ_PASSWORD
  S3_SECRET_KEY MINIO_ROOT_PASSWORD METRICS_TOKEN GRAFANA_PASSWORD DEMO_ADMIN_PASSWORD
  DEMO_CLIENT_PASSWORD)
EMPTY_ONES=(SECRET_KEY_FALLBACKS JWT_SIGNING_KEY_FALLBACKS STRIPE_API_KEY STRIPE_WEBHOOK_SECRET
  EMAIL_HOST_PASSWORD)
FOLDER="${SECRETS_DIR:-secrets}"
KEPT=()

# As compose reads it: the environment wins over the file, and quotes are not part of a value.
said() {
  [ -z "${!1:-}" ] || { printf %s "${!1}" && return; }
  { [ ! -e .env ] || cat .env; } | sed -nE "s/^(export )?$1=//p" | tail -n 1 | sed -E "s/^(['\"])(.*)\1$/\2/" | tr -d '\n'
}

# Replaced whole, so that a container never reads half of one.
write() {
  cat >"$FOLDER/.$1" && chmod 444 "$FOLDER/.$1" && mv -f "$FOLDER/.$1" "$FOLDER/$1"
}

keep() {
  local name="${1,,}" value
  value="$(said "$1")"
  if [ -s "$FOLDER/$name" ]; then
    [ -z "$value" ] || [ "$(cat "$FOLDER/$name")" = "$value" ] || KEPT+=("$1")
  elif [ -n "$value" ]; then
    printf %s "$value" | write "$name"
  elif [ ! -e "$FOLDER/$name" ]; then
    head -c "$2" /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n' | write "$name"
  fi
}

# The folder is closed to others; the files are open, for the users of the containers read them.
mkdir -p "$FOLDER"
chmod 700 "$FOLDER"
for name in "${RANDOM_ONES[@]}"; do keep "$name" 36; done
for name in "${EMPTY_ONES[@]}"; do keep "$name" 0; done
if [ ${#KEPT[@]} -gt 0 ]; then
  printf 'Not what the environment or .env says, and kept, for it may be newer: %s in %s.\n' \
    "${KEPT[*]}" "$FOLDER" >&2
  printf 'Remove a file there to have it written anew.\n' >&2
fi
