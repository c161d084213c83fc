#!/usr/bin/python3
"""test_inboxes.py - workers' clients that freeze, dawdle, storm, come back from an old copy, or keep a session's mail open.

In: a daemon with CURVE on, raw clients written from the prose of the protocol, and linkages-sub. Out: what each of them got.
Promise: every wait is for a condition; tests/system/README.md tells which sentence of the protocol each test stands for.

usage: test_inboxes.py [--pending N] [--clients N] [--every N] [--seed S] [unittest's own arguments]
       --pending 1000000: a mailbox of a year; --every 1: each call is a place to die
"""
import argparse
import collections
import datetime
import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import time
import unittest

import msgpack
import zmq

import harness
import peer
import proxy
from saying import calsaws, cws
from test_lanes import GARCIA, JONES, OTHER_EPOCH, LaneTest
from test_streams import answer

SETTINGS = argparse.Namespace(pending=1500, clients=1000, every=11, seed=1)
LIMIT_S = 60
CACHES_KIB = 160 * 1024  # SQLite's pages and the families at hand: they have a size of their own, whatever waits
KIB_A_CONNECTION = 64  # 28 are measured of a CURVE connection; the rest is ours, and the sanitizer's


def family(i):
    """Five events of both agencies that make five notices: three for garcia, two for jones."""
    def of(event, number, case):
        return {**event, "id": f"f{i}-{number}", "subject": case}
    mine, other = f"A{i}", f"B{i}"
    crossing = calsaws(3, "link.confirmed", 2, other={"agency": "cws", "case": other})
    return ([of(cws(1, "case.opened", 0, status="fm"), 1, other), of(cws(2, "worker.assigned", 0, **GARCIA), 2, other)],
            [of(calsaws(1, "case.opened", 0, status="active"), 3, mine),
             of(calsaws(2, "worker.assigned", 0, **JONES), 4, mine), of(crossing, 5, mine)])


class Outbox:
    """One agency's half of so many families, made when it is sent: a million need no memory."""

    def __init__(self, side):
        self.side, self.families, self.each, self.acked = side, 0, len(family(0)[side]), 0

    def __len__(self):
        return self.families * self.each

    def __getitem__(self, at):
        return family(at // self.each)[self.side][at % self.each]


class InboxTest(LaneTest):
    def setUp(self):
        super().setUp()
        self.running, self.outboxes = harness.processes(self), (Outbox(0), Outbox(1))

    def tell(self, families):
        """So many more families are found: three notices each for garcia, two for jones."""
        for outbox, of in zip(self.outboxes, ({"client": "cws", "source": "cws-cms", "epoch": OTHER_EPOCH}, {})):
            outbox.families += families
            agency = self.subscribed(outbox, outbox.acked, **of)
            while agency.acked < len(outbox):
                agency.push()
                agency.take(agency.receive())
            outbox.acked = agency.acked
            agency.close()

    def welcomed(self, workers=("garcia",), credit=0, store=None):
        """A session with so much credit, that reads nothing by itself."""
        worker = self.open(peer.Worker, "inbox", "district", "python", store or peer.new_store(workers))
        worker.hello()
        message = worker.expect("welcome")
        worker.session, worker.behind = message["session"], set(worker.store)
        for box in message["workers"]:
            worker.store[box["worker"]]["mailbox"] = box["mailbox"]
        if credit:
            worker.credit(credit)
        return worker

    def say_nothing_more(self, worker):
        """Everything that was to come has come: its pong would be behind it."""
        worker.send("ping")
        while True:
            message = peer.unpack(worker.socket.recv())
            if message["m"] == "pong":
                return
            self.assertEqual(message["m"], "ping")

    def notices(self, worker, n):
        """The next n messages, which must be notices; their seqs."""
        return [worker.expect("notice")["seq"] for _ in range(n)]

    def follow(self, *arguments, store="garcia.inbox", workers=("garcia",), server=None, environment=None):
        d = self.daemon
        process = subprocess.Popen(
            [harness.program("linkages-sub"), "--server", server or d.lanes["inbox"], "--server-key", d.path("state/server.pub"),
             "--key", d.path("district.key"), "--store", d.path(store), "--json", *arguments, *workers],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "LC_ALL": "C.UTF-8", **(environment or {})})
        self.running.append(process)
        return process

    def once(self, **more):
        """What linkages-sub shows that was not shown before."""
        out, err = self.follow("--once", **more).communicate(timeout=LIMIT_S)
        self.assertEqual(err, "")
        return [line["seq"] for line in map(json.loads, out.splitlines()) if "notice" in line]

    def read_seqs(self, process, n):
        seqs = []
        while len(seqs) < n:
            line = json.loads(process.stdout.readline())
            if "notice" in line:
                seqs.append(line["seq"])
        return seqs


class Places(InboxTest):
    """Where a client stands: its own word, its store's, and what a receipt says of it."""

    def test_snapshot_then_live(self):
        """Everything after `last`, in order, then caughtup, then live; credit decides when, never what."""
        self.tell(2)
        worker = self.welcomed(credit=2)
        self.assertEqual(self.notices(worker, 2), [1, 2])
        self.tell(1)  # while it catches up
        self.say_nothing_more(worker)
        worker.credit(100)
        self.assertEqual(self.notices(worker, 7), [3, 4, 5, 6, 7, 8, 9])
        self.assertEqual(worker.expect("caughtup")["seq"], 9)
        self.tell(1)
        self.assertEqual(self.notices(worker, 3), [10, 11, 12])

    def test_only_what_waited_is_a_hand_out_of_its_own(self):
        """No credit for an instant, then for longer than a second: the ledger's row of the telling does, or it does not."""
        worker = self.welcomed()
        worker.expect("caughtup")
        soon, tries = False, 0
        while not soon and tries < 10:  # on a machine that has no time all of them may have waited
            begun, tries = time.monotonic(), tries + 1
            self.tell(1)
            worker.credit(3)
            self.notices(worker, 3)
            soon = time.monotonic() - begun < 0.9
        self.tell(1)
        told = time.monotonic()
        while time.monotonic() < told + 1.1:
            self.say_nothing_more(worker)
        worker.credit(3)
        self.notices(worker, 3)
        self.daemon.stop()
        ((rows,),) = answer(self.daemon, "SELECT count(*) FROM ledger WHERE session IS NOT NULL")
        self.assertIn(rows, range(1, tries + (not soon) + 1))

    def test_a_receipt_of_an_old_session_and_one_that_goes_back(self):
        self.tell(2)
        worker = self.welcomed(credit=100)
        self.assertEqual(self.notices(worker, 6), [1, 2, 3, 4, 5, 6])
        worker.expect("caughtup")
        old = worker.session
        worker.hello()
        worker.session = worker.expect("welcome")["session"]
        worker.credit(100)
        worker.expect("notice")
        worker.send("receipt", session=old, worker="garcia", upto=6)
        worker.send("receipt", session="0" * 32, worker="garcia", upto=6)
        worker.send("receipt", session=worker.session, worker="garcia", upto=1)
        asker = self.asker()
        while asker.ok("status")["counters"]["receipts"] < 1:
            pass
        self.assertEqual(self.receipt(), 1, "of this session alone")

    def test_receipts_reach_the_disk_and_never_beyond_what_was_sent(self):
        self.tell(2)
        worker = self.welcomed(credit=2)
        self.notices(worker, 2)
        for upto in (3, 99, 2):
            worker.send("receipt", session=worker.session, worker="garcia", upto=upto)
        asker = self.asker()
        while asker.ok("status")["counters"]["receipts"] < 1:
            pass
        self.assertEqual(self.receipt(), 2)

    def test_a_receipt_never_goes_back(self):
        self.tell(2)
        worker = self.welcomed(credit=100)
        self.notices(worker, 6)
        asker = self.asker()
        for n, upto in enumerate((5, 2), 1):
            worker.send("receipt", session=worker.session, worker="garcia", upto=upto)
            while asker.ok("status")["counters"]["receipts"] < n:
                pass
        self.assertEqual(self.receipt(), 5)

    def receipt(self):
        self.daemon.stop()
        return answer(self.daemon, "SELECT received FROM worker WHERE name = 'garcia'")[0][0]

    def test_a_store_put_back_from_a_copy_gets_again_what_it_lacks(self):
        self.tell(1)
        self.assertEqual(self.once(), [1, 2, 3])
        shutil.copy(self.daemon.path("garcia.inbox"), self.daemon.path("copy.inbox"))
        self.tell(2)
        self.assertEqual(self.once(), [4, 5, 6, 7, 8, 9])
        shutil.copy(self.daemon.path("copy.inbox"), self.daemon.path("garcia.inbox"))
        self.assertEqual(self.once(), [4, 5, 6, 7, 8, 9])
        self.assertEqual(self.once(), [])

    def test_ahead_of_the_daemon_is_alarmed(self):
        self.tell(1)
        known = self.welcomed().store["garcia"]
        self.assertNotIn("mailbox_ahead", self.asker().ok("status")["alarms"])
        ahead = self.welcomed(credit=100, store={"garcia": {**known, "last": 4}})
        self.assertEqual(self.notices(ahead, 3), [1, 2, 3], "as with another mailbox: from the first")
        self.assertEqual(self.asker().ok("status")["alarms"]["mailbox_ahead"], {"stands": False, "raised": 1})


class Several(InboxTest):
    """Notices of a row in one message, to a client that says it takes them; to others one by one."""

    def said(self, several, credit, last=0):
        worker = self.welcomed()
        place = {"worker": "garcia", "mailbox": worker.store["garcia"]["mailbox"], "last": last}
        worker.send("hello", v=1, client="python", workers=[place], several=several)
        worker.session = worker.expect("welcome")["session"]
        worker.credit(credit)
        return worker

    def rows(self, worker, n):
        """What carries the next n notices: how many each message has, and their seqs."""
        sizes, seqs, told = [], [], []
        while len(seqs) < n:
            message = worker.receive()
            if message["m"] == "caughtup":
                continue
            notices = message["notices"] if message["m"] == "notices" else [message["notice"]]
            self.assertEqual(message["m"] == "notices", len(notices) > 1)
            sizes.append(len(notices))
            seqs += range(message["seq"], message["seq"] + len(notices))
            told += notices
        return sizes, seqs, told

    def test_rows_are_dense_within_credit_and_the_same_notices(self):
        self.tell(20)
        all_of_them = list(range(1, 61))
        one_by_one = self.rows(self.welcomed(credit=100), 60)
        self.assertEqual(one_by_one[:2], ([1] * 60, all_of_them))
        for several, most in ((1, 1), (0, 1), (7, 7), (128, 128), (1 << 40, 128)):
            with self.subTest(several=several):
                sizes, seqs, told = self.rows(self.said(several, 100), 60)
                self.assertLessEqual(max(sizes), most)
                self.assertEqual(seqs, all_of_them)
                self.assertEqual(told, one_by_one[2])
                self.assertEqual(max(sizes) > 1, most > 1)

    def test_each_uses_one_credit(self):
        self.tell(5)
        worker = self.said(128, 4)
        self.assertEqual(self.rows(worker, 4)[1], [1, 2, 3, 4])
        self.say_nothing_more(worker)
        worker.credit(1)
        self.assertEqual(self.rows(worker, 1)[1], [5])
        worker.send("receipt", session=worker.session, worker="garcia", upto=5)
        self.assertEqual(self.rows(self.said(128, 100, last=5), 10)[1], list(range(6, 16)))


class Sessions(InboxTest):
    def test_two_sessions_of_one_worker(self):
        """Both get everything; an answer in one answers in both; whoever comes later is told who answered, and when."""
        one, two = self.welcomed(credit=100), self.welcomed(credit=100)
        for session in (one, two):
            session.expect("caughtup")
        self.tell(1)
        got = [[session.expect("notice")["notice"] for _ in range(3)] for session in (one, two)]
        self.assertEqual(got[0], got[1])
        notice = got[0][1]["id"]
        one.send("answer", session=one.session, worker="garcia", notice=notice)
        told = [session.expect("answered") for session in (one, two)]
        self.assertEqual(told[0], told[1])
        self.assertEqual((told[0]["worker"], told[0]["notice"], told[0]["by"]), ("garcia", notice, "garcia"))
        later = self.welcomed(credit=100)
        answers = [later.expect("notice")["notice"].get("answered") for _ in range(3)]
        self.assertEqual(answers[::2], [None, None])
        self.assertEqual(answers[1]["by"], "garcia")
        self.assertEqual(*map(datetime.datetime.fromisoformat, (answers[1]["at"], told[0]["at"])))
        self.daemon.stop()
        self.assertEqual(answer(self.daemon, "SELECT source_name, count(*) FROM event_row WHERE type = -1"), [("linkages", 1)])

    def test_a_slow_client_delays_nobody(self):
        """One takes a notice at a time, and only when all others have everything."""
        slow, others = self.welcomed(), [self.welcomed(credit=1000) for _ in range(5)]
        for client in (slow, *others):
            client.expect("caughtup")
        self.tell(20)
        for other in others:
            self.assertEqual(self.notices(other, 60), list(range(1, 61)))
        self.say_nothing_more(slow)
        for seq in range(1, 61):
            slow.credit(1)
            self.assertEqual(slow.expect("notice")["seq"], seq)
            self.say_nothing_more(slow)

    def test_a_frozen_client_is_noticed_and_goes_on_where_it_stood(self):
        """SIGSTOP: it answers nothing for 15 s, its session ends and its connection is shut; the other got everything meanwhile."""
        frozen, other = self.follow(), self.welcomed(credit=1000)
        other.expect("caughtup")
        self.tell(1)
        self.assertEqual(self.read_seqs(frozen, 3), [1, 2, 3])
        self.assertEqual(self.notices(other, 3), [1, 2, 3])
        frozen.send_signal(signal.SIGSTOP)
        self.tell(3)
        self.assertEqual(self.notices(other, 9), list(range(4, 13)))
        asker = self.asker()
        while min(asker.ok("status")["counters"][c] for c in ("sessions_silent", "hung_up")) < 1:
            if other.socket.poll(100):  # alive, and says so
                self.assertEqual(peer.unpack(other.socket.recv())["m"], "ping")
                other.send("pong")
        self.tell(1)
        frozen.send_signal(signal.SIGCONT)
        self.assertEqual(self.read_seqs(frozen, 12), list(range(4, 16)))
        self.assertEqual(self.notices(other, 3), [13, 14, 15])
        frozen.terminate()
        out, _ = frozen.communicate(timeout=LIMIT_S)
        self.assertNotIn('"notice"', out, "each once")


class Faults(InboxTest):
    """linkages-sub and its store, with everything that goes wrong between them and the daemon."""

    def kept(self):
        """The seqs in the store, each with how often it is there."""
        base = sqlite3.connect(f"file:{self.daemon.path('garcia.inbox')}?mode=ro", uri=True)
        try:
            rows = base.execute("SELECT seq, notices FROM arrival").fetchall()
            seqs = collections.Counter(seq + i for seq, packed in rows for i in range(len(msgpack.unpackb(packed))))
            return sorted(seqs.items())
        finally:
            base.close()

    def test_connections_are_cut(self):
        """In the greeting, in a notice, before a receipt: each notice is shown once, in order."""
        chance = random.Random(SETTINGS.seed)
        self.tell(100)
        budgets = [(200, 200)] + [(chance.choice([900, 1_500, proxy.FOREVER]), chance.randint(1_500, 40_000)) for _ in range(5)]
        between = proxy.Proxy(self.daemon.lanes["inbox"], budgets)
        try:
            out, err = self.follow("--once", "--timeout", "60", server=between.address).communicate(timeout=2 * LIMIT_S)
        finally:
            between.close()
        self.assertGreaterEqual(between.cuts, 3)
        self.assertEqual([json.loads(line)["seq"] for line in out.splitlines() if "notice" in line], list(range(1, 301)), err)
        self.assertEqual(self.kept(), [(seq, 1) for seq in range(1, 301)])

    def test_the_client_is_killed_at_each_step(self):
        """A step is a call to the disk or to the network. In the store each once; on the screen twice only what it died over."""
        path, shown, k, deaths = self.daemon.path("die_at"), [], 1 + SETTINGS.seed % SETTINGS.every, 0
        while True:
            self.tell(1)
            with open(path, "wb") as f:
                f.write(struct.pack("=q", k))
            process = self.follow("--once", environment=harness.preloaded("die_at", DIE_AT=path))
            out, err = process.communicate(timeout=LIMIT_S)
            now = [json.loads(line)["seq"] for line in out.splitlines() if line.endswith("}") and '"notice"' in line]
            self.assertEqual(now, sorted(set(now)))
            again = [] if process.returncode == 0 else self.once()
            self.assertLessEqual(len(now) + len(again), 6, "three are new; they may have been shown when it died")
            shown += sorted({*now, *again})
            if process.returncode == 0:
                break
            self.assertEqual(process.returncode, -9, err)
            deaths += 1
            k += SETTINGS.every
        everything = list(range(1, self.outboxes[0].families * 3 + 1))
        self.assertEqual(shown, everything)
        self.assertEqual(self.kept(), [(seq, 1) for seq in everything])
        always = len(range(1 + SETTINGS.seed % SETTINGS.every, 30, SETTINGS.every))
        self.assertGreaterEqual(deaths, always)
        print(f"client killed at a call to disk or network: {always} places among the first 30, and the rest; each notice is kept "
              "once, and shown")


class Crowd(InboxTest):
    """Many sessions, much mail."""

    def setUp(self):
        needed = 8 * SETTINGS.clients + 200
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < needed:
            self.skipTest(f"a crowd: needs {needed} open files, and may have {hard}")
        if soft != resource.RLIM_INFINITY and soft < needed:
            resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
        super().setUp()

    def configure(self):
        # A sanitizer keeps freed memory for a while; here memory is what is measured.
        options = os.environ.get("ASAN_OPTIONS", "")
        self.daemon.environment = {"ASAN_OPTIONS": options + ":quarantine_size_mb=1:thread_local_quarantine_size_kb=64"}
        self.crowd = zmq.Context()
        self.crowd.set(zmq.MAX_SOCKETS, 2 * SETTINGS.clients + 100)
        self.addCleanup(self.crowd.destroy, linger=0)

    def kib(self):
        with open(f"/proc/{self.daemon.process.pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))

    def come(self, n):
        d = self.daemon
        self.lanes += [peer.Worker(self.crowd, d.lanes["inbox"], d.server_key, d.pairs["district"], f"c{i}",
                                   peer.new_store(["garcia"])) for i in range(n)]
        return self.lanes[-n:]

    def greet(self, crowd):
        for worker in crowd:
            worker.hello()
        for worker in crowd:
            message = worker.expect("welcome", 2 * LIMIT_S * 1000)
            worker.session = message["session"]

    def test_a_thousand_come_back_at_once(self):
        """Each gets what it lacks, once and in order, before the daemon's end and after it."""
        self.tell(2)
        crowd = self.come(SETTINGS.clients)
        self.greet(crowd)
        for worker in crowd:
            worker.credit(100)
        for worker in crowd:
            self.assertEqual(self.notices(worker, 6), [1, 2, 3, 4, 5, 6])
        mailbox = self.welcomed().store["garcia"]["mailbox"]
        self.daemon.kill()
        self.daemon.start()
        for worker in crowd:
            worker.close()
        crowd = self.come(SETTINGS.clients)
        for worker in crowd:
            worker.store["garcia"].update(mailbox=mailbox, last=4)
        self.greet(crowd)
        for worker in crowd:
            worker.credit(100)
        for worker in crowd:
            self.assertEqual(self.notices(worker, 2), [5, 6])
            self.assertEqual(worker.expect("caughtup")["seq"], 6)
        self.assertEqual(self.asker().ok("status")["inbox"]["sessions"], SETTINGS.clients)
        print(f"clients that come at once, and again after a kill: {SETTINGS.clients}; each notice once, in order")

    def test_mail_that_nobody_takes_waits_on_disk(self):
        """Sessions without credit and a full mailbox: memory stays flat; after a restart too, and it is all still there."""
        sessions = SETTINGS.clients // 5
        self.tell(max(1, SETTINGS.pending // 3))
        before = self.kib()
        crowd = self.come(sessions)
        self.greet(crowd)
        self.asker().ok("status")
        grown = self.kib() - before
        self.assertLess(grown, sessions * KIB_A_CONNECTION + 8_192, "what waits is not in memory")
        pending = self.outboxes[0].families * 3
        self.daemon.kill()
        self.daemon.start()
        fresh = self.kib()
        worker = self.welcomed()
        worker.credit(1)
        self.assertEqual(worker.expect("notice", 2 * LIMIT_S * 1000)["seq"], 1)
        self.say_nothing_more(worker)
        self.assertLess(self.kib() - fresh, CACHES_KIB)
        expected = 2
        while expected <= pending:
            n = min(1000, pending - expected + 1)
            worker.credit(n)
            self.assertEqual(self.notices(worker, n), list(range(expected, expected + n)))
            expected += n
        self.assertEqual(worker.expect("caughtup")["seq"], pending)
        self.assertLess(self.kib() - fresh, CACHES_KIB)
        print(f"notices pending for each of {sessions} sessions without credit, and over a restart: {pending}; memory flat, "
              "all of them in order")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--pending", type=int, default=SETTINGS.pending)
    parser.add_argument("--clients", type=int, default=SETTINGS.clients)
    parser.add_argument("--every", type=int, default=SETTINGS.every)
    parser.add_argument("--seed", type=int, default=SETTINGS.seed)
    _, rest = parser.parse_known_args(namespace=SETTINGS)
    unittest.main(argv=[sys.argv[0], *rest])
