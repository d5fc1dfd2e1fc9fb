#!/usr/bin/env bash
# Adds to .env what a first start needs and nobody has set; with `demo-mode` that alone, for docker
# compose keeps its secrets in files.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

random() { head -c "$1" /dev/urandom | base64 | tr '+/' '-_' | tr -d '=\n'; }

stands() { grep -qsE "^(export )?$1=." .env; }

# What the environment gives is not a secret of ours to write down.
add() { stands "$1" || [ -n "${!1:-}" ] || printf '%s=%s\n' "$1" "$2" >>.env; }

# As everywhere, the real environment wins over the file.
is_demo() {
  if [ -n "${DEMO_MODE:-}" ]; then
    [[ ${DEMO_MODE,,} =~ ^(true|on|yes|ok|1|y)$ ]]
  else
    ! grep -qsiE '^(export )?DEMO_MODE=("|'\'')?(false|off|no|0|n|f)' .env
  fi
}

[ -e .env ] || (umask 077 && : >.env)
# A last line without its end would swallow the next one.
[ -z "$(tail -c 1 .env)" ] || printf '\n' >>.env

# A demonstration that was declined once stays declined.
stands DEMO_MODE || printf 'DEMO_MODE=%s\n' "${DEMO_MODE:-true}" >>.env
[ "${1:-}" != demo-mode ] || exit 0
add SECRET_KEY "$(random 48)"
add JWT_SIGNING_KEY "$(random 48)"
if is_demo; then
  add DEMO_ADMIN_PASSWORD "$(random 12)"
  add DEMO_CLIENT_PASSWORD "$(random 12)"
fi
