#!/usr/bin/env tclsh
# spool.tcl HOST:PORT FOLDER: sends every message of a spool folder once, whatever happens meanwhile, kill -9 included.
#
# A message is a file, whose header says who it is from and who gets it. Its folder says where it stands:
#
#   in        it was not sent; it goes with this run or the next
#   sending   it may be on its way: it was moved here at the commit, before its end was given to the kernel
#   sent      a server has it, for one recipient at least
#   failed    no server wants it
#   unknown   a server may have it: the connection or the program ended while it was in `sending`. Somebody must look
#
# To put a message in, write it elsewhere on the same file system and move it to `in`. One run at a time, which is up to you: Tcl has no locks.
package require smtp 1.6

lassign $argv server folder
cd $folder
file mkdir in sending sent failed unknown

# The commit: from here on the message is not sent again by itself.
proc commit {ready} {
    foreach one $ready {
        set name [dict get $one tag]
        file rename in/$name sending/$name
    }
}

# Where a message goes, by what became of it.
proc place {report} {
    switch -- [dict get $report status] {
        ok - partial {return sent}
        unknown {return unknown}
    }
    set error [dict get $report error]
    if {[dict size $error] && ([dict get $error transient] || [dict get $error kind] in {commit cancelled})} {return in}
    return failed
}

# What an earlier run, which came to a sudden end, has committed.
foreach name [glob -nocomplain -tails -directory sending *] {
    file rename sending/$name unknown/$name
}
foreach name [lsort [glob -nocomplain -tails -directory in *]] {
    # From memory, since the file moves meanwhile.
    set channel [open in/$name rb]
    set octets [read $channel]
    close $channel
    if {[catch {smtp::sendmessage -message $octets -servers [list $server] -tag $name -commit commit} result]} {
        puts stderr "$name: $result"
    }
    set from [expr {[file exists sending/$name] ? "sending" : "in"}]
    set to [place [smtp::lastreport]]
    if {$from ne $to} {file rename $from/$name $to/$name}
}
