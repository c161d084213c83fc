#!/usr/bin/python3
"""test_edges.py - every field of every event at the edges that its published schema names, and one step beyond.

In: schemas/events/, and a daemon with CURVE on. Out: what the daemon says of some thousands of events. Promise: it takes
what the schema takes; what the schema does not take it refuses by the name of the very field that was changed.
"""
import copy
import json
import os
import sys
import unittest

import harness
from test_lanes import LaneTest

sys.path.insert(0, os.path.join(harness.ROOT, "tests", "contract"))
from contract import SCHEMAS, complaints, validator

WIDE = "\u00e9"  # two bytes, one character
INSTANTS = ("1990-01-01T00:00:00Z", "1989-12-31T23:59:59Z", "2100-12-31T23:59:59Z", "2101-01-01T00:00:00Z", "2026-02-29T00:00:00Z",
            "2026-03-02T25:00:00Z", "2026-03-02T09:00:00", "2026-03-02", "2026-03-02t09:00:00.123456789-08:00")
DAYS = ("2024-02-29", "2026-02-29", "2026-3-2", "2026-03-02T09:00:00Z")
TEXTS = {"date-time": "2026-03-02T09:00:00-08:00", "date": "2026-03-02"}
# What a schema can not say: whose word it is, how far ahead is too far, what ends after it starts.
OURS = {"status": "active", "role": "ais_worker"}
BEYOND = {("time",): ("2100",), ("data", "start"): ("2100",), ("data", "end"): ("1990",)}
LATER = {"end": "2026-03-02T10:00:00-08:00"}


def kinds(schema):
    said = schema.get("type", ())
    return {said} if isinstance(said, str) else set(said)


def good(schema, name):
    """A value with no more in it than must be."""
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return OURS[name] if OURS.get(name, ...) in schema["enum"] else schema["enum"][0]
    if "object" in kinds(schema):
        return {k: good(of, k) for k, of in schema.get("properties", {}).items() if k in schema.get("required", ())}
    if "array" in kinds(schema):
        return [good(schema["items"], name)]
    if "string" not in kinds(schema):
        return schema["minimum"] if "integer" in kinds(schema) else True
    if "format" in schema:
        return LATER.get(name, TEXTS[schema["format"]])
    return "0" * 32 if "{32}" in schema.get("pattern", "") else "7"


def edges(schema, name):
    """Values at the edges, and what lies beyond them; of other kinds, too."""
    yield from (None, True, 7, -1, (1 << 53) - 1, "", "no such word", "a\nb", [], {}, [None])
    if "enum" in schema:
        yield from schema["enum"] if name not in OURS else ()
    if "format" in schema:
        yield from INSTANTS if schema["format"] == "date-time" else DAYS
    for n in {schema.get("maxLength", 31), schema.get("maxLength", 31) + 1, 32}:
        yield from ("a" * n, WIDE * n)
    for edge in ("minimum", "maximum"):
        if edge in schema:
            yield from (schema[edge] - 1, schema[edge], schema[edge] + 1)
    if "maxItems" in schema:
        items = [good(schema["items"], name) for _ in range(schema["maxItems"] + 1)]
        for i, item in enumerate(items):
            if isinstance(item, dict):
                item.update({k: f"p{i}" for k in item})
        yield from (items, items[1:])


def changed(event, path, value):
    """The event with another value there; with none where the value is Ellipsis."""
    event = copy.deepcopy(event)
    at = event
    for step in path[:-1]:
        at = at[step]
    if value is ...:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return event


def tries(event, schema, path):
    """(path, event) for everything below."""
    for name, of in schema.get("properties", {}).items():
        here = (*path, name)
        whole = changed(event, here, good(of, name))
        yield from ((here, changed(whole, here, value)) for value in (..., *edges(of, name)))
        yield from tries(whole, of, here)
        if "array" in kinds(of):
            yield from (((*here, 0), changed(whole, (*here, 0), value)) for value in edges(of["items"], name))
            yield from tries(whole, of["items"], (*here, 0))


def is_beyond(path, event):
    at = event
    for step in path:
        at = at.get(step) if isinstance(at, dict) else None
    return isinstance(at, str) and at[:4] in BEYOND.get(path, ())


def written(path):
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)[1:]


class Edges(LaneTest):
    sources = tuple((f"calsaws-{i}", "calworks") for i in range(6))  # one that is refused so much would be slowed

    def configure(self):
        self.daemon.write("clients.yaml", self.daemon.entry("calworks", "publisher", {"sources": [name for name, _ in self.sources]}))

    def everything(self):
        """Of the envelope, which is the same for all types, once; of each type what it says."""
        n = 0
        for at, file in enumerate(sorted((SCHEMAS / "events").glob("*.json"))):
            schema = json.loads(file.read_text(encoding="utf-8"))
            checks, envelope = validator(schema), schema["properties"]
            event = {**good(schema, ""), "source": self.sources[0][0], "subject": "1B2C3D4", "supersedes": "none"}
            parts = [tries(event, {"properties": {k: of}}, ()) for k, of in envelope.items()
                     if k == "data" or at == 0 and k not in ("type", "source")]
            for path, one in (both for part in parts for both in part):
                if not is_beyond(path, one):
                    n += 1
                    yield path, one if path == ("id",) else {**one, "id": f"n{n}"}, checks

    def verdicts(self, events):
        """Of each (reason, field); (None, "") where it was taken."""
        found = []
        for i, (source, _) in enumerate(self.sources):
            mine = [{**event, "source": source} for event in events[i::len(self.sources)]]
            agency = self.publisher(mine, source=source)
            agency.publish_all()
            found.append([agency.refused.get(seq, (None, "")) for seq in range(1, len(mine) + 1)])
        return [found[i % len(found)][i // len(found)] for i in range(len(events))]

    def test_the_daemon_takes_what_the_schema_takes(self):
        all_of_them, taken = list(self.everything()), 0
        for (path, event, checks), (reason, field) in zip(all_of_them, self.verdicts([event for _, event, _ in all_of_them])):
            wrong = list(complaints(checks, event))
            with self.subTest(f"{event.get('type')} {written(path)}: {json.dumps(event, ensure_ascii=False)[:300]}"):
                self.assertEqual(reason is not None, bool(wrong), (reason, field, wrong))
                if wrong:
                    self.assertTrue(field.startswith(written(path)), (reason, field))
            taken += not wrong
        self.assertGreater(min(taken, len(all_of_them) - taken), 400)
        print(f"events at the edges of their schemas: {len(all_of_them)}, {taken} taken")


if __name__ == "__main__":
    unittest.main()
