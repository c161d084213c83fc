#!/usr/bin/python3
"""Holds the JSON Schemas against every story: what agencies say in it, and every notice that the simulator tells.

In: tests/scenarios/, linkages-sim, schemas/. Out: a line for each disagreement, exit status 1. Promise: an event that is
taken is one that its schema lets pass; a notice names in `about` what the schema of its kind lists, and every member that
is listed is told in some story.
"""
import collections
import json
import os
import subprocess
import sys

from contract import ROOT, complaints, notices, schemas

BIN = os.environ.get("LINKAGES_BIN", str(ROOT / "build" / "bin"))
EVENTS = schemas("events")
NOTICE, KINDS = notices()
# What a schema of one type cannot refuse: it needs another event, the source's agency, or the order of two members.
BEYOND_SCHEMA = {"conflict", "unknown_source", "malformed"}


def stories():
    return sorted((ROOT / "tests" / "scenarios").glob("*.ndjson"))


def told(story):
    """What the simulator prints; 1 is 'something was refused', which stories do on purpose."""
    run = subprocess.run([os.path.join(BIN, "linkages-sim"), str(story)], stdout=subprocess.PIPE, check=False)
    if run.returncode not in (0, 1):
        raise AssertionError(f"{story.name}: linkages-sim left with {run.returncode}")
    return [json.loads(line) for line in run.stdout.splitlines()]


def sealed_members(value):
    """Stories may be written with `identity`, which never leaves an agency's machine."""
    return any("identity" in member for member in (value.get("data") or {}).get("members") or [] if isinstance(member, dict))


def event_complaints(number, text, refused):
    try:
        event = json.loads(text)
    except ValueError:
        return
    if not isinstance(event, dict) or "specversion" not in event or sealed_members(event):
        return
    schema = EVENTS.get(event.get("type")) if isinstance(event.get("type"), str) else None
    if number not in refused:
        yield from [f"no schema of type {event.get('type')}"] if schema is None else complaints(schema, event)
    elif schema is not None and refused[number] not in BEYOND_SCHEMA | {"bad_value"} and not list(complaints(schema, event)):
        yield f"the schema lets pass what is refused as {refused[number]}"


def notice_complaints(notice):
    kind = KINDS.get(notice.get("kind"))
    yield from complaints(NOTICE, notice)
    if kind is None:
        yield f"no schema of kind {notice.get('kind')}"
        return
    yield from complaints(kind, notice)
    listed = kind.schema["properties"]["about"]["properties"]
    yield from (f"about.{member} is not listed" for member in set(notice.get("about", {})) - set(listed))


def check(story, shown):
    output = told(story)
    refused = {line["line"]: line["refused"]["reason"] for line in output if "refused" in line}
    for number, text in enumerate(story.read_text(encoding="utf-8").split("\n"), 1):
        yield from (f"{story.name}:{number}: {c}" for c in event_complaints(number, text, refused))
    for line in output:
        if "kind" in line:
            shown[line["kind"]].update(line.get("about", {}))
            yield from (f"{story.name}:{line['line']}: {line['kind']}: {c}" for c in notice_complaints(line))


def untold(shown):
    for kind, schema in sorted(KINDS.items()):
        if kind not in shown:
            yield f"{kind}: no story tells it"
        for member in set(schema.schema["properties"]["about"]["properties"]) - shown[kind]:
            yield f"{kind}: no story tells about.{member}"


def planted(notice):
    """The test of the test: each kind of mistake is found."""
    wrong = ({"rev": "1"}, {"to": "R Garcia"}, {"state": "gone"}, {"kind": "nothing.new"}, {"at": "2026-02-30T09:00:00Z"},
             {"at": "2026-03-02T09:00:00-08:00\n"}, {"about": {"place": 5}}, {"about": {"name": "R. Garcia"}})
    event = {"specversion": "1.0", "id": "e1", "source": "cws-cms", "type": "case.status", "subject": "0123-4567",
             "time": "2026-03-02T09:00:00-08:00", "data": {"status": "gone"}}
    missed = [f"not found: {change}" for change in wrong if not list(notice_complaints({**notice, **change}))]
    missed += ["not found: an unknown status"] * (not list(event_complaints(1, json.dumps(event), {})))
    return missed + ["not found: a fact that is never told"] * (not list(untold(collections.defaultdict(set))))


def main():
    shown = collections.defaultdict(set)
    wrong = [complaint for story in stories() for complaint in check(story, shown)]
    first = next(line for line in told(stories()[0]) if "kind" in line)
    wrong += [*untold(shown), *planted(first)]
    for complaint in wrong:
        print(complaint)
    print(f"{len(stories())} stories, {len(shown)} kinds of notices, {len(wrong)} disagreements")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
