# What is clearer in Tcl: where the octets of a message come from.

namespace eval ::smtp {
    namespace export sendmessage
}

# A channel from which the message of a part of package mime can be read, and that nobody else knows: the file has no
# name any more. Mime's own commands write it, so the part stays as it is.
proc ::smtp::Spool {token} {
    package require mime
    set channel [file tempfile name libsmtp]
    try {
        file delete $name
        # As mime::buildmessage has it; the line ends are the library's business.
        chan configure $channel -translation lf -encoding utf-8 -buffersize 65536
        ::mime::copymessage $token $channel
        chan flush $channel
        chan configure $channel -translation binary
        chan seek $channel 0
    } on error {message options} {
        catch {chan close $channel}
        return -options $options $message
    }
    return $channel
}

proc ::smtp::Open {path} {
    open $path rb
}
