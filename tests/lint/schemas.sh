#!/bin/sh
# Fails when the committed JSON Schemas are not those that the lists in the headers give.
#
# usage: tests/lint/schemas.sh [BIN]     check (BIN: the folder of the programs; default $LINKAGES_BIN)
#        tests/lint/schemas.sh --write [BIN]   write them anew
set -eu
cd "$(dirname "$0")/../.."

write=no
if [ "${1-}" = --write ]; then
	write=yes
	shift
fi
bin=${1:-${LINKAGES_BIN:-build/bin}}

if [ "$write" = yes ]; then
	exec "$bin/linkages-schemas" schemas
fi

made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
"$bin/linkages-schemas" "$made"

stale() {
	! diff -r "$1/events" "$made/events" || ! diff -r "$1/messages" "$made/messages" ||
		! diff -r "$1/notices" "$made/notices" || ! diff "$1/notice.json" "$made/notice.json" ||
		! diff -r "$1/verbs" "$made/verbs" || ! diff "$1/refusal.json" "$made/refusal.json"
}

# The test of the test: a planted change, and a file too many, are found.
planted=$made/planted
mkdir "$planted"
cp -r "$made/events" "$made/messages" "$made/notices" "$made/notice.json" "$made/verbs" "$made/refusal.json" "$planted"
sed 's/"maxLength":32/"maxLength":33/' "$made/events/worker.assigned.json" >"$planted/events/worker.assigned.json"
if ! stale "$planted" >/dev/null; then
	echo "schemas.sh: does not see a planted change" >&2
	exit 1
fi

if stale schemas; then
	echo "schemas/ is stale: run tests/lint/schemas.sh --write" >&2
	exit 1
fi
