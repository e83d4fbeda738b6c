# shellcheck shell=bash
# Perl's Net::Server::Mail, a process for each connection, as its manual shows it. It has neither TLS nor AUTH here.
# It writes each reply of a group alone, with Nagle's algorithm on, and files commands that follow a final dot as text.
#   +0 PIPELINING, 8BITMIME   +1 no extension
packages='libnet-server-mail-perl perl-base perl perl-modules-5.36 libperl5.36'
greets='0 1'

configure() { :; }
launch() {
  local offset lib=$R/usr/lib/$triplet share=$R/usr/share
  export LD_LIBRARY_PATH=$lib PERL5LIB=$share/perl5:$lib/perl/5.36:$share/perl/5.36:$lib/perl-base
  export host refused later full
  for offset in $greets; do run "$R/usr/bin/perl" "$here/net-server-mail/server.pl" "$B" $((P + offset)) "$offset"; done
}
