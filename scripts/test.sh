#!/usr/bin/env bash
# Checks and tests everything, and sets up what that takes. CI=true also installs Debian's servers
# and browser, runs the broker's and the fault tests and the benchmark in short against them, and
# lets no test be skipped.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

is_ci() { [ "${CI:-}" = true ]; }

step() { printf '\n== %s\n' "$*"; }

# Each of these is named by a file it brings.
install_debian_packages() {
  local packages=()
  [ -e /usr/lib/rabbitmq/bin/rabbitmq-server ] || packages+=(rabbitmq-server)
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || packages+=(postgresql)
  compgen -G '/usr/lib/*/faketime/libfaketimeMT.so.1' >/dev/null || packages+=(faketime)
  [ -e /usr/sbin/pgbouncer ] || packages+=(pgbouncer)
  [ -e /usr/bin/chromium ] || packages+=(chromium)
  [ -e /usr/bin/wrk ] || packages+=(wrk)
  [ -e /usr/bin/promtool ] || packages+=(prometheus)
  [ ${#packages[@]} -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    printf 'Missing and not installable from here: %s\n' "${packages[*]}" >&2
    return 0
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq
  apt-get install -qq --yes --no-install-recommends "${packages[@]}" >/dev/null
}

# What production says to Django; it must find nothing to warn of. No server is asked.
as_production() {
  env DATABASE_URL=postgresql:///unused BROKER_URL=memory:// \
    SECRET_KEY='9c1f0e7a-5b1d-4d8e-a6c3-2f7b8e4d1a90-3e5c7a9b-51d0c7' \
    JWT_SIGNING_KEY='a2e4c6d8-1b3f-4c7e-9d5a-8f6b4c2e0d1a-7c9e5b3a' \
    DEMO_MODE=false DEBUG=false HTTPS=true ALLOWED_HOSTS=ml.example.com \
    EMAIL_BACKEND=django.core.mail.backends.smtp.EmailBackend EMAIL_HOST=mail.example.com "$@"
}

check() {
  .venv/bin/ruff check .
  .venv/bin/ruff format --check .
  .venv/bin/lint-imports
  scripts/types.sh
  as_production .venv/bin/python -W ignore manage.py makemigrations --check --dry-run
  as_production .venv/bin/python manage.py check --deploy --fail-level WARNING
}

main() {
  if is_ci; then
    step "Debian's packages"
    install_debian_packages
  fi
  step "Set-up"
  scripts/install.sh requirements.txt requirements-local.txt requirements-dev.txt
  .venv/bin/python scripts/obtain_models.py
  scripts/compile_translations.sh
  step "Checks"
  check
  local strict=()
  if is_ci; then strict=(-p tests.no_skips); fi
  if [ $# -gt 0 ]; then
    step "Tests asked for"
    .venv/bin/python -m pytest "${strict[@]}" "$@"
    return
  fi
  step "Tests, side by side"
  .venv/bin/python -m pytest "${strict[@]}" -n auto --maxprocesses 4 -m "not broker and not browser and not whole and not seldom"
  if is_ci; then
    whole_service_at_once
    step "The stack of containers"
    in_containers
  else
    whole_service
  fi
}

whole_service() {
  step "Tests of the whole service"
  .venv/bin/python -m pytest "${strict[@]}" -m "${1:-broker or browser or whole}"
}

in_the_browser() {
  step "Tests in a browser"
  .venv/bin/python -m pytest "${strict[@]}" -m browser
}

on_debian() {
  step "Tests of the broker, on Debian's PostgreSQL and RabbitMQ"
  env -u DATABASE_URL -u BROKER_URL TEST_SERVERS=debian \
    .venv/bin/python -m pytest "${strict[@]}" -m broker
}

# No time is asserted: every answer must be right, and the books must balance. It computes all the
# time, so it gives way to those that wait for something.
under_load() {
  step "The benchmark in short"
  nice -n 19 .venv/bin/python -m benchmarks.service --quick
}

with_faults() {
  step "Faults, in the short form"
  env DATABASE_URL=postgresql:///unused BROKER_URL=memory:// FAULTS=short \
    .venv/bin/python -m pytest "${strict[@]}" tests/faults
}

# Only where an engine runs: making one, and the images of servers, takes longer than all the rest.
in_containers() {
  if docker info >/dev/null 2>&1; then
    .venv/bin/python -m tests.compose
  else
    printf 'Not run, for no Docker engine answers here: make compose-test starts one.\n'
  fi
}

# Each has servers of its own, and waits more than it computes. Faults begin when two are left.
whole_service_at_once() {
  local failed=0 said
  said="$(mktemp -d)"
  { on_debian && with_faults; } >"$said/debian" 2>&1 &
  local debian=$!
  { in_the_browser && under_load; } >"$said/browser" 2>&1 &
  local browser=$!
  whole_service "broker or whole" || failed=1
  wait $browser || failed=1
  wait $debian || failed=1
  cat "$said/browser" "$said/debian"
  rm -r "$said"
  return $failed
}

main "$@"
