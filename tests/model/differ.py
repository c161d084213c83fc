#!/usr/bin/python3
"""Holds the simulator against the model over made-up histories; shrinks what differs.

usage: differ.py [--sim COMMAND] [--seeds N] [--first SEED] [--story FILE] [--keep N] [--stop] [--crowded]

In: seeds, or one story. Out: for each history that differs, a minimal one and what each side says of it; last a line
'N passed, N failed'; exit status 1 if any failed. Promise: notices are compared line by line as a multiset of what
a worker is told; ids and what is behind a notice (`because`) are not.
"""
import argparse
import collections
import json
import os
import subprocess
import sys
import tempfile

import histories
from model import Model
from story import instant_of

MOMENTS = ("consent.ended", "status.changed", "milestone.reached", "closure.one_side", "closure.both", "closure.screen",
           "meeting.changed", "meeting.reminder", "service.credit", "referral.changed")  # one event is behind each
MEMBERS = ("to", "kind", "state", "reason", "case", "other", "due", "urgency", "level", "at")

def plain(notice):
    """What is compared of one output line."""
    if "refused" in notice:
        return ("refused", notice["refused"]["reason"], notice["refused"].get("field"))
    out = {m: notice[m] for m in MEMBERS if notice.get(m) is not None}
    out["at"] = instant_of(out["at"])
    about = {k: v for k, v in (notice.get("about") or {}).items() if v not in (None, [], "")}
    about.pop("notice", None)
    for member in ("start", "end"):
        if member in about:
            about[member] = instant_of(about[member])
    if "reasons" in about:
        about["reasons"] = sorted(about["reasons"])
    if "proposals" in about:
        about["proposals"] = [instant_of(p) for p in about["proposals"]]
    out["about"] = about
    if out["kind"] in MOMENTS:
        out["events"] = sorted(notice["because"].get("events") or [])
    out["contacts"] = sorted(json.dumps(c, sort_keys=True) for c in notice.get("contacts") or [])
    return json.dumps(out, sort_keys=True)


def by_line(lines):
    said = collections.defaultdict(collections.Counter)
    for line in lines:
        said[line["line"]][plain(line)] += 1
    return said


def simulate(sim, stimuli):
    with tempfile.NamedTemporaryFile("w", suffix=".ndjson", delete=False, encoding="utf-8") as f:
        f.write("\n".join(stimuli) + "\n")
    try:
        run = subprocess.run(sim + [f.name], capture_output=True, text=True, timeout=60)
    finally:
        os.unlink(f.name)
    if run.returncode not in (0, 1):
        raise RuntimeError(f"the simulator ended with {run.returncode}: {run.stderr.strip()[-2000:]}")
    return [json.loads(text) for text in run.stdout.splitlines() if text.strip()]


def modelled(stimuli):
    out = []
    Model(lambda line: out.append(json.loads(json.dumps(line)))).play(stimuli)
    return out


def differences(sim, stimuli):
    """-> [(line, only the simulator says, only the model says)]."""
    try:
        theirs = by_line(simulate(sim, stimuli))
    except RuntimeError as e:
        return [(0, [str(e)], [])]
    ours = by_line(modelled(stimuli))
    out = []
    for line in sorted(set(theirs) | set(ours)):
        more, less = theirs[line] - ours[line], ours[line] - theirs[line]
        if more or less:
            out.append((line, sorted(more.elements()), sorted(less.elements())))
    return out


def signature(found):
    """What kind of difference it is: the kinds and states of the first line that differs."""
    _, more, less = found[0]

    def name(text):
        try:
            n = json.loads(text)
        except ValueError:
            return str(text)[:200]
        return (n["kind"], n["state"], n.get("reason")) if isinstance(n, dict) else str(text)
    return (tuple(sorted({str(name(m)) for m in more})), tuple(sorted({str(name(m)) for m in less})))


def shrink(sim, stimuli):
    """Deletes lines as long as the same kind of difference stays."""
    found = differences(sim, stimuli)
    want = signature(found)
    lines = stimuli[:found[0][0]] if found[0][0] else list(stimuli)
    size = max(1, len(lines) // 2)
    while size:
        at = 0
        while at < len(lines):
            fewer = lines[:at] + lines[at + size:]
            now = differences(sim, fewer) if fewer else []
            if now and signature(now) == want:
                lines = fewer
            else:
                at += size
        size //= 2
    return lines


def brief(text):
    """An event on one short line."""
    line = json.loads(text)
    if "type" not in line:
        return text
    head = f"{line['time']} {line['source']}/{line['id']} {line['type']} {line['subject']}"
    more = f" supersedes {line['supersedes']}" if "supersedes" in line else ""
    return head + more + " " + json.dumps(line["data"])


def show(sim, stimuli):
    for number, text in enumerate(stimuli, 1):
        print(f"  {number:3} {brief(text)}")
    for line, more, less in differences(sim, stimuli)[:2]:
        print(f"  at line {line}")
        for text in more:
            print("    sim only:  ", text)
        for text in less:
            print("    model only:", text)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--sim", default=os.path.join(os.environ.get("LINKAGES_BIN", "build/bin"), "linkages-sim"))
    p.add_argument("--seeds", type=int, default=200)
    p.add_argument("--first", type=int, default=1)
    p.add_argument("--keep", type=int, default=3, help="how many differing histories are shrunk and shown")
    p.add_argument("--stop", action="store_true", help="at the first history that differs, without shrinking it")
    p.add_argument("--story", help="compare this one instead")
    p.add_argument("--crowded", action="store_true", help="several families that meet, and much that happens to each")
    p.add_argument("--without", default="", help="what shall not happen, by comma")
    a = p.parse_args()
    sim, failed = a.sim.split(), 0
    if a.story:
        stimuli = open(a.story, encoding="utf-8").read().splitlines()
        show(sim, stimuli)
        return 1 if differences(sim, stimuli) else 0
    kinds = collections.Counter()
    for seed in range(a.first, a.first + a.seeds):
        stimuli = histories.history(seed, tuple(a.without.split(",")), a.crowded)
        found = differences(sim, stimuli)
        if not found:
            continue
        if a.stop:
            print(f"seed {seed} differs")
            return 1
        failed += 1
        kinds[signature(found)] += 1
        if kinds[signature(found)] == 1 and len(kinds) <= a.keep:
            print(f"seed {seed}")
            show(sim, shrink(sim, stimuli))
    for kind, n in kinds.most_common(12):
        print(f"  {n:4} times first: simulator {', '.join(kind[0]) or '-'} | model {', '.join(kind[1]) or '-'}")
    print(f"{a.seeds - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
