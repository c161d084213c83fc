#!/usr/bin/python3
"""test_report.py - the evaluation against a story whose numbers were worked out by hand.

In: three families of January to March 2026, told below. Out: what linkages-ctl report counts, in every form. Promise: each
number of domain.md, section 6, is there, and is right.

A  CalWORKs A1 (from 10 January) and CWS C1 (referral on 20 January) are linked on 22 January: mutual, secondary. Consent on
   1 February: 10 days. C1 becomes ifs on 2 February, both sides have a worker: a PLTM is due by the 9th, and is held on the
   6th. The IFS agreement of 10 February calls for an LTM by the 17th, which is held on the 20th: late. A1 is sanctioned on
   15 February and active again on 5 March. On 10 March the end of C1 is planned for the 31st, and the other side is told; on
   the 31st it closes: the family is not mutual any more.
B  CalWORKs B1, from 5 January, linked with nothing: primary. It closes on 15 March; its family is not mutual.
C  CWS D1, referral on 12 January, closed on 12 February, opened again on 20 March as er: a repeat.
"""
import csv
import html.parser
import itertools
import json
import os
import re
import shutil
import subprocess
import tempfile
import time
import unittest
import xml.etree.ElementTree

import harness

LIMIT_S = 30
STORY = [
    ("calsaws", "B1", "2026-01-05T09:00", "case.opened", {"status": "active"}),
    ("calsaws", "A1", "2026-01-10T09:00", "case.opened", {"status": "active"}),
    ("calsaws", "A1", "2026-01-10T10:00", "worker.assigned", {"role": "ais_worker", "worker": "jones"}),
    ("cws-cms", "D1", "2026-01-12T09:00", "case.opened", {"status": "referral"}),
    ("cws-cms", "C1", "2026-01-20T09:00", "case.opened", {"status": "referral"}),
    ("cws-cms", "C1", "2026-01-20T10:00", "worker.assigned", {"role": "social_worker", "worker": "garcia"}),
    ("calsaws", "A1", "2026-01-22T09:00", "link.confirmed", {"other": {"agency": "cws", "case": "C1"}}),
    ("calsaws", "A1", "2026-02-01T09:00", "consent.signed", {"consent": "k1"}),
    ("cws-cms", "C1", "2026-02-02T09:00", "case.status", {"status": "ifs"}),
    ("cws-cms", "C1", "2026-02-03T09:00", "meeting.scheduled",
     {"meeting": "m1", "kind": "pltm", "start": "2026-02-06T09:00:00-08:00", "end": "2026-02-06T10:00:00-08:00"}),
    ("cws-cms", "C1", "2026-02-06T10:00", "meeting.held", {"meeting": "m1"}),
    ("cws-cms", "C1", "2026-02-10T09:00", "plan.signed", {"plan": "p1", "kind": "ifs_agreement"}),
    ("cws-cms", "D1", "2026-02-12T09:00", "case.closed", {}),
    ("cws-cms", "C1", "2026-02-13T09:00", "meeting.scheduled",
     {"meeting": "m2", "kind": "ltm", "start": "2026-02-20T09:00:00-08:00", "end": "2026-02-20T10:00:00-08:00"}),
    ("calsaws", "A1", "2026-02-15T09:00", "case.status", {"status": "sanctioned"}),
    ("cws-cms", "C1", "2026-02-20T10:00", "meeting.held", {"meeting": "m2", "family": True, "signed": True}),
    ("calsaws", "A1", "2026-03-05T09:00", "case.status", {"status": "active"}),
    ("cws-cms", "C1", "2026-03-10T09:00", "case.closing", {"date": "2026-03-31"}),
    ("calsaws", "B1", "2026-03-15T09:00", "case.closed", {}),
    ("cws-cms", "D1", "2026-03-20T09:00", "case.opened", {"status": "er"}),
    ("cws-cms", "C1", "2026-03-31T16:00", "case.closed", {}),
]
WANTED = {
    "2026-01": {"mutual": 1, "begun": 1, "primary": 1, "secondary": 1, "cws_open": 2, "cws_mutual": 1, "cws_share": 50,
                "calworks_open": 2, "calworks_mutual": 1, "calworks_share": 50, "consented": 1, "consent_days": 10,
                "referrals": 2},
    "2026-02": {"mutual": 1, "primary": 1, "tertiary": 1, "cws_open": 1, "cws_mutual": 1, "cws_share": 100,
                "calworks_open": 2, "calworks_mutual": 1, "calworks_share": 50, "consent_days": None, "pltm_needed": 1,
                "pltm_on_time": 1, "ltm_needed": 1},
    "2026-03": {"ended": 1, "primary": 1, "cws_open": 1, "calworks_open": 1, "consent_days": None, "sanctions_ended": 1,
                "sanctions_mutual": 1, "cws_closures": 1, "cws_told": 1, "referrals": 1, "repeats": 1},
}


def event(number, source, case, at, type_, data):
    offset = "-07:00" if at >= "2026-03-08" else "-08:00"
    return {"specversion": "1.0", "id": f"e{number}", "source": source, "subject": case, "time": f"{at}:00{offset}",
            "type": type_, "data": data}


class Report(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="linkages-report.")
        self.addCleanup(shutil.rmtree, self.folder)
        self.daemon = harness.Daemon([("cws-cms", "publisher", {"sources": ["cws-cms"]}),
                                      ("calsaws", "publisher", {"sources": ["calsaws"]}), ("operator", "operator", {})])
        self.addCleanup(self.daemon.close)
        self.daemon.start()
        events = [event(i, *line) for i, line in enumerate(STORY)]
        for source, some in itertools.groupby(events, lambda e: e["source"]):
            self.publish(source, list(some))
        self.wait_for_state()

    def publish(self, source, events):
        path = os.path.join(self.folder, "part")
        with open(path, "w", encoding="utf-8") as f:
            f.write("".join(json.dumps(e) + "\n" for e in events))
        subprocess.run([harness.program("linkages-pub"), "--server", self.daemon.lanes["intake"], "--server-key",
                        self.daemon.path("state/server.pub"), "--key", self.daemon.path(source + ".key"), "--outbox",
                        os.path.join(self.folder, source), path], check=True, timeout=60, capture_output=True)

    def wait_for_state(self):
        """state.db is filled when nobody waits: until it has the story's last word."""
        until = time.monotonic() + LIMIT_S
        while "2026-03,0,0,1," not in self.report("--csv") and time.monotonic() < until:
            time.sleep(0.05)

    def report(self, *words, status=0):
        done = subprocess.run([harness.program("linkages-ctl"), "--state", self.daemon.path("state"), "--from", "2026-01",
                               "--to", "2026-03", *words, "report"], check=False, timeout=60, capture_output=True, text=True)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout if status == 0 else done.stderr

    def test_the_story(self):
        got = [json.loads(line) for line in self.report("--json").splitlines()]
        self.assertEqual([m["month"] for m in got], list(WANTED))
        for month in got:
            wanted = {"month": month["month"], **{k: 0 for k in month if k != "month"}, **WANTED[month["month"]]}
            self.assertEqual(month, wanted)
        rows = list(csv.DictReader(self.report("--csv").splitlines()))
        self.assertEqual([{k: int(v) if v.isdigit() else v or None for k, v in row.items()} for row in rows], got)
        text = self.report()
        self.assertIn("Mutual families and tiers", text)
        self.assertLess(max(map(len, text.splitlines())), 100)
        self.fits_a_terminal(text)
        self.assertIn("up to 20 years", self.report("--to", "2025-01", status=2))
        self.is_a_page(os.path.join(self.folder, "page.html"), got)

    def fits_a_terminal(self, text):
        """No number is lost where a table goes on below itself."""
        wanted = sorted(re.findall(r"\S+", text.replace("month", "")))
        for columns in (40, 60, 80):
            lines = harness.screen(columns, harness.program("linkages-ctl"), "--state", self.daemon.path("state"), "--from",
                                   "2026-01", "--to", "2026-03", "report")
            self.assertLessEqual(max(map(len, lines)), columns)
            again = sum(line.startswith("month") for line in lines) - sum(line.startswith("month") for line in text.splitlines())
            shown = re.findall(r"\S+", "\n".join(lines).replace("month", ""))
            for month in WANTED:
                for _ in range(again):
                    shown.remove(month)
            self.assertEqual(sorted(shown), wanted)

    def test_the_policy_says_what_is_on_time(self):
        with open(os.path.join(self.folder, "linkages.yaml"), "w", encoding="utf-8") as f:
            f.write(f"policy: {self.folder}/policy.yaml\n")
        with open(os.path.join(self.folder, "policy.yaml"), "w", encoding="utf-8") as f:
            f.write("meetings: {pltm: {due: 1 days}}\n")
        for words, on_time in (((), 1), (("--config", self.folder), 0)):
            got = [json.loads(line) for line in self.report("--json", *words).splitlines()]
            self.assertEqual([sum(m["pltm_needed"] for m in got), sum(m["pltm_on_time"] for m in got)], [1, on_time])
        self.assertIn("linkages.yaml", self.report("--config", os.path.join(self.folder, "nowhere"), status=2))

    def is_a_page(self, path, months):
        self.report("--html", path)
        with open(path, encoding="utf-8") as f:
            page = f.read()
        cells = []
        parser = html.parser.HTMLParser()
        parser.handle_data = cells.append
        parser.feed(page)
        for month in months:
            at = cells.index(month["month"], cells.index("month"))
            self.assertEqual([c for c in cells[at + 1:at + len(month) + 1] if c.strip()][:len(month) - 1],
                             ["–" if v is None else str(v) for k, v in month.items() if k != "month"])
        plots = page.split("<svg")[1:]
        self.assertEqual(len(plots), 9)
        for plot in plots:
            root = xml.etree.ElementTree.fromstring("<svg" + plot.split("</svg>")[0] + "</svg>")
            self.assertGreaterEqual(len(root.findall(".//title")), 3)
        self.assertNotIn("http", page)  # no network
        self.assertNotIn("<script", page)


if __name__ == "__main__":
    unittest.main()
