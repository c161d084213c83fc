#!/bin/sh
# text2h.sh NAME FILE - a text file as `static const char NAME[]`, with a NUL behind it.
set -eu
printf '/* Made from %s by text2h.sh. */\nstatic const char %s[] = {' "${2##*/}" "$1"
od -An -v -tx1 "$2" | sed 's/ \([0-9a-f][0-9a-f]\)/0x\1,/g'
printf '0};\n'
