# server.tcl BASE PORT plain|tls|refuse
package require smtpd
lassign $argv base port mode
logger::setlevel critical

# Stored without a change but LF for CRLF, after the trace headers that smtpd adds.
proc deliver {from recipients data} {
    foreach recipient $recipients {
        set box [lindex [split [string trim $recipient <>] @] 0]
        if {$box ni {user a b c}} { set box other }
        set folder $::base/mail/$box
        file mkdir $folder/new
        set file [clock microseconds].[pid]
        set channel [open $folder/$file w]
        fconfigure $channel -translation lf -encoding iso8859-1
        puts $channel [join $data \n]
        close $channel
        file rename $folder/$file $folder/new/$file
    }
}
proc check_recipient {address} {
    if {[string match bad* [string trim $address <>]]} { error "no such user" }
}
proc check_sender {address} {}

set tls [dict get {plain {} refuse {-usetls 1} tls {-usetls 1 -tls1 1}} $mode]
if {$mode eq "tls"} { lappend tls -certfile $base/tls/$env(CERT).pem -keyfile $base/tls/server.key }
smtpd::configure -deliver ::deliver -validate_recipient ::check_recipient -validate_sender ::check_sender \
    -banner "$env(host) ESMTP tcllib smtpd" {*}$tls
smtpd::start 127.0.0.1 $port
vwait forever
