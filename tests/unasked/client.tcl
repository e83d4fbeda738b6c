# The client of `scripted-server unasked`: PORT SENDS PAUSE. While it pauses the event loop stands still.
package require smtp
lassign $argv port sends pause
set session ""
catch {set session [smtp::session open 127.0.0.1 $port -client c.example -timeout 5 -usetls 0]}
for {set n 0} {$n < $sends} {incr n} {
    set outcome not_sent
    if {$session ne ""} {
        set text "From: s$n@c.example\nTo: b@s.example\nDate: x\nMessage-ID: <$n@c>\n\nHello.\n"
        catch {$session sendmessage -message $text}
        catch {
            set recipient [lindex [dict get [smtp::lastreport] recipients] 0]
            set outcome [dict get $recipient outcome]
        }
    }
    puts $outcome
    flush stdout
    after $pause
}
catch {$session close}
