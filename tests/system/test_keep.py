#!/usr/bin/python3
"""test_keep.py - what keeps the store: ledger verify, scrub, backup, restore, through linkages-ctl.

In: a daemon with a few invented families in it, its outboxes and a worker's client. Out: files, and what the tools say of
them. Promise: a backup is proved before outboxes may forget; after a restore nothing is missing and nobody is shown
anything twice; what was meddled with is named.
"""
import contextlib
import csv
import fcntl
import json
import os
import re
import resource
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import unittest
import urllib.request
from datetime import datetime

import blocks
import harness
import verbs

SOURCES = (("cws-cms", "cws"), ("calsaws", "calworks"))  # and whose keys they are
SOME_EVENTS = "UPDATE event SET body = CAST(body || x'00' AS BLOB) WHERE position BETWEEN 20 AND 100"


class Keep(unittest.TestCase):
    families = 12

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="linkages-keep.")
        self.addCleanup(shutil.rmtree, self.folder)
        subprocess.run([harness.program("linkages-county"), "--families", str(self.families), "--days", "60", "--seed", "7",
                        "--out", self.folder], check=True, capture_output=True)
        self.workers = [line.split("\t")[0] for line in self.lines("workers.tsv")]
        clients = [("cws", "publisher", {"sources": ["cws-cms"]}), ("calworks", "publisher", {"sources": ["calsaws"]}),
                   ("district", "worker", {"workers": self.workers}), ("operator", "operator", {}),
                   ("auditor", "auditor", {})]
        self.daemon = harness.Daemon(clients)
        self.addCleanup(self.daemon.close)
        self.daemon.start()

    def lines(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8") as f:
            return f.read().splitlines()

    def path(self, name):
        return os.path.join(self.folder, name)

    def state(self, name):
        return self.daemon.path("state/" + name)

    def run_tool(self, name, *words, key, status=0, lane=None):
        d = self.daemon
        server = d.lanes[lane] if lane else f"ipc://{d.path('run/control')}"
        done = subprocess.run([harness.program(name), "--server", server, "--server-key", self.state("server.pub"), "--key",
                               d.path(key + ".key"), *words], capture_output=True, text=True, timeout=120, check=False)
        if status is not None:
            self.assertEqual(done.returncode, status, f"{words}: {done.stdout}{done.stderr}")
        return done.stdout if status == 0 or done.stdout else done.stderr

    def ctl(self, *words, key="operator", **more):
        return self.run_tool("linkages-ctl", *words, key=key, **more)

    def asked(self, *words, **more):
        return json.loads(self.ctl("--json", *words, **more))

    def publish(self, part, sources=SOURCES):
        """A part of each source's events, into its outbox and from there to the daemon."""
        for source, key in sources:
            lines = self.lines(source + ".ndjson")
            with open(self.path("part"), "w", encoding="utf-8") as f:
                f.write("".join(line + "\n" for line in lines[int(len(lines) * part[0]):int(len(lines) * part[1])]))
            self.run_tool("linkages-pub", "--source", source, "--outbox", self.path(source + ".outbox"), self.path("part"),
                          key=key, lane="intake")

    def outbox(self, source):
        return self.rows(self.path(source + ".outbox"), "SELECT count(*) FROM event")[0][0]

    def take_in(self):
        """What the worker's client shows that it has not shown before."""
        said = self.run_tool("linkages-sub", "--once", "--json", "--timeout", "30", "--store", self.path("inbox"),
                             *self.workers, key="district", lane="inbox")
        return [json.loads(line)["notice"] for line in said.splitlines() if "notice" in json.loads(line)]

    def rows(self, path, query):
        base = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            return base.execute(query).fetchall()
        finally:
            base.close()

    def told(self):
        return self.notices("SELECT worker_name, hex(id), rev FROM notice_row ORDER BY 1, 2, 3")

    def notices(self, query):
        with contextlib.closing(blocks.connect(self.state("linkages.db"))) as base:
            return base.execute(query).fetchall()

    def logged(self):
        return self.rows(self.state("linkages.db"), "SELECT source_name, id FROM event_row ORDER BY 1, 2")

    def test_a_backup_is_proved_and_then_outboxes_forget(self):
        self.publish((0, 0.5))
        kept = self.outbox("cws-cms")
        self.assertGreater(kept, 0)
        made = self.asked("backup", self.path("one.db"))
        self.assertEqual(made["position"], self.asked("status")["store"]["events"])
        self.assertFalse(os.path.exists(self.state("backup.db")))
        self.assertEqual(os.stat(self.path("one.db")).st_mode & 0o777, 0o600)
        self.assertEqual(self.rows(self.path("one.db"), "PRAGMA journal_mode"), [("delete",)])
        self.publish((0.5, 1))
        self.assertLess(self.outbox("cws-cms"), len(self.lines("cws-cms.ndjson")))
        listed = self.asked("backup", "list")["backups"]
        self.assertEqual([b["place"] for b in listed], [self.path("one.db")])
        self.ctl("backup", self.path("one.db"), status=2)  # it is there already
        self.assertIn("head", self.ctl("ledger", "verify", self.path("one.db"), "--head", made["head"]))
        self.assertGreater(self.newest_backup(), 0)
        self.ctl("backup", "forget", "1")
        self.assertEqual(self.newest_backup(), 0, "there is none, and that is an alert")
        self.assertIn("no backups", self.ctl("backup", "list"))
        self.ctl("backup", "forget", "1", status=1)

    def test_a_backup_that_can_be_put_nowhere(self):
        """It is told before anything is copied; and one that fails on the way leaves no copy of everything behind."""
        self.publish((0, 0.3))
        self.assertIn("nowhere/one.db.part: cannot be made: No such file",
                      self.ctl("backup", self.path("nowhere/one.db"), status=2))
        os.symlink("/dev/full", self.path("full.db.part"))
        self.assertIn("full.db.part: cannot be made", self.ctl("backup", self.path("full.db"), status=2))
        resource.prlimit(os.getpid(), resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))  # of the tool
        try:
            self.assertIn("short.db.part: cannot be written: File too large", self.ctl("backup", self.path("short.db"), status=2))
        finally:
            resource.prlimit(os.getpid(), resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        self.assertIn("no backups", self.ctl("backup", "list"))
        self.assertEqual([n for n in os.listdir(self.daemon.path("state")) if n.startswith("backup.db")], [])
        self.assertFalse(os.path.exists(self.path("short.db.part")))

    def test_restore_drill(self):
        self.publish((0, 0.5))
        self.take_in()
        self.ctl("backup", self.path("old.db"))
        self.publish((0.5, 1))
        self.take_in()
        told, logged = self.told_after_stop()
        self.assertIn("stop the daemon first", self.restore_while_running())
        self.daemon.stop()
        self.restore_for_another()
        names = self.rows(self.state("linkages.db"), "SELECT hex(mailbox) FROM worker WHERE mailbox NOT NULL")
        old = self.rows(self.path("old.db"), "SELECT hex(mailbox) FROM worker WHERE mailbox NOT NULL")
        self.assertEqual(len(names), len(old))
        self.assertFalse(set(names) & set(old), "a mailbox kept its id")
        self.assertTrue([n for n in os.listdir(self.daemon.path("state")) if n.startswith("linkages.db.before-")])
        self.assertLess(len(self.logged()), len(logged))
        self.daemon.start()
        (listed,) = self.asked("backup", "list")["backups"]
        self.assertEqual(listed["place"], self.path("old.db"))
        self.assertEqual(self.newest_backup(), datetime.fromisoformat(listed["made"]).timestamp() // 1, "as old as it is")
        self.publish((1, 1))  # nothing new: the outboxes are asked for what the backup has not
        self.assertEqual(self.take_in(), [], "a notice was shown again")
        self.ctl("ledger", "verify")
        self.daemon.stop()
        self.assertEqual(self.logged(), logged)
        self.assertEqual(self.told(), told)
        self.assertEqual(self.rows(self.state("linkages.db"), "PRAGMA journal_mode"), [("wal",)])
        cut = self.rows(self.state("linkages.db"), "SELECT basis FROM ledger WHERE basis LIKE 'restored%'")
        self.assertEqual(len(cut), 1)

    def test_what_a_backup_that_is_not_the_newest_would_lose(self):
        self.publish((0, 0.5))
        self.ctl("backup", self.path("old.db"))
        self.publish((0.5, 1))
        self.ctl("backup", self.path("new.db"))
        events = len(self.logged_after_stop())
        with sqlite3.connect(self.path("old.db")) as old:
            lost = events - old.execute("SELECT count(*) FROM event").fetchone()[0]
        where = ("--state", self.daemon.path("state"), "restore")
        said = self.ctl(*where, self.path("old.db"), status=2)  # there is nobody to say yes
        self.assertIn(f"{lost} events that outboxes may have forgotten since are not in", said)
        self.assertIn(f"the newest backup is number 2, {self.path('new.db')}", said)
        self.assertNotIn("may have forgotten", self.ctl(*where, self.path("new.db"), status=2))

    def test_an_old_copy_of_the_state_directory(self):
        """As a snapshot of the machine brings one back: its mailboxes give their places to other notices, and nobody may miss one."""
        self.publish((0, 0.4))
        shown = self.take_in()
        self.daemon.stop()
        shutil.copytree(self.daemon.path("state"), self.path("old"))
        self.daemon.start()
        self.publish((0.4, 0.8), SOURCES[1:])
        shown += self.take_in()
        self.daemon.stop()
        shutil.rmtree(self.daemon.path("state"))
        shutil.move(self.path("old"), self.daemon.path("state"))
        self.daemon.start()
        self.publish((0.4, 0.8), SOURCES[:1])
        self.publish((0.8, 1))
        self.assertEqual(self.asked("status")["alarms"]["store_old"], {"raised": 1, "stands": False})
        shown += self.take_in()
        told = [row for row in self.told_after_stop()[0] if row[0] in self.workers]
        mine = [(n["to"], n["id"].upper(), n["rev"]) for n in shown]
        self.assertFalse(set(told) - set(mine), "a notice was told and never received")
        self.assertEqual(len(mine), len(set(mine)), "a notice was shown twice")

    def test_one_restore_after_the_other(self):
        """Also two within a second, and never two at once."""
        self.publish((0, 0.5))
        self.ctl("backup", self.path("old.db"))
        self.daemon.stop()
        state = self.daemon.path("state")
        folder = os.open(state, os.O_RDONLY)
        self.addCleanup(os.close, folder)
        fcntl.flock(folder, fcntl.LOCK_EX)
        self.assertIn("another restore is under way",
                      self.ctl("--state", state, "--yes", "restore", self.path("old.db"), status=2))
        fcntl.flock(folder, fcntl.LOCK_UN)
        for _ in range(3):
            self.ctl("--state", state, "--yes", "restore", self.path("old.db"))
        kept = [n for n in os.listdir(state) if n.startswith("linkages.db.before-") and n[-1].isdigit()]
        self.assertEqual(len(kept), 3)

    def logged_after_stop(self):
        self.daemon.stop()
        return self.logged()

    def test_a_state_directory_that_goes_away(self):
        """What is written to files without a name is lost with the process: it is not acknowledged."""
        self.publish((0, 0.5))
        acked = self.acked()
        shutil.copy(self.state("server.pub"), self.path("server.pub"))
        os.rename(self.daemon.path("state"), self.path("elsewhere"))
        publisher = subprocess.Popen(
            [harness.program("linkages-pub"), "--server", self.daemon.lanes["intake"], "--server-key", self.path("server.pub"),
             "--key", self.daemon.path("calworks.key"), "--source", "calsaws", "--outbox", self.path("calsaws.outbox"),
             self.path("calsaws.ndjson")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.assertEqual(self.daemon.process.wait(timeout=60), 75)
        publisher.kill()
        publisher.wait()
        self.assertIn("taken away", self.daemon.said())
        self.assertEqual(self.acked(), acked)
        os.rename(self.path("elsewhere"), self.daemon.path("state"))
        self.daemon.start()
        self.publish((0, 1))
        self.take_in()
        self.daemon.stop()
        self.assertEqual(len(self.logged()), len(self.lines("cws-cms.ndjson")) + len(self.lines("calsaws.ndjson")))

    def count_of_unanswered_is_right(self):
        """It was kept right, for a rebuild, which counts anew, says the same; also where the number was meddled with."""
        kept = self.asked("status")["waiting"]["unanswered"]
        self.ctl("rebuild")
        self.assertEqual(self.asked("status")["waiting"]["unanswered"], kept)
        self.daemon.stop()
        base = sqlite3.connect(self.state("linkages.db"))
        with base:
            base.execute("UPDATE value SET value = value + 5 WHERE name = 'unanswered'")
        base.close()
        self.daemon.start()
        self.assertEqual(self.asked("status")["waiting"]["unanswered"], kept + 5)
        self.ctl("rebuild")
        self.assertEqual(self.asked("status")["waiting"]["unanswered"], kept)

    def acked(self):
        return self.rows(self.path("calsaws.outbox"), "SELECT acked FROM outbox")

    def told_after_stop(self):
        self.daemon.stop()
        both = self.told(), self.logged()
        self.daemon.start()
        return both

    def newest_backup(self):
        """What the alert of old backups looks at, in whole seconds."""
        with urllib.request.urlopen(f"http://{self.daemon.http}/metrics") as page:
            return int(re.search(r"^linkages_last_backup_timestamp_seconds (\d+)", page.read().decode(), re.M)[1])

    def restore_for_another(self):
        """Where we may: as root, of a daemon that is another user."""
        me, it = os.geteuid(), 65534 if os.geteuid() == 0 else os.geteuid()
        self.give_store_to(it)
        self.ctl("--state", self.daemon.path("state"), "--yes", "restore", self.path("old.db"))
        self.assertEqual(os.stat(self.state("linkages.db")).st_uid, it)
        self.give_store_to(me)

    def give_store_to(self, user):
        folder = self.daemon.path("state")
        for path in [folder] + [os.path.join(folder, name) for name in os.listdir(folder)]:
            os.chown(path, user, -1)

    def restore_while_running(self):
        return self.ctl("--state", self.daemon.path("state"), "--yes", "restore", self.path("old.db"), status=2)

    def test_projections_are_proved_equal_to_the_log(self):
        self.publish((0, 1))
        told = self.asked("rebuild")
        self.assertEqual((told["equal"], told["families"]), (True, self.families))
        self.daemon.stop()
        told = self.told()
        self.meddle_state()
        self.daemon.start()
        found = self.asked("rebuild", status=1)
        self.assertEqual((found["state_differed"], found["state_orphans"], found["families_differed"]), (1, 1, 0))
        self.assertIn("all equal", self.ctl("rebuild"))
        self.daemon.stop()
        self.assertEqual(self.told(), told, "a rebuild told somebody something")

    def meddle_state(self):
        base = sqlite3.connect(self.state("state.db"))
        try:
            with base:
                base.execute("UPDATE kept_case SET status = 'pp' WHERE family = (SELECT min(ref) FROM kept_family)")
                ghost = base.execute("INSERT INTO kept_family (family) VALUES (?)", ("f" * 32,)).lastrowid
                base.execute("INSERT INTO kept_case (family, line, agency, number, unit, is_open, limited_access) "
                             "VALUES (?, 0, 'cws', 'ghost', 0, 1, 0)", (ghost,))
        finally:
            base.close()

    def test_the_state_store_is_exported_for_a_purpose(self):
        self.publish((0, 1))
        where = ("--state", self.daemon.path("state"))
        self.ctl(*where, "--purpose", "study", "export", self.path("out"), status=1)  # an operator may not
        self.assertFalse(os.path.exists(self.path("out")))
        self.ctl(*where, "export", self.path("out"), key="auditor", status=2)
        self.ctl(*where, "--purpose", "study 9", "export", self.path("out"), key="auditor")
        self.assertEqual(os.stat(self.path("out")).st_mode & 0o777, 0o700)
        rows = self.rows(self.path("out/state.db"), "SELECT count(*) FROM state_case")[0][0]
        with open(self.path("out/state_case.csv"), encoding="utf-8", newline="") as f:
            self.assertEqual(len(list(csv.DictReader(f))), rows)
        self.assertTrue(os.path.exists(self.path("out/mutual_family.csv")))
        self.ctl(*where, "--purpose", "study 9", "export", self.path("out"), key="auditor", status=2)  # it is there
        self.daemon.stop()
        self.assertEqual(self.rows(self.state("linkages.db"), "SELECT basis FROM ledger WHERE first_seq = 0"),
                         [("purpose: study 9 (export of the state store)",)])

    def test_what_is_older_than_it_is_kept_goes(self):
        self.publish((0, 0.5))
        self.take_in()
        self.publish((0.5, 1))
        kept = self.told_by_mailbox()
        self.assertEqual(self.asked("--yes", "prune"), {"notices": 0, "dead_letters": 0})
        self.assertIn("nobody to ask", self.ctl("prune", status=2))
        self.daemon.stop()
        with open(self.daemon.path("linkages.yaml"), "a", encoding="utf-8") as f:
            f.write("retention: {mailbox: 1 minutes, dead_letters: 1 minutes}\n")
        self.daemon.start()
        gone = self.asked("--yes", "prune")["notices"]
        self.assertEqual(self.asked("--yes", "prune")["notices"], 0)
        self.assertGreater(gone, 0)
        self.assertIn("sound", self.ctl("ledger", "verify"))
        self.assertIn("0 damaged", self.ctl("scrub"))
        self.assertIn("all equal", self.ctl("rebuild"))
        left = self.told_by_mailbox()
        for worker, (first, received, rows) in left.items():
            self.assertEqual([r[0] for r in rows], list(range(first, first + len(rows))), "a mailbox is not dense")
            self.assertEqual(rows, kept[worker][2][-len(rows):] if rows else [])
            self.assertLessEqual(first - 1, received)
            self.assertTrue(not rows or rows[0][1] == 0 or rows[0][0] > received, "an old moment was kept")
        self.assertEqual(gone, sum(len(k[2]) for k in kept.values()) - sum(len(k[2]) for k in left.values()))
        self.assertTrue(self.take_in())  # what had not been stored is still there
        for number in sorted({json.loads(line)["subject"] for line in self.lines("cws-cms.ndjson")})[:12]:
            self.ctl("--purpose", "after pruning", "--agency", "cws", "family", number, key="auditor")

    def told_by_mailbox(self):
        """{worker: (first, received, [(seq, rule_class)])}"""
        self.daemon.stop()
        boxes = {w: (first, received, []) for w, first, received in
                 self.rows(self.state("linkages.db"), "SELECT name, first, received FROM worker WHERE mailbox NOT NULL")}
        for worker, seq, class_ in self.notices("SELECT worker_name, seq, rule_class FROM notice_row ORDER BY 1, 2"):
            boxes[worker][2].append((seq, class_))
        self.daemon.start()
        return boxes

    def send_bad(self, event):
        with open(self.path("bad"), "w", encoding="utf-8") as f:
            f.write(json.dumps(event) + "\n")
        self.run_tool("linkages-pub", "--source", event["source"], "--outbox", self.path("bad.outbox"), self.path("bad"),
                      key="calworks", lane="intake", status=1)

    def test_dead_letters_are_read_and_submitted_again(self):
        self.publish((0, 0.2))
        first = json.loads(self.lines("calsaws.ndjson")[0])["time"]
        bad = {"specversion": "1.0", "id": "late-1", "source": "calsaws", "type": "case.opened", "subject": "9X9",
               "time": first, "data": {"status": "actve", "members": []}}
        self.send_bad(bad)
        self.assertEqual([(l["reason"], l["field"], l["settled"]) for l in self.asked("dead-letters")["letters"]],
                         [("bad_value", "data.status", False)])
        self.ctl("--purpose", "p", "dead-letters", "show", "1", status=1)  # an operator may not
        self.ctl("dead-letters", "show", "1", key="auditor", status=2)  # nor an auditor without a purpose
        why = ("--purpose", "mending 4")
        shown = json.loads(self.ctl(*why, "dead-letters", "show", "1", key="auditor"))
        self.assertEqual(shown["event"], bad)
        self.ctl(*why, "dead-letters", "show", "2", key="auditor", status=1)
        self.ctl(*why, "dead-letters", "export", self.path("letters.ndjson"), key="auditor")
        self.assertEqual([json.loads(line)["event"]["id"] for line in self.lines("letters.ndjson")], ["late-1"])
        for change, words in (({}, "bad_value data.status"), ({"id": "other"}, "keeps its own"),
                              ({"source": "cws-cms"}, "the letter is of calsaws")):
            event = {**bad, "data": {"status": "active"}, **change} if change else bad
            if change.get("source"):
                event["data"] = {"status": "ifs"}
            self.write("event.json", event)
            self.assertIn(words, self.ctl(*why, "dead-letters", "resubmit", "1", self.path("event.json"), key="auditor",
                                          status=1))
        self.write("event.json", {**bad, "data": {"status": "active"}})
        done = json.loads(self.ctl(*why, "--json", "dead-letters", "resubmit", "1", self.path("event.json"), key="auditor"))
        self.assertEqual(done["outcome"], "applied")
        self.assertEqual([l["settled"] for l in self.asked("dead-letters")["letters"]], [True])
        self.daemon.stop()
        basis = [b for (b,) in self.rows(self.state("linkages.db"), "SELECT basis FROM ledger WHERE first_seq = 0")]
        self.assertIn("purpose: mending 4 (dead letters 1 to 1)", basis)
        self.assertIn("purpose: mending 4 (dead letter 1, submitted again)", basis)

    def a_mutual_family(self):
        """Case numbers by agency, of a family that has both, from a copy of the store."""
        self.ctl("backup", self.path("look.db"))
        cases = {}
        for family, agency, number in self.rows(self.path("look.db"), "SELECT hex(family), agency, number FROM agency_case"):
            cases.setdefault(family, {})[agency] = number
        both = [c for c in cases.values() if len(c) == 2]
        return both[0][0], both[0][1]

    def holders(self, words):
        """Files of the state directory in which any of the words is found."""
        found = []
        for name in os.listdir(self.daemon.path("state")):
            if os.path.isfile(self.state(name)):
                with open(self.state(name), "rb") as f:
                    found += [name] if any(w.encode() in f.read() or f.seek(0) for w in words) else []
        return found

    def test_a_family_is_expunged_on_order(self):
        self.publish((0, 1))
        self.take_in()
        cws, aid = self.a_mutual_family()
        case = ("--agency", "cws", "--purpose", "order 12-3", "--state", self.daemon.path("state"))
        events = [json.loads(line) for name in ("cws-cms", "calsaws") for line in self.lines(name + ".ndjson")]
        words = [cws, aid] + [f'{e["source"]}/{e["id"]}' for e in events if e["subject"] in (cws, aid)]
        self.ctl(*case, "family", cws, key="auditor")
        self.refuse_link(events, aid, cws)
        self.assertTrue(self.holders(words))
        self.ctl(*case, "hold", "add", cws, key="auditor")
        self.assertIn("legal hold", self.ctl(*case, "--yes", "expunge", cws, key="auditor", status=1))
        self.ctl(*case, "hold", "release", cws, key="auditor")
        named = ("--agency", "cws", "--purpose", f"case {aid}", "--state", self.daemon.path("state"))
        self.assertIn("name the order", self.ctl(*named, "--yes", "expunge", cws, key="auditor", status=1))
        self.assertIn("nobody to ask", self.ctl(*case, "expunge", cws, key="auditor", status=2))
        self.ctl(*case, "--yes", "expunge", cws, status=1)  # an operator may not
        done = json.loads(self.ctl(*case, "--yes", "--json", "expunge", cws, key="auditor"))
        self.assertEqual((done["order"], done["cases"], done["occurrences"]), ("order 12-3", 2, 0))
        self.count_of_unanswered_is_right()
        self.assertGreaterEqual(done["events"], len(self.said_of(events, cws, aid)))  # and answers, of ours
        self.assertGreater(done["notices"], 0)
        self.assertEqual(done["links_of_others"], 1)
        self.assertGreater(done["ledger_rows"], done["notices"] // 2)
        self.assertEqual([b["place"] for b in done["backups"]], [self.path("look.db")])
        self.assertEqual(self.holders(words), [])
        self.assertIn("sound", self.ctl("ledger", "verify"))
        self.assertIn(" 0 damaged", self.ctl("scrub"))
        self.daemon.stop()
        self.assertEqual(self.holders(words), [])
        self.daemon.start()
        self.comes_back_to_nothing(cws, words)

    def test_a_certificate_says_one_where_it_is_one(self):
        self.publish((0, 0.5))
        self.ctl("backup", self.path("look.db"))
        (cws,) = self.rows(self.path("look.db"), "SELECT min(number) FROM agency_case GROUP BY family "
                                                 "HAVING count(*) = 1 AND min(agency) = 0 LIMIT 1")[0]
        page = self.ctl("--agency", "cws", "--purpose", "order 12-6", "--state", self.daemon.path("state"), "--yes", "expunge", cws,
                        key="auditor")
        self.assertIn(" 1 case of one family\n", page)
        self.assertNotRegex(page, re.compile(r"^ +1 (dead )?\w+s\b", re.M))

    def shown_of(self, *cases):
        """What a worker's client that has nothing yet is shown of these cases."""
        new = self.path(f"inbox-{len(os.listdir(self.folder))}")
        said = self.run_tool("linkages-sub", "--once", "--json", "--timeout", "30", "--store", new, *self.workers, key="district",
                             lane="inbox")
        return [line for line in said.splitlines() if any(f'"{c}"' in line for c in cases)]

    def test_an_expunged_family_that_a_backup_brings_back_is_told(self):
        """Until the order is repeated; and nobody is shown anything of it meanwhile."""
        self.publish((0, 1))
        cws, aid = self.a_mutual_family()
        self.assertTrue(self.shown_of(cws, aid))
        case = ("--agency", "cws", "--purpose", "order 12-5", "--state", self.daemon.path("state"), "--yes")
        self.ctl(*case, "expunge", cws, key="auditor")
        self.assertNotIn("expunged_back", self.asked("status")["alarms"])
        self.daemon.stop()
        self.ctl("--state", self.daemon.path("state"), "--yes", "restore", self.path("look.db"))
        self.daemon.start()
        self.assertEqual(self.asked("status")["alarms"]["expunged_back"], {"stands": True, "raised": 1})
        self.assertIn("alarm=expunged_back cases=2", self.daemon.said())
        self.assertEqual(self.shown_of(cws, aid), [])
        self.assertIn("repeat the order", self.ctl("--agency", "cws", "--purpose", "p", "family", cws, key="auditor", status=1))
        self.assertIn("all equal", self.ctl("rebuild"))
        numbers = {number for number, in self.rows(self.state("state.db"), "SELECT number FROM state_case")}
        self.assertTrue(numbers)
        self.assertFalse(numbers & {cws, aid})
        again = json.loads(self.ctl(*case, "--json", "expunge", cws, key="auditor"))
        self.assertEqual([b["place"] for b in again["backups"]], [self.path("look.db")], "which has brought it back")
        self.assertFalse(self.asked("status")["alarms"]["expunged_back"]["stands"])
        self.assertEqual(self.holders([cws, aid]), [])

    def test_nobody_answers_in_anothers_name(self):
        """Though one store keeps the mailboxes of both."""
        self.publish((0, 0.5))
        notice = self.take_in()[0]
        other = next(w for w in self.workers if w != notice["to"])
        words = ("--answer", notice["id"], "--store", self.path("inbox"))
        self.assertIn(f"was told to {notice['to']}",
                      self.run_tool("linkages-sub", *words, other, key="district", lane="inbox", status=2))
        self.assertIn(f"answered by {notice['to']}",
                      self.run_tool("linkages-sub", *words, other, notice["to"], key="district", lane="inbox"))

    def test_copies_beside_the_store_hold_a_family_too(self):
        """One that nobody came for goes with the family; an older store is a person's to destroy, and is named."""
        self.publish((0, 1))
        cws, aid = self.a_mutual_family()
        for name in ("backup.db", "linkages.db.before-1790000000"):
            shutil.copy(self.path("look.db"), self.state(name))
        case = ("--agency", "cws", "--purpose", "order 12-4", "--state", self.daemon.path("state"), "--yes")
        self.assertIn("occurrences", self.ctl(*case, "expunge", cws, key="auditor", status=1))
        self.assertEqual(self.holders([cws, aid]), ["linkages.db.before-1790000000"])

    def refuse_link(self, events, aid, cws):
        """Somebody said of another family that the case is none of it."""
        other = next(e for e in events if e["source"] == "calsaws" and e["subject"] != aid)
        self.write("part", {"specversion": "1.0", "id": "not-ours", "source": "calsaws", "type": "link.refused",
                            "subject": other["subject"], "time": other["time"],
                            "data": {"other": {"agency": "cws", "case": cws}}})
        self.run_tool("linkages-pub", "--source", "calsaws", "--outbox", self.path("calsaws.outbox"), self.path("part"),
                      key="calworks", lane="intake")

    def said_of(self, events, *cases):
        return [e for e in events if e["subject"] in cases]

    def comes_back_to_nothing(self, cws, words):
        """The same events from an outbox that was made anew: known, but for those of the family, which are refused."""
        for source, key in (("cws-cms", "cws"), ("calsaws", "calworks")):
            refused = self.run_tool("linkages-pub", "--json", "--source", source, "--outbox", self.path(source + ".again"),
                                    self.path(source + ".ndjson"), key=key, lane="intake", status=1)
            self.assertIn("forbidden", refused)
        self.ctl("--agency", "cws", "--purpose", "p", "family", cws, key="auditor", status=1)
        self.daemon.stop()
        self.assertEqual(self.holders(words), [])
        os.rename(self.state("linkages.expunged"), self.path("kept"))
        refused = subprocess.run([harness.program("linkagesd"), "--config", self.daemon.path("linkages.yaml")], check=False,
                                 capture_output=True, text=True, timeout=60)
        self.assertEqual(refused.returncode, 74)
        self.assertIn("what was expunged could come back", refused.stderr)

    def write(self, name, value):
        with open(self.path(name), "w", encoding="utf-8") as f:
            json.dump(value, f)

    def test_what_was_meddled_with_is_named(self):
        self.publish((0, 1))
        self.assertIn("sound", self.ctl("ledger", "verify"))
        self.assertIn(" 0 damaged", self.ctl("scrub"))
        self.daemon.stop()
        heads = re.findall(r"ledger head=(\S+)", self.daemon.said())
        shutil.copy(self.state("linkages.db"), self.path("copy.db"))
        sound = self.asked("ledger", "verify", self.path("copy.db"), "--head", heads[-1])
        verbs.check("ledger-verify", {}, [{"ok": True, "more": False, "body": sound}])  # as a daemon says it
        self.assertEqual((sound["sound"], sound["heads"], sound["head"]), (True, 1, heads[-1]))
        self.meddle("DELETE FROM ledger WHERE number > (SELECT max(number) - 2 FROM ledger)", "copy.db")
        self.assertIn("sound", self.ctl("ledger", "verify", self.path("copy.db")))  # by itself it cannot tell
        self.assertIn("the head kept outside is further",
                      self.ctl("ledger", "verify", self.path("copy.db"), "--head", heads[-1], status=1))
        broken = self.asked("ledger", "verify", self.path("copy.db"), "--head", heads[-1], status=1)
        verbs.check("ledger-verify", {}, [{"ok": True, "more": False, "body": broken}])
        self.assertIsNotNone(broken["broken"])
        shutil.copy(self.state("linkages.db"), self.path("copy.db"))
        self.meddle("UPDATE event SET body = CAST(body || x'00' AS BLOB) WHERE position = 2", "copy.db")
        with open(self.state("linkages.db"), "rb") as f:
            before = f.read()
        self.assertIn("is damaged: event at 2",
                      self.ctl("--state", self.daemon.path("state"), "--yes", "restore", self.path("copy.db"), status=1))
        with open(self.state("linkages.db"), "rb") as f:
            self.assertEqual(f.read(), before)

    def test_a_store_that_is_behind_its_mark_is_made_anew(self):
        self.publish((0, 1))
        self.take_in()
        self.daemon.stop()
        told = self.told()
        self.damage("DELETE FROM ledger WHERE number > (SELECT max(number) - 2 FROM ledger)",
                    "DELETE FROM notice_block WHERE first = (SELECT min(first) FROM notice_block)")
        self.daemon.start()
        self.assertIn("committed rows are gone", self.daemon.said())
        self.assertIn(" 0 damaged", self.ctl("scrub"))
        self.daemon.stop()
        self.assertEqual(len(self.told()), len(told))

    def test_events_that_a_damage_took_come_back_and_nobody_hears_of_it(self):
        """They come one by one, long after: a family that was folded anew meanwhile would take back what rests on the others."""
        self.publish((0, 1))
        self.ctl("clock", "2027-01-01T00:00:00Z")
        self.take_in()
        self.daemon.stop()
        told, logged = self.told(), self.logged()
        self.damage(SOME_EVENTS)
        self.scrub_ends_the_daemon()
        self.assertIn("alarm=row_damaged", self.daemon.said())
        self.assertEqual(self.asked("status")["alarms"].get("outboxes_awaited"), {"stands": True, "raised": 1})
        self.assertRegex(self.ctl("rebuild", status=1), r"events \d+ to \d+ of the outbox of [a-z-]+ are waited for")
        self.publish((0, 0))
        self.assertIn("all equal", self.ctl("rebuild"))
        self.assertFalse(self.asked("status")["alarms"]["outboxes_awaited"]["stands"])
        self.daemon.stop()
        self.daemon.start()  # whatever waited is derived again
        self.assertEqual(self.take_in(), [])
        self.daemon.stop()
        self.assertEqual(self.logged(), logged)
        self.assertEqual(self.told(), told)

    def test_mail_waits_where_only_a_log_that_lacks_events_could_tell_what_may_be_shown(self):
        self.publish((0, 1))
        self.daemon.stop()
        told = self.told()
        self.damage(SOME_EVENTS, "UPDATE family SET state = x'00'")
        self.scrub_ends_the_daemon()
        reader = threading.Thread(target=lambda: got.extend(self.take_in()))
        got = []
        reader.start()
        while self.asked("status")["inbox"]["sessions"] == 0:
            pass
        self.publish((0, 0))
        reader.join()
        read = {row for row in told if row[0] in self.workers}
        self.assertLessEqual(read, {(n["to"], n["id"].upper(), n["rev"]) for n in got})
        self.assertTrue(read)

    def test_a_page_without_anything_in_it_is_made_good_or_named(self):
        """Whichever table it is the first page of: a start comes through, says that the next one tries, or what there is to do."""
        self.publish((0, 1))
        self.daemon.stop()
        shutil.copytree(self.state(""), self.path("kept"))
        ends = set()
        for page in self.pages():
            shutil.rmtree(self.state(""))
            shutil.copytree(self.path("kept"), self.state(""))
            with open(self.state("linkages.db"), "r+b") as f:
                f.seek((page - 1) * 4096)
                f.write(bytes(4096))
            with self.subTest(page=page):
                ends.add(self.starts_with_damage())
        self.assertEqual(ends, {"serves", "tries", "names"})

    def pages(self):
        with contextlib.closing(sqlite3.connect(self.path("kept/linkages.db"))) as base:
            return [row[0] for row in base.execute("SELECT rootpage FROM sqlite_schema WHERE rootpage > 0 ORDER BY 1")]

    def starts_with_damage(self):
        status, said = self.start_or_end()
        if status == 75:
            self.assertIn("linkages.db is damaged (", said)
            self.assertIn("): the next start rebuilds it where it can", said)
            self.assertNotEqual(self.start_or_end()[0], 75)
            return "tries"
        if status != 0:
            self.assertEqual(status, 74)
            self.assertIn(": restore a backup", said)
        return "serves" if status == 0 else "names"

    def start_or_end(self):
        """What it ends with, and the last it says; 0 where it serves."""
        try:
            self.daemon.start()
        except harness.Ended:
            return self.daemon.process.wait(harness.STOP_S), self.daemon.said().strip().splitlines()[-2]
        self.daemon.kill()
        return 0, ""

    def damage(self, *queries):
        """Of a daemon that is stopped. What is done to a copy leaves nothing else behind beside the database."""
        shutil.copy(self.state("linkages.db"), self.path("linkages.db"))
        for query in queries:
            self.meddle(query, "linkages.db")
        shutil.copy(self.path("linkages.db"), self.state("linkages.db"))

    def scrub_ends_the_daemon(self):
        """And the next start makes the store anew."""
        self.daemon.start()
        self.run_tool("linkages-ctl", "scrub", key="operator", status=None)
        self.assertEqual(self.daemon.process.wait(harness.STOP_S), 75)
        self.daemon.start()

    def meddle(self, query, name):
        base = sqlite3.connect(self.path(name))
        try:
            with base:
                self.assertGreater(base.execute(query).rowcount, 0)
        finally:
            base.close()


if __name__ == "__main__":
    unittest.main()
