# shellcheck shell=bash
# Dovecot 2.3. LMTP recipients: user a b c; full@ is over quota.
# shellcheck source=SCRIPTDIR/../dovecot/common.sh
. "$here/dovecot/common.sh"

configure() {
  {
    common
    cat <<E
mail_location = maildir:~/
mail_plugins = quota
quota_full_tempfail = yes
ssl_cert = </mnt/tls/$CERT.pem
ssl_key = </mnt/tls/server.key
ssl_ca = </mnt/tls/ca.pem
ssl_require_crl = no
ssl_verify_client_cert = yes
auth_ssl_require_client_cert = no
disable_plaintext_auth = no
auth_mechanisms = $passwords $oauth external anonymous
auth_default_realm = $domain
passdb {
  driver = passwd-file
  args = /mnt/tokens
  mechanisms = $oauth
}
passdb {
  driver = static
  args = nopassword=y
  mechanisms = external
}
passdb {
  driver = passwd-file
  args = username_format=%u /mnt/users
  mechanisms = $passwords anonymous lookup
}
userdb {
  driver = passwd-file
  args = username_format=%u /mnt/users
}
plugin {
  quota = maildir:User quota
}
protocol lmtp {
  postmaster_address = postmaster@$domain
}
E
  } >"$B/dovecot.conf"
  echo "full@$domain:{PLAIN}$password:$nobody:$nobody::/mnt/mail/full::userdb_quota_rule=*:bytes=1" >>"$B/users"
  echo token >"$B/token"
  echo "$user@$domain:{PLAIN}token" >"$B/tokens"
}
