# shellcheck shell=bash
# OpenSMTPD 7.4 of Debian's backports: in 6.8 of Debian 12 itself every TLS handshake fails.
#   +0 smtp: STARTTLS                    +1 submission: AUTH after STARTTLS
#   +2 submissions: implicit TLS, AUTH   +3 no STARTTLS
#   +4 STARTTLS announced, refused with 454   +5 everything requires STARTTLS and AUTH
packages=opensmtpd suite=bookworm-backports
needs=isolation
greets='0 1 3 4 5' listens=2

configure() {
  local filters='filter { bad later full }' tls='pki localhost' own="hostname $host"
  layer opensmtpd opensmtpq mailsink
  mkdir -p "$B/run" "$B/lib/opensmtpd/empty" "$B/spool/smtpd"
  chmod 711 "$B/spool" "$B/spool/smtpd"
  chmod 755 "$B/mail"
  chown $((first_uid + 2)) "$B/mail"
  cat >"$B/refuse-tls" <<'E'
#!/bin/bash
while read -r line; do [ "$line" = 'config|ready' ] && break; done
printf 'register|filter|smtp-in|starttls\nregister|ready\n'
while IFS='|' read -r kind _ _ _ _ session token _; do
  [ "$kind" = filter ] && printf 'filter-result|%s|%s|reject|454 4.7.0 TLS not available\n' "$session" "$token"
done
E
  chmod 755 "$B/refuse-tls"
  cat >"$B/smtpd.conf" <<E
pki localhost cert "/mnt/tls/$CERT.pem"
pki localhost key "/mnt/tls/server.key"
table creds { "$user@$domain" = "$(openssl passwd -6 "$password")" }
table mailboxes { "@$domain" = mailsink }
table bad { "^bad.*@" }
table later { "^later.*@" }
table full { "^full.*@" }
filter bad phase rcpt-to match rcpt-to regex <bad> reject "$refused"
filter later phase rcpt-to match rcpt-to regex <later> reject "$later"
filter full phase rcpt-to match rcpt-to regex <full> reject "$full"
filter notls proc-exec "/mnt/refuse-tls"
smtp max-message-size "$SIZE_LIMIT"
bounce warn-interval 1d
listen on 127.0.0.1 port $P tls $tls $own $filters
listen on 127.0.0.1 port $((P + 1)) tls $tls auth-optional <creds> $own $filters
listen on 127.0.0.1 port $((P + 2)) smtps $tls auth-optional <creds> $own $filters
listen on 127.0.0.1 port $((P + 3)) $own $filters
listen on 127.0.0.1 port $((P + 4)) tls $tls $own filter notls
listen on 127.0.0.1 port $((P + 5)) tls-require $tls auth <creds> $own $filters
action deliver maildir "/mnt/mail/%{dest.user:lowercase}" virtual <mailboxes>
match from any for domain $domain action deliver
match from any auth for domain $domain action deliver
E
  chmod 600 "$B/smtpd.conf"
}

# shellcheck disable=SC2086
inside() {
  mount --bind /mnt/lib /var/lib
  mount --bind /mnt/spool /var/spool
  mount --bind /mnt/run /run
  exec $enter smtpd -d -f /mnt/smtpd.conf
}
launch() { run isolated inside; }
