#!/bin/sh
# Writes messages with programs: swaks, s-nail, mutt, mpack, mmime, git. $1: where to.
# Run it where the machine has no name that matters: unshare --uts sh -c 'hostname host.example; sh tools.sh DIR'
set -eu
corpus=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HOME="$work" EMAIL=ann@a.example TZ=UTC LC_ALL=C.UTF-8 MAILRC=/dev/null

cd "$work"
printf 'Hello\n.dot\n..\nFrom here\n' >text
printf 'Gr\303\274\303\237e aus K\303\266ln \346\227\245\346\234\254\n' >utf8
printf 'no end' >noend
printf 'a\rb\r\nc\r\n' >crs
head -c 1500 /dev/zero | tr '\0' x >long
printf '\211PNG\r\n\032\n\0\377\376' >a.png
printf '<p>Hello</p>\n' >page.html
printf "From: ann@a.example\nTo: bo@b.example\n\n.bare\n" >data

# An MTA that keeps what it is given.
cat >keep <<'MTA'
#!/bin/sh
exec cat >"$OUT"
MTA
chmod +x keep

swaks_() {
    name=$1
    shift
    swaks --dump-mail --server s.example --helo host.example --from ann@a.example --to bo@b.example "$@" >"$corpus/swaks-$name.eml"
}
swaks_ plain
swaks_ body --body @text
swaks_ utf8 --body @utf8
swaks_ no-end --body @noend
swaks_ crs --body @crs
swaks_ long --body @long
swaks_ header --header 'Subject: own subject' --header 'X-A: 1' --add-header 'X-B: 2'
swaks_ add-bcc --add-header 'Bcc: secret@b.example'
swaks_ folded-bcc --add-header 'Bcc: secret@b.example,\n other@b.example'
swaks_ attach --attach-type image/png --attach-name a.png --attach @a.png
swaks_ attach-two --body @text --attach @a.png --attach-type text/html --attach-body @page.html
swaks_ data --data 'From: %FROM_ADDRESS%\nTo: %TO_ADDRESS%\n\n.dot\nown data\n'
swaks_ no-data-fixup --no-data-fixup --data @data
swaks_ tokens --data 'Subject: x\nDate: %DATE%\nBCC:\tsecret@b.example\n\n%NEW_HEADERS%\n'

nail() {
    name=$1 body=$2
    shift 2
    OUT="$corpus/s-nail-$name.eml" s-nail -:/ -S mta="$work/keep" -S sendwait -S hostname=a.example -S from='Ann <ann@a.example>' \
        -S ttycharset=utf-8 "$@" bo@b.example <"$body"
}
nail text text -s Hello
nail no-subject text
nail no-end noend -s Hello
nail utf8 utf8 -s 'Grüße' -S mime-encoding=quoted-printable
nail utf8-8bit utf8 -s 'Grüße' -S mime-encoding=8bit
nail utf8-base64 utf8 -s 'Grüße' -S mime-encoding=base64
nail latin1 utf8 -s 'Grüße' -S sendcharsets=iso-8859-1,utf-8
nail long long -s 'a long line'
nail crs crs -s crs
nail bcc text -s bcc -b secret@b.example -c cy@c.example
nail attach text -s attach -a a.png -a page.html
nail header text -s header -C 'X-A: 1' -C 'X-B: 2' -S reply-to=re@a.example
nail empty /dev/null -s empty

mutt_() {
    name=$1 body=$2
    shift 2
    OUT="$corpus/mutt-$name.eml" mutt -n -F /dev/null -e "set sendmail='$work/keep' copy=no hostname=a.example from='ann@a.example' realname='Jörg Ann'" \
        -e 'set charset=utf-8 send_charset="us-ascii:iso-8859-1:utf-8"' "$@" -- bo@b.example <"$body"
}
mutt_ text text -s Hello
mutt_ no-subject text
mutt_ no-end noend -s Hello
mutt_ utf8 utf8 -s 'Grüße'
mutt_ utf8-encoded utf8 -s 'Grüße' -e 'unset allow_8bit'
mutt_ crs crs -s crs
mutt_ long long -s long
mutt_ bcc text -s bcc -b secret@b.example -c cy@c.example -e 'set write_bcc=yes'
mutt_ bcc-left-out text -s bcc -b secret@b.example -e 'set write_bcc=no'
mutt_ many-bcc text -s bcc -b 'One <one@b.example>, Two <two@b.example>, Three <three@b.example>, Four <four@b.example>, Five <five@b.example>' \
    -e 'set write_bcc=yes'
mutt_ attach text -s attach -a a.png page.html
mutt_ header text -s header -e 'my_hdr X-A: 1' -e 'my_hdr Dcc: secret@b.example'
mutt_ user-agent text -s 'long subject '"$(seq -s ' ' 60)" -e 'set user_agent=yes'
printf 'From: ann@a.example\nTo: cy@c.example\nBcc: secret@b.example\nSubject: draft\n\ndraft\n' >draft
OUT="$corpus/mutt-draft.eml" mutt -n -F /dev/null -e "set sendmail='$work/keep' copy=no hostname=a.example realname=Ann write_bcc=yes" -H draft </dev/null

mpack_() {
    name=$1
    shift
    rm -f "$corpus/mpack-$name.eml" # it does not write over one
    mpack -o "$corpus/mpack-$name.eml" "$@"
}
mpack_ png -s Picture a.png
mpack_ description -s Picture -d text a.png
mpack_ postscript -s Text -c application/postscript text
mpack_ html -s Page -c application/xhtml page.html
mpack_ utf8 -s Octets -c application/octet-stream utf8
mpack_ empty -s Nothing -c application/octet-stream /dev/null

mmime_() {
    mmime >"$corpus/mblaze-$1.eml"
}
printf 'From: ann@a.example\nTo: bo@b.example\nSubject: Grüße\nBcc: secret@b.example\n\nHello\n.dot\n' | mmime_ text
{ printf 'From: Jörg <ann@a.example>\nTo: bo@b.example\n\n'; cat utf8; } | mmime_ utf8
printf 'From: ann@a.example\nBcc: %s\n\nHello\n' "$(seq -f 'secret%g@b.example' -s ', ' 12)" | mmime_ folded
printf 'From: ann@a.example\nTo: bo@b.example\n\nSee:\n#image/png a.png\n#text/html page.html\n' | mmime_ parts
{ printf 'From: ann@a.example\nTo: bo@b.example\n\n'; cat long; } | mmime_ long
printf 'From: ann@a.example\nTo: bo@b.example\n\n' | mmime_ empty

export GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME='Jörg Ann' GIT_AUTHOR_EMAIL=ann@a.example GIT_COMMITTER_NAME=Ann GIT_COMMITTER_EMAIL=ann@a.example
export GIT_AUTHOR_DATE='2026-01-01T00:00:00Z' GIT_COMMITTER_DATE='2026-01-01T00:00:00Z'
git init -q repo
cd repo
printf 'one\n.dot\nthree\n' >file
git add file
git commit -qm 'Add a file'
printf 'one\r\n.dot\r\nno end' >file
git commit -qam 'Grüße: change line ends

From the body of the message.
.
..'
cp ../a.png ../utf8 .
git add a.png utf8
git commit -qm 'Add octets and a subject that is so long that it must be folded by whoever writes it to a message'
patch() {
    name=$1
    shift
    git format-patch --stdout --no-signature "$@" >"$corpus/git-$name.eml"
}
patch plain -1 HEAD~2 --to=bo@b.example
patch crlf -1 HEAD~1 --to=bo@b.example --cc=cy@c.example
patch binary -1 --to=bo@b.example --add-header='Bcc: secret@b.example'
patch attach -1 --attach=boundary --to=bo@b.example
patch inline -1 HEAD~1 --inline
patch thread -1 HEAD~1 --in-reply-to='<x@a.example>' --from='Eve <eve@e.example>'
patch mbox -2 --thread --cover-letter --base=HEAD~2
patch no-encode -1 HEAD~1 --no-encode-email-headers
send() {
    name=$1
    shift
    OUT="$corpus/git-send-$name.eml" git send-email -q --confirm=never --sendmail-cmd="$work/keep" --from='Jörg <ann@a.example>' --to=bo@b.example \
        --suppress-cc=all --8bit-encoding=UTF-8 "$@"
}
send plain -1 HEAD~2 --no-thread
send utf8 -1 HEAD~1 --cc=cy@c.example --bcc=secret@b.example
send quoted -1 --transfer-encoding=quoted-printable
send base64 -1 --transfer-encoding=base64
