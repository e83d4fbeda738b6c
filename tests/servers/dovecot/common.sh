# shellcheck shell=bash
# What both Dovecots share. Submission hands its mail to a Postfix at +10 and up, whose state is in BASE/relay.
#   +0 submission: STARTTLS, AUTH before and after TLS   +1 submissions: implicit TLS, asks for a client certificate (EXTERNAL)
#   +2 LMTP with STARTTLS                                +3 SASL for Postfix on TCP; also the socket BASE/auth
# RELAY_PORT names another server behind the submission service. XOAUTH2 and OAUTHBEARER: the token in BASE/token.
packages='dovecot-core dovecot-submissiond dovecot-lmtpd'
also=postfix
needs=isolation
greets="0 2 ${RELAY_PORT:-10}" listens='1 3'
[ -z "${RELAY_PORT:-}" ] || greets='0 2'
oauth='xoauth2 oauthbearer' passwords='plain login cram-md5 digest-md5 scram-sha-1 scram-sha-256'

# What follows is the same in the configuration of both versions.
common() {
  local each
  layer
  mkdir -p "$B/run" "$B/state"
  chown "$nobody:$nobody" "$B/mail"
  for each in "$user" a b c; do echo "$each@$domain:{PLAIN}$password:$nobody:$nobody::/mnt/mail/$each::"; done >"$B/users"
  echo "later@$domain:{PLAIN}$password:$nobody:$nobody::/mnt/mail/later::userdb_tempfail=yes" >>"$B/users"
  cat <<E
base_dir = /mnt/run
state_dir = /mnt/state
log_path = /mnt/log/dovecot.log
protocols = submission lmtp
listen = 127.0.0.1
hostname = $host
default_internal_user = daemon
default_internal_group = daemon
default_login_user = nobody
first_valid_uid = 1
first_valid_gid = 1
ssl = yes
auth_ssl_username_from_cert = yes
auth_realms = $domain
auth_failure_delay = 0
auth_verbose = yes
submission_relay_host = 127.0.0.1
submission_relay_port = ${RELAY_PORT:-$((P + 10))}
submission_max_mail_size = $SIZE_LIMIT
service submission-login {
  inet_listener submission {
    port = $P
  }
  inet_listener submissions {
    port = $((P + 1))
    ssl = yes
  }
}
service lmtp {
  inet_listener lmtp {
    port = $((P + 2))
  }
}
service auth {
  unix_listener postfix {
    path = /mnt/auth
    mode = 0666
  }
  inet_listener sasl {
    port = $((P + 3))
  }
}
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
E
}

# shellcheck disable=SC2086
inside() { exec $enter /usr/sbin/dovecot -F -c /mnt/dovecot.conf; }
launch() {
  run isolated inside
  [ -n "${RELAY_PORT:-}" ] || run "$here/start" postfix "$B/relay" $((P + 10))
}
