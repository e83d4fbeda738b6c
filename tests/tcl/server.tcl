# A server that records what is said to it, in the event loop of the test. Its answers come from a dict:
#   greeting, ehlo (a list of lines), and for a verb (HELO MAIL RCPT DATA dot QUIT ...) a reply, or a list of pairs
#   pattern reply; `close` ends the connection, `silence` says nothing.
namespace eval server {
    variable count 0
}

# start ANSWERS: gives the port; what was said is in server::log(PORT), the messages in server::mail(PORT).
proc server::start {answers} {
    set defaults {greeting {220 s.example ready} ehlo {s.example} HELO {250 s.example} MAIL {250 2.1.0 ok}
        RCPT {250 2.1.5 ok} DATA {354 go} dot {250 2.0.0 taken} QUIT {221 2.0.0 bye} RSET {250 2.0.0 ok} delay 0}
    set answers [dict merge $defaults $answers]
    set listener [socket -server [list ::server::accept $answers] -myaddr 127.0.0.1 0]
    set port [lindex [chan configure $listener -sockname] 2]
    variable log
    variable mail
    variable listeners
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
    if {[string is integer -strict [string range $answer 0 2]] || $answer in {close silence}} {return $answer}
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
            } else {
                set answer [reply $answers $verb $line]
            }
            if {![say $answers $channel $answer]} return
            if {$verb eq "QUIT"} break
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

# A line with its end, whatever that is.
proc server::next2 {channel} {
    while {[gets $channel line] < 0} {
        if {[eof $channel]} {return -code return}
        yield
    }
    return $line\n
}

proc server::auth {answers channel port line} {
    variable log
    lassign [split $line] - mechanism initial
    set ask {}
    switch -- $mechanism {
        PLAIN {if {$initial eq ""} {set ask {{}}}}
        LOGIN {set ask {VXNlcm5hbWU6 UGFzc3dvcmQ6}}
        CRAM-MD5 {set ask [list [binary encode base64 <1.2@s.example>]]}
    }
    foreach challenge $ask {
        say $answers $channel "334 $challenge"
        lappend log($port) [next $channel]
    }
    return [dict get $answers AUTH]
}

# dead: a port on which nothing listens.
proc server::dead {} {
    set listener [socket -server list -myaddr 127.0.0.1 0]
    set port [lindex [chan configure $listener -sockname] 2]
    close $listener
    return $port
}
