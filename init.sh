#!/usr/bin/env bash
# Sets the service up and runs it: ./init.sh [--docker] [status | stop | run <management command>]
set -Eeuo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

say() { printf '%s\n' "$*"; }

manage() { .venv/bin/python manage.py "$@"; }

serve() { .venv/bin/python -m mlservice.embedded "$@"; }

need_environment() {
  [ -x .venv/bin/python ] || fail "Nothing is set up here yet; run ./init.sh first."
}

take_turns() {
  command -v flock >/dev/null || fail "flock is missing; install util-linux, then try again."
  exec 9<init.sh
  flock --nonblock 9 && return
  say "Another ./init.sh is at work in this checkout; waiting for it to end…"
  flock 9
}

explain() {
  say "./init.sh could not finish: ${BASH_COMMAND} failed." \
    "Mend what stands above, then start it again; ./init.sh status names the logs." >&2
}

set_up() {
  scripts/install.sh requirements.txt requirements-local.txt
  scripts/write_env.sh
  .venv/bin/python scripts/obtain_models.py
  scripts/compile_translations.sh
}

# What the processes read must stand before they start: the workers load the models at once.
prepare() {
  serve start-servers 9<&-
  manage prepare_database --verbosity 0
  scripts/collect_static.sh
  manage publish_model --all
}

start() {
  trap explain ERR
  take_turns
  set_up
  prepare
  serve start
  manage wait_for_worker
  if serve is-demo; then ./demo_init.sh; fi
  serve summary
}

main() {
  case "${1:-}" in
    --docker) exec scripts/docker.sh "${@:2}" ;;
    "") start ;;
    status) need_environment; serve status ;;
    stop) need_environment; take_turns; serve stop ;;
    run) need_environment; manage "${@:2}" ;;
    *) fail "Usage: ./init.sh [--docker] [status | stop | run <management command>]" ;;
  esac
}

main "$@"
