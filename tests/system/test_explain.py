#!/usr/bin/python3
"""test_explain.py - an auditor's questions through linkages-ctl: why, why-not, family, plan; and policy check.

In: a daemon with a small family in it. Out: what the tool prints, as text and as JSON, and what the ledger says then.
Promise: no question is answered before its purpose is in the ledger; an operator is refused; text fits its page.
"""
import json
import os
import sqlite3
import subprocess
import unittest

import harness
import peer

EPOCHS = {"cws-cms": "0123456789abcdef0123456789abcdef", "calsaws": "fedcba9876543210fedcba9876543210"}


def event(source, number, type_, minute, **data):
    subject = "0123-4567" if source == "cws-cms" else "1B2C3D4"
    return {"specversion": "1.0", "id": f"e{number}", "source": source, "type": type_, "subject": subject,
            "time": f"2026-03-02T09:{minute:02d}:00-08:00", "data": data}


FAMILY = [
    event("cws-cms", 1, "case.opened", 0, status="ifs"),
    event("cws-cms", 2, "worker.assigned", 1, role="social_worker", worker="garcia", name="R. Garcia",
          phone="925-555-0101"),
    event("calsaws", 1, "case.opened", 2, status="active"),
    event("calsaws", 2, "worker.assigned", 3, role="ais_worker", worker="jones", name="D. Jones"),
    event("calsaws", 3, "link.confirmed", 4, other={"agency": "cws", "case": "0123-4567"}),
    event("calsaws", 4, "case.status", 5, status="sanctioned"),
    event("calsaws", 5, "service.started", 6, service="s1", category="employment"),
    {**event("calsaws", 6, "case.opened", 7, status="active"), "subject": "1B77777"},
    {**event("calsaws", 7, "link.confirmed", 8, other={"agency": "cws", "case": "0777-7777"}), "subject": "1B77777"},
]


class Explain(unittest.TestCase):
    def setUp(self):
        self.daemon = harness.Daemon(harness.CLIENTS)
        self.addCleanup(self.daemon.close)
        self.daemon.start()
        for source, client in (("cws-cms", "cws"), ("calsaws", "calworks")):
            outbox = [e for e in FAMILY if e["source"] == source]
            agency = peer.Publisher(self.daemon.context, self.daemon.lanes["intake"], self.daemon.server_key,
                                    self.daemon.pairs[client], source, EPOCHS[source], outbox)
            self.addCleanup(agency.close)
            agency.publish_all()

    def command(self, *words, key):
        d = self.daemon
        return [harness.program("linkages-ctl"), "--server", f"ipc://{d.path('run/control')}", "--server-key",
                d.path("state/server.pub"), "--key", d.path(key + ".key"), *words]

    def ctl(self, *words, key="auditor", status=0, columns=100):
        done = subprocess.run(
            self.command(*words, key=key), capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "COLUMNS": str(columns)})
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout if status == 0 else done.stderr

    def ask(self, *words, **more):
        return self.ctl("--purpose", "complaint 7", *words, **more)

    def asked(self, *words):
        return json.loads(self.ask("--json", *words))

    def ledger(self):
        """What stands there in the end; the file is the daemon's own while it runs."""
        self.daemon.stop()
        with sqlite3.connect(self.daemon.path("state/linkages.db")) as db:
            return [row[0] for row in db.execute("SELECT basis FROM ledger_row ORDER BY number")]

    def notice(self, kind, to):
        family = self.asked("--agency", "cws", "family", "0123-4567")
        return next(n["id"] for n in family["notices"] if n["kind"] == kind and n["to"] == to)

    def test_why(self):
        notice = self.notice("meeting.needed", "jones")
        answer = self.asked("why", notice)
        self.assertEqual((answer["notice"]["to"], answer["place"], answer["follows"]), ("jones", "calworks_lead", True))
        self.assertEqual(answer["rule"]["cites"], "HB 31-090 III.D-G")
        text = self.ask("why", notice[:10])
        for words in ("Rule        meeting.needed", "by the place calworks_lead", "Values of the policy that counted",
                      "Tellings", notice):
            self.assertIn(words, text)
        self.assertIn(f"purpose: complaint 7 (notice {notice[:10]})", self.ledger())

    def test_why_not(self):
        answer = self.asked("why-not", "calsaws/e4", "garcia")
        held = {row["rule"]: row["held_by"] for row in answer["rules"]}
        self.assertEqual((held["status.changed"], held["sanction.review"], held["meeting.needed"]),
                         ("no_consent", "others", "told"))
        self.assertEqual(answer["holds"], [{"agency": "cws", "case": "0123-4567", "role": "social_worker"}])
        text = self.ask("why-not", "calsaws/e4", "garcia")
        self.assertIn("no consent in force covers the topic", text)
        self.assertIn("(calworks_lead: jones)", text)
        self.assertIn("Nothing follows from it now for: ", text)
        self.assertIn("purpose: complaint 7 (event calsaws/e4, worker garcia)", self.ledger())

    def test_family(self):
        text = self.ask("--agency", "calworks", "family", "1B2C3D4")
        for words in ("served by both agencies since 2026-03-02 09:04", "What stands",
                      "What comes next, if nothing else happens", "2026-03-10 08:00  meeting.overdue", "garcia, R. Garcia"):
            self.assertIn(words, text)

    def test_a_family_of_which_one_agency_has_not_spoken(self):
        """Its case is not called closed, and nothing is said of an episode that there never was."""
        text = self.ask("--agency", "calworks", "family", "1B77777")
        self.assertRegex(text, r"^Family +not served by both agencies\n")
        self.assertRegex(text, r"\n +cws +0777-7777 +not opened\n")

    def test_plan(self):
        mine = self.asked("--agency", "cws", "plan", "0123-4567", "--for", "jones")
        theirs = self.asked("--agency", "cws", "plan", "0123-4567", "--for", "garcia")
        self.assertIn("attend employment", [i["what"] for i in mine["family"]])
        self.assertNotIn("attend employment", [i["what"] for i in theirs["family"]])
        self.assertNotIn("sanctioned", json.dumps(theirs))
        below = self.ask("--agency", "cws", "plan", "0123-4567", "--for", "garcia", columns=60).splitlines()
        self.assertEqual([line for line in below if line.isupper() and line[0] != " "], ["SHARED GOALS", "FAMILY", "CWS", "CALWORKS"])
        for columns, widest in ((80, 80), (100, 100), (120, 120), (300, 120)):
            with self.subTest(columns=columns):
                text = self.ask("--agency", "cws", "plan", "0123-4567", "--for", "garcia", columns=columns)
                table = text.split("\n\n", 1)[1].splitlines()
                self.assertEqual(table[0].split(), ["SHARED", "GOALS", "FAMILY", "CWS", "CALWORKS"])
                self.assertLessEqual(max(map(len, table)), widest)
        self.assertIn("purpose: complaint 7 (plan of cws 0123-4567 for garcia)", self.ledger())

    def test_answers_fit_the_terminal(self):
        notice = self.notice("crossover.found", "jones")
        case = ("--agency", "cws", "--purpose", "complaint 7")
        for words in ((*case, "family", "0123-4567"), (*case, "why", notice), (*case, "why-not", "calsaws/e4", "garcia"),
                      (*case, "--for", "garcia", "plan", "0123-4567"), ("sources",), ("workers",)):
            for columns in (60, 80):
                for line in harness.screen(columns, *self.command(*words, key="auditor" if case[0] in words else "operator")):
                    self.assertLessEqual(len(line), columns, line)
        for line in harness.screen(80, *self.command("status", key="operator")):
            self.assertLessEqual(len(line), 80, line)
        d = self.daemon
        told = [harness.program("linkages-sub"), "--server", d.lanes["inbox"], "--server-key", d.path("state/server.pub"),
                "--key", d.path("district.key"), "--once", "--no-store"]
        for workers in (["garcia"], ["garcia", "jones"]):
            for columns in (60, 80):
                lines = harness.screen(columns, *told, *workers)
                self.assertTrue([line for line in lines if "crossover.found" in line])
                self.assertLessEqual(max(map(len, lines)), columns, lines)

    def test_nothing_without_a_purpose_and_nothing_for_operators(self):
        for words in (["why", "ab"], ["why-not", "calsaws/e4", "garcia"], ["--agency", "cws", "family", "0123-4567"],
                      ["--agency", "cws", "--for", "garcia", "plan", "0123-4567"]):
            with self.subTest(words=words):
                self.assertIn("Say --purpose", self.ctl(*words, status=2))
                self.assertIn("forbidden", self.ask(*words, key="operator", status=1))
        self.assertNotIn("purpose", " ".join(self.ledger()))

    def test_what_is_asked_wrongly_is_named(self):
        for words, code in ((["why", "nonsense"], "bad_value"), (["why", "f" * 32], "not_found"),
                            (["why-not", "calsaws", "garcia"], "bad_value"),
                            (["why-not", "calsaws/e99", "garcia"], "not_found"),
                            (["--agency", "cws", "--for", "nobody", "plan", "0123-4567"], "not_found")):
            with self.subTest(words=words):
                self.assertIn(code, self.ask(*words, status=1))
        self.assertIn("takes EVENT WORKER", self.ask("why-not", "calsaws/e4", status=2))
        self.assertIn("'policy' is followed by one of: check", self.ask("policy", "burn", status=2))

    def test_policy_check(self):
        shipped = os.path.join(harness.ROOT, "daemon", "policy.yaml")
        self.assertIn("sound; the policy in force", self.ctl("policy", "check", shipped, key="operator"))
        self.daemon.write("other.yaml", "visits:\n  told_before: 9 days\n")
        self.assertIn("another policy", self.ctl("policy", "check", self.daemon.path("other.yaml"), key="operator"))
        self.daemon.write("wrong.yaml", "visits:\n  told_before: 9 weeks\n")
        said = self.ctl("policy", "check", self.daemon.path("wrong.yaml"), key="operator", status=1)
        for words in ("wrong.yaml:2:16", "visits.told_before", "weeks"):
            self.assertIn(words, said)
        self.assertIn("cannot read", self.ctl("policy", "check", self.daemon.path("nothing"), key="operator", status=2))


if __name__ == "__main__":
    unittest.main()
