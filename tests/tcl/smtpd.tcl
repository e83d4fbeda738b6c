# smtpd.tcl ?CERTIFICATE KEY?: tcllib's server as a process. Prints its port, then a line for each message, base64 of a
# list: reverse-path, recipients, lines. Ends with its standard input. Recipients with `bad` in them are refused.
package require smtpd
logger::setlevel critical
proc deliver {args} {
    puts [binary encode base64 [encoding convertto utf-8 $args]]
}
proc recipient {address} {
    if {[string match *bad* $address]} {error "no such user"}
}
chan configure stdout -buffering line
smtpd::configure -deliver ::deliver -validate_recipient ::recipient
if {[llength $argv]} {
    lassign $argv certificate key
    smtpd::configure -usetls 1 -tls1 1 -certfile $certificate -keyfile $key
}
puts [lindex [chan configure [smtpd::start 127.0.0.1 0] -sockname] 2]
chan configure stdin -blocking 0
chan event stdin readable {if {[read stdin] eq "" && [eof stdin]} exit}
vwait forever
