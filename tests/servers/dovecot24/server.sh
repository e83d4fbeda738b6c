# shellcheck shell=bash
# Dovecot 2.4 of Debian 13, in a chroot: it has SCRAM-*-PLUS (channel binding). LMTP recipients: user a b c.
# shellcheck source=SCRIPTDIR/../dovecot/common.sh
. "$here/dovecot/common.sh"
packages="$packages dash"
suite=trixie whole=1

configure() {
  {
    printf '%s\n' 'dovecot_config_version = 2.4.0' 'dovecot_storage_version = 2.4.0' # must come first
    common
    cat <<E
mail_driver = maildir
mail_path = ~/
mail_inbox_path = ~/
mail_plugins {
  quota = yes
}
quota user {
  driver = count
}
quota_storage_grace = 0
quota_full_tempfail = yes
ssl_server_cert_file = /mnt/tls/$CERT.pem
ssl_server_key_file = /mnt/tls/server.key
ssl_server_ca_file = /mnt/tls/ca.pem
ssl_server_require_crl = no
ssl_server_request_client_cert = yes
auth_allow_cleartext = yes
auth_mechanisms = $passwords scram-sha-1-plus scram-sha-256-plus $oauth external
auth_default_domain = $domain
oauth2 {
  introspection_mode = local
  oauth2_local_validation {
    dict fs {
      fs posix {
        prefix = /mnt/keys/
      }
    }
  }
}
passdb tokens {
  driver = oauth2
  mechanisms_filter = $oauth
}
passdb certificate {
  driver = static
  mechanisms_filter = external
  fields {
    nopassword = yes
  }
}
passdb users {
  driver = passwd-file
  passwd_file_path = /mnt/users
  mechanisms_filter = $passwords scram-sha-1-plus scram-sha-256-plus lookup
}
userdb users {
  driver = passwd-file
  passwd_file_path = /mnt/users
}
E
  } >"$B/dovecot.conf"
  echo "full@$domain:{PLAIN}$password:$nobody:$nobody::/mnt/mail/full::userdb_quota_storage_size=1B" >>"$B/users"
  web_token
}

base64url() { base64 -w 0 | tr '+/' '-_' | tr -d =; }

# The bearer token: a JWT, which the server checks by the key that it has.
web_token() {
  local key=a-key-for-tests-and-nothing-else-whatsoever unsigned
  mkdir -p "$B/keys/default/HS256"
  printf %s "$key" | base64 >"$B/keys/default/HS256/default"
  unsigned=$(printf '{"alg":"HS256","typ":"JWT"}' | base64url).$(
    printf '{"sub":"%s","email":"%s","iat":1700000000,"nbf":1700000000,"exp":4000000000}' "$user@$domain" "$user@$domain" | base64url)
  echo "$unsigned.$(printf %s "$unsigned" | openssl dgst -sha256 -hmac "$key" -binary | base64url)" >"$B/token"
}
