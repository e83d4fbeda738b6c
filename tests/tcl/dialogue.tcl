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

proc code {code} {
    if {$code == 0} {return -}
    return $code
}

proc fault {one} {
    dict with one {
        return "$kind $step [expr {$transient ? "transient" : "permanent"}] [code $code] [word $enhanced]"
    }
}

proc print {report} {
    set state [dict get $report status]
    set error [dict get $report error]
    switch -- $state {
        ok {set state sent}
        partial - unknown {}
        recipients {set state notsent}
        default {set state error}
    }
    puts "status = $state"
    if {[dict size $error]} {
        puts "error = [fault $error]"
        puts "error_text = [word [dict get $error message]]"
    }
    foreach one [dict get $report recipients] {
        dict with one {
            set outcome [string map {" " ""} $outcome]
            puts "recipient = $address $outcome $step [code $code] [word $enhanced]"
        }
    }
    foreach one [dict get $report refused] {
        lassign $one address code
        # The list has the first line only, as tcllib's; the report has all.
        foreach full [dict get $report recipients] {
            if {[dict get $full address] eq $address} {puts "refused = $address $code [word [dict get $full diagnostic]]"}
        }
    }
    puts "reply = [code [dict get $report code]] [word [dict get $report diagnostic]]"
    puts "queue_id = [word [dict get $report queueid]]"
    foreach one [dict get $report attempts] {
        puts "attempt = [expr {[dict get $one error] eq "" ? "ok" : [fault $one]}]"
    }
    puts "used = [dict get $report used]"
    puts "avoided = [dict get $report avoided]"
}

chan configure stdout -encoding utf-8
set folder [lindex $argv end]
# The package completes names as tcllib does; elsewhere they are errors.
set arguments {-defaultdomain {}}
foreach {name value} [lrange [split [encoding convertfrom utf-8 [read_file $folder/options]] \0] 0 end-1] {
    lappend arguments {*}[option $name $value]
}
# The same message twice over one session, with a pause between them; the second one counts.
proc again {message pause arguments} {
    set session [smtp::session open [dict get $arguments -servers] [dict get $arguments -ports] {*}$arguments]
    catch {$session sendmessage -file $message {*}$arguments}
    after $pause ;# the event loop stands still
    catch {$session sendmessage -file $message {*}$arguments}
    $session close
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
