#!/usr/bin/python3
"""test_lanes.py - the lanes against peers that do not behave, and the verbs of operators.

In: a daemon with CURVE on and a clock that is moved by hand. Out: what each sentence of the protocol promises of credit,
gaps, sessions, identity, roles, reloads and draining. Promise: every wait is for a condition; nothing sleeps.
"""
import json
import os
import signal
import stat
import subprocess
import tempfile
import unittest

import zmq
from zmq.utils.monitor import recv_monitor_message

import harness
import peer
import verbs
from saying import calsaws, cws

EPOCH = "0123456789abcdef0123456789abcdef"
OTHER_EPOCH = "fedcba9876543210fedcba9876543210"
GARCIA = {"role": "social_worker", "worker": "garcia"}
JONES = {"role": "ais_worker", "worker": "jones"}


def contacts(n):
    """A stream that says little: one contact after the other."""
    return [calsaws(1, "case.opened", 0, status="active")] + [
        calsaws(i, "contact.made", i % 60, kind="phone") for i in range(2, n + 1)]


CROSSOVER = [calsaws(1, "case.opened", 0, status="active"), calsaws(2, "worker.assigned", 0, **JONES),
             calsaws(3, "link.confirmed", 2, other={"agency": "cws", "case": "0123-4567"})]
OTHER_SIDE = [cws(1, "case.opened", 0, status="fm"), cws(2, "worker.assigned", 0, **GARCIA)]


class Asker(peer.Lane):
    """Questions on the control lane, one at a time."""

    asked = 0

    def ask(self, verb, **args):
        """All parts of the answer."""
        self.asked += 1
        self.send("verb", verb=verb, v=1, id=self.asked, args=args)
        parts, more = [], True
        while more:
            reply = self.expect("reply")
            assert reply["id"] == self.asked
            more = reply["more"]
            parts.append(reply)
        verbs.check(verb, args, parts)
        return parts

    def ok(self, verb, **args):
        reply = self.ask(verb, **args)[-1]
        assert reply["ok"], reply
        return reply.get("body")

    def refused(self, verb, **args):
        reply = self.ask(verb, **args)[-1]
        assert not reply["ok"], reply
        return reply["body"]["code"]


class LaneTest(unittest.TestCase):
    sources = (("cws-cms", "cws"), ("calsaws", "calworks"))

    def setUp(self):
        self.daemon = harness.Daemon(harness.CLIENTS, self.sources)
        self.addCleanup(self.daemon.close)
        self.configure()
        self.daemon.start()
        self.lanes = []

    def configure(self):
        pass

    def tearDown(self):
        for lane in self.lanes:
            lane.close()

    def open(self, kind, lane, client, *more):
        d = self.daemon
        address = f"ipc://{d.path('run/control')}" if lane == "control" else d.lanes[lane]
        self.lanes.append(kind(d.context, address, d.server_key, d.pairs[client], *more))
        return self.lanes[-1]

    def publisher(self, outbox, client="calworks", source="calsaws", epoch=EPOCH):
        return self.open(peer.Publisher, "intake", client, source, epoch, outbox)

    def subscribed(self, outbox, acked=0, **more):
        agency = self.publisher(outbox, **more)
        agency.acked = acked
        agency.hello()
        agency.subscribed(agency.expect("subscribe"))
        return agency

    def worker(self, workers=("garcia", "jones")):
        return self.open(peer.Worker, "inbox", "district", "python", peer.new_store(workers))

    def asker(self, client="operator"):
        return self.open(Asker, "control", client)

    def counter(self, name):
        return self.asker().ok("status")["counters"][name]

    def until(self, asker, path, value):
        while True:
            at = asker.ok("status")
            for key in path:
                at = at[key]
            if at == value:
                return

    def cross(self):
        self.publisher(OTHER_SIDE, "cws", "cws-cms", OTHER_EPOCH).publish_all()
        self.publisher(CROSSOVER).publish_all()


class Intake(LaneTest):
    def configure(self):
        with open(self.daemon.path("linkages.yaml"), "a", encoding="utf-8") as f:
            f.write("intake: {credit: 20}\n")

    def test_credit_is_absolute(self):
        agency = self.subscribed(contacts(50))
        self.assertEqual((agency.sent, agency.allowed), (0, 20))
        agency.publish_all()
        self.assertEqual(agency.acked, 50)

    def test_above_the_credit_first_a_nak_then_the_end(self):
        agency = self.subscribed(contacts(50))
        agency.send("event", epoch=EPOCH, seq=21, event=agency.outbox[20])
        self.assertEqual(agency.expect("nak")["want"], 1)
        agency.send("event", epoch=EPOCH, seq=21, event=agency.outbox[20])
        self.assertEqual(agency.expect("error")["code"], "busy")
        agency.send("event", epoch=EPOCH, seq=1, event=agency.outbox[0])
        error = agency.expect("error")
        self.assertEqual((error["code"], error["re"]), ("no_session", 1))

    def test_the_credit_may_end_in_the_middle_of_a_message(self):
        agency = self.subscribed(contacts(50))
        agency.send("events", epoch=EPOCH, seq=1, events=agency.outbox[:30])
        self.assertEqual(agency.expect("nak")["want"], 21)
        self.assertEqual(agency.expect("ack")["upto"], 20)
        agency.send("events", epoch=EPOCH, seq=21, events=agency.outbox[20:])
        self.assertEqual(agency.expect("error")["code"], "busy")

    def test_one_nak_for_one_gap(self):
        agency = self.subscribed(contacts(10))
        for seq in (3, 4, 5):
            agency.send("event", epoch=EPOCH, seq=seq, event=agency.outbox[seq - 1])
        agency.send("ping", last=10)
        self.assertEqual([agency.expect("nak")["want"] for _ in range(2)], [1, 1])
        self.assertEqual(self.counter("naks"), 2, "one for the gap, one more for the heartbeat that shows it is still open")

    def test_one_source_under_two_epochs(self):
        agency = self.subscribed(contacts(3))
        agency.push()
        agency.send("hello", v=1, source="calsaws", epoch=OTHER_EPOCH, first=1, last=2, acked=0)
        message = agency.receive()
        while message["m"] != "subscribe":
            agency.take(message)
            message = agency.receive()
        self.assertEqual((message["epoch"], message["next"]), (OTHER_EPOCH, 1))
        agency.send("event", epoch=OTHER_EPOCH, seq=1, event=calsaws(90, "contact.made", 1, kind="phone"))
        agency.send("event", epoch=EPOCH, seq=4, event=calsaws(91, "contact.made", 1, kind="phone"))
        upto = {}
        while upto != {OTHER_EPOCH: 1, EPOCH: 4}:
            message = agency.expect("ack")
            upto[message["epoch"]] = message["upto"]

    def test_an_outbox_that_finds_no_room_shows_an_old_store_all_the_same(self):
        """Its mailboxes begin anew before there is a place for the outbox; who reads them is told."""
        self.subscribed(contacts(3)).publish_all()
        worker = self.worker(["garcia"])
        worker.catch_up()
        agency = self.publisher([])
        for n in range(4):
            agency.send("hello", v=1, source="calsaws", epoch=f"{n:032x}", first=1, last=0, acked=0)
            agency.expect("subscribe")
        agency.send("hello", v=1, source="calsaws", epoch=EPOCH, first=1, last=9, acked=9)
        self.assertEqual(agency.expect("error")["code"], "busy")
        self.assertEqual(self.asker().ok("status")["alarms"]["store_old"]["raised"], 1)
        self.assertEqual(worker.expect("error")["code"], "no_session")

    def test_two_publishers_with_one_outbox(self):
        one, two = (self.subscribed(contacts(10)) for _ in range(2))
        for seq in range(1, 11):
            for agency in (one, two):
                agency.send("event", epoch=EPOCH, seq=seq, event=agency.outbox[seq - 1])
        for agency in (one, two):
            while agency.acked < 10:
                agency.take(agency.receive())
            self.assertEqual(agency.refused, {})
        self.assertEqual(self.asker().ok("status")["store"]["events"], 10)

    def test_errors_by_code(self):
        hello = {"v": 1, "source": "calsaws", "epoch": EPOCH, "first": 1, "last": 0, "acked": 0}
        for code, change in (("version", {"v": 2}), ("unknown_source", {"source": "nobody"}),
                             ("forbidden", {"source": "cws-cms"}), ("malformed", {"first": 9}),
                             ("malformed", {"epoch": "short"}), ("malformed", {"surprise": None, "last": "1"})):
            with self.subTest(code=code, change=change):
                agency = self.publisher([])
                agency.send("hello", **{**hello, **change})
                error = agency.expect("error")
                readable = code != "malformed" or change == {"first": 9}
                self.assertEqual((error["code"], error["re"]), (code, "hello" if readable else None))
        agency = self.publisher([])
        agency.send("ping", last=0)
        self.assertEqual(agency.expect("error")["code"], "no_session")
        agency.socket.send(b"\xc1")
        self.assertEqual(agency.expect("error")["code"], "malformed")
        self.assertEqual(self.counter("malformed"), 3, "the one that contradicts itself is a message")

    def test_too_many_values(self):
        agency = self.subscribed(contacts(1))
        agency.send("ping", last=1, more=[0] * 8193)
        self.assertEqual(agency.expect("error")["code"], "too_large")
        agency.send("ping", last=1)
        self.assertEqual(agency.expect("error")["code"], "no_session")

    def test_a_version_error_names_the_highest_spoken(self):
        agency = self.publisher([])
        agency.send("hello", v=9, source="calsaws", epoch=EPOCH, first=1, last=0, acked=0)
        self.assertEqual(agency.expect("error")["detail"], "1")

    def test_many_refusals_are_all_told_again(self):
        """More than one message carries: acknowledged, lost, and asked for again until all are known."""
        outbox = [calsaws(i, "no.such.type", 0) for i in range(1, 601)]
        agency = self.publisher(outbox)
        agency.publish_all()
        self.assertEqual(sorted(agency.refused), list(range(1, 601)))
        again = self.publisher(outbox)
        again.publish_all()
        self.assertEqual(again.refused, agency.refused)


class Inbox(LaneTest):
    def test_no_credit_no_sending(self):
        self.cross()
        worker = self.worker()
        worker.hello()
        welcome = worker.expect("welcome")
        self.assertEqual((welcome["clock"], welcome["limits"]["credit"]), ("manual", 65536))
        waiting = {w["worker"]: w["next"] - 1 for w in welcome["workers"]}
        self.assertGreater(min(waiting.values()), 0)
        worker.send("ping")
        self.assertEqual(peer.unpack(worker.socket.recv())["m"], "pong", "nothing was sent before it")
        worker.session = welcome["session"]
        worker.credit(1)
        first = worker.expect("notice")
        self.assertEqual(first["seq"], 1)
        worker.credit(1000)
        ended = {}
        while len(ended) < 2:
            message = worker.receive()
            if message["m"] == "caughtup":
                ended[message["worker"]] = message["seq"]
        self.assertEqual(ended, waiting)

    def test_hello_again_takes_the_credit_back(self):
        self.cross()
        worker = self.worker()
        worker.hello()
        worker.session = worker.expect("welcome")["session"]
        worker.hello()
        worker.credit(1000)  # of the session before: void
        again = worker.expect("welcome")
        self.assertNotEqual(again["session"], worker.session)
        worker.send("ping")
        self.assertEqual(peer.unpack(worker.socket.recv())["m"], "pong", "nothing was sent before it")

    def test_from_last_on(self):
        self.cross()
        whole = self.worker(["garcia"])
        whole.catch_up()
        mine = whole.store["garcia"]
        place = {"worker": "garcia", "mailbox": mine["mailbox"], "last": 1}
        for change, first in (({}, 2), ({"mailbox": "f" * 32}, 1), ({"last": mine["last"] + 1}, 1)):
            with self.subTest(change=change):
                worker = self.worker(["garcia"])
                worker.send("hello", v=1, client="python", workers=[{**place, **change}])
                worker.session = worker.expect("welcome")["session"]
                worker.credit(1)
                self.assertEqual(worker.expect("notice")["seq"], first)
        self.assertEqual(self.counter("mailbox_mismatches"), 2)

    def test_an_answer_is_confirmed_each_time_it_is_given(self):
        self.cross()
        worker = self.worker(["garcia"])
        worker.catch_up()
        notice = worker.store["garcia"]["notices"][1]["id"]
        at = []
        for _ in range(2):
            worker.send("answer", session=worker.session, worker="garcia", notice=notice)
            message = worker.receive()
            while message["m"] != "answered":
                worker.take(message)
                message = worker.receive()
            at.append(message["at"])
        self.assertEqual(at[0], at[1])

    def test_an_answer_to_nothing_is_forbidden(self):
        worker = self.worker(["garcia"])
        worker.catch_up()
        worker.send("answer", session=worker.session, worker="garcia", notice="0" * 32)
        error = worker.expect("error")
        self.assertEqual((error["code"], error["re"]), ("forbidden", "0" * 32))

    def test_a_worker_of_no_session(self):
        worker = self.worker(["garcia"])
        worker.catch_up()
        worker.send("receipt", session=worker.session, worker="jones", upto=0)
        self.assertEqual(worker.expect("error")["code"], "unknown_worker")

    def test_a_publisher_is_no_worker(self):
        worker = self.open(peer.Worker, "inbox", "cws", "python", peer.new_store(["garcia"]))
        worker.hello()
        self.assertEqual(worker.expect("error")["code"], "forbidden")

    def test_at_most_a_thousand_workers(self):
        worker = self.worker(["garcia"])
        worker.send("hello", v=1, client="python", workers=[])
        self.assertEqual(worker.expect("error")["code"], "malformed")
        worker.send("hello", v=1, client="python",
                    workers=[{"worker": "garcia", "mailbox": None, "last": 0}] * 1001)
        self.assertEqual(worker.expect("error")["code"], "malformed")


class Feed(LaneTest):
    def configure(self):
        path = self.daemon.path("linkages.yaml")
        with open(path, encoding="utf-8") as f:
            text = f.read().replace("name: cws-cms,", "name: cws-cms, sequence: dense,")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)

    def test_gaps_of_a_dense_source_are_counted(self):
        asker, feed = self.asker(), self.open(peer.Feed, "feed", "cws", "cws-cms")
        for n in (1, 2, 5):
            feed.publish({**cws(n, "contact.made", n, kind="phone"), "sequence": str(n)})
        self.until(asker, ["feed", "cws-cms", "missing"], 2)
        feed.publish({"m": "ping", "last": 7})
        self.until(asker, ["counters", "feed_gaps"], 4)
        self.assertEqual(asker.ok("status")["alarms"]["feed_gap"], {"stands": False, "raised": 2})
        self.assertEqual(asker.ok("status")["store"]["events"], 3)

    def test_what_was_sent_while_the_daemon_was_down_is_missing_too(self):
        feed = self.open(peer.Feed, "feed", "cws", "cws-cms")
        for n in (1, 2):
            feed.publish({**cws(n, "contact.made", n, kind="phone"), "sequence": str(n)})
        self.until(self.asker(), ["store", "events"], 2)
        for gone in (self.daemon.stop, self.daemon.kill):
            gone()
            self.daemon.start()
            self.assertEqual(self.asker().ok("status")["feed"]["cws-cms"], {"seen": n, "missing": 0})
            feed, n = self.open(peer.Feed, "feed", "cws", "cws-cms"), n + 3
            feed.publish({**cws(n, "contact.made", n, kind="phone"), "sequence": str(n)})
            self.until(self.asker(), ["feed", "cws-cms"], {"seen": n, "missing": 2})
            self.until(self.asker(), ["counters", "events_accepted"], 1)
            self.assertIn("feed_gap", self.asker().ok("status")["alarms"])

    def test_what_came_and_is_not_in_the_log_is_not_missing_after_a_restart(self):
        """The last one was refused, or is known by a heartbeat alone; what was sent while nobody listened is missing."""
        feed = self.open(peer.Feed, "feed", "cws", "cws-cms")
        feed.publish({**cws(1, "contact.made", 1, kind="phone"), "sequence": "1"})
        refused, heartbeat = {**cws(2, "contact.made", 2, kind="pigeon"), "sequence": "2"}, {"m": "ping", "last": 7}
        for seen, said, gone in ((2, refused, self.daemon.stop), (2, refused, self.daemon.kill), (7, heartbeat, self.daemon.stop),
                                 (7, heartbeat, self.daemon.kill)):
            feed.publish(said)
            self.until(self.asker(), ["feed", "cws-cms", "seen"], seen)
            other = self.open(peer.Feed, "feed", "calworks", "calsaws")
            other.publish({"specversion": "1.0"})  # whose commit takes with it what is known of all
            while self.counter("events_refused") < (2 if said is refused else 1):
                pass
            gone()
            self.daemon.start()
            self.assertEqual(self.asker().ok("status")["feed"]["cws-cms"], {"seen": seen, "missing": 0})
            feed = self.open(peer.Feed, "feed", "cws", "cws-cms")
        for n, missing in ((8, 0), (10, 1)):
            feed.publish({**cws(n, "contact.made", n, kind="phone"), "sequence": str(n)})
            self.until(self.asker(), ["feed", "cws-cms"], {"seen": n, "missing": missing})

    def test_what_is_no_number_and_what_came_before_do_not_move_where_a_source_is(self):
        feed = self.open(peer.Feed, "feed", "cws", "cws-cms")
        said = {**cws(1, "contact.made", 1, kind="phone"), "sequence": "1"}
        feed.publish(said)
        for n, sequence in ((2, "2"), (3, "9x")):
            feed.publish({**cws(n, "contact.made", n, kind="pigeon"), "sequence": sequence})
        self.until(self.asker(), ["counters", "events_refused"], 2)
        for again in (said, None):
            self.daemon.stop()
            self.daemon.start()
            self.assertEqual(self.asker().ok("status")["feed"]["cws-cms"], {"seen": 2, "missing": 0})
            if again is not None:
                self.open(peer.Feed, "feed", "cws", "cws-cms").publish(again)
                self.until(self.asker(), ["counters", "events_repeated"], 1)

    def test_only_for_its_own_source(self):
        asker, feed = self.asker(), self.open(peer.Feed, "feed", "cws", "cws-cms")
        feed.socket.send_multipart([b"calsaws", peer.pack(CROSSOVER[0])])
        self.until(asker, ["counters", "feed_dropped"], 1)
        feed.publish(CROSSOVER[0])  # first frame and source differ: kept as a dead letter
        self.until(asker, ["counters", "events_refused"], 1)
        feed.socket.send_multipart([b"cws-cms", b"", peer.pack(OTHER_SIDE[0])])
        self.until(asker, ["counters", "shape_dropped"], 1)
        feed.publish(OTHER_SIDE[0])
        self.until(asker, ["store", "events"], 1)


class Identity(LaneTest):
    def raw(self, lane, client, kind=zmq.DEALER, **options):
        d = self.daemon
        socket = d.context.socket(kind)
        socket.setsockopt(zmq.LINGER, 0)
        socket.curve_serverkey = d.server_key
        socket.curve_publickey, socket.curve_secretkey = d.pairs[client]
        for name, value in options.items():
            setattr(socket, name, value)
        socket.connect(d.lanes[lane])
        self.lanes.append(socket)
        return socket

    def test_a_routing_id_of_ones_own_is_refused(self):
        socket = self.raw("intake", "calworks", routing_id=b"mine")
        socket.send(peer.pack({"m": "hello", "v": 1, "source": "calsaws", "epoch": EPOCH, "first": 1, "last": 0, "acked": 0}))
        while self.counter("foreign_route") == 0:
            pass
        self.assertEqual(self.counter("sessions_opened"), 0)

    def test_a_message_of_other_parts_is_dropped_whole(self):
        socket = self.raw("intake", "calworks")
        body = peer.pack({"m": "ping", "last": 0})
        socket.send_multipart([b"", body])
        socket.send_multipart([body] * 300)
        socket.send(body)
        self.assertTrue(socket.poll(peer.LIMIT_MS))
        self.assertEqual(peer.unpack(socket.recv())["code"], "no_session", "of the third message alone")
        self.assertEqual(self.counter("shape_dropped"), 2)

    def test_who_is_nobody_gets_nothing(self):
        """No CURVE, an unknown key, another server's key: not a byte comes through."""
        d = self.daemon
        stranger, server = zmq.curve_keypair(), zmq.curve_keypair()[0]
        for kind, keys in (("plain", None), ("unknown", (stranger, d.server_key)),
                           ("mistaken", (d.pairs["calworks"], server))):
            with self.subTest(kind=kind):
                socket = d.context.socket(zmq.DEALER)
                self.lanes.append(socket)
                socket.setsockopt(zmq.LINGER, 0)
                if keys is not None:
                    (socket.curve_publickey, socket.curve_secretkey), socket.curve_serverkey = keys
                monitor = socket.get_monitor_socket()
                socket.connect(d.lanes["intake"])
                socket.send(peer.pack({"m": "ping", "last": 0}))
                happened = []
                while zmq.EVENT_DISCONNECTED not in happened and not any(
                        e & (zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
                             | zmq.EVENT_HANDSHAKE_FAILED_AUTH) for e in happened):
                    self.assertTrue(monitor.poll(peer.LIMIT_MS), kind)
                    happened.append(recv_monitor_message(monitor)["event"])
                self.assertNotIn(zmq.EVENT_HANDSHAKE_SUCCEEDED, happened)
                socket.disable_monitor()
                monitor.close()
        self.assertEqual(self.counter("sessions_opened") + self.counter("malformed"), 0)

    def test_a_removed_key_is_out_at_once(self):
        agency = self.subscribed(contacts(2))
        d = self.daemon
        d.write("clients.yaml", "".join(d.entry(*c) for c in harness.CLIENTS if c[0] != "calworks"))
        d.process.send_signal(signal.SIGHUP)
        self.assertEqual(agency.expect("error")["code"], "forbidden")
        agency.push()
        while self.counter("unproven") < 2:
            pass
        self.assertEqual(self.asker().ok("status")["store"]["events"], 0)

    def test_a_removed_keys_connection_is_shut(self):
        """Also one that says nothing: told first, hung up in the next second; and it does not get in again."""
        agency = self.subscribed(contacts(2))
        monitor = agency.socket.get_monitor_socket()
        d = self.daemon
        d.write("clients.yaml", "".join(d.entry(*c) for c in harness.CLIENTS if c[0] != "calworks"))
        self.asker().ok("reload")
        self.assertEqual(agency.expect("error")["code"], "forbidden")
        happened = []
        while zmq.EVENT_DISCONNECTED not in happened:
            self.assertTrue(monitor.poll(peer.LIMIT_MS))
            happened.append(recv_monitor_message(monitor)["event"])
        self.assertEqual(self.counter("hung_up"), 1)
        agency.socket.disable_monitor()
        monitor.close()

    def test_a_worker_who_is_taken_from_a_key_is_told_nothing_more_by_it(self):
        worker, garcia = self.worker(), self.worker(["garcia"])
        worker.catch_up()
        garcia.catch_up()
        d = self.daemon
        text = "".join(d.entry(*c) for c in harness.CLIENTS)
        d.write("clients.yaml", text.replace("[garcia, jones]", "[garcia]"))
        self.asker().ok("reload")
        self.cross()
        self.assertEqual(worker.expect("error")["code"], "forbidden")
        self.assertEqual(garcia.expect("notice")["worker"], "garcia", "who does no more than the table says goes on")

    def test_a_source_that_is_taken_from_a_key(self):
        agency = self.subscribed(contacts(2))
        d = self.daemon
        text = "".join(d.entry(*c) for c in harness.CLIENTS)
        d.write("clients.yaml", text.replace("[calsaws]", "[cws-cares]"))
        self.asker().ok("reload")
        self.assertEqual(agency.expect("error")["code"], "forbidden")

    def test_a_revoked_key_is_told_so(self):
        d = self.daemon
        text = "".join(d.entry(*c) for c in harness.CLIENTS)
        mine = d.entry(*harness.CLIENTS[1])
        d.write("clients.yaml", text.replace(mine, mine + "  revoked: true\n"))
        self.asker().ok("reload")
        socket = d.context.socket(zmq.DEALER)
        self.lanes.append(socket)
        monitor = socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_FAILED_AUTH)
        socket.curve_serverkey = d.server_key
        socket.curve_publickey, socket.curve_secretkey = d.pairs["calworks"]
        socket.connect(d.lanes["intake"])
        self.assertTrue(monitor.poll(peer.LIMIT_MS))
        self.assertEqual(recv_monitor_message(monitor)["value"], 400)
        socket.disable_monitor()
        monitor.close()

    def tool(self, name, lane, key, *words):
        """What a tool says of a lane that does not let its key do that: (status, lines of standard error)."""
        d = self.daemon
        run = subprocess.run([harness.program(name), "--server", d.lanes[lane], "--server-key", d.path("state/server.pub"),
                              "--key", d.path(key + ".key"), "--timeout", "3", *words], stdin=subprocess.DEVNULL,
                             capture_output=True, text=True, check=False, timeout=60)
        return run.returncode, run.stderr.splitlines()

    def test_tools_say_once_why_they_are_not_let_in(self):
        d = self.daemon
        outbox = ("--source", "calsaws", "--outbox", d.path("outbox"))
        for words in (("linkages-pub", "intake", "operator", *outbox),
                      ("linkages-sub", "inbox", "operator", "--store", d.path("inbox"), "garcia")):
            status, said = self.tool(*words)
            self.assertEqual((status, len(said)), (2, 1), said)
            self.assertIn("this key may not do that", said[0])
        mine = d.entry(*harness.CLIENTS[1])
        d.write("clients.yaml", "".join(d.entry(*c) for c in harness.CLIENTS).replace(mine, mine + "  revoked: true\n"))
        self.asker().ok("reload")
        self.assertIn("this key was revoked", " ".join(self.tool("linkages-pub", "intake", "calworks", *outbox)[1]))

    def follow(self, tool, lane, key, *words):
        """A tool that goes on until it is stopped, or told to: its input and its standard error are ours."""
        d = self.daemon
        self.running.append(subprocess.Popen(
            [harness.program(tool), "--server", d.lanes[lane], "--server-key", d.path("state/server.pub"), "--key",
             d.path(key), *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return self.running[-1]

    def feed(self, tool, *events):
        tool.stdin.write("".join(json.dumps(event) + "\n" for event in events))
        tool.stdin.flush()

    def test_keys_are_rotated_under_tools_that_are_connected(self):
        """As the runbook has it: who is connected ends with a sentence, who comes with the old key waits, and whoever is
        started with the new one goes on where it was."""
        d, events = self.daemon, contacts(3)
        agency = ("linkages-pub", "intake"), ("--follow", "--timeout", "0", "--source", "calsaws", "--outbox", d.path("outbox"))
        desk = ("linkages-sub", "inbox"), ("--json", "--client", "desk", "--store", d.path("inbox"), "garcia")
        self.running = harness.processes(self)
        publisher = self.follow(*agency[0], "calworks.key", *agency[1])
        self.feed(publisher, events[0])
        reader = self.follow(*desk[0], "district.key", *desk[1])
        self.assertIn("caughtup", json.loads(reader.stdout.readline()))
        self.until(self.asker(), ["store", "events"], 1)
        for name in ("calworks", "district"):
            d.pairs[name] = zmq.curve_keypair()
            d.write(name + ".new.key", "{}\n{}\n".format(*(half.decode() for half in d.pairs[name])), 0o600)
        d.write("clients.yaml", "".join(d.entry(*c) for c in harness.CLIENTS))
        self.asker().ok("reload")
        for tool in (publisher, reader):
            self.assertEqual(tool.wait(harness.STOP_S), 2)
            self.assertIn("(forbidden: this key is not enrolled any more)", tool.stderr.read())
        kept_out = self.follow(*agency[0], "calworks.key", *agency[1])
        self.feed(kept_out, events[1])
        self.assertIn("waiting: ", kept_out.stderr.readline())
        kept_out.send_signal(signal.SIGTERM)
        kept_out.wait(harness.STOP_S)
        self.feed(self.follow(*agency[0], "calworks.new.key", *agency[1]), events[2])
        self.until(self.asker(), ["store", "events"], 3)
        self.assertEqual(self.counter("events_repeated"), 0)
        self.assertIn("caughtup", json.loads(self.follow(*desk[0], "district.new.key", *desk[1]).stdout.readline()))

    def test_a_tool_with_a_key_that_nobody_knows_hears_of_the_table(self):
        """Also where libzmq leaves it waiting, and it gives up before the daemon does."""
        d = self.daemon
        subprocess.run([harness.program("linkages-ctl"), "keygen", "stranger"], cwd=d.folder, check=True, capture_output=True)
        run = subprocess.run([harness.program("linkages-ctl"), "--server", f"ipc://{d.path('run/control')}", "--server-key",
                              d.path("state/server.pub"), "--key", d.path("stranger.key"), "--timeout", "1", "status"],
                             capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual((run.returncode, run.stdout), (2, ""))
        self.assertIn("table of clients", run.stderr)

    def test_a_reload_that_is_refused_changes_nothing(self):
        agency = self.subscribed(contacts(2))
        self.daemon.write("clients.yaml", "- name: half\n")
        reply = self.asker().ask("reload")[-1]
        self.assertEqual((reply["ok"], reply["body"]["code"]), (False, "refused"))
        self.assertIn("clients.yaml", reply["body"]["detail"])
        while agency.acked < 2:
            agency.push()
            agency.take(agency.receive())


class Control(LaneTest):
    def test_each_verb_has_its_role(self):
        for verb in ("status", "dead-letters", "clock", "reload", "stop"):
            self.assertEqual(self.asker("auditor").refused(verb), "forbidden", verb)
            self.assertEqual(self.asker("cws").refused(verb), "forbidden", verb)
        self.assertEqual(self.asker().refused("family", agency="cws", case="1", purpose="x"), "forbidden")
        self.assertEqual(self.asker().refused("no-such-verb"), "unknown_verb")

    def test_a_family_for_a_purpose(self):
        self.cross()
        auditor, operator = self.asker("auditor"), self.asker()
        before = operator.ok("status")["store"]["ledger_rows"]
        self.assertEqual(auditor.refused("family", agency="cws", case="0123-4567"), "bad_value")
        self.assertEqual(auditor.refused("family", agency="cws", case="9", purpose="review 7"), "not_found")
        body = auditor.ok("family", agency="cws", case="0123-4567", purpose="review 7")
        self.assertIn("1B2C3D4", str(body))
        self.assertEqual(operator.ok("status")["store"]["ledger_rows"], before + 1)

    def test_a_hold_is_refused_while_a_family_is_being_taken_out(self):
        """What it would hold may be half gone; and one that was promised is kept."""
        self.cross()
        auditor = self.asker("auditor")
        family = {"agency": "cws", "case": "0123-4567", "purpose": "order 7"}
        auditor.send("verb", verb="expunge", v=1, id=1, args=family)
        auditor.send("verb", verb="hold", v=1, id=2, args=family)
        said = {}
        while len(said) < 2:
            reply = auditor.expect("reply")
            if not reply["more"]:
                said[reply["id"]] = reply
        self.assertTrue(said[1]["ok"], said[1])
        self.assertFalse(said[2]["ok"], said[2])
        self.assertIn("expunge is under way", str(said[2]["body"]))
        self.assertEqual(auditor.refused("family", **family), "not_found")

    def test_dead_letters_in_pages_without_bodies(self):
        agency = self.publisher([calsaws(i, "no.such.type", 0, secret="marker") for i in range(1, 251)])
        agency.publish_all()
        parts = [p["body"] for p in self.asker().ask("dead-letters", after=0, limit=240)]
        letters = [letter for part in parts for letter in part["letters"]]
        self.assertEqual((len(parts), len(letters)), (3, 240))
        self.assertEqual((letters[0]["seq"], letters[0]["reason"], letters[0]["field"]), (1, "unknown_type", "type"))
        self.assertNotIn("marker", str(letters))
        rest = self.asker().ok("dead-letters", after=parts[-1]["next"])
        self.assertEqual(len(rest["letters"]), 10)

    def test_the_clock_is_moved_and_never_back(self):
        self.cross()
        worker = self.worker(["garcia"])
        worker.catch_up()
        asker = self.asker()
        self.assertEqual(asker.refused("clock", to="tomorrow"), "bad_value")
        self.assertEqual(asker.refused("clock", to="2026-03-01T00:00:00Z"), "bad_value")
        body = asker.ok("clock", to="2026-03-12T09:00:00-07:00")
        self.assertEqual(body["now"][:19], "2026-03-12T16:00:00")
        kinds = set()
        while "meeting.overdue" not in kinds:
            message = worker.receive()
            if worker.take(message):
                kinds.add(message["notice"]["kind"])
        self.assertEqual(asker.ok("status")["clock"], "manual")

    def test_time_goes_on_after_a_restart(self):
        self.cross()
        now = self.asker().ok("status")["now"]
        self.daemon.kill()
        self.daemon.start()
        self.assertEqual(self.asker().ok("status")["now"], now)

    def test_stop_tells_everyone(self):
        agency, worker = self.subscribed(contacts(2)), self.worker()
        worker.catch_up()
        self.asker().ok("stop")
        for lane in (agency, worker):
            self.assertEqual(lane.expect("error")["code"], "draining")
        self.assertEqual(self.daemon.process.wait(harness.STOP_S), 0)

    def test_a_second_daemon_on_the_same_files_does_not_start(self):
        d = self.daemon
        second = subprocess.run([harness.program("linkagesd"), "-c", d.path("linkages.yaml")], capture_output=True,
                                text=True, check=False, timeout=60)
        self.assertEqual(second.returncode, os.EX_UNAVAILABLE)
        self.assertIn("another process", second.stderr)
        self.publisher(contacts(2)).publish_all()

    def test_the_socket_is_for_owner_and_group(self):
        self.assertEqual(stat.S_IMODE(os.stat(self.daemon.path("run/control")).st_mode), 0o660)

    def test_each_line_says_that_the_clock_is_manual(self):
        self.cross()
        self.daemon.stop()
        lines = [line for line in self.daemon.said().splitlines() if line]
        self.assertTrue(lines)
        self.assertEqual([line for line in lines if not line.endswith(" clock=manual")], [])
        self.assertNotIn("0123-4567", self.daemon.said())


class Alone(unittest.TestCase):
    """linkagesd by itself."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory(prefix="linkages-test.")
        self.addCleanup(self.folder.cleanup)

    def run_it(self, *arguments):
        return subprocess.run([harness.program("linkagesd"), *arguments], capture_output=True, text=True, check=False,
                              env={**os.environ, "STATE_DIRECTORY": self.folder.name}, timeout=60)

    def write(self, text):
        path = os.path.join(self.folder.name, "linkages.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def test_check(self):
        self.assertEqual(self.run_it("-n").returncode, 0, "the embedded default needs no file")
        self.assertEqual(os.listdir(self.folder.name), [], "and checking makes none")
        result = self.run_it("-n", "-c", self.write("clok: real\n"))
        self.assertEqual(result.returncode, 78)
        self.assertIn("clok", result.stderr)
        self.assertEqual(self.run_it("-n", "-c", "/no/such/file").returncode, 78)
        result = self.run_it("-n", "-c", self.write("policy: no-such-file.yaml\n"))
        self.assertEqual(result.returncode, 78, "a policy that is not there is not sound")
        self.assertIn("no-such-file.yaml", result.stderr)

    def test_help_version_usage(self):
        self.assertIn("--check", self.run_it("--help").stdout)
        self.assertRegex(self.run_it("--version").stdout, r"^linkagesd \d")
        self.assertEqual(self.run_it("--what").returncode, 64)
        self.assertEqual(self.run_it("operand").returncode, 64)

    def test_a_key_for_all_workers_only_within_the_machine(self):
        public = zmq.curve_keypair()[0].decode()
        with open(os.path.join(self.folder.name, "clients.yaml"), "w", encoding="utf-8") as f:
            f.write(f"- name: all\n  key: '{public}'\n  role: worker\n  workers: ['*']\n")
        self.assertEqual(self.run_it("-n").returncode, 0)
        result = self.run_it("-n", "-c", self.write("clients: clients.yaml\nlanes: {inbox: 'tcp://*:5563'}\n"))
        self.assertEqual(result.returncode, 78)
        self.assertIn("'*'", result.stderr)


class LastWordTest(LaneTest):
    def test_who_asks_it_to_stop_hears_that_it_will(self):
        """The answer and the end of the connection arrive together: the answer counts."""
        key = self.daemon.path("operator.key")
        with open(self.daemon.path("server.pub"), "w", encoding="ascii") as f:
            f.write(self.daemon.server_key.decode() + "\n")
        for _ in range(8):
            tool = subprocess.run([harness.program("linkages-ctl"), "--yes", "--key", key, "--server-key", self.daemon.path("server.pub"),
                                   "--server", f"ipc://{self.daemon.path('run/control')}", "stop"], capture_output=True, text=True,
                                  timeout=harness.STOP_S, check=False)
            self.assertEqual((tool.returncode, tool.stderr), (0, ""))
            self.assertEqual(self.daemon.process.wait(harness.STOP_S), 0)
            self.daemon.start()


if __name__ == "__main__":
    unittest.main()
