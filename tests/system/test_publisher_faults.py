#!/usr/bin/python3
"""test_publisher_faults.py - linkages-pub and its outbox against a real daemon, with everything that goes wrong between them.

In: the programs as they are built, and how hard to try. Out: what is in the daemon's log. Promise: each event is in the log
once, whoever dies, is cut off or is put back from a copy; every wait is for a condition.

usage: test_publisher_faults.py [--every N] [--seed S] [unittest's own arguments]    --every 1: each call is a place to die
"""
import argparse
import glob
import json
import os
import random
import shutil
import socket
import sqlite3
import struct
import subprocess
import sys
import time
import unittest

import harness
import peer
import proxy
from saying import calsaws
from test_lanes import LaneTest, contacts
from test_low_disk import mount

LIMIT_S = 60
SETTINGS = argparse.Namespace(every=15, seed=1)


class FaultTest(LaneTest):
    def setUp(self):
        super().setUp()
        self.running = harness.processes(self)

    def lines(self, events, name="events"):
        path = self.daemon.path(name + ".ndjson")
        with open(path, "w", encoding="utf-8") as f:
            f.writelines(json.dumps(e) + "\n" for e in events)
        return path

    def start(self, path, outbox="calsaws.outbox", server=None, environment=None, more=(), before=()):
        d = self.daemon
        process = subprocess.Popen(
            [*before, harness.program("linkages-pub"), "--source", "calsaws", "--outbox", d.path(outbox), "--server",
             server or d.lanes["intake"], "--server-key", d.path("state/server.pub"), "--key", d.path("calworks.key"),
             *more, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, **(environment or {})})
        self.running.append(process)
        return process

    def ends(self, process, *statuses):
        _, err = process.communicate(timeout=LIMIT_S)
        self.assertIn(process.returncode, statuses, err)
        return err

    def publish(self, events, outbox="calsaws.outbox", **more):
        return self.ends(self.start(self.lines(events), outbox, **more), 0)

    def ids(self):
        """In the order of the log. The daemon must have stopped: it shares its file with nobody."""
        self.daemon.stop()
        base = sqlite3.connect(f"file:{self.daemon.path('state/linkages.db')}?mode=ro", uri=True)
        try:
            return [row[0] for row in base.execute("SELECT id FROM event_row ORDER BY position")]
        finally:
            base.close()

    def outbox_rows(self, outbox="calsaws.outbox", query="SELECT seq FROM event ORDER BY seq"):
        base = sqlite3.connect(f"file:{self.daemon.path(outbox)}?mode=ro", uri=True)
        try:
            return base.execute(query).fetchall()
        finally:
            base.close()

    def place_to_die(self):
        path = self.daemon.path("die_at")
        self.arm(0)
        return harness.preloaded("die_at", DIE_AT=path)

    def arm(self, calls):
        path = self.daemon.path("die_at")
        with open(path, "r+b" if os.path.exists(path) else "wb") as f:
            f.write(struct.pack("=q", calls))

    def left(self):
        with open(self.daemon.path("die_at"), "rb") as f:
            return struct.unpack("=q", f.read())[0]


def numbered(first, n):
    return [calsaws(i, "contact.made", i % 60, kind="phone") for i in range(first, first + n)]


class Network(FaultTest):
    def test_acknowledgements_are_lost_and_connections_cut(self):
        """Each connection carries a little more, or a little less, than the one before; then it is cut in mid-message."""
        chance = random.Random(SETTINGS.seed)
        events = [{**e, "subject": f"C{i}"} for i, e in enumerate(numbered(1, 1500))]
        budgets = [(200, 200)] + [(chance.randint(2_000, 60_000), chance.choice([800, 1_000, 1_500, proxy.FOREVER]))
                                  for _ in range(6)]
        between = proxy.Proxy(self.daemon.lanes["intake"], budgets)
        try:
            self.publish(events, server=between.address)
        finally:
            between.close()
        self.assertGreaterEqual(between.cuts, 4)
        self.assertEqual(self.ids(), [e["id"] for e in events])

    def test_pauses_grow(self):
        """Each time it is turned away it waits longer: half of 1 s, 2 s, 4 s at the least. No limit above: a machine may be busy."""
        door = socket.create_server(("127.0.0.1", 0))
        door.settimeout(LIMIT_S)
        self.addCleanup(door.close)
        self.start(self.lines(numbered(1, 1)), server=f"tcp://127.0.0.1:{door.getsockname()[1]}")
        came = []
        for _ in range(4):
            door.accept()[0].close()
            came.append(time.monotonic())
        for least, (earlier, later) in zip((0.5, 1, 2), zip(came, came[1:])):
            self.assertGreaterEqual(later - earlier, least * 0.95)

    def test_a_publisher_that_never_hears_an_acknowledgement(self):
        """It sends and is gone, again and again: one row each, and each verdict again."""
        outbox = contacts(50) + [calsaws(99, "no.such.type", 0)]
        for n in range(10, 52, 5):
            agency = self.subscribed(outbox)
            for seq in range(agency.sent + 1, min(n, 51) + 1):
                agency.send("event", epoch=agency.epoch, seq=seq, event=outbox[seq - 1])
            while self.asker().ok("status")["store"]["events"] < min(n, 50):
                pass
            agency.close()
        agency = self.subscribed(outbox)
        agency.acked = agency.sent
        while agency.acked < 51:
            agency.push()
            agency.take(agency.receive())
        self.assertEqual(agency.refused, {51: ("unknown_type", "type")})
        self.assertEqual(self.ids(), [e["id"] for e in outbox[:50]])


class Deaths(FaultTest):
    def tell(self, who, deaths, least, outcome, every=None):
        """How many calls there are in all depends on how threads meet; `least` of them there are always."""
        every = every or SETTINGS.every
        always = len(range(1 + SETTINGS.seed % every, least, every))
        self.assertGreaterEqual(deaths, always)
        print(f"{who} killed at a call to disk or network: {always} places among the first {least}, and the rest; {outcome}")

    def test_the_publisher_is_killed_at_each_step(self):
        """A step is a call to the disk or to the network: of making the outbox, appending, greeting, sending, settling."""
        places = self.place_to_die()
        events, k, deaths = [], 1 + SETTINGS.seed % SETTINGS.every, 0
        while True:
            some = numbered(len(events) + 2, 4)
            self.arm(k)
            first = self.start(self.lines(some), f"{k}.outbox", environment=places)
            first.communicate(timeout=LIMIT_S)
            if first.returncode == 0:
                break  # it has not as many calls as that
            self.assertEqual(first.returncode, -9)
            self.arm(0)
            self.publish(some, f"{k}.outbox")
            events += some
            deaths += 1
            k += SETTINGS.every
        events += some
        self.tell("publisher", deaths, 60, "each event is in the log once")
        self.assertEqual(sorted(self.ids()), sorted(e["id"] for e in events))

    def test_the_daemon_is_killed_at_each_step(self):
        """Of a batch: reading, writing, syncing, acknowledging. What was acknowledged is there, and once."""
        d = self.daemon
        d.stop()
        d.environment = self.place_to_die()
        d.start()
        every = max(1, SETTINGS.every // 5)  # a commit goes to the log in few calls
        outbox, k, deaths, agency = contacts(1), 1 + SETTINGS.seed % every, 0, None
        acked = 0
        while True:
            agency = self.subscribed(outbox, acked=acked)
            self.assertEqual(agency.sent, acked, "what was acknowledged is there, and asked for no more")
            outbox += numbered(len(outbox) + 1, 4)
            self.arm(k)
            agency.push()
            acked = self.settle_or_die(agency)
            if d.process.poll() is None:
                break
            d.process.wait()
            self.arm(0)
            agency.close()
            d.start()
            deaths += 1
            k += every
        self.arm(0)
        self.tell("daemon in a batch", deaths, 20, "what was acknowledged is stored, each event once", every)
        self.assertEqual(self.ids(), [e["id"] for e in outbox])

    def settle_or_die(self, agency):
        """Until all is acknowledged, or the daemon is dead and has said all that it said."""
        while agency.acked < len(agency.outbox):
            if agency.socket.poll(20):
                message = peer.unpack(agency.socket.recv())
                if message["m"] not in ("ping", "pong"):
                    agency.take(message)
            elif self.daemon.process.poll() is not None and not agency.socket.poll(100):
                break
        return agency.acked

    def test_the_daemon_is_killed_at_each_step_of_its_first_start(self):
        d = self.daemon
        d.stop()
        d.environment = self.place_to_die()
        k, deaths = 1 + SETTINGS.seed % SETTINGS.every, 0
        while True:
            shutil.rmtree(d.path("state"))
            self.arm(k)
            try:
                d.start()
                break
            except harness.Ended:
                deaths += 1
            self.arm(0)
            d.start()
            self.assertEqual(self.subscribed([]).sent, 0)
            d.stop()
            k += SETTINGS.every
        self.arm(0)
        self.tell("daemon in its first start", deaths, 60, "the next start is sound")


class Outboxes(FaultTest):
    def test_an_outbox_put_back_from_a_copy_gets_a_new_epoch(self):
        """The copy's next numbers were used before, for other events: none of either is lost, none is there twice."""
        self.publish(numbered(1, 3))
        self.copy("calsaws.outbox", "copy.outbox")
        self.publish(numbered(4, 4))
        before = self.outbox_rows(query="SELECT epoch FROM outbox")
        self.copy("copy.outbox", "calsaws.outbox")
        self.publish(numbered(8, 2))
        self.assertNotEqual(self.outbox_rows(query="SELECT epoch FROM outbox"), before)
        self.publish(numbered(10, 1))
        self.assertEqual(self.ids(), [f"e{i}" for i in range(1, 11)])

    def test_an_outbox_put_back_from_a_copy_that_grew_beyond_what_was_lost(self):
        """Its numbers reach as far as the daemon's again, for other events: not one of them may pass for what is there."""
        self.publish(numbered(1, 3))
        self.copy("calsaws.outbox", "copy.outbox")
        self.publish(numbered(4, 4))
        self.copy("copy.outbox", "calsaws.outbox")
        self.publish(numbered(8, 9))
        self.assertEqual(sorted(self.ids()), sorted(f"e{i}" for i in range(1, 17)))

    def test_two_copies_of_one_outbox(self):
        """Each goes on by itself, both with the same numbers."""
        self.publish(numbered(1, 3))
        self.copy("calsaws.outbox", "copy.outbox")
        self.publish(numbered(4, 4))
        self.publish(numbered(8, 4), "copy.outbox")
        self.publish(numbered(12, 3))
        self.publish(numbered(15, 3), "copy.outbox")
        self.assertEqual(sorted(self.ids()), sorted(f"e{i}" for i in range(1, 18)))

    def test_an_outbox_that_had_forgotten_and_is_whole_again(self):
        """What was recorded as lost comes after all, from an older copy: it is taken, and not taken for what is there."""
        self.publish(numbered(1, 2))
        self.copy("calsaws.outbox", "copy.outbox")
        base = sqlite3.connect(self.daemon.path("calsaws.outbox"))
        base.execute("UPDATE outbox SET last = 5, acked = 5")  # as after damage: its events are gone, three of them for us too
        base.execute("DELETE FROM event")
        base.commit()
        base.close()
        self.publish(numbered(6, 2))
        self.assertEqual(self.asker().ok("status")["alarms"]["source_gap"]["raised"], 1)
        self.copy("copy.outbox", "calsaws.outbox")
        self.publish(numbered(3, 3) + numbered(6, 4))
        self.assertEqual(sorted(self.ids()), [f"e{i}" for i in range(1, 10)])

    def copy(self, source, target):
        for name in glob.glob(self.daemon.path(target) + "*"):
            os.unlink(name)
        for name in glob.glob(self.daemon.path(source) + "*"):
            shutil.copy(name, name.replace(source, target))

    def test_nothing_is_deleted_that_is_not_safe(self):
        """Acknowledged is not safe: only a verified backup, or a scrubbed event of some age, lets an outbox forget."""
        self.publish(numbered(1, 20))
        self.assertEqual(self.outbox_rows(query="SELECT acked FROM outbox"), [(20,)])
        self.assertEqual(len(self.outbox_rows()), 20)
        backup = self.ctl("backup", self.daemon.path("kept.db"))
        self.assertEqual(backup.returncode, 0, backup.stderr)
        self.publish(numbered(21, 5))
        self.assertEqual([seq for seq, in self.outbox_rows()], [21, 22, 23, 24, 25])

    def ctl(self, *words):
        d = self.daemon
        return subprocess.run([harness.program("linkages-ctl"), "--server", f"ipc://{d.path('run/control')}", "--server-key",
                               d.path("state/server.pub"), "--key", d.path("operator.key"), *words], capture_output=True,
                              text=True, check=False, timeout=LIMIT_S)

    def test_two_publishers_want_one_outbox(self):
        first = self.start(self.lines(numbered(1, 3), "first"), more=("--follow",))
        while self.asker().ok("status")["store"]["events"] < 3:
            pass
        said = self.ends(self.start(self.lines(numbered(4, 3), "second")), 2)
        self.assertIn("another process", said)
        first.terminate()
        self.ends(first, 0)
        self.publish(numbered(4, 3))
        self.assertEqual(self.ids(), [f"e{i}" for i in range(1, 7)])

    def test_an_outbox_on_a_full_disk(self):
        """It says so, keeps what it took, and goes on when there is room: nothing lost, nothing twice."""
        disk = self.daemon.path("disk")
        why = mount(disk)
        if why is not None:
            self.skipTest(f"full outbox: needs a file system of its own: {why}")
        self.addCleanup(subprocess.run, ["umount", disk], check=True)
        large = [{**e, "subject": f"C{i}", "data": {**e["data"], "note_of_nobody": "x" * 60_000}}
                 for i, e in enumerate(numbered(1, 700))]
        path = self.lines(large)
        said = self.ends(self.start(path, "disk/calsaws.outbox"), 2)
        self.assertIn("full", said)
        self.assertLess(self.asker().ok("status")["store"]["events"], len(large))
        subprocess.run(["mount", "-o", "remount,size=200m", disk], check=True)
        self.ends(self.start(path, "disk/calsaws.outbox"), 0)
        self.assertEqual(self.ids(), [e["id"] for e in large])

    def test_an_outbox_that_may_not_grow(self):
        """A limit of file size is a fault with a name, and not a death without a word."""
        many = self.lines(numbered(1, 2000))
        limited = ["prlimit", f"--fsize={300 << 10}"]
        self.assertIn("calsaws.outbox", self.ends(self.start(many, before=limited), 2))
        self.ends(self.start(many), 0)
        self.assertEqual(self.ids(), [f"e{i}" for i in range(1, 2001)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--every", type=int, default=SETTINGS.every)
    parser.add_argument("--seed", type=int, default=SETTINGS.seed)
    _, rest = parser.parse_known_args(namespace=SETTINGS)
    unittest.main(argv=[sys.argv[0], *rest])
