# shellcheck shell=bash
# What the test scripts share. They are run from any folder and work in the top one.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$top" || exit 1
target=${CARGO_TARGET_DIR:-target}
# The same for every call of cargo, so that nothing is built twice. The commas are cargo's.
# shellcheck disable=SC2034,SC2054
all=(--locked --workspace --features libsmtp/tls-openssl,smtpclient/tls-rustls,smtpclient/tokio)
passed=0 failed=0 children=()
work=$(mktemp -d)
chmod 711 "$work" # servers run as other users
trap cleanup EXIT

cleanup() {
  local pid
  for pid in "${children[@]}"; do kill "$pid" 2>/dev/null || :; done
  for pid in "${children[@]}"; do wait "$pid" 2>/dev/null || :; done
  rm -rf "$work"
}

# holds NAME COMMAND...: one test; its output shows only where it fails.
holds() {
  local name=$1
  shift
  if "$@" >"$work/output" 2>&1; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "FAILED $name"
    sed 's/^/  /' "$work/output"
  fi
}

# closing: the closing line, and the exit status.
closing() {
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ] && [ "$passed" != 0 ]
}

# sink OPTION...: starts a server that takes every message, on a free port: sets `port` and `pid`.
sink() {
  local out
  out=$work/sink.${#children[@]}
  [ -n "${scripted:-}" ] || build_server
  : >"$out"
  "$scripted" sink "$@" >"$out" 2>&1 &
  pid=$!
  children+=("$pid")
  listening "$out" "$pid"
}

build_server() {
  cargo build --locked --quiet -p scripted-server
  scripted=$target/debug/scripted-server
}

# listening FILE PID: waits for its line `LISTENING PORT`, at most 10 s.
listening() {
  local tries
  for ((tries = 0; tries < 500; tries++)); do
    port=$(sed -n 's/^LISTENING //p' "$1")
    [ -z "$port" ] || return 0
    kill -0 "$2" 2>/dev/null || break
    sleep 0.02
  done
  echo "the server did not start: $(cat "$1")" >&2
  exit 1
}

# free_ports N: prints the first of N ports in a row that nothing uses, below those that the system gives out.
free_ports() {
  python3 - "$1" <<'PY'
import random, socket, sys

def free(port):
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True

count = int(sys.argv[1])
for _ in range(1000):
    first = random.randrange(20000, 32000)
    if all(free(first + n) for n in range(count)):
        print(first)
        sys.exit()
sys.exit("no free ports")
PY
}

# c_program PROGRAM PREFIX SOURCE: one for the library that is installed in PREFIX, whose path may have blanks.
c_program() {
  local flags
  flags=$(PKG_CONFIG_PATH="$2/lib/pkgconfig" pkg-config --cflags --libs libsmtp)
  eval "flags=($flags)"
  cc -std=c99 -Wall -Wextra -pedantic -Werror -O1 -g "$3" -o "$1" "${flags[@]}" -Wl,-rpath,"$2/lib"
}

# server NAME PORTS: starts a server of tests/servers on a free port: sets `port`, `pid` and `base`. 77: not available.
server() { try_server "$@" || exit $?; }

# try_server NAME PORTS: the same, but returns.
try_server() {
  local tries rc=0
  tests/servers/fetch "$1" || return $?
  port=$(free_ports "$2")
  base=$work/$1
  : >"$work/$1.out"
  tests/servers/start "$1" "$base" "$port" >"$work/$1.out" &
  pid=$!
  children+=("$pid")
  for ((tries = 0; tries < 900; tries++)); do
    ! grep -q '^READY' "$work/$1.out" || return 0
    if ! kill -0 "$pid" 2>/dev/null; then
      wait "$pid" || rc=$?
      [ "$rc" = 77 ] || tail -n 20 "$base"/log/* >&2 || :
      return "$rc"
    fi
    sleep 0.05
  done
  echo "$1 did not get ready" >&2
  return 1
}
