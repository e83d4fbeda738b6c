# shellcheck shell=bash
# sendmail 8.17.
#   +0 smtp: STARTTLS, no AUTH           +1 submission: STARTTLS, AUTH before and after TLS
#   +2 submissions: implicit TLS, AUTH   +3 AUTH required (530)   +4 no STARTTLS
packages='sendmail-bin sendmail-base sendmail-cf m4 sasl2-bin libsasl2-modules libsasl2-modules-db'
needs=isolation
greets='0 1 3 4' listens=2

configure() {
  layer
  mkdir -p "$B"/{etc,queue,run}
  chmod 700 "$B/queue"
  chmod 755 "$B"
  sasl_account "$B/layer/usr/lib/sasl2/Sendmail.conf" "$B/sasl/sasldb2" /mnt/sasl/sasldb2
  chown "$nobody" "$B/mail"
  cat >"$B/deliver" <<'E'
#!/bin/sh -e
case $1 in user|a|b|c) box=/mnt/mail/$1 ;; *) box=/mnt/mail/other ;; esac
mkdir -p $box/tmp $box/new
file=$(mktemp $box/tmp/XXXXXXXXXX)
cat >$file
mv $file $box/new/
E
  chmod 755 "$B/deliver"
  echo "$domain" >"$B/etc/local-host-names"
  : >"$B/etc/trusted-users"
  printf 'hosts files\naliases files\n' >"$B/etc/service.switch"
  macros >"$B/sendmail.mc"
  "$R/usr/bin/m4" "$B/sendmail.mc" >"$B/sendmail.cf"
  # The local mailer: no aliases, no account, no From_ line, no header added.
  sed -i 's/^\(Mlocal,.*F=\)[^,]*/\1lsnq9/; s|^O AliasFile=.*|#&|' "$B/sendmail.cf"
}

# second WORD...: the enhanced status code of a reply
second() { echo "$2"; }

# shellcheck disable=SC2086
macros() {
  cat <<E
divert(-1)
define(\`_CF_DIR_', \`$R/usr/share/sendmail/cf/')
divert(0)dnl
include(\`$R/usr/share/sendmail/cf/m4/cf.m4')dnl
VERSIONID(\`interop')dnl
OSTYPE(\`linux')dnl
define(\`MAIL_SETTINGS_DIR', \`/mnt/etc/')dnl
define(\`ALIAS_FILE', \`')dnl
define(\`HELP_FILE', \`/mnt/etc/helpfile')dnl
define(\`STATUS_FILE', \`/mnt/log/stat')dnl
define(\`QUEUE_DIR', \`/mnt/queue')dnl
define(\`confPID_FILE', \`/mnt/run/sendmail.pid')dnl
define(\`confCW_FILE', \`/mnt/etc/local-host-names')dnl
define(\`confCT_FILE', \`/mnt/etc/trusted-users')dnl
define(\`confDOMAIN_NAME', \`$host')dnl
define(\`confSERVICE_SWITCH_FILE', \`/mnt/etc/service.switch')dnl
define(\`confLOG_LEVEL', \`14')dnl
define(\`confTO_IDENT', \`0')dnl
define(\`confTO_ICONNECT', \`1s')dnl
define(\`confDEF_USER_ID', \`$nobody:$nobody')dnl
define(\`confPRIVACY_FLAGS', \`authwarnings')dnl
define(\`confMAX_MESSAGE_SIZE', \`$SIZE_LIMIT')dnl
define(\`confBAD_RCPT_THROTTLE', \`0')dnl
define(\`confCONNECTION_RATE_THROTTLE', \`0')dnl
define(\`confREFUSE_LA', \`999')dnl
define(\`confQUEUE_LA', \`999')dnl
define(\`confDONT_PROBE_INTERFACES', \`True')dnl
define(\`confDONT_BLAME_SENDMAIL', \`GroupReadableKeyFile,GroupReadableSASLDBFile')dnl
define(\`confAUTH_MECHANISMS', \`$mechanisms')dnl
define(\`confAUTH_REALM', \`$domain')dnl
TRUST_AUTH_MECH(\`$mechanisms')dnl
define(\`confCACERT_PATH', \`/mnt/tls')dnl
define(\`confCACERT', \`/mnt/tls/ca.pem')dnl
define(\`confSERVER_CERT', \`/mnt/tls/$CERT.pem')dnl
define(\`confSERVER_KEY', \`/mnt/tls/server.key')dnl
define(\`confTLS_SRV_OPTIONS', \`V')dnl
define(\`SMART_HOST', \`error:5.7.1:this server never relays')dnl
FEATURE(\`no_default_msa')dnl
FEATURE(\`nocanonify')dnl
FEATURE(\`accept_unresolvable_domains')dnl
FEATURE(\`accept_unqualified_senders')dnl
FEATURE(\`use_cw_file')dnl
DAEMON_OPTIONS(\`Name=MTA, Family=inet, Addr=127.0.0.1, Port=$P, M=A')dnl
DAEMON_OPTIONS(\`Name=MSA, Family=inet, Addr=127.0.0.1, Port=$((P + 1))')dnl
DAEMON_OPTIONS(\`Name=TLSMSA, Family=inet, Addr=127.0.0.1, Port=$((P + 2)), M=s')dnl
DAEMON_OPTIONS(\`Name=AMSA, Family=inet, Addr=127.0.0.1, Port=$((P + 3)), M=a')dnl
DAEMON_OPTIONS(\`Name=NOTLS, Family=inet, Addr=127.0.0.1, Port=$((P + 4)), M=SA')dnl
define(\`LOCAL_MAILER_PATH', \`/mnt/deliver')dnl
define(\`LOCAL_MAILER_ARGS', \`deliver \$u')dnl
define(\`LOCAL_SHELL_PATH', \`/bin/false')dnl
MAILER(\`local')dnl
MAILER(\`smtp')dnl
LOCAL_CONFIG
Krefused regex -s1 ^<?(bad|later|full)
LOCAL_RULESETS
SLocal_check_rcpt
R\$*	\$: \$(refused \$1 \$: ok \$)
Rbad	\$#error \$@ $(second $refused) \$: "$refused"
Rlater	\$#error \$@ $(second $later) \$: "$later"
Rfull	\$#error \$@ $(second $full) \$: "$full"
E
}

# shellcheck disable=SC2086
inside() { exec $enter /usr/libexec/sendmail/sendmail -C /mnt/sendmail.cf -bD; }
launch() { run isolated inside; }
