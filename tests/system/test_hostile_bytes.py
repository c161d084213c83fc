#!/usr/bin/python3
"""test_hostile_bytes.py - enrolled keys that send what no peer of good will would.

In: frames too long, too many, out of shape; MessagePack that claims gigabytes; texts that are no texts; ciphertext said
twice. Out: refused, counted, memory bounded, others served, and a database that is as sound as before. Nothing sleeps.
"""
import json
import os
import re
import sqlite3
import struct
import unittest

import besieged
import peer
import zmtp
from besieged import EPOCH, hello, worker_hello
from saying import event

KIB = 1024
# Bytes that claim much, nest deep, or are no MessagePack of ours: name, bytes.
BOMBS = (
    ("array32_all", b"\xdd\xff\xff\xff\xff"), ("map32_all", b"\xdf\xff\xff\xff\xff"), ("str32_all", b"\xdb\xff\xff\xff\xff"),
    ("bin32_all", b"\xc6\xff\xff\xff\xff"), ("ext32_all", b"\xc9\xff\xff\xff\xff\x01"),
    ("array32_200_million", b"\xdd\x0b\xeb\xc2\x00"), ("nested_claims", b"\xdd\x00\xff\xff\xff" * 31),
    ("deep_arrays", b"\x91" * 100_000), ("deep_maps", b"\x81\xa1a" * 60_000), ("mebi_nil", b"\xdd\x00\x03\xf0\x00" + b"\xc0" * 0x3f000),
    ("empty", b""), ("nil", b"\xc0"), ("reserved", b"\xc1"), ("int", b"\x07"), ("text", b"\xa4ping"), ("array", b"\x91\xa4ping"),
    ("no_m", b"\x81\xa1x\x01"), ("m_is_int", b"\x81\xa1m\x01"), ("m_twice", b"\x82\xa1m\xa4ping\xa1m\xa4pong"),
    ("int_key", b"\x82\xa1m\xa4ping\x01\x01"), ("float", b"\x82\xa1m\xa4ping\xa4last\xca\x3f\x80\x00\x00"),
    ("double", b"\x82\xa1m\xa4ping\xa4last\xcb" + bytes(8)), ("bin_value", b"\x82\xa1m\xa4ping\xa4last\xc4\x01x"),
    ("ext_value", b"\x82\xa1m\xa4ping\xa4last\xd4\x01x"), ("timestamp", b"\x82\xa1m\xa4ping\xa4last\xd6\xff" + bytes(4)),
    ("too_great", b"\x82\xa1m\xa4ping\xa4last\xcf\x00\x20" + bytes(6)), ("most_negative", b"\x82\xa1m\xa4ping\xa4last\xd3\x80" + bytes(7)),
    ("tail", b"\x81\xa1m\xa4ping\x00"), ("cut", b"\x82\xa1m\xa4ping\xa4la"), ("key_not_utf8", b"\x82\xa1m\xa4ping\xa2\xc3\x28\x01"),
    ("overlong", b"\x82\xa1m\xa4ping\xa2\xc0\xaf\x01"), ("surrogate", b"\x82\xa1m\xa4ping\xa3\xed\xa0\x80\x01"),
    ("nul_key", b"\x83\xa1m\xa4ping\xa2m\x00\x01\xa1\x00\x01"), ("many_items", b"\x82\xa1m\xa4ping\xa1x\xdc\x20\x01" + b"\xc0" * 8193),
)
# Names that are none: at their lengths' edges, with what other layers would take for syntax.
NAMES = (
    "", " ", "a" * 64, "a" * 65, "a" * 245, "a" * 255, "a" * 256, "a" * 4096, "a\0b", "\0", "../../etc/passwd", "..", "/", "*", "#", "+",
    "calsaws/#", "calsaws*", "calsaws\0", "CALSAWS", "calsaws ", "'; DROP TABLE event; --", '" OR 1=1 --', "x\nready version=9",
    "x\r\noutcome=accepted", "\x1b[2J\x1b]0;owned\x07", "%s%s%n%x", "${jndi:ldap://x}", "$(reboot)", "`id`", "\u202egnp.exe", "\ufeffcalsaws",
    "\U0001f600" * 16, "\uffff", "e\u0301", "null", "-1", "1e400",
)
BAD_UTF8 = (b"\xff", b"\xc0\xaf", b"\xc0\x80", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xf4\x90\x80\x80", b"\xed\xa0\x80", b"\xed\xbf\xbf",
            b"\x80", b"calsaws\xc3", b"\xf8\x88\x80\x80\x80", b"\xfe\xff")


def text_of(raw):
    """A str of MessagePack, whatever its bytes are."""
    return (b"\xd9" + bytes([len(raw)]) if len(raw) < 256 else b"\xda" + struct.pack(">H", len(raw))) + raw


def spliced(message, old, raw):
    """A message in which the text `old` is other bytes."""
    packed = peer.pack(message)
    at = packed.index(peer.pack(old))
    return packed[:at] + text_of(raw) + packed[at + len(peer.pack(old)):]


class Shapes(besieged.Siege):
    """Parts and lengths."""

    ROLES = (("intake", "calworks", b"DEALER"), ("inbox", "district", b"DEALER"), ("control", "operator", b"DEALER"),
             ("feed", "calworks", b"PUB"))

    def test_messages_of_other_parts(self):
        n = 0
        with self.siege("messages of other parts", shape_dropped=4 * 25) as figure:
            for lane, client, kind in self.ROLES:
                p = self.raw(lane, client).shake(kind)
                one = lane != "feed"
                for parts in ([b""] * 300, [b"x"] * 300, [b""] * (3 - one), [b"x" * 1000] * 12):
                    for _ in range(1 if len(parts) == 12 else 8):
                        p.write(b"".join(p.sealed(t, zmtp.MORE) for t in parts) + p.sealed(b""))
                        n += len(parts) + 1
            figure["parts"] = n

    def test_frames_at_the_limit_and_beyond(self):
        """Of 256 KiB: read and refused as no message. Above: the connection is shut by libzmq."""
        with self.siege("frames at the limit and beyond", rss_mb=64, malformed=3) as figure:
            for lane, client, kind in self.ROLES[:3]:
                p = self.raw(lane, client).shake(kind)
                p.send(bytes(256 * KIB))
                self.assertEqual(self.answer(p)["code"], "malformed")
                with self.assertRaises(zmtp.Refused):
                    p.send(bytes(256 * KIB + 1))
                    p.receive()
            figure["shut"] = 3

    def test_a_message_without_an_end(self):
        """libzmq keeps parts until the last one came: no more than was sent, and free again when the connection goes."""
        with self.siege("a message without an end", rss_mb=128) as figure:
            p = self.raw("intake", "calworks").shake()
            held, part = self.rss(), bytes(240 * KIB)
            for _ in range(400):
                p.send(part, more=True)
            figure.update(parts=400, sent_mb=400 * 240 // KIB, served_meanwhile_ms=round(self.serve() * 1000))
            figure["held_mb"] = (self.rss() - held) >> 20
            p.close()
            agency = self.raw("intake", "calworks").shake()
            self.said(agency, **hello())
            self.assertEqual(self.answer(agency)["m"], "subscribe")

    def test_bombs(self):
        count = 3 * len(BOMBS)
        with self.siege("MessagePack bombs", rss_mb=64, malformed=count, events_refused=len(BOMBS)) as figure:
            for lane, client, kind in self.ROLES[:3]:
                p = self.raw(lane, client).shake(kind)
                for name, bomb in BOMBS:
                    p.send(bomb)
                    code = "too_large" if name in ("mebi_nil", "many_items") else "malformed"
                    self.assertEqual(self.answer(p)["code"], code, (lane, name))
            feed = self.raw("feed", "calworks").shake(b"PUB")
            for _, bomb in BOMBS:
                feed.write(feed.sealed(b"calsaws", zmtp.MORE) + feed.sealed(bomb))
            figure["bombs"] = len(BOMBS)

    def test_bombs_for_events(self):
        """What is a value, but no event, is a dead letter, acknowledged and named; what is none is no message. The daemon asks
        for nothing that was acknowledged again."""
        with self.siege("MessagePack bombs for events", rss_mb=64) as figure:
            agency = self.raw("intake", "calworks").shake()
            self.said(agency, **hello(epoch="b" * 32))
            self.assertEqual(self.answer(agency)["m"], "subscribe")
            letters = 0
            for name, bomb in BOMBS:
                agency.send(b"\x84" + peer.pack({"m": "event", "epoch": "b" * 32, "seq": letters + 1})[1:]
                            + peer.pack("event") + bomb)
                message = self.answer(agency)
                if message["m"] == "ack":
                    letters += 1
                    self.assertEqual([r["seq"] for r in message["refused"]], [letters], name)
                    continue
                self.assertEqual((message["m"], message.get("code")), ("error", "malformed"), name)
                self.said(agency, **hello(epoch="b" * 32, last=letters, acked=letters))
                self.assertEqual(self.answer(agency)["next"], letters + 1)
            figure.update(bombs=len(BOMBS), dead_letters=letters)


class Texts(besieged.Siege):
    """Names and topics."""

    def test_names_of_sources_and_workers(self):
        with self.siege("names of sources and workers") as figure:
            agency, worker = self.raw("intake", "calworks").shake(), self.raw("inbox", "district").shake()
            everyone = self.raw("inbox", "desk").shake()
            for name in NAMES:
                self.said(agency, **hello(name))
                self.assertIn(self.answer(agency)["code"], ("unknown_source", "malformed"), repr(name))
                for p in (worker, everyone):
                    self.said(p, **worker_hello(name))
                    self.assertIn(self.answer(p)["code"], ("forbidden", "malformed"), repr(name))
            for raw in BAD_UTF8:
                agency.send(spliced(hello(), "calsaws", raw))
                self.assertEqual(self.answer(agency)["code"], "malformed", raw)
                worker.send(spliced(worker_hello("garcia"), "garcia", raw))
                self.assertEqual(self.answer(worker)["code"], "malformed", raw)
            figure["refused"] = 3 * len(NAMES) + 2 * len(BAD_UTF8)

    def test_topics(self):
        topics = [n.encode() for n in NAMES] + list(BAD_UTF8) + [bytes(200 * KIB)]
        with self.siege("topics of the feed", feed_dropped=len(topics)) as figure:
            feed = self.raw("feed", "calworks").shake(b"PUB")
            body = feed.sealed
            for topic in topics:
                feed.write(feed.sealed(topic, zmtp.MORE) + body(peer.pack(besieged.CALWORKS_SIDE[0])))
            figure["topics"] = len(topics)

    def test_texts_within_events(self):
        """What a member may not be is named by its path; what it may be goes in and harms nothing."""
        events = []
        for i, name in enumerate(NAMES):
            events += [{**event("calsaws", "T1", f"s{i}", "contact.made", 0, kind="phone"), "subject": name},
                       event("calsaws", "T1", f"k{i}", "contact.made", 0, kind=name),
                       {**event("calsaws", "T1", 0, "contact.made", 0, kind="phone"), "id": name},
                       event("calsaws", "T1", f"w{i}", "worker.assigned", 0, role="ais_worker", worker=name, name=name, phone=name),
                       event("calsaws", "T1", f"u{i}", "case.opened", 0, status="active", **{"x" + name: name})]
        with self.siege("texts within events", events_refused=2 * len(NAMES)) as figure:
            agency = self.publish("calworks", "calsaws", events, "c" * 32)
            figure.update(events=len(events), refused=len(agency.refused))
            known = {"malformed", "missing", "bad_type", "bad_value", "unknown_type", "unknown_source", "conflict", "forbidden", "too_large"}
            self.assertLessEqual({reason for reason, _ in agency.refused.values()}, known)

    @classmethod
    def tearDownClass(cls):
        d = cls.daemon
        super().tearDownClass()
        with open(d.path("log"), "rb") as f:
            for line in f.read().splitlines():
                assert re.fullmatch(rb"[a-z_]+[ =:][ -~]*", line) and b"version=9" not in line and b"owned" not in line, line
        for name in ("linkages.db", "state.db"):
            with sqlite3.connect(d.path("state/" + name)) as db:
                assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


class Again(besieged.Siege):
    """Ciphertext that was good once."""

    def recorded(self):
        """A session that says one event, and all that its side sent."""
        p = self.raw("intake", "calworks")
        said, write = [], p.write
        p.write = lambda text: (said.append(text), write(text))
        p.shake()
        self.said(p, **hello())
        self.assertEqual(self.answer(p)["m"], "subscribe")
        self.said(p, m="event", epoch=EPOCH, seq=1, event=besieged.CALWORKS_SIDE[0])
        self.assertEqual(self.answer(p)["upto"], 1)
        return p, said

    def test_replayed(self):
        with self.siege("ciphertext said again") as figure:
            live, said = self.recorded()
            stored = self.ask("status")["store"]["events"]
            opened = self.counters()["sessions_opened"]
            for whole in (b"".join(said), said[0] + said[1], b"".join(said[:3])):
                c = self.keep(zmtp.dial(self.lanes["intake"]))
                c.sendall(whole)
                while c.recv(65536):
                    pass
            live.write(said[-1])  # the same nonce once more
            self.assertTrue(live.is_closed())
            flipped = self.raw("intake", "calworks").shake()
            sealed = bytearray(flipped.sealed(peer.pack(hello())))
            sealed[-1] ^= 1
            flipped.write(bytes(sealed))
            self.assertTrue(flipped.is_closed())
            self.assertEqual(self.counters()["sessions_opened"], opened)
            self.assertEqual(self.ask("status")["store"]["events"], stored)
            figure.update(streams=3, frames=1, flipped=1, taken=0)


class ControlLane(besieged.Siege):
    """Questions that are none."""

    ARGS = (None, [], "x", 7, {}, {"case": 1}, {"case": "'; DROP TABLE family; --", "agency": "cws", "purpose": "x" * 5000},
            {"to": "x"}, {"to": "9999-12-31T23:59:59Z"}, {"after": -1, "limit": -1}, {"after": 1 << 53, "limit": 1 << 53},
            {"after": "x", "limit": []}, {"case": "\0", "purpose": "\n"}, {"x" * 4000: None})
    VERBS = ("status", "dead-letters", "family", "why", "why-not", "plan", "clock", "no-such", "", "status\0", "x" * 5000)

    def test_questions(self):
        with self.siege("questions that are none") as figure:
            p = self.raw("control", "operator").shake()
            asked = 0
            for verb in self.VERBS:
                for args in self.ARGS:
                    asked += 1
                    self.said(p, m="verb", v=1, id=asked, verb=verb, args=args)
                    answer, more = self.answer(p), True
                    while more:
                        self.assertIn(answer["m"], ("reply", "error"))
                        more = answer.get("more", False)
                        if more:
                            answer = self.answer(p)
            figure["questions"] = asked

    @unittest.skipUnless(os.geteuid() == 0, "needs root: another user's right to the socket is asked")
    def test_another_user_may_not_even_knock(self):
        path = self.daemon.path("run/control")
        os.chmod(self.daemon.folder, 0o711)
        os.chmod(os.path.dirname(path), 0o711)
        child = os.fork()
        if child == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            try:
                zmtp.dial("ipc://" + path)
            except PermissionError:
                os._exit(0)
            except BaseException:
                os._exit(2)
            os._exit(1)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0)

    def test_secrets_are_nowhere(self):
        """Not in the environment, the command line, the log, or in any answer."""
        d = self.daemon
        secrets = [d.pairs[name][1] for name in d.pairs]
        with open(d.path("state/server.key"), "rb") as f:
            secrets.append(f.read().split()[1])
        self.raw("intake", "calworks").shake().send(b"x")
        shown = json.dumps([self.ask("status"), self.ask("dead-letters")]).encode()
        for name in ("environ", "cmdline", "comm"):
            with open(f"/proc/{d.process.pid}/{name}", "rb") as f:
                shown += f.read()
        with open(d.path("log"), "rb") as f:
            shown += f.read()
        for secret in secrets + [pair[0] for pair in d.pairs.values()]:
            self.assertNotIn(secret, shown)
        for folder, _, names in os.walk(d.folder):
            for path in (os.path.join(folder, name) for name in names if not name.endswith(".key")):
                if os.path.isfile(path):
                    with open(path, "rb") as f:
                        content = f.read()
                    self.assertFalse(any(secret in content for secret in secrets), path)


if __name__ == "__main__":
    unittest.main()
