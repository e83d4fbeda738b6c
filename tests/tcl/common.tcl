# What the tests share: an interpreter with tcllib's smtp, one with this one, and a server that records.
package require tcltest 2
namespace import ::tcltest::test
::tcltest::configure {*}$argv -tmpdir [file join [expr {[info exists env(WORK)] ? $env(WORK) : "/tmp"}] smtp-tests-[pid]]
source [file join [file dirname [file normalize [info script]]] server.tcl]
set top [file dirname [file dirname [file dirname [file normalize [info script]]]]]
# The package that is tested: the one of `make tcl`, or another build.
set package [expr {[info exists env(TCLPACKAGE)] ? $env(TCLPACKAGE) : [file join $top build tcl]}]
set manual [open $top/tcl-binding/smtp.man]
set table [regsub -all {\s+} [read $manual] { }]
close $manual

foreach {name version} {theirs 1.5-1.6 ours 1.6} {
    interp create $name
    if {$name eq "ours"} {$name eval [list lappend auto_path $package]}
    $name eval {package require mime}
    $name eval [list package require smtp $version]
    $name eval {
        # A part with one body, and what a script wants beside it.
        proc part {body args} {
            set token [mime::initialize -canonical text/plain {*}$args -string $body]
            mime::setheader $token Subject test
            return $token
        }
        set to {-recipients bob@d.example -originator ann@c.example -client c.example}
    }
}

# What changes from run to run, or is one header in another place.
proc normal {message} {
    if {![regexp -indices {\r?\n\r?\n} $message end]} {return $message}
    set head [string range $message 0 [lindex $end 0]-1]
    set body [string range $message [lindex $end 1]+1 end]
    set head [regsub -all {\r?\n[ \t]+} $head { }]
    foreach {- boundary} [regexp -all -inline {boundary="([^"]*)"} $head] {
        set head [string map [list $boundary BOUNDARY] $head]
        set body [string map [list $boundary BOUNDARY] $body]
    }
    set fields {}
    foreach line [split [string map {\r {}} $head] \n] {
        # "tcllib adds an empty Bcc" has a test of its own.
        if {$line in {{Bcc: } {To: undisclosed-recipients:;}}} continue
        regsub {^((?:Resent-)?(?:Date|Message-ID|Content-ID)):.*} $line {\1: *} line
        lappend fields $line
    }
    regsub -all -line {^(Content-ID|Date|Message-ID): .*$} $body {\1: *} body
    return [list [lsort -unique $fields] $body]
}

# run WHO ANSWERS SCRIPT: the script's code and result, what was said, and the messages. %PORT% is the server's,
# %DEAD% one where there is none.
proc run {who answers script} {
    set port [server::start $answers]
    set script [string map [list %PORT% $port %DEAD% [server::dead]] $script]
    set code [catch {$who eval $script} result]
    if {$code == 7 && [llength $result] % 2 == 0} {
        array set parts $result
        set result [list $parts(code) $parts(diagnostic)]
    }
    for {set i 0} {$i < 50 && [llength [info commands ::server::talk*]] > 1} {incr i} {after 2; update}
    server::stop $port
    set said [lmap line $server::log($port) {regsub { SIZE=\d+$} $line { SIZE=*}}]
    return [list code $code result $result said $said mail [lmap one $server::mail($port) {normal $one}]]
}

# same NAME ANSWERS SCRIPT: nothing differs.
proc same {name answers script} {
    test $name {the same with both} -body [list run ours $answers $script] -result [run theirs $answers $script]
}

# differs NAME ROW ANSWERS SCRIPT THEIRS OURS: in these keys; the rest is the same. The row is in the table.
proc differs {name row answers script theirs ours} {
    test $name $row -body {
        if {[string first $row $::table] < 0} {return "no row in the manual: $row"}
        set a [run theirs $answers $script]
        set b [run ours $answers $script]
        set out {}
        foreach key {code result said mail} {
            set x [dict get $a $key]
            set y [dict get $b $key]
            if {[dict exists $theirs $key]} {
                if {![string match [dict get $theirs $key] $x]} {lappend out "tcllib $key" $x}
                if {![string match [dict get $ours $key] $y]} {lappend out "ours $key" $y}
                if {$x eq $y} {lappend out "no difference" $key}
            } elseif {$x ne $y} {
                lappend out $key $x $y
            }
        }
        set out
    } -result {}
}

# A server in another process, for what is large or many.
::tcltest::testConstraint sink [info exists env(SINK)]

set S {-servers 127.0.0.1 -ports %PORT%}
set send "smtp::sendmessage \[part Hello\] {*}\$to $S"
set refusing {RCPT {*no@* {550 5.1.1 unknown user}}}

# alone NAME ANSWERS SCRIPT RESULT: about this package alone. %PORT% is the server's.
proc alone {name answers script result} {
    test $name {} -body [list on-server $answers $script] -result $result -match glob
}
proc on-server {answers script} {
    set port [server::start $answers]
    try {
        return [ours eval [string map [list %PORT% $port] $script]]
    } finally {
        server::stop $port
    }
}
set message {-message "From: a@c.example\nTo: b@d.example\n\nHi\n" -client c.example}

# finish: the closing lines.
proc finish {} {
    interp delete theirs
    interp delete ours
    ::tcltest::cleanupTests
    file delete -force [::tcltest::configure -tmpdir]
}

# The names in the table of a section of a page in docs.
proc documented {page section} {
    set channel [open [file join [file dirname [file normalize [info script]]] .. .. docs $page]]
    set names {}
    set within 0
    foreach line [split [read $channel] \n] {
        if {[string match "## *" $line]} {set within [expr {$line eq "## $section"}]}
        if {$within && [regexp {^\| `(\w+)` } $line -> name]} {lappend names $name}
    }
    close $channel
    return $names
}
