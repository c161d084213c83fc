#!/bin/sh
# sql2h.sh - turns files of named SQL pieces into one C header, on stdout.
#
# In: .sql files; a piece begins after a line '-- name: NAME' and ends at the next such line.
# Out: for each file an X-list named after it: statements.sql gives SQL_STATEMENTS(S), with S(NAME, "text") a piece.
# Promise: the same files give the same bytes; what could not stand in a C string is refused, not repaired.
set -eu

awk '
function piece_end() {
	if (name != "")
		printf ")"
	name = ""
}
FNR == 1 {
	piece_end()
	list = FILENAME
	sub(/.*\//, "", list)
	sub(/\.sql$/, "", list)
	gsub(/[^A-Za-z0-9]/, "_", list)
	printf "%s#define SQL_%s(S)", (NR > 1 ? "\n" : ""), toupper(list)
}
/["\\]/ {
	print FILENAME ":" FNR ": a double quote or a backslash" > "/dev/stderr"
	exit bad = 1
}
/^-- name: [a-z0-9_]+$/ {
	piece_end()
	name = $3
	printf " \\\n\tS(%s,", name
	next
}
name != "" && NF > 0 { printf " \\\n\t  \"%s\\n\"", $0 }
END {
	piece_end()
	printf "\n"
	exit bad
}' "$@"
