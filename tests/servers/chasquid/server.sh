# shellcheck shell=bash
# chasquid 1.11. A login needs TLS. bad*@ gets 550; later*@ and full*@ are taken. It drops commands that follow a
# final dot in the same packet, and closes a minute later.
#   +0 smtp (no login)   +1 submission (login after STARTTLS)   +2 implicit TLS, login
packages=chasquid
greets='0 1' listens=2

configure() {
  local config=$B/config
  mkdir -p "$config/domains/$domain" "$config/certs/$host" "$config/hooks" "$B/data"
  cp "$B/tls/$CERT.pem" "$config/certs/$host/fullchain.pem"
  cp "$B/tls/server.key" "$config/certs/$host/privkey.pem"
  cat >"$config/chasquid.conf" <<END
hostname: "$host"
max_data_size_mb: $((SIZE_LIMIT / 1048576))
smtp_address: "127.0.0.1:$P"
submission_address: "127.0.0.1:$((P + 1))"
submission_over_tls_address: "127.0.0.1:$((P + 2))"
data_dir: "$B/data"
mail_log_path: "$B/log/mail"
END
  # Who is asked whether there is such a recipient, and by what it is delivered.
  cat >"$config/hooks/alias-resolve" <<END
#!/bin/sh
case \$1 in
bad* | '*@'*) ;; # the other is asked for a catch-all
user@* | a@* | b@* | c@*) echo "| $B/deliver \${1%%@*}" ;;
*) echo "| $B/deliver other" ;;
esac
END
  # With as few processes as can be: hundreds of messages come at a time.
  cat >"$B/deliver" <<END
#!/bin/sh
set -e
read -r up rest </proc/uptime
cat >"$B/mail/\$1/\$\$.\$up"
mv "$B/mail/\$1/\$\$.\$up" "$B/mail/\$1/new"
END
  mkdir -p "$B"/mail/{user,a,b,c,other}/new
  chmod 755 "$config/hooks/alias-resolve" "$B/deliver"
  "$R/usr/bin/chasquid-util" -C="$config" user-add "$user@$domain" --password="$password" >"$B/log/user" 2>&1
}

launch() {
  run "$R/usr/bin/chasquid" -config_dir "$B/config" -logfile "$B/log/chasquid"
}
