# shellcheck shell=bash
# Postfix's smtp-sink: accepts everything, no TLS. +0 and +1 keep what they get in BASE/dump.
#   +0 SMTP                                  +1 LMTP
#   +2 refuses every RCPT with 5xx           +3 with 4xx
#   +4 HELO only                             +5 hangs up at DATA
#   +6 421 to MAIL, then hangs up            +7 waits 1 s before its last reply to DATA
#   +8 no PIPELINING, no 8BITMIME, no enhanced status codes
#   +9 SMTP, keeps nothing: for load
also=postfix
greets='0 1 2 3 4 5 6 7 8 9'
R=$build/root/postfix

configure() {
  mkdir -p "$B/dump"
  as=()
  [ "$(id -u)" != 0 ] || { as=(-u nobody); chown nobody "$B/dump"; }
}

# sink OFFSET OPTION...
sink() {
  local port=$((P + $1))
  shift
  run "$R/usr/sbin/smtp-sink" "${as[@]}" "$@" "127.0.0.1:$port" 200
}

launch() {
  export LD_LIBRARY_PATH=$R/usr/lib/postfix:$R/usr/lib/$triplet
  cd "$B/dump" || exit # opened after it became nobody
  sink 0 -h "$host" -d m.
  sink 1 -h "$host" -L -d m.
  sink 2 -f RCPT
  sink 3 -r RCPT
  sink 4 -e
  sink 5 -q DATA
  sink 6 -Q MAIL
  sink 7 -w 1
  sink 8 -p -8 -E
  sink 9
}
