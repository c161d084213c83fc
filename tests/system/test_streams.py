#!/usr/bin/python3
"""test_streams.py - what agencies send, against everything that goes wrong on the way: the daemon's end of "intake" and "feed".

In: a daemon with CURVE on and a clock that is moved by hand; publishers that lose, repeat, reorder, contradict and poison.
Out: what is in the log at the end. Promise: every wait is for a condition; nothing sleeps; tests/system/README.md tells
which sentence of the protocol each test stands for.
"""
import sqlite3
import unittest

import peer
from test_lanes import EPOCH, OTHER_EPOCH, OTHER_SIDE, LaneTest, calsaws, contacts, cws

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


class Streams(LaneTest):
    def log(self, query="SELECT source_name, id, outbox_seq FROM event_row ORDER BY position"):
        """Asked once the daemon has stopped: it shares its file with nobody."""
        self.daemon.stop()
        base = sqlite3.connect(f"file:{self.daemon.path('state/linkages.db')}?mode=ro", uri=True)
        try:
            return base.execute(query).fetchall()
        finally:
            base.close()

    def settle(self, agency, upto):
        while agency.acked < upto:
            agency.take(agency.receive())


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
        again = self.subscribed([None] * n)
        self.assertEqual(again.refused, agency.refused)
        other = self.subscribed([None] * n)
        other.refused = {}
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

    def test_a_thousand_poison_events_stop_nobody_else(self):
        agency = self.subscribed([None] * 1000)
        other = self.subscribed(OTHER_SIDE, client="cws", source="cws-cms", epoch=OTHER_EPOCH)
        for seq in range(1, 1001):
            agency.socket.send(envelope(seq, FLOAT))
        other.push()
        self.settle(other, len(OTHER_SIDE))
        self.settle(agency, 1000)
        self.assertEqual((len(agency.refused), other.refused), (1000, {}))
        store = self.asker().ok("status")["store"]
        self.assertEqual((store["events"], store["dead_letters"]), (len(OTHER_SIDE), 1000))


if __name__ == "__main__":
    unittest.main()
