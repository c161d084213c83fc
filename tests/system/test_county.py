#!/usr/bin/python3
"""The generator's promise: the same options give the same bytes, the agencies share families as the state's match table
says, the feed is in the order in which things become known, and days are slices of it."""
import filecmp
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import harness

SOURCES = ("cws-cms", "calsaws")
FAMILIES = 3000


def play(folder, *more):
    subprocess.run([harness.program("linkages-county"), "--families", str(FAMILIES), "--out", folder, *more],
                   check=True, stdout=subprocess.DEVNULL)


def read(folder, source):
    with open(os.path.join(folder, source + ".ndjson"), encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def children(events, statuses):
    """Tokens of name and birthday of the children in cases that were opened so; each stands for a child."""
    return {m["keys"]["name_dob"] for e in events if e["type"] == "case.opened" and e["data"]["status"] in statuses
            for m in e["data"]["members"] if m["role"] == "child"}


class County(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(prefix="linkages-county.")
        cls.folder = cls.temporary.name
        play(cls.folder)
        cls.feeds = {s: read(cls.folder, s) for s in SOURCES}

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def test_same_options_same_bytes(self):
        with tempfile.TemporaryDirectory() as again, tempfile.TemporaryDirectory() as other:
            play(again)
            play(other, "--seed", "2")
            for name in ("cws-cms.ndjson", "calsaws.ndjson", "workers.tsv"):
                self.assertTrue(filecmp.cmp(os.path.join(self.folder, name), os.path.join(again, name), False), name)
            self.assertFalse(filecmp.cmp(os.path.join(self.folder, SOURCES[0] + ".ndjson"),
                                         os.path.join(other, SOURCES[0] + ".ndjson"), False))

    def test_days_are_slices(self):
        with tempfile.TemporaryDirectory() as days:
            play(days, "--by-day")
            for source in SOURCES:
                name = source + ".ndjson"
                joined = b"".join(f.read_bytes() for f in [pathlib.Path(days, "caseload", name),
                                                        *sorted(pathlib.Path(days).glob(f"2*/{name}"))])
                self.assertEqual(joined, pathlib.Path(self.folder, name).read_bytes())

    def test_proportions_of_the_match_table(self):
        aided = children(self.feeds["calsaws"], ("applied", "active", "exempt", "sanctioned", "noncompliance",
                                                 "good_cause", "timed_out"))
        referred = children(self.feeds["cws-cms"], ("referral",))
        in_cases = children(self.feeds["cws-cms"], ("er", "ifs", "fm", "fr", "pp"))
        self.assertAlmostEqual(len(aided & (referred | in_cases)) / len(aided), 0.14, delta=0.02)
        self.assertAlmostEqual(len(aided & referred) / len(referred), 0.36, delta=0.04)
        self.assertAlmostEqual(len(aided & in_cases) / len(in_cases), 0.47, delta=0.06)

    def test_ids_are_unique_and_sequences_dense(self):
        for source, events in self.feeds.items():
            self.assertEqual(len({e["id"] for e in events}), len(events))
            self.assertEqual([int(e["sequence"]) for e in events], list(range(1, len(events) + 1)))
            self.assertEqual({e["source"] for e in events}, {source})

    def test_what_is_superseded_was_said_before(self):
        for events in self.feeds.values():
            said = set()
            for e in events:
                self.assertTrue(e.get("supersedes") is None or e["supersedes"] in said, e)
                said.add(e["id"])
            self.assertTrue(any(e.get("supersedes") for e in events))

    def test_most_types_occur(self):
        types = {e["type"] for events in self.feeds.values() for e in events}
        self.assertLessEqual({"case.opened", "case.status", "case.closing", "case.closed", "worker.assigned",
                              "link.confirmed", "link.refused", "link.removed", "consent.signed", "consent.revoked",
                              "consent.refused", "plan.signed", "service.started", "service.ended",
                              "meeting.scheduled", "meeting.held", "meeting.missed", "meeting.cancelled",
                              "contact.made", "milestone.reached", "concern.raised", "concern.resolved",
                              "referral.made", "referral.updated", "child.removed", "household.changed",
                              "clock.reported", "event.retracted"}, types)


if __name__ == "__main__":
    unittest.main()
