# The client of tests/link in Tcl; core/examples/link_client.rs says what it takes and prints. A mailer is a thing that the
# package has not.
lappend auto_path [file join [file dirname [info script]] .. .. build tcl]
package require smtp 1.6

# Kind and step of a dict that has both where something failed.
proc words {failure} {
    set words {}
    foreach key {kind step} {
        set word [expr {[dict exists $failure $key] ? [dict get $failure $key] : ""}]
        lappend words [expr {$word eq "" ? "-" : $word}]
    }
    return $words
}

proc show {begin report} {
    set words [words [dict get $report error]]
    lappend words [string map {" " ""} [dict get [lindex [dict get $report recipients] 0] outcome]]
    foreach attempt [dict get $report attempts] {
        lappend words [join [list [dict get $attempt server] {*}[words [dict get $attempt error]]] /]
    }
    puts "[format %.2f [expr {([clock milliseconds] - $begin) / 1000.0}]] [join $words]"
    flush stdout
}

set pairs [lassign $argv way pause files]
set options {}
foreach pair $pairs {
    lassign [split $pair =] name value
    if {$name eq "servers"} {set host $value}
    lappend options -$name $value
}
set n 0
foreach file [split $files ,] {
    if {[incr n] > 1} {
        after [expr {$pause * 1000}] {set waited 1}
        vwait waited
    }
    set begin [clock milliseconds]
    set done {}
    set command [list apply {args {set ::done $args}}]
    if {$way eq "session"} {
        if {$n == 1} {set session [smtp::session open $host 25 {*}$options]}
        $session sendmessage -file $file {*}$options -command $command
    } else {
        smtp::sendmessage -file $file {*}$options -command $command
    }
    while {$done eq ""} {vwait done}
    show $begin [lindex $done 2]
}
