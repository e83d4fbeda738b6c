#!/usr/bin/env wish
# window.tcl HOST:PORT: a window that sends a message, shows how far it is, and can be used meanwhile.
package require Tk
package require smtp 1.6

set relay [lindex $argv 0]
set state ""

grid [ttk::label .fromlabel -text From] [ttk::entry .from -textvariable from -width 40] -sticky ew
grid [ttk::label .tolabel -text To] [ttk::entry .to -textvariable to] -sticky ew
grid [ttk::label .subjectlabel -text Subject] [ttk::entry .subject -textvariable subject] -sticky ew
grid [text .text -width 60 -height 12] -columnspan 2 -sticky nsew
grid [ttk::progressbar .bar -maximum 1] -columnspan 2 -sticky ew
grid [ttk::button .send -text Send -command send] [ttk::label .state -textvariable state] -sticky ew

# Every field is checked before a byte goes out.
proc send {} {
    global from to subject relay state
    set message "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n[.text get 1.0 end]"
    .send state disabled
    set state "Sending ..."
    set failed [catch {
        smtp::sendmessage -message [encoding convertto utf-8 $message] -servers $relay -originator $from -recipients $to \
            -header [list From $from] -header [list To $to] -header [list Subject $subject] \
            -progress progress -command sent
    } text]
    if {$failed} {ended $text}
}

proc progress {one} {
    set total [dict get $one total]
    if {$total ne ""} {.bar configure -value [expr {double([dict get $one octets]) / $total}]}
}

proc sent {code result report} {
    switch -- [dict get $report status] {
        ok {ended "Sent: [dict get $report queue_id]"}
        partial {ended "Refused: [lmap one $result {lindex $one 0}]"}
        unknown {ended "It may have arrived. Ask before you send it again."}
        default {ended "Not sent: [dict get $report error text]"}
    }
}

proc ended {text} {
    set ::state $text
    .send state !disabled
}
