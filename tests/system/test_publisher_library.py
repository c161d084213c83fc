"""test_publisher_library.py - linkages-pub against a daemon's end of the intake lane written from the protocol.

In: the built linkages-pub. Out: what it said on the wire, and how it ended. Promise: lost acknowledgements, naks, new
epochs, refusals, credit and silence each lead to what protocol.md says; every wait is for a condition.
"""
import json
import os
import shutil
import subprocess
import tempfile
import unittest

import msgpack
import zmq

import harness
from lane_end import LIMIT_MS, LaneEnd

BIN = os.environ.get("LINKAGES_BIN", "build/bin")
SILENCE_MS = 40_000  # 15 s of silence, a pause, a new connection, on a busy machine


def event(number, source="calsaws"):
    return {"specversion": "1.0", "id": f"e{number}", "source": source, "type": "case.status", "subject": "12-34",
            "time": "2026-03-02T09:00:00-08:00", "data": {"status": "active"}}


class Daemon(LaneEnd):
    def receive(self, limit_ms=LIMIT_MS, pings=False):
        while True:
            message = self.take(limit_ms)
            if message["m"] != "ping" or pings:
                return message
            self.send("pong")

    def expect(self, m, **kind):
        message = self.receive(**kind)
        assert message["m"] == m, f"wanted {m}, got {message}"
        return message

    def greet(self, next_=None, credit=1000, safe=0, refused=()):
        hello = self.expect("hello")
        self.send("subscribe", epoch=hello["epoch"], next=next_ if next_ is not None else hello["first"],
                  credit=credit, safe=safe, refused=list(refused))
        return hello

    def events(self, epoch, first, last):
        """Exactly these events, in order."""
        for seq in range(first, last + 1):
            message = self.expect("event")
            assert message["epoch"] == epoch
            assert message["seq"] == seq, f"wanted {seq}, got {message['seq']}"
        return last

    def nothing_but_pong(self):
        """Whatever it had sent before it read our ping would come before its pong."""
        self.send("ping")
        return self.expect("pong")

    def ack(self, epoch, upto, safe=0, credit=1000, refused=()):
        self.send("ack", epoch=epoch, upto=upto, safe=safe, credit=credit, refused=list(refused))


class PublisherLibrary(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="linkages-pub-")
        self.daemon = Daemon(self.folder)
        public, secret = zmq.curve_keypair()
        self.key = os.path.join(self.folder, "calsaws.key")
        with open(os.open(self.key, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as f:
            f.write(public + b"\n" + secret + b"\n")
        self.outbox = os.path.join(self.folder, "calsaws.outbox")
        self.addCleanup(shutil.rmtree, self.folder)
        self.addCleanup(lambda: self.daemon.stop())
        self.running = harness.processes(self)

    def publish(self, lines, *options):
        """Starts linkages-pub on the lines: events, or texts as they are."""
        path = os.path.join(self.folder, "events.ndjson")
        with open(path, "w") as f:
            f.writelines((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines)
        process = subprocess.Popen(
            [os.path.join(BIN, "linkages-pub"), "--source", "calsaws", "--outbox", self.outbox,
             "--server", self.daemon.address,
             "--server-key", os.path.join(self.folder, "server.pub"), "--key", self.key, *options, path],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.running.append(process)
        return process

    def ends(self, process, status):
        out, err = process.communicate(timeout=LIMIT_MS / 1000)
        self.assertEqual(process.returncode, status, err)
        return out, err

    def test_all_is_acknowledged(self):
        process = self.publish([event(n) for n in range(1, 4)])
        hello = self.daemon.greet()
        self.assertEqual((hello["v"], hello["source"], hello["acked"]), (1, "calsaws", 0))
        self.assertEqual((hello["first"], len(hello["epoch"])), (1, 32))
        self.daemon.events(hello["epoch"], 1, 3)
        self.daemon.ack(hello["epoch"], 3)
        out, _ = self.ends(process, 0)
        self.assertIn("3 read, 3 new", out)

    def test_a_message_of_the_largest_size_is_read(self):
        """256 KiB, without what CURVE puts around it."""
        process = self.publish([event(1)])
        hello = self.daemon.expect("hello")
        subscribe = {"epoch": hello["epoch"], "next": 1, "credit": 1, "safe": 0, "refused": []}
        shortest = len(msgpack.packb({"m": "subscribe", **subscribe, "padding": ""}))
        self.daemon.send("subscribe", **subscribe, padding="x" * (256 * 1024 - shortest - 4))
        self.daemon.events(hello["epoch"], 1, 1)
        self.daemon.ack(hello["epoch"], 1)
        self.ends(process, 0)

    def test_events_are_canonical_and_whole(self):
        process = self.publish(['{"source":"calsaws","id":"x","data":{"b":1,"a":[true,null,"é"]}}'])
        hello = self.daemon.greet()
        sent = self.daemon.expect("event")["event"]
        self.assertEqual(sent, {"source": "calsaws", "id": "x", "data": {"b": 1, "a": [True, None, "é"]}})
        self.assertEqual(list(sent), ["data", "id", "source"])
        self.daemon.ack(hello["epoch"], 1)
        self.ends(process, 0)

    def test_lost_ack_costs_nothing(self):
        process = self.publish([event(n) for n in range(1, 5)])
        first = self.daemon.greet()
        self.daemon.events(first["epoch"], 1, 4)
        self.daemon.stop()  # committed, and gone before it could say so
        self.daemon.start()
        again = self.daemon.greet(next_=5, refused=[{"seq": 2, "reason": "missing", "field": "data.status",
                                                     "detail": "wanted"}])
        self.assertEqual((again["epoch"], again["acked"], again["last"]), (first["epoch"], 0, 4))
        _, err = self.ends(process, 1)
        self.assertIn("events.ndjson:2: refused: missing data.status: wanted", err)

    def test_nak_is_answered_from_there(self):
        process = self.publish([event(n) for n in range(1, 6)])
        epoch = self.daemon.greet()["epoch"]
        self.daemon.events(epoch, 1, 5)
        self.daemon.send("nak", epoch=epoch, want=3)
        self.daemon.events(epoch, 3, 5)
        self.daemon.ack(epoch, 5)
        self.ends(process, 0)

    def test_credit_is_absolute_and_kept(self):
        process = self.publish([event(n) for n in range(1, 8)])
        epoch = self.daemon.greet(credit=2)["epoch"]
        self.daemon.events(epoch, 1, 2)
        self.daemon.nothing_but_pong()
        self.daemon.ack(epoch, 1, credit=3)
        self.daemon.events(epoch, 3, 4)
        self.daemon.nothing_but_pong()
        self.daemon.ack(epoch, 4, credit=0)
        self.daemon.nothing_but_pong()
        self.daemon.ack(epoch, 4, credit=100)
        self.daemon.events(epoch, 5, 7)
        self.daemon.ack(epoch, 7)
        self.ends(process, 0)

    def test_an_outbox_that_is_an_old_copy_gets_a_new_epoch(self):
        process = self.publish([event(n) for n in range(1, 4)])
        old = self.daemon.greet(next_=100)
        new = self.daemon.greet()
        self.assertNotEqual(new["epoch"], old["epoch"])
        self.assertEqual((new["first"], new["last"], new["acked"]), (1, 3, 0))
        self.daemon.events(new["epoch"], 1, 3)
        self.daemon.ack(new["epoch"], 3, refused=[{"seq": 3, "reason": "bad_value"}])
        _, err = self.ends(process, 1)
        self.assertIn("events.ndjson:3: refused: bad_value", err)

    def test_a_daemon_that_lost_something_is_given_it_again(self):
        process = self.publish([event(n) for n in range(1, 4)])
        epoch = self.daemon.greet()["epoch"]
        self.daemon.events(epoch, 1, 3)
        self.daemon.ack(epoch, 3, safe=1)
        self.ends(process, 0)
        process = self.publish([event(4)])
        hello = self.daemon.greet(next_=2)
        self.assertEqual((hello["first"], hello["last"], hello["acked"]), (2, 4, 3))
        self.daemon.events(epoch, 2, 4)
        self.daemon.ack(epoch, 4, safe=4)
        self.ends(process, 0)
        process = self.publish([])
        hello = self.daemon.greet()
        self.assertEqual((hello["first"], hello["last"], hello["acked"]), (5, 4, 4))
        self.ends(process, 0)

    def test_the_same_file_again_sends_nothing_twice(self):
        lines = [event(n) for n in range(1, 4)]
        process = self.publish(lines)
        epoch = self.daemon.greet()["epoch"]
        self.daemon.events(epoch, 1, 3)
        self.daemon.ack(epoch, 3, refused=[{"seq": 2, "reason": "bad_value", "field": "time"}])
        self.ends(process, 1)
        process = self.publish(lines)
        self.assertEqual(self.daemon.greet(next_=4)["last"], 3)
        out, err = self.ends(process, 1)
        self.assertIn("3 known already", out)
        self.assertIn("events.ndjson:2: refused: bad_value time", err)

    def test_lines_that_are_no_events_of_this_source(self):
        process = self.publish([event(1), "{broken", event(2, "cws-cms"), "", '{"n": 1.5}', event(3)], "--json")
        epoch = self.daemon.greet()["epoch"]
        self.daemon.events(epoch, 1, 2)
        self.daemon.ack(epoch, 2)
        out, _ = self.ends(process, 1)
        results = [json.loads(line) for line in out.splitlines()]
        self.assertEqual([(r["line"], r["refused"]["reason"]) for r in results[:-1]],
                         [(2, "malformed"), (3, "forbidden"), (5, "bad_type")])
        self.assertEqual(results[-1]["refused"], 3)

    def test_forbidden_and_version_end_it(self):
        for code, words in (("forbidden", "may not"), ("version", "another version")):
            with self.subTest(code):
                process = self.publish([event(1)])
                self.daemon.expect("hello")
                self.daemon.send("error", code=code, detail="1", re=None)
                _, err = self.ends(process, 2)
                self.assertIn(words, err)
                self.assertIn("1 event waits in the outbox", err)

    def test_other_errors_are_tried_again(self):
        process = self.publish([event(1)])
        self.daemon.expect("hello")
        self.daemon.send("error", code="draining", detail=None, re=None)
        epoch = self.daemon.greet()["epoch"]
        self.daemon.events(epoch, 1, 1)
        self.daemon.ack(epoch, 1)
        self.ends(process, 0)

    def test_nonsense_from_the_daemon_is_survived(self):
        process = self.publish([event(1)])
        self.daemon.expect("hello")
        self.daemon.socket.send_multipart([self.daemon.peer, b"\xdd\xff\xff\xff\xff"])
        epoch = self.daemon.greet()["epoch"]
        self.daemon.events(epoch, 1, 1)
        self.daemon.ack(epoch, 99)  # never made
        self.assertEqual(self.daemon.greet()["acked"], 0)
        self.daemon.events(epoch, 1, 1)
        self.daemon.ack("0" * 32, 1)  # of another outbox
        self.daemon.nothing_but_pong()
        self.daemon.ack(epoch, 1)
        self.ends(process, 0)

    def test_an_outbox_has_one_holder(self):
        first = self.publish([event(1)])
        epoch = self.daemon.greet()["epoch"]
        self.daemon.events(epoch, 1, 1)
        _, err = self.ends(self.publish([event(2)]), 2)
        self.assertIn("another process", err)
        self.daemon.ack(epoch, 1)
        self.ends(first, 0)

    def test_killed_while_sending_it_goes_on(self):
        process = self.publish([event(n) for n in range(1, 101)])
        epoch = self.daemon.greet()["epoch"]
        self.daemon.events(epoch, 1, 40)
        process.kill()
        process.communicate()
        self.daemon.stop()
        self.daemon.start()
        process = self.publish([])
        hello = self.daemon.greet(next_=41)
        self.assertEqual((hello["epoch"], hello["last"]), (epoch, 100))
        self.daemon.events(epoch, 41, 100)
        self.daemon.ack(epoch, 100)
        self.ends(process, 0)

    def test_silence_ends_in_a_new_connection(self):
        process = self.publish([event(1)])
        epoch = self.daemon.greet()["epoch"]
        self.daemon.events(epoch, 1, 1)
        silent = self.daemon.peer
        while self.daemon.peer == silent:  # pings are left unanswered until somebody new speaks
            message = self.daemon.receive(limit_ms=SILENCE_MS, pings=True)
        self.assertEqual(message["m"], "hello")
        self.daemon.send("subscribe", epoch=epoch, next=2, credit=10, safe=0, refused=[])
        self.ends(process, 0)

    def test_follow_sends_what_the_file_grows_by(self):
        process = self.publish([event(1)], "--follow")
        epoch = self.daemon.greet()["epoch"]
        self.daemon.events(epoch, 1, 1)
        self.daemon.ack(epoch, 1)
        with open(os.path.join(self.folder, "events.ndjson"), "a") as f:
            f.write(json.dumps(event(2)) + "\n")
        self.daemon.events(epoch, 2, 2)
        self.daemon.ack(epoch, 2)
        self.daemon.nothing_but_pong()
        process.terminate()
        self.ends(process, 0)


if __name__ == "__main__":
    unittest.main()
