#!/bin/sh
# Fails when schemas/policy.md is not what the lists of daemon/engine/policy.h give.
#
# usage: tests/lint/policy_doc.sh [BIN]     check (BIN: the folder of the programs; default $LINKAGES_BIN)
#        tests/lint/policy_doc.sh --write [BIN]   write it anew
set -eu
cd "$(dirname "$0")/../.."

write=no
if [ "${1-}" = --write ]; then
	write=yes
	shift
fi
bin=${1:-${LINKAGES_BIN:-build/bin}}
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
"$bin/linkages-policy-doc" >"$made/policy.md"

if [ "$write" = yes ]; then
	cp "$made/policy.md" schemas/policy.md
	exit
fi

# The test of the test: another value, and a key too few, are found.
sed 's/| 7 days |/| 8 days |/' "$made/policy.md" >"$made/planted"
grep -v 'meetings.buffer' "$made/policy.md" >"$made/shorter"
for offence in planted shorter; do
	if diff "$made/$offence" "$made/policy.md" >/dev/null; then
		echo "policy_doc.sh: does not see a planted change" >&2
		exit 1
	fi
done

# Every key of the shipped file is described.
for key in $(sed -n 's/^  \([a-z_.]*\):$/\1/p' daemon/policy.yaml | grep '\.'); do
	grep -qF "\`rules.$key\`" "$made/policy.md" || {
		echo "policy_doc.sh: rules.$key is not described" >&2
		exit 1
	}
done

if ! diff schemas/policy.md "$made/policy.md"; then
	echo "schemas/policy.md is stale: run tests/lint/policy_doc.sh --write" >&2
	exit 1
fi
