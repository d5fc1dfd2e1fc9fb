#!/usr/bin/env bash
# Makes .venv where it is missing and installs the given requirement files into it.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.."

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

find_python() {
  local name
  for name in python3.11 python3 python3.12 python3.13 python; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      printf '%s\n' "$name"
      return
    fi
  done
  fail "Python 3.11 or newer is missing; install it (Debian: apt-get install python3 python3-venv)."
}

make_environment() {
  local python
  python="$(find_python)"
  "$python" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "Python's venv module is incomplete; install it (Debian: apt-get install python3-venv)."
  # A half-made environment is made anew.
  "$python" -m venv --clear .venv
}

# uv takes seconds where pip takes minutes; pip knows what a machine was told of its index.
install() {
  local arguments=() file
  for file in "$@"; do arguments+=(--requirement "$file"); done
  pip install uv && uv_install "${arguments[@]}" || {
    printf 'uv could not install the packages; trying pip, which takes longer…\n'
    pip install "${arguments[@]}"
  } || fail "The packages could not be installed; is the package index within reach? See above."
}

pip() { .venv/bin/python -m pip --quiet --disable-pip-version-check "$@"; }

# Compiled now, on all cores, rather than by each process at its first start.
uv_install() { VIRTUAL_ENV="$PWD/.venv" .venv/bin/uv pip install --quiet --compile-bytecode "$@"; }

stamp_of() { cat -- "$@" | sha256sum | cut -d' ' -f1; }

.venv/bin/python -c '' 2>/dev/null || make_environment

# Each requirement file leaves its own stamp, so that sets asked for in turn do not undo each other.
missing=()
for file in "$@"; do
  stamp=".venv/installed-$file"
  [ -f "$stamp" ] && [ "$(<"$stamp")" = "$(stamp_of "$file")" ] || missing+=("$file")
done
[ ${#missing[@]} -eq 0 ] && exit 0

printf 'Installing packages…\n'
install "${missing[@]}"
for file in "${missing[@]}"; do stamp_of "$file" >".venv/installed-$file"; done
