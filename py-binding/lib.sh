# shellcheck shell=bash
# shellcheck disable=SC2034 # what is set here is for those that read it
# What `wheel` and `check` share. They are run from any folder and work in the top one.

build=$PWD/build/python
target=${CARGO_TARGET_DIR:-target}
python=$build/venv/bin/python
# As everything else that is built for release: no crate is compiled twice.
flags=$(make -s rustflags)
mkdir -p "$build"

# quietly NAME COMMAND...: shows what a command said only where it failed.
quietly() {
  local name=$1
  shift
  if ! "$@" >"$build/log" 2>&1; then
    tail -n 60 "$build/log" >&2
    echo "FAILED $name" >&2
    exit 1
  fi
  echo "ok $name"
}

# fetched NAME COMMAND...: without network there is nothing to test with; where a change is judged, that is a failure.
fetched() {
  local name=$1
  shift
  if "$@" >"$build/log" 2>&1; then
    echo "ok $name"
    return
  fi
  tail -n 20 "$build/log" >&2
  [ -z "${CI:-}" ] || { echo "FAILED $name" >&2; exit 1; }
  echo "what its tests need of PyPI is not here, and cannot be fetched: $name"
  exit 77
}
