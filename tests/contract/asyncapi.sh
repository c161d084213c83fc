#!/bin/sh
# asyncapi.sh - checks schemas/asyncapi.yaml with @asyncapi/parser, from npm.
#
# usage: tests/contract/asyncapi.sh FOLDER    (FOLDER: where the packages are installed, in the build directory)
#
# Exit status: 0 it holds; 1 it does not; 77 skipped, and the reason is printed: no npm, or no registry to be reached.
# A lock file that does not fit, or a package that is not what it says, is no reason to skip.
set -eu
cd "$(dirname "$0")/../.."
folder=$1

skip()
{
	echo "skipped: $*"
	exit 77
}

# A lock file that named a registry would work in one place only.
if grep -n '"resolved"' tests/contract/package-lock.json; then
	echo 'package-lock.json names a registry: npm install --omit-lockfile-registry-resolved'
	exit 1
fi

install()
{
	cp tests/contract/package.json tests/contract/package-lock.json "$folder"
	(cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund --fetch-retries=1 --fetch-timeout=30000) \
		>"$folder/npm.log" 2>&1 || return 1
	cp "$folder/package-lock.json" "$folder/installed"
}

command -v npm >/dev/null || skip 'there is no npm here; apt-get install nodejs npm'
mkdir -p "$folder"
if ! cmp -s tests/contract/package-lock.json "$folder/installed" && ! install; then
	cat "$folder/npm.log"
	grep -Eq 'code (ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ERR_SOCKET_TIMEOUT|E40[37]|E50[0-9])' \
		"$folder/npm.log" || exit 1
	skip 'the npm registry cannot be reached'
fi
cp tests/contract/asyncapi.mjs "$folder"
exec node "$folder/asyncapi.mjs" schemas "$folder/broken"
