#!/usr/bin/env bash
# Runs the service by docker compose on port 80: scripts/docker.sh [status | stop | run <command>]
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

WAIT_SECONDS=300

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

wait_until() {
  local deadline=$((SECONDS + WAIT_SECONDS))
  until "$1"; do
    [ "$SECONDS" -lt "$deadline" ] || fail "$2 in $WAIT_SECONDS s; see: docker compose logs"
    sleep 1
  done
}

answers() {
  (exec 3<>/dev/tcp/127.0.0.1/80 && printf 'GET /livez HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' >&3 &&
    head -n 1 <&3 | grep -q ' 200') 2>/dev/null
}

is_well() {
  local said
  said="$(docker compose ps --format '{{.State}} {{.Health}}')"
  [ -n "$said" ] && ! grep -qE 'restarting|starting|unhealthy' <<<"$said"
}

# As compose sees it: the environment wins over the file.
setting() { printf '%s' "${!1:-$(sed -n "s/^$1=//p" .env | tail -n 1)}"; }

is_demo() { [ "$(setting DEMO_MODE)" = true ]; }

secret() { cat "${SECRETS_DIR:-secrets}/$1"; }

up() {
  scripts/write_env.sh demo-mode
  scripts/write_secrets.sh
  docker compose up --detach --build || fail "docker compose could not start; see above."
  wait_until is_well "Not every container became healthy"
  wait_until answers "http://127.0.0.1/livez did not answer"
  if is_demo; then docker compose exec -T web ./demo_init.sh; fi
  printf '\nML Service is ready at http://127.0.0.1/\n'
  if is_demo; then
    printf '  operator  demo-admin   %s\n' "$(secret demo_admin_password)"
    printf '  client    demo-client  %s\n' "$(secret demo_client_password)"
  fi
}

docker compose version >/dev/null 2>&1 ||
  fail "docker compose is missing; install Docker with its compose plugin, then try again."

case "${1:-}" in
  "") up ;;
  status) docker compose ps ;;
  stop) docker compose down ;;
  run) docker compose exec web python manage.py "${@:2}" ;;
  *) fail "Usage: ./init.sh --docker [status | stop | run <management command>]" ;;
esac
