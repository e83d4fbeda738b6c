# libsmtp's Tcl package, in the place of tcllib's; its session in mode single. See benches/README.md for the arguments.
set top [file join [file dirname [file normalize [info script]]] ../..]
set auto_path [linsert $auto_path 0 [file join $top build/tcl]]
package require smtp 1.6

lassign $argv port mode messages octets recipients connections kind tls certificate
if {$mode ni {single each} || $tls ne "no" || $octets > 20000000} { exit 3 }
set line [dict get {
    plain "All work and no play makes Jack a dull boy, and nothing else either, ok.\r\n"
    dots ".ll work and no play makes Jack a dull boy, and nothing else either, ok.\r\n"
    lf "All work and no play makes Jack a dull boy, and nothing else either, okay.\n"
} $kind]
set to {}
for {set n 0} {$n < $recipients} {incr n} { lappend to to$n@example.test }
set head "From: Benchmark <from@example.test>\r\nSubject: a message\r\nTo: to@example.test\r\n\r\n"
set message $head[string repeat $line [expr {max(0, ($octets - 80) / [string length $line])}]]
set options [list -usetls 0 -client client.example.test -originator from@example.test -recipients [join $to ", "]]
if {$mode eq "single"} {
    set session [smtp::session open 127.0.0.1 $port {*}$options]
    for {set n 0} {$n < $messages} {incr n} { $session sendmessage -message $message {*}$options }
    $session close
} else {
    for {set n 0} {$n < $messages} {incr n} {
        smtp::sendmessage -message $message -servers 127.0.0.1 -ports $port {*}$options
    }
}
