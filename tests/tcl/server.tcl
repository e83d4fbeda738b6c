# A server that records what is said to it, in the event loop of the test. Its answers come from a dict:
#   greeting, ehlo (a list of lines), and for a verb (HELO MAIL RCPT DATA dot QUIT ...) a reply, or a list of pairs
#   pattern reply; `close` ends the connection, `silence` says nothing. tls 1: implicit TLS; certificate: its name.
namespace eval server {
    variable count 0
}

# start ANSWERS: gives the port; what was said is in server::log(PORT), the messages in server::mail(PORT), and how often it
# had to wait for the client, which is the number of round trips, in server::turns(PORT).
proc server::start {answers} {
    set defaults {greeting {220 s.example ready} ehlo {s.example} HELO {250 s.example} MAIL {250 2.1.0 ok}
        RCPT {250 2.1.5 ok} DATA {354 go} dot {250 2.0.0 taken} QUIT {221 2.0.0 bye} RSET {250 2.0.0 ok} delay 0 tls 0 certificate server}
    set answers [dict merge $defaults $answers]
    set listener [socket -server [list ::server::accept $answers] -myaddr 127.0.0.1 0]
    set port [lindex [chan configure $listener -sockname] 2]
    variable log
    variable mail
    variable turns
    variable listeners
    set turns($port) 0
    set log($port) {}
    set mail($port) {}
    set listeners($port) $listener
    return $port
}

proc server::stop {port} {
    variable listeners
    catch {close $listeners($port)}
}

proc server::accept {answers channel address remote} {
    set port [lindex [chan configure $channel -sockname] 2]
    chan configure $channel -blocking 0 -translation binary -buffering full
    if {[dict get $answers greeting] eq "close"} {
        close $channel
        return
    }
    coroutine ::server::talk[incr ::server::count] ::server::talk $answers $channel $port
}

proc server::say {answers channel text} {
    if {$text eq "close"} {
        close $channel
        return 0
    }
    if {$text eq "silence"} {return 1}
    set delay [dict get $answers delay]
    if {$delay > 0} {
        after $delay [list catch [info coroutine]]
        yield
    }
    foreach line [split $text \n] {puts -nonewline $channel $line\r\n}
    return [expr {![catch {flush $channel}]}]
}

proc server::next {channel} {
    while {[gets $channel line] < 0} {
        if {[eof $channel]} {return -code return}
        incr ::server::turns([lindex [chan configure $channel -sockname] 2])
        yield
    }
    return [string trimright $line \r]
}

proc server::hello {lines} {
    set out {}
    foreach line [lrange $lines 0 end-1] {lappend out 250-$line}
    lappend out "250 [lindex $lines end]"
    return [join $out \n]
}

proc server::reply {answers verb line} {
    if {![dict exists $answers $verb]} {return {502 5.5.1 unknown}}
    set answer [dict get $answers $verb]
    if {[string is integer -strict [string range $answer 0 2]] || $answer in {close silence check}} {return $answer}
    foreach {pattern reply} $answer {
        if {[string match -nocase $pattern $line]} {return $reply}
    }
    return {250 2.0.0 ok}
}

proc server::talk {answers channel port} {
    variable log
    variable mail
    chan event $channel readable [list [info coroutine]]
    try {
        if {[dict get $answers tls] && ![encrypt $channel [dict get $answers certificate]]} return
        if {![say $answers $channel [dict get $answers greeting]]} return
        while 1 {
            set line [next $channel]
            lappend log($port) $line
            set verb [string toupper [lindex [split $line] 0]]
            if {$verb eq "EHLO"} {
                set answer [dict get $answers ehlo]
                if {![string is integer -strict [string range $answer 0 2]] && $answer ne "close"} {
                    set answer [hello $answer]
                }
            } elseif {$verb eq "AUTH"} {
                set answer [auth $answers $channel $port $line]
            } elseif {$verb eq "BDAT"} { # all of them LAST
                set message [octets $channel [lindex [split $line] 1]]
                lappend mail($port) $message
                set answer [reply $answers dot $message]
            } else {
                set answer [reply $answers $verb $line]
            }
            if {![say $answers $channel $answer]} return
            if {$verb eq "QUIT"} break
            if {$verb eq "STARTTLS" && [string match 220* $answer]} {
                if {![encrypt $channel [dict get $answers certificate]]} return
                lappend log($port) (encrypted)
                dict set answers ehlo [lsearch -all -inline -not [dict get $answers ehlo] STARTTLS]
            }
            if {$verb eq "DATA" && [string match 354* $answer]} {
                set message {}
                while {[set line [next2 $channel]] ne ".\r\n"} {append message $line}
                lappend mail($port) $message
                if {![say $answers $channel [reply $answers dot $message]]} return
            }
        }
    } finally {
        catch {close $channel}
    }
}

# So many octets.
proc server::octets {channel count} {
    set octets {}
    while {[string length [append octets [read $channel [expr {$count - [string length $octets]}]]]] < $count} {
        if {[eof $channel]} {return -code return}
        incr ::server::turns([lindex [chan configure $channel -sockname] 2])
        yield
    }
    return $octets
}

# A line with its end, whatever that is.
proc server::next2 {channel} {
    while {[gets $channel line] < 0} {
        if {[eof $channel]} {return -code return}
        incr ::server::turns([lindex [chan configure $channel -sockname] 2])
        yield
    }
    return $line\n
}

# A login. AUTH is the reply; with `check` it is 235 where name and password are right, ann and secret, and 535 else;
# with pairs, pattern and reply, a mechanism at a time. X-SITE asks what `challenges` has. What is logged of DIGEST-MD5 and CRAM-MD5 is what stays the same.
proc server::auth {answers channel port line} {
    variable log
    lassign [split $line] - mechanism initial
    set ask {}
    switch -- $mechanism {
        PLAIN {if {$initial eq ""} {set ask {{}}}}
        LOGIN {set ask [expr {$initial eq "" ? {Username: Password:} : "Password:"}]}
        CRAM-MD5 {set ask {<1.2@s.example>}}
        X-SITE {set ask [dict get $answers challenges]}
        DIGEST-MD5 {set ask {{realm="s.example",nonce="OA6MG9tEQGm2hh",qop="auth",algorithm=md5-sess,charset=utf-8}}}
    }
    set said {}
    if {$initial ne ""} {lappend said [binary decode base64 $initial]}
    foreach challenge $ask {
        say $answers $channel "334 [binary encode base64 $challenge]"
        set line [next $channel]
        if {$line eq "*"} {return {501 5.7.0 cancelled}}
        lappend said [binary decode base64 $line]
        if {$mechanism ni {DIGEST-MD5 CRAM-MD5}} {lappend log($port) $line}
    }
    set answer [reply $answers AUTH $mechanism]
    set right [right $mechanism $said]
    if {$mechanism in {DIGEST-MD5 CRAM-MD5}} {lappend log($port) "[expr {$right ne "" ? "right" : "wrong"}]"}
    if {$answer ne "check"} {return $answer}
    if {$right eq ""} {return {535 5.7.8 no}}
    if {$mechanism eq "DIGEST-MD5"} {
        say $answers $channel "334 [binary encode base64 rspauth=$right]"
        next $channel
    }
    return {235 2.7.0 yes}
}

# Whether these are the responses of ann, whose password is secret; of DIGEST-MD5 the server's own proof.
proc server::right {mechanism said} {
    switch -- $mechanism {
        PLAIN {return [expr {[lindex $said 0] eq "\0ann\0secret" ? "yes" : ""}]}
        LOGIN {return [expr {$said eq {ann secret} ? "yes" : ""}]}
        CRAM-MD5 {
            package require md5
            set proof [string tolower [md5::hmac -hex -key secret <1.2@s.example>]]
            return [expr {[lindex $said 0] eq "ann $proof" ? "yes" : ""}]
        }
        DIGEST-MD5 {
            package require md5
            foreach {- name quoted plain} [regexp -all -inline {([a-z-]+)=(?:"([^"]*)"|([^,]*))} [lindex $said 0]] {
                set field($name) $quoted$plain
            }
            set key [md5::md5 ann:$field(realm):secret]:$field(nonce):$field(cnonce)
            foreach side {AUTHENTICATE {}} {
                set second [string tolower [md5::md5 -hex $side:$field(digest-uri)]]
                lappend proofs [string tolower [md5::md5 -hex [join [list [string tolower [md5::md5 -hex $key]] \
                    $field(nonce) $field(nc) $field(cnonce) $field(qop) $second] :]]]
            }
            variable uri $field(digest-uri)
            return [expr {$field(username) eq "ann" && $field(response) eq [lindex $proofs 0] ? [lindex $proofs 1] : ""}]
        }
    }
}

# The handshake of package tls on the server's side; false where it fails.
proc server::encrypt {channel certificate} {
    variable certificates
    if {$certificate eq "none"} { # an alert, handshake_failure
        yield
        puts -nonewline $channel \x15\x03\x01\x00\x02\x02\x28
        flush $channel
        return 0
    }
    chan event $channel readable {}
    tls::import $channel -server 1 -require 0 -command {apply {args {return 1}}} \
        -certfile $certificates/$certificate.pem -keyfile $certificates/server.key
    chan configure $channel -blocking 0 -translation binary -buffering full
    chan event $channel readable [list [info coroutine]]
    while {[catch {tls::handshake $channel} done] || !$done} {
        if {![string match *unavailable* $done] && ![string is integer $done]} {return 0}
        yield
    }
    return 1
}

# socks: the port of a SOCKS5 proxy (RFC 1928, and RFC 1929 where there is a LOGIN), which takes every server for the one at
# this port. What it was asked for, name and port, is in server::log of its own port.
proc server::socks {port {login {}}} {
    variable log
    set listener [socket -server [list ::server::proxied $port $login] -myaddr 127.0.0.1 0]
    set own [lindex [chan configure $listener -sockname] 2]
    variable listeners
    set listeners($own) $listener
    set log($own) {}
    return $own
}

proc server::proxied {port login channel args} {
    chan configure $channel -blocking 0 -translation binary -buffering none
    coroutine ::server::proxy[incr ::server::count] ::server::relay $port $login $channel
}

proc server::relay {port login channel} {
    variable log
    set own [lindex [chan configure $channel -sockname] 2]
    chan event $channel readable [list [info coroutine]]
    try {
        binary scan [octets $channel 2] cc version count
        octets $channel $count
        puts -nonewline $channel \x05[expr {$login eq "" ? "\x00" : "\x02"}]
        if {$login ne ""} {
            binary scan [octets $channel 2] cc - count
            set name [octets $channel $count]
            binary scan [octets $channel 1] c count
            set right [expr {[list $name [octets $channel $count]] eq $login}]
            puts -nonewline $channel \x01[expr {$right ? "\x00" : "\x01"}]
            if {!$right} return
        }
        binary scan [octets $channel 5] ccccc - - - type count
        set host [octets $channel [expr {$type == 3 ? $count : 3}]]
        binary scan [octets $channel 2] Su asked
        lappend log($own) $host $asked
        set server [socket 127.0.0.1 $port]
        chan configure $server -blocking 0 -translation binary -buffering none
        puts -nonewline $channel \x05\x00\x00\x01\x00\x00\x00\x00\x00\x00
        chan event $channel readable {}
        foreach {from to} [list $channel $server $server $channel] {
            chan copy $from $to -command [list apply {{to args} {catch {close $to}}} $to]
        }
        set channel {}
    } finally {
        catch {close $channel}
    }
}

# dead: a port on which nothing listens.
proc server::dead {} {
    set listener [socket -server list -myaddr 127.0.0.1 0]
    set port [lindex [chan configure $listener -sockname] 2]
    close $listener
    return $port
}
