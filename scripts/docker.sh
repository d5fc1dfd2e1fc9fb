#!/usr/bin/env bash
# Runs the service by docker compose on port 80: scripts/docker.sh [status | stop | run <command>]
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

PASSWORDS=(POSTGRES_PASSWORD DATABASE_PASSWORD RABBITMQ_PASSWORD MINIO_ROOT_PASSWORD S3_SECRET_KEY)

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

wait_until_ready() {
  local deadline=$((SECONDS + 180))
  until answers; do
    [ "$SECONDS" -lt "$deadline" ] ||
      fail "http://127.0.0.1/readyz did not answer in 180 s; see: docker compose logs"
    sleep 1
  done
}

answers() {
  (exec 3<>/dev/tcp/127.0.0.1/80 && printf 'GET /readyz HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' >&3 &&
    head -n 1 <&3 | grep -q ' 200') 2>/dev/null
}

# As compose sees it: the environment wins over the file.
setting() { printf '%s' "${!1:-$(sed -n "s/^$1=//p" .env | tail -n 1)}"; }

is_demo() { [ "$(setting DEMO_MODE)" = true ]; }

up() {
  scripts/write_env.sh DATABASE_PASSWORD POSTGRES_PASSWORD RABBITMQ_PASSWORD S3_SECRET_KEY MINIO_ROOT_PASSWORD
  docker compose up --detach --build || fail "docker compose could not start; see above."
  wait_until_ready
  if is_demo; then docker compose exec -T web python manage.py seed_demo; fi
  printf '\nML Service is ready at http://127.0.0.1/\n'
  if is_demo; then
    printf '  operator  demo-admin   %s\n' "$(setting DEMO_ADMIN_PASSWORD)"
    printf '  client    demo-client  %s\n' "$(setting DEMO_CLIENT_PASSWORD)"
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
