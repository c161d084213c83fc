#!/usr/bin/python3
"""Holds what the simulator tells in all stories against what holds of every telling (domain.md 2, 4, 5); and plays each once
more with a second family of other numbers beside the first, which changes nothing for either.

In: tests/scenarios/, linkages-sim. Out: one line an offence, exit status 1 if there is any. Promise: a story whose families meet
by nature (workers who are required in meetings, tokens made on the spot) is held against the first alone.
"""
import collections
import glob
import hashlib
import json
import os
import re
import sys

from differ import simulate
from story import AGENCY_OF

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SIM = [os.path.join(os.environ.get("LINKAGES_BIN", os.path.join(TREE, "build", "bin")), "linkages-sim")]
BY_AN_EVENT = ("crossover.ended", "consent.ended", "status.changed", "milestone.reached", "closure.one_side", "closure.both",
               "closure.screen", "meeting.changed", "meeting.reminder", "visit.missed", "service.credit", "referral.changed")


def offences(notices, agency_of_case):
    last = {}
    for n in notices:
        before = last.get(n["id"])
        stands = before is not None and before["state"] != "withdrawn"
        agency = agency_of_case.get(n.get("case"))
        crossed = n["level"] in ("registry", "content")
        foreign = [e for e in n["because"].get("events") or [] if AGENCY_OF[e.split("/")[0]] != agency]
        for wrong, why in (
                (n["rev"] != (before["rev"] + 1 if before else 1), "every telling has the next rev"),
                ((n["state"] == "new") == stands, "new is what does not stand, and nothing else is"),
                (n["state"] == "updated" and n["kind"] in BY_AN_EVENT, "a moment is never rewritten"),
                (before and before["kind"] != n["kind"], "one id, one rule"),
                (stands and before["to"] != n["to"], "taken back from who was told"),
                (not crossed and (n.get("other") or n.get("contacts")), "below registry nothing of the other side"),
                (agency and foreign and n["level"] != "content", "the other side's events only at content"),
                (n.get("reason") == "unlinked" and crossed, "unlinked repeats nothing of the other side")):
            if wrong:
                yield f"{why}: {json.dumps(n)}"
        last[n["id"]] = n


def beside(line):
    """The same, said of a family with other numbers."""
    line = json.loads(json.dumps(line))
    line.update(id="z" + line["id"], subject="Z" + line["subject"])
    if "supersedes" in line:
        line["supersedes"] = "z" + line["supersedes"]
    data = line.get("data", {})
    if "other" in data:
        data["other"]["case"] = "Z" + data["other"]["case"]
    for member in data.get("members") or []:
        member["keys"] = {kind: hashlib.sha256(token.encode()).hexdigest()[:32]
                          for kind, token in (member.get("keys") or {}).items()}
    return line


def without_names(notice):
    """As the first family would have been told, but for ids."""
    text = json.dumps({k: v for k, v in notice.items() if k not in ("id", "line")}, sort_keys=True)
    return re.sub(r'"notice": "\w+"', "", re.sub(r"/z", "/", re.sub(r'"(case|other)": "Z', r'"\1": "', text)))


def told(lines):
    return [n for n in simulate(SIM, [json.dumps(line) for line in lines]) if "refused" not in n]


def beside_offences(lines, alone):
    twice = told([again for line in lines for again in ([line, beside(line)] if "type" in line else [line])])
    of = {True: [], False: []}
    for n in twice:
        of[(n.get("case") or "").startswith("Z")].append(n)
    first, second = ({n["id"] for n in of[z] if n.get("case")} for z in (False, True))
    if first & second:
        yield f"two families' notices have one id: {sorted(first & second)[0]}"
    for z in (False, True):
        want = collections.Counter(without_names(n) for n in alone if n.get("case") or not z)
        have = collections.Counter(without_names(n) for n in of[z])
        for text in list((want - have) + (have - want))[:1]:
            yield f"with another family beside it, {'that one' if z else 'this one'} is told otherwise: {text}"


def stimuli(path):
    """The lines of a story that the simulator takes."""
    with open(path, encoding="utf-8") as f:
        texts = f.read().splitlines()
    refused = {n["line"] for n in simulate(SIM, texts) if "refused" in n}
    lines = [json.loads(text) for number, text in enumerate(texts, 1) if text.strip() and number not in refused]
    return [line for line in lines if {"type", "clock", "ack"} & set(line)]


def meets_others(line):
    return bool(line.get("data", {}).get("required")) or '"identity"' in json.dumps(line)


def main():
    found = 0
    for path in sorted(glob.glob(os.path.join(TREE, "tests/scenarios/*.ndjson"))):
        lines = stimuli(path)
        alone = told(lines)
        agencies = {line["subject"]: AGENCY_OF[line["source"]] for line in lines if "type" in line}
        wrong = list(offences(alone, agencies))
        if not any(meets_others(line) for line in lines):
            wrong += beside_offences(lines, alone)
        for text in wrong:
            found += 1
            print(f"{os.path.basename(path)}: {text}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
