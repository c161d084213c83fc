#!/usr/bin/python3
"""test_streams.py - what agencies send, against everything that goes wrong on the way: the daemon's end of "intake" and "feed".

In: a daemon with CURVE on and a clock that is moved by hand; publishers that lose, repeat, reorder, contradict and poison.
Out: what is in the log at the end. Promise: every wait is for a condition; nothing sleeps; tests/system/README.md tells
which sentence of the protocol each test stands for.

usage: test_streams.py [--seed S] [--families N] [unittest's own arguments]
"""
import argparse
import contextlib
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import unittest

import harness
import peer
from saying import calsaws
from test_lanes import EPOCH, OTHER_EPOCH, OTHER_SIDE, LaneTest, contacts

SETTINGS = argparse.Namespace(seed=1, families=40)

FLOAT = b"\x81\xa1a\xcb?\xf8\x00\x00\x00\x00\x00\x00"


def nested(depth):
    return b"\x81\xa1a" * (depth - 1) + b"\x80"


# Bytes that are one value of MessagePack each, and no event.
POISON = {
    "a float": FLOAT,
    "a float, deep inside": peer.pack({**contacts(1)[0], "data": {"status": "active", "more": [{"x": 0.5}]}}),
    "a short float": b"\x81\xa1a\xca\x3f\x80\x00\x00",
    "a key twice": b"\x82\xa1a\x01\xa1a\x02",
    "nested nine deep": nested(9),
    "nested three hundred deep": nested(300),
    "513 values": peer.pack({"a": [0] * 511}),
    "8,193 values": peer.pack({"a": [0] * 8191}),
    "more than 64 KiB": peer.pack({"a": "x" * 65536}),
    "not UTF-8": b"\x81\xa1a\xa1\xff",
    "a NUL": b"\x81\xa1a\xa1\x00",
    "bin": b"\x81\xa1a\xc4\x02xy",
    "bin of 16 bits": b"\x81\xa1a\xc5\x00\x02xy",
    "bin of 32 bits": b"\x81\xa1a\xc6\x00\x00\x00\x02xy",
    "ext": b"\x81\xa1a\xc7\x02\x05xy",
    "ext of 16 bits": b"\x81\xa1a\xc8\x00\x02\x05xy",
    "ext of 32 bits": b"\x81\xa1a\xc9\x00\x00\x00\x02\x05xy",
    "fixed ext": b"\x81\xa1a\xd6\x05wxyz",
    "2^53": peer.pack({"a": 1 << 53}),
    "-2^53": peer.pack({"a": -(1 << 53)}),
    "the largest of 64 bits": peer.pack({"a": (1 << 64) - 1}),
    "a key that is a number": b"\x81\x01\x02",
    "a key that is a map": b"\x81\x80\x02",
    "nil": b"\xc0",
    "a number": b"\x05",
    "a text": b"\xa3abc",
    "an array": b"\x93\x01\x02\x03",
    "an empty map": b"\x80",
}
REASONS = {"513 values": "too_large", "8,193 values": "too_large", "more than 64 KiB": "too_large", "an empty map": "missing"}


def envelope(seq, raw, epoch=EPOCH):
    """An event message around bytes that no packer would make; the event comes first, where a reader must step over it."""
    return (b"\x84" + peer.pack("event") + raw + peer.pack("m") + peer.pack("event") + peer.pack("epoch") + peer.pack(epoch)
            + peer.pack("seq") + peer.pack(seq))


def answer(daemon, query, file="linkages.db"):
    """Asked once the daemon has stopped: it shares its files with nobody."""
    base = sqlite3.connect(f"file:{daemon.path('state/' + file)}?mode=ro", uri=True)
    try:
        return base.execute(query).fetchall()
    finally:
        base.close()


class Streams(LaneTest):
    def stored(self, query="SELECT id FROM event_row ORDER BY position"):
        self.daemon.stop()
        return answer(self.daemon, query)

    def settle(self, agency, upto):
        while agency.acked < upto:
            agency.take(agency.receive())

    @contextlib.contextmanager
    def asleep(self):
        """What is sent meanwhile lies before the daemon when it wakes (the kernel may hand over some of it a moment earlier or later)."""
        self.daemon.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.daemon.process.send_signal(signal.SIGCONT)

    def alarms(self):
        return self.asker().ok("status")["alarms"]


class Order(Streams):
    """What comes in another order, twice, or not at all."""

    def send(self, agency, *seqs):
        for seq in seqs:
            agency.send("event", epoch=agency.epoch, seq=seq, event=agency.outbox[seq - 1])

    def test_a_gap_is_asked_for_and_filled(self):
        agency = self.subscribed(contacts(6))
        self.send(agency, 1, 2, 5, 6)
        while True:
            message = agency.receive()
            if message["m"] == "nak":
                break
            agency.take(message)
        self.assertEqual((message["epoch"], message["want"]), (EPOCH, 3))
        self.send(agency, 3, 4, 5, 6)
        self.settle(agency, 6)
        self.assertEqual(self.stored(), [(e["id"],) for e in agency.outbox])

    def test_a_gap_is_asked_for_again_where_the_request_was_lost(self):
        """Also if what came before it was acknowledged meanwhile: a sign of life tells that there is more."""
        agency = self.subscribed(contacts(5))
        with self.asleep():
            self.send(agency, 1, 2, 5)
        heard = []
        while agency.acked < 2 or "nak" not in heard:
            message = agency.receive()
            heard.append(message["m"])
            agency.take(message)
        agency.send("ping", last=5)
        self.assertEqual(agency.expect("nak")["want"], 3)
        self.send(agency, 3, 4, 5)
        self.settle(agency, 5)

    def test_any_order_and_any_number_of_times_is_one_table(self):
        chance = random.Random(SETTINGS.seed)
        agency = self.subscribed(contacts(120))
        while agency.acked < 120:
            seqs = [seq for seq in range(max(1, agency.acked - 3), min(120, agency.acked + 25) + 1)
                    for _ in range(chance.choice([0, 1, 1, 2]))]
            chance.shuffle(seqs)
            self.send(agency, *seqs)
            agency.send("ping", last=120)
            while True:  # whatever it had to say to these comes before its pong
                message = peer.unpack(agency.socket.recv())
                if message["m"] == "pong":
                    break
                if message["m"] != "ping":
                    agency.take(message)
        self.assertEqual(agency.refused, {})
        self.assertEqual(self.stored(), [(e["id"],) for e in agency.outbox])

    def test_below_what_is_expected_is_acknowledged_again(self):
        agency = self.subscribed(contacts(5))
        agency.push()
        self.settle(agency, 5)
        for seq in (2, 5, 1):
            self.send(agency, seq)
            self.assertEqual(agency.expect("ack")["upto"], 5)
        self.assertEqual(self.asker().ok("status")["counters"]["events_repeated"], 3)

    def test_a_fork_is_refused_kept_aside_and_alarmed(self):
        """The same seq with other content, and the same id with other content; the queue goes on behind both."""
        agency = self.subscribed(contacts(6))
        self.send(agency, 1, 2, 3)
        self.settle(agency, 3)
        self.assertNotIn("conflict", self.alarms())
        other = {**calsaws(70, "contact.made", 5, kind="home"), "id": "never"}
        agency.send("event", epoch=EPOCH, seq=2, event=other)
        self.assertEqual(agency.expect("ack")["refused"], [
            {"seq": 2, "reason": "conflict", "field": "seq", "detail": "this place in the outbox held other content before"}])
        agency.outbox[3] = {**agency.outbox[3], "id": "e2"}
        self.send(agency, 4, 5, 6)
        self.settle(agency, 6)
        self.assertEqual(agency.refused, {4: ("conflict", "id")})
        self.assertEqual(self.alarms()["conflict"], {"stands": False, "raised": 2})
        letters = self.asker().ok("dead-letters")["letters"]
        self.assertEqual([(letter["reason"], letter["seq"]) for letter in letters], [("conflict", None), ("conflict", 4)])
        self.assertEqual(self.stored(), [(f"e{i}",) for i in (1, 2, 3, 5, 6)])

    def test_the_same_in_another_order_of_members_is_no_fork(self):
        agency = self.subscribed(contacts(2))
        agency.push()
        self.settle(agency, 2)
        agency.send("event", epoch=EPOCH, seq=2, event=dict(reversed(agency.outbox[1].items())))
        self.assertEqual(agency.expect("ack")["refused"], [])

    def test_a_new_epoch_of_the_same_outbox(self):
        """Numbered from 1 again: known by their ids, stored once; the old epoch's late events are still taken."""
        events = contacts(8)
        old = self.subscribed(events[:6])
        old.push(4)
        self.settle(old, 4)
        new = self.subscribed(events[2:4] + events[6:], epoch=OTHER_EPOCH)
        self.assertEqual(new.sent, 0)
        new.push()
        self.settle(new, 4)
        old.push()
        self.settle(old, 6)
        self.assertEqual((new.refused, old.refused), ({}, {}))
        self.assertEqual(sorted(self.stored()), sorted((e["id"],) for e in events))

    def test_an_old_copy_is_told_so_by_next(self):
        agency = self.subscribed(contacts(6))
        agency.push()
        self.settle(agency, 6)
        copy = self.publisher(contacts(3))
        copy.hello()
        self.assertEqual(copy.expect("subscribe")["next"], 7, "more than its last + 1: it shall make a new epoch")

    def test_a_range_that_the_outbox_forgot_is_recorded_and_alarmed(self):
        agency = self.publisher(contacts(9))
        agency.send("hello", v=1, source="calsaws", epoch=EPOCH, first=6, last=9, acked=5)
        agency.subscribed(agency.expect("subscribe"))
        self.assertEqual(agency.sent, 5)
        agency.push()
        self.settle(agency, 9)
        self.assertEqual(self.alarms()["source_gap"], {"stands": False, "raised": 1})
        self.assertEqual(self.stored("SELECT first, upto FROM source_gap"), [(1, 5)])

    def test_what_is_missing_is_counted_as_far_as_a_number_goes(self):
        """An outbox that claims to begin at the last number there is, and new ones that say the same: three claims are more
        than an integer of the protocol."""
        most = 2**53 - 1
        for epoch in range(3):
            agency = self.publisher([], epoch=f"{epoch:032x}")
            agency.send("hello", v=1, source="calsaws", epoch=f"{epoch:032x}", first=most, last=most, acked=0)
            self.assertEqual(agency.expect("subscribe")["next"], most)
        self.assertEqual(self.asker().ok("status")["counters"]["source_gaps"], most)
        missing = {row["source"]: row["missing"] for row in self.asker().ok("sources")["sources"]}
        self.assertEqual(missing["calsaws"], most)

    def test_an_empty_outbox_says_so(self):
        agency = self.publisher([])
        agency.send("hello", v=1, source="calsaws", epoch=EPOCH, first=1, last=0, acked=0)
        message = agency.expect("subscribe")
        self.assertEqual((message["epoch"], message["next"], message["safe"], message["refused"]), (EPOCH, 1, 0, []))

    def test_what_a_publisher_does_not_know_to_be_settled_is_asked_for_again(self):
        """700 refusals, of which it has recorded 100: all others come, in as many messages as they take."""
        outbox = [calsaws(i, "no.such.type", 0) for i in range(1, 701)]
        self.publisher(outbox).publish_all()
        again = self.publisher(outbox)
        again.acked = 100
        again.hello()
        told = again.expect("subscribe")
        self.assertEqual((told["next"], told["refused"]), (101, []))
        again.subscribed(told)
        while again.acked < 700:
            again.push()
            again.take(again.receive())
        self.assertEqual(sorted(again.refused), list(range(101, 701)))
        self.assertEqual(self.asker().ok("status")["store"]["dead_letters"], 700)

    def test_verdicts_of_what_an_outbox_has_no_more(self):
        """It cannot send again what it let go: then subscribe repeats the refusals."""
        outbox = [calsaws(i, "no.such.type", 0) for i in range(1, 11)]
        self.publisher(outbox).publish_all()
        again = self.publisher(outbox)
        again.send("hello", v=1, source="calsaws", epoch=EPOCH, first=8, last=10, acked=4)
        told = again.expect("subscribe")
        self.assertEqual((told["next"], [r["seq"] for r in told["refused"]]), (8, [5, 6, 7]))


FLOOD = 7_000
COSTLY = 4_500
CROWD = 3_000
LONG = 300
BEHIND = 3_000


class Several(Streams):
    """Events of a row in one message are as many events."""

    def configure(self):
        with open(self.daemon.path("linkages.yaml"), "a", encoding="utf-8") as f:
            f.write("intake: {credit: 1000}\nlog: {level: debug}\n")

    def send(self, agency, first, events):
        agency.send("events", epoch=agency.epoch, seq=first, events=events)

    def test_a_batch_may_end_in_the_middle_of_a_message(self):
        """The first batch has 256 events at most; its messages have 100 each, one event of them is none."""
        outbox = contacts(700)
        outbox[449] = "none"
        agency = self.publisher(outbox)
        agency.hello()
        subscribe = agency.expect("subscribe")
        self.assertGreaterEqual(subscribe["several"], 100)
        agency.subscribed(subscribe)
        with self.asleep():
            for first in range(1, 701, 100):
                self.send(agency, first, outbox[first - 1:first + 99])
        self.settle(agency, 700)
        self.assertEqual(agency.refused, {450: ("malformed", None)})
        self.assertEqual(self.stored(), [(e["id"],) for e in outbox if e != "none"])
        # The daemon has ended: a batch is acknowledged before it is told of in the log.
        with open(self.daemon.path("log"), encoding="utf-8") as f:
            batches = [int(n) for n in re.findall(r"^batch lane=intake n=(\d+) ", f.read(), re.MULTILINE)]
        self.assertEqual(sum(batches), 700)
        self.assertTrue(any(sum(batches[:i]) % 100 for i in range(1, len(batches))), f"none ended in the middle: {batches}")

    def test_what_lies_below_is_repeated_and_a_gap_is_asked_for(self):
        agency = self.subscribed(contacts(12))
        self.send(agency, 5, agency.outbox[4:8])
        self.assertEqual(agency.expect("nak")["want"], 1)
        self.send(agency, 1, agency.outbox[:6])
        self.send(agency, 4, agency.outbox[3:])
        self.settle(agency, 12)
        self.assertEqual(agency.refused, {})
        self.assertEqual(self.stored("SELECT count(*) FROM event_row"), [(12,)])

    def test_none_and_too_many_are_no_message(self):
        for events in ([], contacts(129)):
            with self.subTest(n=len(events)):
                agency = self.subscribed([])
                self.send(agency, 1, events)
                error = agency.expect("error")
                self.assertEqual((error["code"], error["re"]), ("malformed", 1))

    def test_bytes_that_are_no_event_are_dead_letters_here_too(self):
        raw = list(POISON.values())
        agency = self.subscribed(raw)
        agency.socket.send(b"\x84" + peer.pack("events") + bytes([0xdc, 0, len(raw)]) + b"".join(raw) + peer.pack("m")
                           + peer.pack("events") + peer.pack("epoch") + peer.pack(EPOCH) + peer.pack("seq") + peer.pack(1))
        self.settle(agency, len(raw))
        self.assertEqual(agency.refused, {i: (REASONS.get(name, "malformed"), "specversion" if name == "an empty map" else None)
                                          for i, name in enumerate(POISON, 1)})


class Leaving(Streams):
    def test_who_says_hello_again_and_is_gone_before_the_answer(self):
        """Its events are committed before its hello is answered, and their acknowledgement finds nobody: the session is over,
        and the hello must not be answered in it."""
        for round_ in range(5):
            agency = self.subscribed(contacts(5 * round_ + 5), acked=5 * round_)
            agency.socket.setsockopt(peer.zmq.LINGER, peer.LIMIT_MS)
            with self.asleep():
                agency.push()
                agency.hello()
                agency.close()
        agency = self.publisher(contacts(25))
        agency.publish_all()
        self.assertEqual(self.stored("SELECT count(*) FROM event_row"), [(25,)])


class Fairness(Streams):
    def configure(self):
        with open(self.daemon.path("linkages.yaml"), "a", encoding="utf-8") as f:
            f.write("intake: {credit: 20000}\nlog: {level: debug}\n")

    def batches(self):
        """How many events each batch had, in order. A batch is acknowledged before its line is written."""
        self.daemon.stop()
        with open(self.daemon.path("log"), encoding="utf-8") as f:
            return [int(n) for n in re.findall(r"^batch lane=intake n=(\d+) ", f.read(), re.MULTILINE)]

    def both_at_once(self, calworks, cws):
        """In what order they are stored, if the daemon finds both before it."""
        agencies = (self.subscribed(calworks), self.subscribed(cws, client="cws", source="cws-cms", epoch=OTHER_EPOCH))
        with self.asleep():
            for agency in agencies:
                agency.push(FLOOD)
        for agency in reversed(agencies):
            self.settle(agency, len(agency.outbox))
        return [source for source, in self.stored("SELECT source_name FROM event_row ORDER BY position")]

    def single_in_a_flood(self, time):
        """Not by the clock: 7,000 events lie before the daemon when the single one comes, and most of the flood is behind it."""
        sources = self.both_at_once([{**e, "subject": f"F{i}"} for i, e in enumerate(contacts(FLOOD))],
                                    [{**OTHER_SIDE[0], "time": time}])
        self.assertLess(sources.index("cws-cms"), FLOOD // 2, f"in batches of {self.batches()}")

    def test_one_agencys_flood_does_not_delay_anothers_single_event(self):
        self.single_in_a_flood("2026-03-02T09:00:00-08:00")

    def test_nor_one_that_happened_after_all_of_the_flood(self):
        """At most 32 are taken before it because of their times."""
        self.single_in_a_flood("2026-03-02T23:00:00-08:00")

    def test_who_is_behind_in_time_goes_first_and_nobody_is_kept_out(self):
        """All of the one happened on the day before all of the other, and comes through before the most of it; but of the other's
        one in 33 comes along, whatever its clock says."""
        yesterday = [{**e, "source": "cws-cms", "time": "2026-03-01T09:00:00-08:00"} for e in contacts(BEHIND)]
        yesterday[0]["data"] = {"status": "fm"}
        sources = self.both_at_once(contacts(BEHIND), yesterday)
        self.assertEqual(sources[:BEHIND + BEHIND // 2].count("cws-cms"), BEHIND, f"in batches of {self.batches()}")
        before = sources[:len(sources) - sources[::-1].index("cws-cms")].count("calsaws")
        self.assertGreater(before, BEHIND // 50)

    def test_more_than_may_wait_comes_through(self):
        """36 MiB lie before the daemon, where 16 may wait: what is put off until there is room again is lost nowhere."""
        def long(outbox):
            return [{**e, "data": {**e["data"], "more": "x" * 60_000}} for e in outbox]
        yesterday = [{**e, "source": "cws-cms", "time": "2026-03-01T09:00:00-08:00"} for e in contacts(LONG)]
        yesterday[0]["data"] = {"status": "fm"}
        sources = self.both_at_once(long(contacts(LONG)), long(yesterday))
        self.assertEqual([sources.count(source) for source in ("calsaws", "cws-cms")], [LONG, LONG])

    def backwards(self, n):
        """Each is earlier than all before it, and folds its case anew."""
        opening, *later = contacts(n)
        return self.subscribed([opening, *reversed([
            {**e, "time": f"2026-03-{2 + i // 600:02d}T10:{i % 600 // 10:02d}:{i % 10:02d}-08:00"} for i, e in enumerate(later)])])

    def test_hellos_that_commit_leave_other_lanes_their_turn(self):
        """A hello that finds events waiting has a commit made, and is the last one of its bite: who asks many questions meanwhile,
        of which others have their turn, too, does not wait for all of them."""
        agency = self.backwards(CROWD)
        greeter = self.subscribed([], client="cws", source="cws-cms", epoch=OTHER_EPOCH)
        asker = self.asker()
        asker.ok("status")
        agency.push(CROWD)
        self.settle(agency, CROWD // 4)
        with self.asleep():
            for i in range(100):
                greeter.hello()
                asker.send("verb", verb="status", v=1, id=2 + i, args={})
        self.settle(agency, CROWD)
        self.daemon.stop()
        with open(self.daemon.path("log"), encoding="utf-8") as f:
            lines = "".join(word[0] for word in re.findall(r"^(?:subscribe client=cws|batch lane=intake|verb client=operator) ",
                                                           f.read(), re.MULTILINE))
        self.assertNotRegex(lines[:lines.rindex("v")], "(bs){5}")

    def test_what_waits_is_committed_before_the_end(self):
        """Not only what one commit takes."""
        agency = self.backwards(COSTLY)
        agency.push(COSTLY)
        self.settle(agency, 1)
        self.daemon.process.send_signal(signal.SIGTERM)
        while (message := agency.receive())["m"] == "ack":
            agency.take(message)
        self.assertEqual(message["code"], "draining")
        self.assertEqual(self.stored("SELECT count(*) FROM event_row"), [(agency.acked,)])
        with open(self.daemon.path("log"), encoding="utf-8") as f:
            before, _, after = f.read().partition("\ndrain ")
        committed = sum(map(int, re.findall(r"^batch lane=intake n=(\d+) ", before, re.MULTILINE)))
        self.assertTrue(committed == COSTLY or "\nbatch lane=intake n=" in after, f"{committed} before the end")

    def test_events_that_cost_much_are_committed_few_at_a_time(self):
        """The longer the case is, the fewer have others to wait for. There are so many that on no machine the last ones fit into
        a batch as large as the first."""
        backwards = self.backwards(COSTLY)
        with self.asleep():
            backwards.push(COSTLY)
        self.settle(backwards, COSTLY)
        batches = self.batches()
        self.assertLess(max(batches[-3:]), max(batches) // 2, batches)


class LossyFeed(unittest.TestCase):
    """The feed lane loses, repeats and reorders at random; whatever it brought, with the intake lane the end is the same."""

    def county(self, folder):
        subprocess.run([harness.program("linkages-county"), "--families", str(SETTINGS.families), "--days", "20",
                        "--seed", str(SETTINGS.seed), "--out", folder], check=True, stdout=subprocess.DEVNULL)
        outboxes = {}
        for source in ("cws-cms", "calsaws"):
            with open(os.path.join(folder, source + ".ndjson"), encoding="utf-8") as f:
                outboxes[source] = [json.loads(line) for line in f]
        return outboxes

    def lossy(self, events, chance):
        """As a careless publisher's network would have it."""
        window, sent = [], []
        for e in events:
            window += [e] * chance.choice([0, 1, 1, 1, 2])
            if len(window) > 5:
                sent.append(window.pop(chance.randrange(len(window))))
        return sent + window

    def play(self, outboxes, feeds):
        """What is in the log, and what the families are, once all is in."""
        with harness.Daemon(harness.CLIENTS) as daemon:
            clients = {"cws-cms": "cws", "calsaws": "calworks"}
            for source, events in feeds.items():
                feed = peer.Feed(daemon.context, daemon.lanes["feed"], daemon.server_key, daemon.pairs[clients[source]], source)
                for e in events:
                    feed.publish(e)
                feed.socket.close(linger=-1)
            for i, (source, events) in enumerate(outboxes.items()):
                agency = peer.Publisher(daemon.context, daemon.lanes["intake"], daemon.server_key,
                                        daemon.pairs[clients[source]], source, f"{i + 1:032x}", events)
                agency.publish_all()
                agency.close()
            self.let_it_finish(daemon)
            events = answer(daemon, "SELECT source_name, id FROM event_row ORDER BY 1, 2")
            return events, self.families(daemon)

    def let_it_finish(self, daemon):
        """Until the state store stands at the end of the log."""
        while True:
            daemon.stop()
            last = answer(daemon, "SELECT max(position) FROM event_row")
            if answer(daemon, "SELECT position FROM standing", "state.db") == last:
                return
            daemon.start()

    def families(self, daemon):
        """Every view of it, but for what was told, and when: whoever heard of something later is told later."""
        tables = [t for t, in answer(daemon, "SELECT name FROM sqlite_master WHERE type = 'view' AND name <> 'told' ORDER BY 1",
                                     "state.db")]
        self.assertGreater(len(tables), 5)
        return {t: sorted(map(repr, answer(daemon, f"SELECT {self.lasting(daemon, t)} FROM {t}", "state.db"))) for t in tables}

    def lasting(self, daemon, table):
        """All columns but those that tell when we heard of it, and in what order."""
        columns = [c for _, c, *_ in answer(daemon, f"PRAGMA table_info({table})", "state.db")]
        return ", ".join(c for c in columns if c not in ("known_at", "line"))

    def test_the_same_final_tables(self):
        chance = random.Random(SETTINGS.seed)
        with tempfile.TemporaryDirectory(prefix="linkages-county.") as folder:
            outboxes = self.county(folder)
        plain = self.play(outboxes, {})
        lossy = self.play(outboxes, {source: self.lossy(events, chance) for source, events in outboxes.items()})
        self.assertEqual(lossy[0], plain[0])
        for table, rows in plain[1].items():
            self.assertEqual(lossy[1][table], rows, table)
        print(f"feed lane that loses, repeats and reorders, with the intake lane: {len(plain[0])} events, "
              f"{sum(map(len, plain[1].values()))} rows of state, as without it")


class Poison(Streams):
    """An event that makes no sense is a dead letter with a name; the queue goes on."""

    def send_poison(self, agency, first):
        for seq, raw in enumerate(POISON.values(), first):
            agency.socket.send(envelope(seq, raw))

    def test_bytes_that_are_no_event_are_dead_letters(self):
        n = len(POISON)
        good = contacts(2)
        agency = self.subscribed([None] * (n + 2))
        agency.send("event", epoch=EPOCH, seq=1, event=good[0])
        self.send_poison(agency, 2)
        agency.send("event", epoch=EPOCH, seq=n + 2, event=good[1])
        self.settle(agency, n + 2)
        told = {name: agency.refused[seq][0] for seq, name in enumerate(POISON, 2)}
        self.assertEqual(told, {name: REASONS.get(name, "malformed") for name in POISON})
        self.assertEqual(sorted(agency.refused), list(range(2, n + 2)))
        store = self.asker().ok("status")["store"]
        self.assertEqual((store["events"], store["dead_letters"]), (2, n))

    def test_a_lost_verdict_is_told_again_word_for_word(self):
        """By the next subscribe, and to whoever sends the same again instead of reading it."""
        n = len(POISON)
        agency = self.subscribed([None] * n)
        self.send_poison(agency, 1)
        self.settle(agency, n)
        again = self.publisher([None] * n)
        again.send("hello", v=1, source="calsaws", epoch=EPOCH, first=n + 1, last=n, acked=0)
        again.subscribed(again.expect("subscribe"))
        self.assertEqual(again.refused, agency.refused)
        other = self.subscribed([None] * n)
        self.assertEqual((other.sent, other.refused), (0, {}))
        self.send_poison(other, 1)
        while len(other.refused) < n:
            other.take(other.receive())
        self.assertEqual(other.refused, agency.refused)
        self.assertEqual(self.asker().ok("status")["store"]["dead_letters"], n, "nothing new was kept")

    def test_a_refused_event_is_known_again_in_another_order_of_members(self):
        late = {**contacts(1)[0], "time": "2099-01-01T00:00:00Z"}
        turned = dict(reversed(late.items()))
        agency = self.subscribed(contacts(1) + [late])
        agency.push()
        self.settle(agency, 2)
        self.assertEqual(agency.refused, {2: ("bad_value", "time")})
        agency.refused = {}
        agency.send("event", epoch=EPOCH, seq=2, event=turned)
        while not agency.refused:
            agency.take(agency.receive())
        self.assertEqual(agency.refused, {2: ("bad_value", "time")}, "the verdict of then")
        self.assertEqual(self.asker().ok("status")["store"]["dead_letters"], 1)

    def test_an_envelope_that_cannot_be_read_is_malformed(self):
        for what, frame in (("cut short", envelope(1, FLOAT)[:-1]), ("something follows", envelope(1, FLOAT) + b"\xc0"),
                            ("no end of the event", envelope(1, b"\x81\xa1a\xc1")),
                            ("the event claims more than there is", envelope(1, b"\x81\xa1a\xc6\xff\xff\xff\xff")),
                            ("the event twice", b"\x85" + peer.pack("event") + FLOAT + envelope(1, FLOAT)[1:]),
                            ("a float beside the event", b"\x85" + peer.pack("x") + peer.pack(0.5) + envelope(1, FLOAT)[1:]),
                            ("a float as seq", envelope(0.5, FLOAT)),
                            ("no event", peer.pack({"m": "event", "epoch": EPOCH, "seq": 1})),
                            ("a float in another message", peer.pack({"m": "ping", "last": 1, "event": 0.5}))):
            with self.subTest(what):
                agency = self.subscribed(contacts(1))
                agency.socket.send(frame)
                self.assertEqual(agency.expect("error")["code"], "malformed")
        self.assertEqual(self.asker().ok("status")["store"]["dead_letters"], 0)

    def test_thousands_of_poison_events_slow_their_source_and_nobody_else(self):
        poison = 4096  # all that the credit lets it send at once
        agency = self.subscribed([None] * poison)
        other = self.subscribed(OTHER_SIDE, client="cws", source="cws-cms", epoch=OTHER_EPOCH)
        for seq in range(1, poison + 1):
            agency.socket.send(envelope(seq, FLOAT))
        other.push()
        self.settle(other, len(OTHER_SIDE))
        self.settle(agency, poison)
        self.assertEqual((len(agency.refused), other.refused), (poison, {}))
        store = self.asker().ok("status")["store"]
        self.assertEqual((store["events"], store["dead_letters"]), (len(OTHER_SIDE), poison))
        self.assertEqual(agency.allowed, agency.acked)
        self.assertGreater(other.allowed, other.acked)
        while agency.allowed == agency.acked:  # it comes back by itself
            agency.take(agency.receive())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--seed", type=int, default=SETTINGS.seed)
    parser.add_argument("--families", type=int, default=SETTINGS.families)
    _, rest = parser.parse_known_args(namespace=SETTINGS)
    unittest.main(argv=[sys.argv[0], *rest])
