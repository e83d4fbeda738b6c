# shellcheck shell=bash
# nginx's mail proxy; it passes messages on to aiosmtpd. It writes each reply alone, with Nagle's algorithm on.
#   +0 smtp, STARTTLS (no login)   +1 submission (login in clear too)   +2 implicit TLS, login   +10 to +15 aiosmtpd
#   +9 whom nginx asks over HTTP where a client is to be sent: nginx, too
packages='nginx libnginx-mod-mail'
also=aiosmtpd
greets='0 1 10' listens='2 9'

configure() {
  mkdir -p "$B/tmp"
  cat >"$B/nginx.conf" <<END
load_module $R/usr/lib/nginx/modules/ngx_mail_module.so;
daemon off;
master_process off;
pid $B/pid;
error_log $B/log/nginx.log;
events {}
http {
  access_log off;
  client_body_temp_path $B/tmp/body;
  proxy_temp_path $B/tmp/proxy;
  fastcgi_temp_path $B/tmp/fastcgi;
  uwsgi_temp_path $B/tmp/uwsgi;
  scgi_temp_path $B/tmp/scgi;
  map "\$http_auth_method:\$http_auth_user:\$http_auth_pass" \$status_of_login {
    default "Invalid login";
    ~^none: OK;
    "plain:$user@$domain:$password" OK;
  }
  map \$status_of_login \$code_of_login {
    default 535;
    OK "";
  }
  # With none it closes the connection after a wrong login.
  map \$status_of_login \$wait_of_login {
    default 1;
    OK "";
  }
  server {
    listen 127.0.0.1:$((P + 9));
    location / {
      add_header Auth-Status \$status_of_login;
      add_header Auth-Error-Code \$code_of_login;
      add_header Auth-Wait \$wait_of_login;
      add_header Auth-Server 127.0.0.1;
      add_header Auth-Port $((P + 10));
      return 204;
    }
  }
}
mail {
  server_name $host;
  auth_http http://127.0.0.1:$((P + 9))/;
  smtp_capabilities PIPELINING 8BITMIME "SIZE $SIZE_LIMIT";
  ssl_certificate $B/tls/$CERT.pem;
  ssl_certificate_key $B/tls/server.key;
  xclient off;
  server { listen 127.0.0.1:$P; protocol smtp; smtp_auth none; starttls on; }
  server { listen 127.0.0.1:$((P + 1)); protocol smtp; smtp_auth plain login; starttls on; }
  server { listen 127.0.0.1:$((P + 2)) ssl; protocol smtp; smtp_auth plain login; }
}
END
}

launch() {
  export user domain password host refused later full SIZE_LIMIT CERT
  run "$build/root/aiosmtpd/bin/python" "$here/aiosmtpd/server.py" "$B" $((P + 10))
  run "$R/usr/sbin/nginx" -e "$B/log/nginx.log" -p "$B" -c "$B/nginx.conf"
}
