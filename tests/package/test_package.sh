#!/bin/sh
# test_package.sh - the three packages on a bare Debian 12: install, first hour, upgrade with data, remove, purge.
#
# usage: test_package.sh BUILD      (BUILD: a release build; its packages are made here)
#
# In: a chroot made by debootstrap, kept as BUILD/bookworm.tar for the next time. Out: what went wrong, exit status 1; 77, with
# the reason, where no chroot can be had. Promise: nothing outside BUILD and a temporary folder is changed, nothing is left
# running.
set -eu
build=$(cd "$1" && pwd)
root=$(mktemp -d /tmp/linkages-chroot.XXXXXX)
chmod 0755 "$root"

skip()
{
	echo "skipped: $*"
	exit 77
}

inside()
{
	chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive LC_ALL=C "$@"
}

fail()
{
	echo "test_package: $*" >&2
	exit 1
}

# The daemon's user runs it; the lanes are on ports of loopback that the chroot shares with this machine.
daemon=''
cleanup()
{
	[ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true
	umount "$root/proc" 2>/dev/null || true
	rm -rf "$root"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

[ "$(id -u)" = 0 ] || skip 'a chroot needs root'
command -v debootstrap >/dev/null || skip 'debootstrap is not installed'
if [ ! -e "$build/bookworm.tar" ]; then
	mirror=$(sed -n 's/^\(URIs: \|deb \)\(http[^ ]*debian\)[ /].*/\2/p; s/^URIs: \(http[^ ]*debian\)$/\1/p' \
		/etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -n 1)
	debootstrap --variant=minbase bookworm "$root" "${mirror:-http://deb.debian.org/debian}" >"$build/debootstrap.log" 2>&1 ||
		skip "debootstrap: $(tail -n 1 "$build/debootstrap.log")"
	tar -C "$root" --one-file-system -cf "$build/bookworm.tar" . && rm -rf "$root" && mkdir -m 0755 "$root"
fi
tar -C "$root" -xf "$build/bookworm.tar"
mount -t proc proc "$root/proc" 2>/dev/null || skip 'proc cannot be mounted here'
cp /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null || true
for file in /etc/apt/apt.conf.d/*proxy*; do
	[ ! -e "$file" ] || cp "$file" "$root/etc/apt/apt.conf.d/"
done

# An older version, as far as dpkg can tell: the same files under a lower number.
(cd "$build" && cpack >/dev/null)
mkdir "$root/new" "$root/old"
cp "$build"/linkages_*.deb "$build"/liblinkages_*.deb "$build"/liblinkages-dev_*.deb "$root/new/"
for deb in "$root"/new/*.deb; do
	dpkg-deb -R "$deb" "$root/unpacked"
	sed -i 's/^Version: .*/Version: 0.0.1/; s/(= [0-9.]*)/(= 0.0.1)/' "$root/unpacked/DEBIAN/control"
	dpkg-deb -b "$root/unpacked" "$root/old/" >/dev/null
	rm -rf "$root/unpacked"
done

# ---- Install: dependencies are complete, the user and folders are there, nothing runs
inside apt-get update -qq || skip 'no package mirror'
inside sh -c 'apt-get install -y -qq --no-install-recommends /old/*.deb >/install.log 2>&1' ||
	fail "does not install: $(tail -n 5 "$root/install.log")"
inside id linkages >/dev/null || fail 'there is no user'
[ "$(inside stat -c '%U:%G %a' /etc/linkages /var/lib/linkages | tr '\n' ' ')" = \
	'root:linkages 750 linkages:linkages 750 ' ] || fail 'the folders are not as they should be'
running()
{
	for process in /proc/[0-9]*; do
		[ "$(readlink "$process/root" 2>/dev/null)" != "$root" ] || cat "$process/comm"
	done
}
[ -z "$(running)" ] || fail "something was started: $(running)"
[ ! -e "$root/etc/linkages/server.key" ] || fail 'keys were made'
for program in "$root"/usr/bin/linkages-* "$root"/usr/sbin/linkagesd; do
	inside "${program#"$root"}" --version >/dev/null || fail "$program does not run"
done
[ -e "$root/usr/share/linkages/examples/policy.yaml" ] || fail 'no examples'
# folder...: links between pages that lead nowhere, 'page: link' each
dead_links()
{
	find "$@" -name '*.md' | while read -r page; do
		grep -o ']([^)]*)' "$page" | sed 's/^](//; s/[#)].*//' | while read -r link; do
			case $link in
			'' | *:*) ;;
			*) [ -e "$(dirname "$page")/$link" ] || echo "$page: $link" ;;
			esac
		done
	done
}
mkdir "$root/planted"
echo 'See [that](there.md), [here](planted.md#part) and [the web](https://linkages.invalid/).' >"$root/planted/planted.md"
[ "$(dead_links "$root/planted")" = "$root/planted/planted.md: there.md" ] || fail 'a planted dead link is not found'
[ -z "$(dead_links "$root/usr/share/doc/linkages" "$root/usr/share/linkages")" ] ||
	fail "links lead nowhere: $(dead_links "$root/usr/share/doc/linkages" "$root/usr/share/linkages")"
find "$root/usr/include/linkages" -name client.h | grep -q . || fail 'no headers'
find "$root/usr/lib" -name linkages.pc -exec grep -q '^prefix=/usr$' {} + || fail 'linkages.pc names another prefix'

# ---- The first hour, as the packages leave it
inside linkages-ctl init >/dev/null
[ "$(inside stat -c '%U:%G %a' /etc/linkages/linkages.yaml /etc/linkages/server.key | tr '\n' ' ')" = \
	'root:linkages 640 root:root 600 ' ] || fail 'configuration or key can be read by the wrong people'
inside linkages-ctl --role worker --covers cws.liaison,calworks.liaison clients add liaisons >/dev/null
ports=$(/usr/bin/python3 -c 'import socket
held = [socket.socket() for _ in range(4)]
[s.bind(("127.0.0.1", 0)) for s in held]
print(*(s.getsockname()[1] for s in held))')
set -- $ports
sed -i "s/127.0.0.1:5561/127.0.0.1:$1/; s/127.0.0.1:5562/127.0.0.1:$2/; s/127.0.0.1:5563/127.0.0.1:$3/; s/127.0.0.1:5564/127.0.0.1:$4/" \
	"$root/etc/linkages/linkages.yaml"
inside linkagesd -n -c /etc/linkages/linkages.yaml >/dev/null || fail 'what init made is not sound'

# As the unit does: the key as a credential, the daemon's user, its folders.
start()
{
	inside install -d -o linkages -g linkages -m 0750 /run/linkages
	inside install -d -o linkages -m 0500 /run/credentials
	inside install -o linkages -m 0400 /etc/linkages/server.key /run/credentials/server.key
	chroot --userspec="$(inside id -u linkages):$(inside id -g linkages)" "$root" env -i CREDENTIALS_DIRECTORY=/run/credentials \
		/usr/sbin/linkagesd -c /etc/linkages/linkages.yaml >"$root/daemon.log" 2>&1 &
	daemon=$!
	for _ in $(seq 100); do
		inside linkages-ctl status --json >"$root/status" 2>/dev/null && return
		kill -0 "$daemon" 2>/dev/null || fail "the daemon ended: $(tail -n 3 "$root/daemon.log")"
		sleep 0.1
	done
	fail "nobody answers: $(inside linkages-ctl status 2>&1 | tail -n 1)"
}

stop()
{
	inside linkages-ctl --yes stop >/dev/null
	wait "$daemon" || fail 'the daemon did not end well'
	daemon=''
}

start
running | grep -qx linkagesd || fail 'a process of the chroot is not seen'
cmp "$root/etc/linkages/server.pub" "$root/var/lib/linkages/server.pub" || fail 'the key is not the credential'
inside linkages-ctl --covers calsaws clients add feed >/dev/null
inside linkages-ctl reload >/dev/null
grep -h '"calsaws"' tests/scenarios/01-crossover.ndjson | grep -v -e '"clock"' -e '"expect"' -e '"never"' >"$root/events"
inside linkages-pub --server "tcp://127.0.0.1:$2" --key /etc/linkages/keys/feed.key --outbox /feed.outbox /events >/dev/null
events=$(inside linkages-ctl status --json | sed 's/.*"events":\([0-9]*\).*/\1/')
[ "$events" -gt 0 ] || fail 'no event was taken'
stop

# ---- Upgrade: the data is there, the configuration is as it was
sum=$(cat "$root"/etc/linkages/*.yaml "$root/etc/linkages/server.key" | md5sum)
inside sh -c 'apt-get install -y -qq --no-install-recommends /new/*.deb >/upgrade.log 2>&1' ||
	fail "does not upgrade: $(tail -n 5 "$root/upgrade.log")"
[ "$sum" = "$(cat "$root"/etc/linkages/*.yaml "$root/etc/linkages/server.key" | md5sum)" ] || fail 'the upgrade changed the configuration'
start
[ "$events" = "$(inside linkages-ctl status --json | sed 's/.*"events":\([0-9]*\).*/\1/')" ] || fail 'the upgrade lost events'
stop

# ---- Remove keeps all of the county's; purge takes keys and configuration, and never a database
inside apt-get remove -y -qq linkages >/dev/null 2>&1 || fail 'cannot be removed'
[ ! -e "$root/usr/sbin/linkagesd" ] && [ -e "$root/etc/linkages/server.key" ] && [ -e "$root/var/lib/linkages/linkages.db" ] ||
	fail 'remove took too much or too little'
inside apt-get purge -y -qq linkages >"$root/purge.log" 2>&1 || fail 'cannot be purged'
[ ! -e "$root/etc/linkages" ] && [ -e "$root/var/lib/linkages/linkages.db" ] || fail 'purge took too much or too little'
grep -q 'holds a database and stays' "$root/purge.log" || fail 'purge does not say what stays'
rm -r "$root/var/lib/linkages"
inside sh -c 'apt-get install -y -qq --no-install-recommends /new/*.deb && apt-get purge -y -qq linkages' >/dev/null 2>&1
[ ! -e "$root/var/lib/linkages" ] || fail 'purge leaves an empty folder'
echo 'install, first hour, upgrade with data, remove, purge: as they should be'
