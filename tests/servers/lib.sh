# shellcheck shell=bash
# What the scripts beside this file share. They set `here` to this folder first.

names='postfix smtp-sink exim opensmtpd dovecot dovecot24 sendmail aiosmtpd tcllib net-server-mail chasquid nginx'
build=$(cd "$here/../.." && pwd)/build/servers
triplet=$(uname -m)-linux-gnu

# The one account, user@example.test, and the name by which every server greets.
user=user domain=example.test password=pass host=localhost.example.test
mechanisms='PLAIN LOGIN CRAM-MD5 DIGEST-MD5 SCRAM-SHA-1 SCRAM-SHA-256'
refused='550 5.1.1 no such user here' later='451 4.2.0 try again later' full='452 4.2.2 mailbox full'

# The account that the servers deliver as, and those that a private /etc/passwd may add.
nobody=65534 first_uid=64010

skip() { echo "$name: skipped: $*" >&2; exit 77; }
fail() { echo "$name: $*" >&2; exit 1; }

# load NAME: reads NAME/server.sh, which sets
#   packages  Debian packages to unpack     suite  where from, if not from the machine's own release
#   whole     1: with all that they need, for chroot       also   other names that must be fetched
#   needs     root, isolation (which means root, too)
#   greets    offsets of the ports that greet at once      listens  those that wait for TLS first
# and the functions configure (writes below $B) and launch (runs the servers with `run`).
load() {
  name=$1 packages='' suite='' whole='' also='' needs='' greets='' listens=''
  [ -f "$here/$name/server.sh" ] || { echo "no server is called '$name'; there are: $names" >&2; exit 2; }
  R=$build/root/$name
  # shellcheck source=/dev/null
  . "$here/$name/server.sh"
}

# --- readiness

# answers PORT [greeting]: whether something listens there, and greets if asked for.
answers() {
  (exec 3<>"/dev/tcp/127.0.0.1/$1" && { [ "${2:-}" != greeting ] || read -r -t 5 -u 3 _; }) 2>/dev/null
}

# wait_ready: until every port answers; at most 30 s.
wait_ready() {
  local offset end=$((SECONDS + 30))
  for offset in $greets $listens; do
    case " $greets " in *" $offset "*) set -- greeting ;; *) set -- ;; esac
    until answers $((P + offset)) "$@"; do
      [ $SECONDS -lt $end ] || fail "port $((P + offset)) does not answer; logs are in $B/log"
      alive || fail "it ended at its start: $(tail -n 1 "$B/log/stdout")"
      sleep 0.02
    done
  done
}

# --- processes

# run COMMAND...: in the background, as a child that the script ends.
pids=()
run() {
  "$@" >>"$B/log/stdout" 2>&1 </dev/null &
  pids+=($!)
}

# alive: whether every one of them still runs.
alive() {
  local pid
  for pid in "${pids[@]}"; do kill -0 "$pid" 2>/dev/null || return; done
}

stop() {
  trap - EXIT
  [ ${#pids[@]} = 0 ] || { kill "${pids[@]}" 2>/dev/null || :; wait "${pids[@]}" 2>/dev/null || :; }
}

# isolated FUNCTION: execs it in a private mount and host name namespace: /usr holds the packages, /mnt is $B, /etc is
# the machine's with $B/layer/etc over it. It starts its server with `exec $enter PROGRAM`. Nothing outside $B changes.
isolated() {
  export B R whole host enter=
  export -f isolate "$1"
  exec unshare --mount --uts bash -euc "isolate; $1"
}

isolate() {
  hostname "$host"
  if [ "$whole" ]; then
    mkdir -p "$B/root"
    mount -t overlay overlay -o "lowerdir=$B/layer:$R" "$B/root"
    mount --bind /dev "$B/root/dev"
    mount --bind /proc "$B/root/proc"
    mount -t tmpfs tmpfs "$B/root/tmp"
    mount -t tmpfs tmpfs "$B/root/run"
    mount --bind "$B" "$B/root/mnt"
    cd "$B/root" || exit
    enter='chroot .'
  else
    mount -t overlay overlay -o "lowerdir=$B/layer/usr:$R/usr:/usr" /usr
    mount -t overlay overlay -o "lowerdir=$B/layer/etc:/etc" /etc
    mount --bind "$B" /mnt
  fi
}

# layer [ACCOUNT...]: what `isolate` puts over /etc: these accounts, and no names but the machine's own.
layer() {
  local account uid=$first_uid etc=$B/layer/etc
  mkdir -p "$etc" "$B/layer/usr/lib/sasl2"
  printf '%s\n' 'root:x:0:0::/root:/bin/sh' 'daemon:x:1:1::/:/bin/false' "nobody:x:$nobody:$nobody::/:/bin/false" >"$etc/passwd"
  printf '%s\n' 'root:x:0:' 'daemon:x:1:' "nogroup:x:$nobody:" >"$etc/group"
  for account; do
    echo "$account:x:$uid:$uid::/:/bin/sh" >>"$etc/passwd"
    echo "$account:x:$uid:" >>"$etc/group"
    uid=$((uid + 1))
  done
  printf '%s: files\n' passwd group shadow hosts services >"$etc/nsswitch.conf"
  echo "127.0.0.1 $host localhost" >"$etc/hosts"
  echo 'nameserver 127.0.0.1' >"$etc/resolv.conf"
}

# --- passwords

# sasl_account CONFIG DATABASE [SEEN_AS]: the Cyrus SASL configuration file and the database with the one account;
# SEEN_AS is the database's path for the server.
sasl_account() {
  mkdir -p "$(dirname "$1")" "$(dirname "$2")"
  printf '%s\n' 'pwcheck_method: auxprop' 'auxprop_plugin: sasldb' "sasldb_path: ${3:-$2}" "mech_list: $mechanisms" >"$1"
  rm -f "$2"
  echo "$password" | LD_LIBRARY_PATH=$R/usr/lib/$triplet SASL_PATH=$R/usr/lib/$triplet/sasl2 \
    "$R/usr/sbin/saslpasswd2" -p -c -f "$2" -u "$domain" "$user"
}
