# shellcheck shell=bash
# Exim (exim4-daemon-heavy).
#   +0 smtp: STARTTLS, AUTH after TLS    +1 submission: STARTTLS, AUTH before and after TLS
#   +2 submissions: implicit TLS, AUTH   +3 STARTTLS announced, refused with 454
#   +4 hardly an extension announced     +5 asks for a client certificate; AUTH EXTERNAL if it verifies
# XOAUTH2: token `token`. A recipient prdrbad*@ is refused after DATA, for itself alone (PRDR).
packages='exim4-daemon-heavy sasl2-bin libsasl2-modules libsasl2-modules-db'
needs=isolation
greets='0 1 3 4 5' listens=2

configure() {
  local account=Debian-exim # compiled in
  layer $account
  sasl_account "$B/layer/usr/lib/sasl2/exim.conf" "$B/sasl/sasldb2" /mnt/sasl/sasldb2
  mkdir -p "$B/spool"
  chown -R "$first_uid" "$B"/{spool,log,mail,sasl,tls}
  cat >"$B/exim.conf" <<E
spool_directory = /mnt/spool
log_file_path = /mnt/log/%slog
pid_file_path = /mnt/exim.pid
primary_hostname = $host
local_interfaces = <; 127.0.0.1
daemon_smtp_ports = $P : $((P + 1)) : $((P + 2)) : $((P + 3)) : $((P + 4)) : $((P + 5))
daemon_startup_retries = 0
tls_on_connect_ports = $((P + 2))
UNLESS_BARE = \${if eq{\$received_port}{$((P + 4))}{}{*}}
tls_advertise_hosts = UNLESS_BARE
pipelining_advertise_hosts = UNLESS_BARE
chunking_advertise_hosts = UNLESS_BARE
dsn_advertise_hosts = UNLESS_BARE
smtputf8_advertise_hosts = UNLESS_BARE
prdr_enable = yes
accept_8bitmime = yes
auth_advertise_hosts = \${if or{ {eq{\$received_port}{$((P + 1))}} {def:tls_in_cipher} }{*}{}}
tls_certificate = /mnt/tls/$CERT.pem
tls_privatekey = /mnt/tls/server.key
tls_verify_certificates = \${if eq{\$received_port}{$((P + 5))}{/mnt/tls/ca.pem}{}}
tls_try_verify_hosts = \${if eq{\$received_port}{$((P + 5))}{*}{}}
message_size_limit = $SIZE_LIMIT
# with use_crlf below: what is stored is what was sent, octet by octet
received_header_text =
host_lookup =
helo_try_verify_hosts =
rfc1413_hosts =
bounce_return_message = false
smtp_accept_max = 200
smtp_max_unknown_commands = 20
smtp_max_synprot_errors = 20
acl_smtp_rcpt = rcpt
acl_smtp_data_prdr = prdr
acl_smtp_starttls = starttls
acl_smtp_vrfy = vrfy
acl_smtp_etrn =
never_users = root
deliver_drop_privilege = yes
qualify_domain = $domain
timezone = UTC
begin acl
rcpt:
  deny  local_parts = ^bad
        message = $refused
  defer local_parts = ^later
        message = $later
  defer local_parts = ^full
        message = $full
  accept domains = $domain
  deny  message = 550 5.7.1 relaying denied
prdr:
  deny  local_parts = ^prdrbad
        message = 550 5.7.0 this recipient refuses the content
  accept
starttls:
  defer condition = \${if eq{\$received_port}{$((P + 3))}}
        message = 454 4.7.0 TLS not available
  accept
vrfy:
  accept domains = $domain
begin routers
known:
  driver = accept
  domains = $domain
  local_parts = user : a : b : c
  transport = known
other:
  driver = accept
  domains = $domain
  transport = other
begin transports
known:
  driver = appendfile
  directory = /mnt/mail/\$local_part_data
  maildir_format
  create_directory
  user = $account
  use_crlf
  message_prefix =
  message_suffix =
other:
  driver = appendfile
  directory = /mnt/mail/other
  maildir_format
  create_directory
  user = $account
  use_crlf
  message_prefix =
  message_suffix =
begin retry
* * F,1h,1h
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = \${if and{ {eq{\$auth2}{$user@$domain}} {eq{\$auth3}{$password}} }}
  server_set_id = \$auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = <| Username: | Password:
  server_condition = \${if and{ {eq{\$auth1}{$user@$domain}} {eq{\$auth2}{$password}} }}
  server_set_id = \$auth1
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = \${if eq{\$auth1}{$user@$domain}{$password}fail}
  server_set_id = \$auth1
digest:
  driver = cyrus_sasl
  public_name = DIGEST-MD5
  server_service = smtp
  server_hostname = localhost
  server_realm = $domain
  server_set_id = \$auth1
scram1:
  driver = cyrus_sasl
  public_name = SCRAM-SHA-1
  server_service = smtp
  server_realm = $domain
  server_set_id = \$auth1
scram256:
  driver = cyrus_sasl
  public_name = SCRAM-SHA-256
  server_service = smtp
  server_realm = $domain
  server_set_id = \$auth1
ntlm:
  driver = spa
  public_name = NTLM
  server_password = \${if eq{\$auth1}{$user@$domain}{$password}fail}
  server_set_id = \$auth1
xoauth2:
  driver = plaintext
  public_name = XOAUTH2
  server_prompts = :
  # The argument has no NUL, so all of it is \$auth1.
  server_condition = \${if eq{\$auth1}{user=$user@$domain\\x01auth=Bearer token\\x01\\x01}}
  server_set_id = $user@$domain
external:
  driver = external
  public_name = EXTERNAL
  server_param2 = \${certextract{subj_altname,mail,>:}{\$tls_in_peercert}}
  server_condition = \${if and{ {eq{\$tls_in_certificate_verified}{1}} {eq{\$auth2}{\$auth1}} }}
  server_set_id = \$auth1
  server_advertise_condition = \$tls_in_certificate_verified
E
  chmod 644 "$B/exim.conf"
}

# shellcheck disable=SC2086
inside() { exec $enter exim4 -C /mnt/exim.conf -bdf; }
launch() { run isolated inside; }
