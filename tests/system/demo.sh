#!/bin/sh
# demo.sh - a month of a small county through the real thing: ./dev demo
#
# In: the folder of the programs; FAMILIES, DAYS and SEED from the environment. Out: two workers' notices as they come,
# then all notices by kind. Promise: real processes, real lanes (Unix sockets in a folder of its own, CURVE on), the
# embedded default but for a clock that is moved by hand; nothing is left running and nothing is left behind.
set -eu
bin=$1
families=${FAMILIES:-2000}
days=${DAYS:-30}
seed=${SEED:-1}
start=2026-03-02

home=$(mktemp -d "${TMPDIR:-/tmp}/linkages-demo.XXXXXX")
daemon='' live='' cws='' calworks=''

leave()
{
	status=$?
	trap - EXIT INT TERM HUP PIPE
	# shellcheck disable=SC2086 # one word each, or none
	for pid in $live $cws $calworks $daemon; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	rm -rf "$home"
	exit "$status"
}
trap leave EXIT
trap 'exit 130' INT TERM HUP
trap 'exit 141' PIPE # whoever read along has seen enough

fail()
{
	echo "demo: $*" >&2
	[ ! -s "$home/log" ] || tail -n 20 "$home/log" >&2
	exit 1
}

# what, then a command that is true once it is so
await()
{
	what=$1
	tries=0
	shift
	until "$@"; do
		tries=$((tries + 1))
		[ "$tries" -lt 300 ] || fail "$what: not within 30 s"
		kill -0 "$daemon" 2>/dev/null || fail 'linkagesd has ended'
		sleep 0.1
	done
}

# The programs find keys, outboxes and the control socket from here.
export STATE_DIRECTORY="$home/state"
unset RUNTIME_DIRECTORY
intake="ipc://$home/intake"
inbox="ipc://$home/inbox"

printf 'Inventing a county of %s families …\n' "$families"
"$bin/linkages-county" --families "$families" --days "$days" --seed "$seed" --start "$start" --by-day --out "$home/county"

cat >"$home/linkages.yaml" <<YAML
state_directory: $home/state
runtime_directory: $home/state
policy: policy.yaml
clock: manual
lanes:
  feed: ipc://$home/feed
  intake: $intake
  inbox: $inbox
  http: off
YAML
# The county goes live on the first day: its caseload is loaded, and nobody is told of what is long over.
cat >"$home/policy.yaml" <<YAML
moments:
  quiet_before: $start
YAML
"$bin/linkagesd" --config "$home/linkages.yaml" >"$home/log" 2>&1 &
daemon=$!

asks()
{
	"$bin/linkages-ctl" "$@" >/dev/null 2>&1
}
await 'linkagesd answers' asks status

# day: it is the morning of that day, 05:00 or 06:00 at the county
clock()
{
	"$bin/linkages-ctl" clock "$(date -u -d "$1" +%FT13:00:00+00:00)" >"$home/clock.said" 2>&1 ||
		fail "the clock: $(cat "$home/clock.said")"
}
clock "$start"

# Two workers with many families of both agencies: one of child welfare, one of CalWORKs.
busiest()
{
	grep -P "\t$1\t" "$home/county/workers.tsv" | sort -t"$(printf '\t')" -k4,4nr -k1,1 | head -n 1 | cut -f1
}
social_worker=$(busiest social_worker)
ais_worker=$(busiest ais_worker)
printf '\nFollowing %s (child welfare) and %s (CalWORKs) from %s:\n\n' \
	"$social_worker" "$ais_worker" "$start"
"$bin/linkages-sub" --server "$inbox" "$social_worker" "$ais_worker" 2>"$home/live.said" &
live=$!

# what: both agencies at once, each from an outbox of its own
publish()
{
	"$bin/linkages-pub" --server "$intake" "$1/cws-cms.ndjson" >"$home/cws.said" 2>&1 &
	cws=$!
	"$bin/linkages-pub" --server "$intake" "$1/calsaws.ndjson" >"$home/calworks.said" 2>&1 &
	calworks=$!
	wait "$cws" || fail "cws-cms: $(tail -n 3 "$home/cws.said")"
	wait "$calworks" || fail "calsaws: $(tail -n 3 "$home/calworks.said")"
	cws='' calworks=''
}

# The caseload, then a day of both agencies after the other; after each the night passes.
began=$(date +%s%N)
publish "$home/county/caseload"
for day in "$home"/county/2*; do
	publish "$day"
	clock "${day##*/} + 1 day"
done
milliseconds=$((($(date +%s%N) - began) / 1000000))

# Every worker comes back after a month and catches up.
{
	cut -f1 "$home/county/workers.tsv"
	printf 'cws.liaison\ncalworks.liaison\n'
} | xargs -n 500 "$bin/linkages-sub" --server "$inbox" --once --no-store --json >"$home/notices" 2>"$home/sub.said" ||
	fail "linkages-sub: $(tail -n 3 "$home/sub.said")"
"$bin/linkages-ctl" status --json >"$home/status" || fail 'no status'

kill "$live" || fail "linkages-sub: $(tail -n 3 "$home/live.said")"
wait "$live" || true
live=''
printf '\nIn the mailboxes after %s days, by kind:\n\n' "$days"
/usr/bin/python3 - "$home/notices" "$home/status" "$milliseconds" <<'PYTHON'
import collections, json, sys
kinds = collections.defaultdict(collections.Counter)
with open(sys.argv[1], encoding="utf-8") as lines:
    for line in map(json.loads, lines):
        if "notice" in line:
            kinds[line["notice"]["kind"]][line["notice"]["state"]] += 1
states = ("new", "updated", "withdrawn")
total = collections.Counter()
print(f"  {'kind':24}{'new':>9}{'updated':>9}{'withdrawn':>11}")
for kind, of in sorted(kinds.items(), key=lambda k: (-sum(k[1].values()), k[0])):
    total += of
    print(f"  {kind:24}" + f"{of['new']:9}{of['updated']:9}{of['withdrawn']:11}")
print(f"  {'':24}" + f"{total['new']:9}{total['updated']:9}{total['withdrawn']:11}")
store, seconds = json.load(open(sys.argv[2], encoding="utf-8"))["store"], int(sys.argv[3]) / 1000
gone = store["notices"] - sum(total.values())
print(f"\n{store['events']} events in, {store['notices']} notices out to {store['workers']} workers,")
print(f"{store['dead_letters']} refused; {store['ledger_rows']} rows in the disclosure ledger; {seconds:.1f} s.")
print(f"{gone} of the notices are not in the table: what was taken back and may not be")
print("seen any more is not shown to who comes back.")
print("Nobody in this county acknowledges anything: hence notice.unanswered, which goes")
print("to supervisors.")
PYTHON

cat <<'TEXT'

Next:
  SEED=2 ./dev demo
      another county
  build/bin/linkages-sim tests/scenarios/06-two-places.ndjson
      one family's story, notice by notice
  build/bin/linkagesd
      a daemon of your own: README.md, "Try it by hand"
TEXT
