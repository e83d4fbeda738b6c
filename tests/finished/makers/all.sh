#!/bin/sh
# Makes the corpus anew. $1: a folder into which the packages of debian_data.py are unpacked.
set -eu
cd "$(dirname "$0")"
corpus=../corpus
find "$corpus" -name '*.eml' -exec rm {} +
python3 by_hand.py "$corpus"
python3 python_email.py "$corpus"
python3 debian_data.py "$corpus" "$1"
# shellcheck disable=SC2016 # $0 is for the inner shell
# Programs put the machine's name into their messages: let it have none that matters.
unshare --uts sh -ec '
    hostname host.example
    perl perl.pl "$0"
    php phpmailer.php "$0"
    ruby mail.rb "$0"
    tclsh tcllib.tcl "$0"
    sh tools.sh "$0"' "$corpus"
