# shellcheck shell=bash
# Postfix with Cyrus SASL. It needs no isolation: its paths are all configured, its accounts are any two unused ones.
#   +0 smtp: STARTTLS, no AUTH          +1 submission: STARTTLS, AUTH before and after TLS
#   +2 submissions: implicit TLS, AUTH  +3 STARTTLS announced, refused with 454
#   +4 no extension announced           +5 AUTH only after STARTTLS
#   +6 AUTH through Dovecot, if DOVECOT_AUTH names its socket
#   +7 everything requires STARTTLS (530); XCLIENT and XFORWARD offered
packages='postfix sasl2-bin libsasl2-modules libsasl2-modules-db'
needs=root
greets="0 1 3 4 5 ${DOVECOT_AUTH:+6} 7" listens=2

configure() {
  local etc=$B/etc queue=$B/queue owner=uucp group=news directory libraries modules
  ! getent passwd postfix >/dev/null || owner=postfix
  ! getent group postdrop >/dev/null || group=postdrop
  libraries=$R/usr/lib/postfix:$R/usr/lib/$triplet
  modules=$R/usr/lib/$triplet/sasl2:/usr/lib/$triplet/sasl2
  mkdir -p "$etc" "$B/data" "$queue"/pid
  # Debian's 3.7 reads smtpd.conf from sasl/ beside main.cf, later ones from cyrus_sasl_config_path.
  sasl_account "$etc/sasl/smtpd.conf" "$B/sasl/sasldb2"
  for directory in incoming active bounce defer deferred flush hold corrupt trace saved maildrop public private; do
    mkdir -p "$queue/$directory"
    chown "$owner" "$queue/$directory"
  done
  chmod 755 "$B" "$queue"
  chown "$owner" "$B/data" "$B/sasl/sasldb2"
  chown "$nobody:$nobody" "$B/mail"
  cat >"$etc/main.cf" <<E
compatibility_level = 3.6
command_directory = $R/usr/sbin
daemon_directory = $R/usr/lib/postfix/sbin
shlib_directory = $R/usr/lib/postfix
meta_directory = $etc
data_directory = $B/data
queue_directory = $queue
config_directory = $etc
mail_owner = $owner
setgid_group = $group
import_environment = MAIL_CONFIG MAIL_LOGTAG POSTLOG_SERVICE POSTLOG_HOSTNAME LANG=C TZ=UTC LD_LIBRARY_PATH=$libraries SASL_PATH=$modules
export_environment = TZ MAIL_CONFIG LANG PATH LD_LIBRARY_PATH SASL_PATH
maillog_file_prefixes = $B/log
maillog_file = $B/log/mail.log
myhostname = $host
mydomain = $domain
myorigin = $domain
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mydestination =
relay_domains =
default_transport = error:5.1.2 this server never relays
relay_transport = error:5.1.2 this server never relays
alias_maps =
local_recipient_maps =
biff = no
# else it completes headers
local_header_rewrite_clients =
append_dot_mydomain = no
smtp_dns_support_level = disabled
smtpd_peername_lookup = no
smtpd_client_connection_rate_limit = 0
smtpd_client_connection_count_limit = 0
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 100
smtpd_hard_error_limit = 200
default_process_limit = 100
message_size_limit = $SIZE_LIMIT
virtual_mailbox_limit = 0
virtual_mailbox_domains = $domain
virtual_mailbox_base = $B/mail
virtual_mailbox_maps = texthash:$etc/mailboxes, static:other/
virtual_uid_maps = static:$nobody
virtual_gid_maps = static:$nobody
virtual_minimum_uid = 1
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions = check_recipient_access regexp:$etc/recipients, permit
smtpd_tls_cert_file = $B/tls/$CERT.pem
smtpd_tls_key_file = $B/tls/server.key
smtpd_tls_security_level = may
smtpd_tls_received_header = yes
smtpd_sasl_type = cyrus
smtpd_sasl_path = smtpd
cyrus_sasl_config_path = $etc/sasl
smtpd_sasl_local_domain = $domain
smtpd_sasl_security_options = noanonymous
smtpd_sasl_tls_security_options = noanonymous
E
  printf "%s@$domain %s/\n" user user a a b b c c >"$etc/mailboxes"
  printf '/^%s/ %s\n' bad "$refused" later "$later" full "$full" >"$etc/recipients"
  cp "$R/etc/postfix/dynamicmaps.cf" "$etc/" 2>/dev/null || : >"$etc/dynamicmaps.cf"
  { services; service_processes; } >"$etc/master.cf"
  # It re-reads files younger than 2 s until they have aged: that delays every process.
  touch -d '1 minute ago' "$etc"/*
}

# service OFFSET [OPTION...]
service() {
  echo "127.0.0.1:$((P + $1)) inet n - n - - smtpd"
  shift
  [ $# = 0 ] || printf '    -o %s\n' "$@"
}

services() {
  local auth=smtpd_sasl_auth_enable=yes absent=$B/tls/absent.pem none
  none=pipelining,size,vrfy,etrn,starttls,auth,enhancedstatuscodes,8bitmime,dsn,smtputf8,chunking
  service 0
  service 1 $auth
  service 2 $auth smtpd_tls_wrappermode=yes
  service 3 "smtpd_tls_cert_file=$absent" "smtpd_tls_key_file=$absent"
  service 4 smtpd_discard_ehlo_keywords=$none
  service 5 $auth smtpd_tls_auth_only=yes
  [ -z "${DOVECOT_AUTH:-}" ] || service 6 $auth smtpd_sasl_type=dovecot "smtpd_sasl_path=$DOVECOT_AUTH"
  service 7 smtpd_tls_security_level=encrypt smtpd_authorized_xclient_hosts=127.0.0.1 smtpd_authorized_xforward_hosts=127.0.0.1
}

service_processes() {
  cat <<'E'
pickup    unix n - n 60 1 pickup
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
tlsmgr    unix - - n 1000? 1 tlsmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
error     unix - - n - - error
retry     unix - - n - - error
discard   unix - - n - - discard
virtual   unix - n n - - virtual
anvil     unix - - n - 1 anvil
postlog   unix-dgram n - n - 1 postlogd
E
}

launch() {
  # setsid: it ends its whole process group.
  LD_LIBRARY_PATH=$R/usr/lib/postfix:$R/usr/lib/$triplet run setsid "$R/usr/lib/postfix/sbin/master" -c "$B/etc" -d
}
