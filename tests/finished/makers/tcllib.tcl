# Writes messages with tcllib's mime.
package require mime
set corpus [lindex $argv 0]

proc keep {name token} {
    global corpus
    set file [open $corpus/tcllib-$name.eml wb]
    puts -nonewline $file [mime::buildmessage $token]
    close $file
}
proc head {token args} {
    mime::setheader $token From "Ann <ann@a.example>"
    mime::setheader $token To "bo@b.example, Crew: cy@c.example;"
    mime::setheader $token Date "Thu, 01 Jan 2026 00:00:00 +0000"
    foreach {name value} $args { mime::setheader $token $name $value -mode append }
    return $token
}
proc text {string args} { mime::initialize -canonical text/plain {*}$args -string $string }

keep text [head [text "Hello\n.dot\n..\n"] Subject "plain"]
keep crlf [head [text "Hello\r\n.dot\r\nno end"] Subject "crlf"]
keep lone-cr [head [text "a\rb\n\rc"]]
keep empty [text ""]
keep no-head [text "no fields of its own\n"]
keep bcc [head [text "Hello\n"] Bcc "secret@b.example" Bcc "other@b.example"]
keep dcc [head [text "Hello\n"] Dcc "secret@b.example" Cc "cc@b.example"]
keep many [head [text "Hello\n"] Received "from x" Received "from y" X-A 1 X-A 2]
keep latin1 [head [text [encoding convertto iso8859-1 "Gr\u00fc\u00dfe\n"] -param {charset iso-8859-1} -encoding quoted-printable]]
keep utf8-8bit [head [text [encoding convertto utf-8 "Gr\u00fc\u00dfe \u65e5\u672c\n"] -param {charset utf-8} -encoding 8bit]]
keep base64 [head [text [encoding convertto utf-8 [string repeat "\u65e5\u672c " 80]] -param {charset utf-8} -encoding base64]]
keep long-line [head [text [string repeat x 1500]\n]]
keep word [head [text "Hello\n"] Subject [mime::word_encode utf-8 quoted-printable [encoding convertto utf-8 "Gr\u00fc\u00dfe"]]]
set octets [binary format c* {0 1 2 13 10 46 13 10 255 254}]
set image [mime::initialize -canonical "image/png; name=a.png" -string $octets -encoding base64]
keep mixed [head [mime::initialize -canonical multipart/mixed -parts [list [text "one\n"] $image]] Bcc "secret@b.example"]
keep alternative [head [mime::initialize -canonical multipart/alternative -parts \
    [list [text "one\n"] [mime::initialize -canonical text/html -string "<p>one</p>\n"]]]]
keep digest [mime::initialize -canonical multipart/digest -parts \
    [list [mime::initialize -canonical message/rfc822 -parts [list [head [text "inner\n"]]]]]]
