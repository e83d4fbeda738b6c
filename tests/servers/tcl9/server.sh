# shellcheck shell=bash
# No server: Tcl 9 of Debian 13, for tests/tcl/run. What it needs comes along, for it is newer than this machine's.
packages='tcl9.0 tcl9.0-dev tcllib tcl-tls'
suite=trixie whole=1
