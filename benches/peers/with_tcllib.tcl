# tcllib's mime and smtp, which makes a connection for each message. See benches/README.md for the arguments.
package require mime
package require smtp

lassign $argv port mode messages octets recipients connections kind tls certificate
if {$mode eq "parallel" || $tls ne "no" || $octets > 20000000} { exit 3 }
set line [dict get {
    plain "All work and no play makes Jack a dull boy, and nothing else either, ok.\r\n"
    dots ".ll work and no play makes Jack a dull boy, and nothing else either, ok.\r\n"
    lf "All work and no play makes Jack a dull boy, and nothing else either, okay.\n"
} $kind]
set to {}
for {set n 0} {$n < $recipients} {incr n} { lappend to to$n@example.test }
set body [string repeat $line [expr {max(0, ($octets - 200) / [string length $line])}]]
set token [mime::initialize -canonical text/plain -string $body]
mime::setheader $token From "Benchmark <from@example.test>"
mime::setheader $token Subject "a message"
for {set n 0} {$n < $messages} {incr n} {
    smtp::sendmessage $token -servers 127.0.0.1 -ports $port -usetls 0 -client client.example.test \
        -originator from@example.test -recipients [join $to ", "]
}
mime::finalize $token
