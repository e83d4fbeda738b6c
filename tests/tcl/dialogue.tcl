# dialogue.tcl FOLDER: sends the message of a dialogue file and prints the report (tests/dialogues/README.md).
#
# For `scripted-server run FILES... -- tclsh tests/tcl/dialogue.tcl`.
lappend auto_path [expr {[info exists env(TCLPACKAGE)] ? $env(TCLPACKAGE) : [file join [file dirname [info script]] .. .. build tcl]}]
package require smtp 1.6

proc read_file {path} {
    set channel [open $path rb]
    try {return [read $channel]} finally {close $channel}
}

# An option of the file as this package wants it.
proc option {name value} {
    switch -- $name {
        header {
            set colon [string first : $value]
            if {$colon < 0} {return [list -header [list $value ""]]}
            set key [string trimright [string range $value 0 $colon-1]]
            return [list -header [list $key [string trim [string range $value $colon+1 end]]]]
        }
        tlspolicy {
            return [list -tlspolicy [list apply {{answer code diagnostic} {return $answer}} $value]]
        }
    }
    return [list -$name $value]
}

proc word {text} {
    if {$text eq ""} {return -}
    return [string map {\n " / "} $text]
}

# An answer's code, and one of its texts.
proc said {reply key} {
    if {$reply eq ""} {return "- -"}
    return "[dict get $reply code] [word [dict get $reply $key]]"
}

proc fault {one} {
    dict with one {
        return "$kind $step [expr {$transient ? "transient" : "permanent"}] [said $reply enhanced]"
    }
}

proc print {report} {
    set state [dict get $report status]
    set error [dict get $report error]
    switch -- $state {
        ok {set state sent}
        partial - unknown {}
        recipients {set state not_sent}
        default {set state error}
    }
    puts "status = $state"
    if {[dict size $error]} {
        puts "error = [fault $error]"
        puts "error_text = [word [dict get $error message]]"
    }
    set refused {}
    foreach one [dict get $report recipients] {
        dict with one {
            puts "recipient = $address $outcome $step [said $reply enhanced]"
            if {$outcome eq "rejected"} {lappend refused "refused = $address [said $reply text]"}
        }
    }
    foreach line $refused {puts $line}
    puts "reply = [expr {[dict get $report reply] eq "" ? "-" : [said [dict get $report reply] text]}]"
    puts "queue_id = [word [dict get $report queue_id]]"
    foreach one [dict get $report attempts] {
        puts "attempt = [expr {[dict get $one error] eq "" ? "ok" : [fault [dict get $one error]]}]"
    }
    puts "used = [dict get $report used]"
    puts "avoided = [dict get $report avoided]"
    fields {} $report
}

# A line for each field that has no fields of its own. A dict does not tell which of them are records, and which are lists.
proc fields {path record} {
    dict for {name value} $record {
        set at [string trimleft $path.$name .]
        if {$value eq ""} {
            puts "field = $at -"
        } elseif {$name in {reply error tls times} && ![string is wideinteger -strict $value]} {
            fields $at $value
        } elseif {$name in {recipients attempts logins}} {
            set n -1
            foreach one $value {fields $at.[incr n] $one}
        } elseif {$name in {used avoided}} {
            set n -1
            foreach one $value {puts "field = $at.[incr n] [word $one]"}
        } else {
            puts "field = $at [word $value]"
        }
    }
}

chan configure stdout -encoding utf-8
set folder [lindex $argv end]
# The package completes names as tcllib does; elsewhere they are errors.
set arguments {-defaultdomain {}}
foreach {name value} [lrange [split [encoding convertfrom utf-8 [read_file $folder/options]] \0] 0 end-1] {
    lappend arguments {*}[option $name $value]
}
proc commit {words ready} {
    foreach one $ready {
        dict with one {puts "commit = $attempt [word $tag] [word $message_id] $recipients"}
    }
    if {$words ne ""} {error $words}
}
if {[file exists $folder/commit]} {
    lappend arguments -commit [list commit [read_file $folder/commit]]
}
# The same message twice over one session, with a pause between them; the second one counts.
proc again {message pause arguments} {
    set session [smtp::session open [dict get $arguments -servers] [dict get $arguments -ports] {*}$arguments]
    if {[dict exists $arguments -commit]} {dict unset arguments -commit} ;# it belongs to the session
    catch {$session sendmessage -file $message {*}$arguments}
    after $pause ;# the event loop stands still
    catch {$session sendmessage -file $message {*}$arguments}
    $session close
}
# The function that the lines `token` describe.
proc token {reason} {
    global tokens
    if {![llength $tokens]} {error "it was asked once more than the dialogue has tokens"}
    set tokens [lassign $tokens expected given]
    if {$expected ne $reason} {error "it was asked because of $reason, not $expected"}
    if {[string index $given 0] eq "!"} {error [string range $given 1 end]}
    return $given
}
if {[file exists $folder/tokens]} {
    set tokens [lrange [split [encoding convertfrom utf-8 [read_file $folder/tokens]] \0] 0 end-1]
    lappend arguments -oauthcommand token
}
# The mechanism that the lines `mechanism` and `step` describe: its steps are left over in the variable of its name.
proc mechanism {name login} {
    upvar #0 steps($name) steps
    set challenge [expr {[dict exists $login challenge] ? [dict get $login challenge] : "-"}]
    if {![llength $steps]} {error "it was asked once more than the dialogue has steps"}
    set steps [lassign $steps expected answer]
    if {$expected ne $challenge} {error "it was asked to answer $challenge, not $expected"}
    if {[string index $answer 0] eq "!"} {error [string range $answer 1 end]}
    set word [expr {[string range $answer 0 3] eq "last" ? "done" : "more"}]
    set plus [string first + $answer]
    return [expr {$plus < 0 ? [list $word] : [list $word [string range $answer $plus+1 end]]}]
}
if {[file exists $folder/mechanisms]} {
    foreach {kind first second} [lrange [split [encoding convertfrom utf-8 [read_file $folder/mechanisms]] \0] 0 end-1] {
        if {$kind eq "mechanism"} {
            set name $first
            set steps($name) {}
            lappend arguments -mechanism [list $name [list mechanism $name] $second]
        } else {
            lappend steps($name) $first $second
        }
    }
}
if {[file exists $folder/again]} {
    again $folder/message [read_file $folder/again] $arguments
} else {
    set code [catch {smtp::sendmessage -file $folder/message {*}$arguments} result]
}
if {[smtp::lastreport] ne ""} {
    print [smtp::lastreport]
} else {
    puts "status = error\nerror = [lindex $errorCode 1] setup permanent - -\nerror_text = $result"
}
