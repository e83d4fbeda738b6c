# shellcheck shell=bash
# The smtpd package of tcllib, one process a port. It knows no AUTH; bad*@ gets 553, later*@ and full*@ are taken.
#   +0 no TLS   +1 STARTTLS   +2 STARTTLS announced, refused with 454
packages='tcl8.6 libtcl8.6 tcllib tcl-tls'
greets='0 1 2'

configure() { :; }
launch() {
  local mode offset=0 tcl=$R/usr/share/tcltk
  export LD_LIBRARY_PATH=$R/usr/lib/$triplet TCL_LIBRARY=$tcl/tcl8.6 TCL8_6_TM_PATH=$tcl/tcl8.6/tcl8
  export TCLLIBPATH="{$tcl} {$R/usr/lib/tcltk/$triplet}" host CERT
  for mode in plain tls refuse; do
    run "$R/usr/bin/tclsh8.6" "$here/tcllib/server.tcl" "$B" $((P + offset)) $mode
    offset=$((offset + 1))
  done
}
