# faults.tcl SCRIPTED-SERVER FOLDER ?STEP?: cuts the connection at every octet (or every STEP-th), either way, and holds
# what the package reports against what the server has: accepted means that it has the message, not sent and rejected that
# it has not, unknown only where it cannot be known. Prints the closing line of the tests.
lappend auto_path [expr {[info exists env(TCLPACKAGE)] ? $env(TCLPACKAGE) : [file join [file dirname [info script]] .. .. build tcl]}]
package require smtp 1.6
lassign $argv program folder step
if {$step eq ""} {set step 1}

set passed 0
set failed 0
set running 0
set number 0
set children {}

# A sink that writes its messages to a folder: gives its port.
proc sink {folder args} {
    file mkdir $folder
    set sink [open [list |$::program sink --dump $folder --seconds 600 --reject {bad*=550 5.1.1 no such user} {*}$args]]
    lappend ::children [pid $sink]
    return [lindex [gets $sink] 1]
}

# send FAULT: one message through a proxy with that fault. judge is called with it, its id and the report.
proc send {fault} {
    set id [format <%06d@c.example> [incr ::number]]
    set proxy [open [list |$::program proxy --to 127.0.0.1:$::port --connections 1 --seconds 20 {*}$fault]]
    set listens [lindex [gets $proxy] 1]
    set message "From: a@c.example\r\nTo: b@s.example\r\nDate: Mon, 01 Jan 2024 12:00:00 +0000\r\nMessage-ID: $id\r\n\r\n.dot\r\nand more\r\n"
    smtp::sendmessage -message $message -servers 127.0.0.1 -ports $listens -client c.example -usetls 0 -atleastone 1 \
        -recipients {b@s.example, bad@s.example, d@s.example} -timeout 5 -maxsecs 5 -command [list sent $fault $id $proxy]
    incr ::running
}

# The proxy ends when both sides are done: then the server's record is complete.
proc sent {fault id proxy code result report} {
    chan configure $proxy -blocking 0
    chan event $proxy readable [list ended $fault $id $proxy $code $report]
}

proc ended {fault id proxy code report} {
    read $proxy
    if {![eof $proxy]} return
    catch {close $proxy}
    set why [judge $fault $id $code $report]
    if {$why eq ""} {
        incr ::passed
    } else {
        incr ::failed
        if {$::failed < 5} {puts "$::name $fault: $why\n  $report"}
    }
    incr ::running -1
}

# How often the server has a message.
proc stored {id} {
    foreach file [glob -nocomplain -directory $::dump *.eml] {
        if {[info exists ::known($file)]} continue
        set channel [open $file rb]
        set content [read $channel]
        close $channel
        if {![string match "*and more\n" [string map {\r {}} $content]]} continue
        regexp -nocase {Message-ID: (<\S+>)} $content -> of
        set ::known($file) 1
        incr ::stored($of)
    }
    return [expr {[info exists ::stored($id)] ? $::stored($id) : 0}]
}

proc judge {fault id code report} {
    set outcomes [lmap one [dict get $report recipients] {dict get $one outcome}]
    lassign $outcomes first bad outcome
    incr ::seen($outcome)
    set stored [stored $id]
    lassign $fault kind at
    set half [string match --half-to-server $kind]
    set good [switch $outcome {
        accepted {expr {$stored == 1 && $code == 0}}
        rejected {expr {$stored == 0 && $half}}
        not_sent {expr {$stored == 0}}
        unknown {
            expr {$stored <= 1 && $code == 7 && [dict get $report status] eq "unknown"
                && ([string match *-to-server $kind] ? $at >= $::content : $at >= $::final || $at == 0)}
        }
        default {expr 0}
    }]
    if {!$good} {return "$outcome, the server has it $stored times"}
    if {[string match *-to-server $kind] && $at < $::ending && $stored} {return "half a message was delivered"}
    foreach fate {accepted unknown} {
        if {($first eq $fate) != ($outcome eq $fate)} {return "the outcomes of one message differ: $outcomes"}
    }
    if {$bad ni {rejected not_sent}} {return "the refused recipient is $bad"}
    return ""
}

proc content {file} {
    set channel [open $file rb]
    try {return [read $channel]} finally {close $channel}
}

proc drain {most} {
    while {$::running > $most} {vwait ::running}
}

try {
    foreach {name options} {pipelining {} plain {--no-pipelining}} {
        set dump $folder/$name
        set port [sink $dump {*}$options]
        array unset seen
        array unset known
        lassign {0 0 0} content ending final
        send [list --record $folder/$name.record]
        drain 0
        lassign [list [content $folder/$name.record/1.to-server] [content $folder/$name.record/1.to-client]] to_server to_client
        set content [string first "From: a@c" $to_server]
        set ending [expr {[string last \r\n.\r\n $to_server] + 5}]
        set final [expr {[string first \r\n $to_client [string first "354 " $to_client]] + 2}]
        foreach kind {cut reset half} {
            foreach {direction length} [list to-server [string length $to_server] to-client [string length $to_client]] {
                for {set at 0} {$at < $length} {incr at $step} {
                    send [list --$kind-$direction $at]
                    drain 15
                }
            }
        }
        drain 0
        puts "$name: [lmap outcome [lsort [array names seen]] {string cat $outcome { } $seen($outcome)}]"
        # Where nothing ever went wrong, or everything did, nothing was tested.
        foreach outcome {accepted not_sent unknown} {
            if {![info exists seen($outcome)]} {
                incr failed
                puts "no case ended as $outcome"
            }
        }
    }
} finally {
    foreach child $children {catch {exec kill $child}}
}
puts "faults: $passed passed, $failed failed"
exit [expr {$failed || !$passed}]
