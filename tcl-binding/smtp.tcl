# What is clearer in Tcl: where the octets of a message come from.

namespace eval ::smtp {
    namespace export sendmessage
}

# An empty file that nobody else knows. Windows keeps the name of one that is open, and has a command of ours for this.
if {$::tcl_platform(platform) ne "windows"} {
    proc ::smtp::Unnamed {} {
        set channel [file tempfile name libsmtp]
        file delete $name
        return $channel
    }
}

# A channel from which the message of a part of package mime can be read, and that nobody else knows: the file has no
# name any more. Mime's own commands write it, so the part stays as it is.
proc ::smtp::Spool {token} {
    package require mime
    set channel [Unnamed]
    try {
        # As mime::buildmessage has it; the line ends are the library's business.
        chan configure $channel -translation lf -encoding utf-8 -buffersize 65536
        ::mime::copymessage $token $channel
        chan flush $channel
        chan configure $channel -translation binary
        chan seek $channel 0
        set channel [Mended $channel]
    } on error {message options} {
        catch {chan close $channel}
        return -options $options $message
    }
    return $channel
}

# Mime writes the boundary of a multipart twice, the second time below a line `;` that is not a field.
proc ::smtp::Mended {channel} {
    set head {}
    set broken 0
    while {[chan gets $channel line] > 0} {
        if {$line eq ";"} {
            set broken 1
            chan gets $channel
        } else {
            append head $line \n
        }
    }
    if {!$broken} {
        chan seek $channel 0
        return $channel
    }
    set mended [Unnamed]
    chan configure $mended -translation binary -buffersize 65536
    chan puts $mended $head
    chan copy $channel $mended
    chan close $channel
    chan seek $mended 0
    return $mended
}

proc ::smtp::Open {path} {
    open $path rb
}

# For the word after these: the names of options, or the words that the option before it takes.
proc ::smtp::Candidates {words} {
    set words [lsearch -all -inline -not -exact $words {}]
    if {[llength $words] == 1 && [string trimleft [lindex $words 0] :] in {smtp::session smtp::mailer}} {
        return open
    }
    if {[catch {options [lindex $words end]} known]} {
        return [lsort [options]]
    }
    return [expr {[dict get $known kind] eq "flag" ? "yes no" : [dict get $known words]}]
}

# With package tclreadline a prompt completes options and their words.
if {[namespace exists ::tclreadline]} {
    namespace eval ::tclreadline::smtp {
        foreach command {sendmessage verify session mailer tls} {
            proc complete($command) {text start end line pos mod} {
                set before [string range $line 0 [expr {$start - 1}]]
                return [::tclreadline::CompleteFromList $text [::smtp::Candidates [::tclreadline::ProperList $before]]]
            }
        }
        unset command
    }
}
