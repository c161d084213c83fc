#!/usr/bin/python3
"""The client of clients/python against the real daemon: each promise of its modules, and every message against the schemas."""
import contextlib
import logging
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest
from unittest import mock

import zmq

import harness
from saying import calsaws, cws

sys.path[:0] = [os.path.join(harness.ROOT, "tests", "contract"), os.path.join(harness.ROOT, "clients", "python")]

import contract
import linkages
from linkages import files, identity, keys, session, wire
from linkages.store import Store, keep

WAIT_S = 30  # for a machine that is busy
CLIENTS = (
    ("cws", "publisher", {"sources": ["cws-cms"]}),
    ("calworks", "publisher", {"sources": ["calsaws"]}),
    ("district", "worker", {"workers": ["garcia", "jones"]}),
    ("operator", "operator", {}),
)
MESSAGES = contract.schemas("messages")
NOTICE, KINDS = contract.notices()
CARRIERS = {"event": "event_sent", "notice": "notice_sent"}


GARCIA = {"role": "social_worker", "worker": "garcia", "name": "R. Garcia", "phone": "925-555-0101"}
JONES = {"role": "ais_worker", "worker": "jones", "name": "D. Jones", "phone": "925-555-0102"}
CWS = [cws(1, "case.opened", 1, status="fm"), cws(2, "worker.assigned", 1, **GARCIA)]
CALWORKS = [calsaws(1, "case.opened", 0, status="active"), calsaws(2, "worker.assigned", 0, **JONES),
            calsaws(3, "link.confirmed", 2, other={"agency": "cws", "case": "0123-4567"})]
WRONG = calsaws(4, "case.status", 5, status="ifs")


def setUpModule():
    logging.getLogger("linkages").setLevel(logging.ERROR)  # what goes wrong here goes wrong on purpose


class Heard:
    """Every message that passes, held against its schema."""

    def __init__(self):
        self.names, self.wrong = set(), []

    def look(self, value):
        if not isinstance(value, dict) or "m" not in value:
            return value
        m = value["m"]
        name = CARRIERS.get(m, m) if m != "hello" else "pub_hello" if "source" in value else "sub_hello"
        self.names.add(name)
        self.wrong += [f"{name}: {c}" for c in contract.complaints(MESSAGES[name], value)]
        if m == "notice":
            notice = value["notice"]
            self.wrong += [f"{notice['kind']}: {c}" for schema in (NOTICE, KINDS[notice["kind"]])
                           for c in contract.complaints(schema, notice)]
        return value

    def patch(self):
        pack, unpack = wire.pack, wire.unpack
        stack = contextlib.ExitStack()
        stack.enter_context(mock.patch.object(wire, "pack", lambda value: pack(self.look(value))))
        stack.enter_context(mock.patch.object(wire, "unpack", lambda body, *more: self.look(unpack(body, *more))))
        return stack


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="linkages-client.")
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, name):
        return os.path.join(self.folder, name)


class SecondClient(Folder):
    def setUp(self):
        super().setUp()
        self.daemon = harness.Daemon(CLIENTS)
        self.daemon.__enter__()
        self.addCleanup(self.daemon.close)
        self.heard = Heard()
        self.enterContext(self.heard.patch())

    def tearDown(self):
        self.assertEqual(self.heard.wrong, [])

    def peer(self, lane, client):
        address = self.daemon.lanes.get(lane, f"ipc://{self.daemon.path('run')}/control")
        return keys.Peer(address, self.daemon.server_key, self.daemon.pairs[client])

    def outbox(self, source, name=None):
        return self.enterContext(linkages.Outbox(self.path(name or source + ".outbox"), source))

    def publish(self, outbox, *events, client=None):
        outbox.append(*events)
        with linkages.Publisher(self.peer("intake", client or ("cws" if outbox.state.source == "cws-cms" else "calworks")),
                                outbox) as publisher:
            self.assertTrue(publisher.flush(WAIT_S), publisher.trouble)

    def cross(self):
        boxes = self.outbox("calsaws"), self.outbox("cws-cms")
        for box, events in zip(boxes, (CALWORKS, CWS)):
            self.publish(box, *events)
        return boxes

    def inbox(self, store, **more):
        return self.enterContext(linkages.Inbox(self.peer("inbox", "district"), "python", ["garcia", "jones"], store, **more))

    def told(self, store):
        with self.inbox(store) as inbox:
            self.assertTrue(inbox.follow(lambda: inbox.caught_up, WAIT_S), inbox.trouble)
        return [(kept.worker, kept.notice["id"], kept.notice["rev"]) for kept in store.new()]

    def events(self):
        """How many are in the log."""
        with linkages.Control(self.peer("control", "operator")) as control:
            return control.ask("status", WAIT_S)[0]["store"]["events"]

    def log(self):
        """What is in the log, once the daemon has gone: it shares its file with nobody."""
        self.daemon.stop()
        query = "SELECT source_name, id FROM event_row ORDER BY position"
        with contextlib.closing(sqlite3.connect(f"file:{self.daemon.path('state/linkages.db')}?mode=ro", uri=True)) as base:
            return base.execute(query).fetchall()

    # ---- the way of an event to a worker, and of an answer back

    def test_events_in_notices_out_answers_back(self):
        self.cross()
        answered = []
        store = self.enterContext(Store(self.path("inbox")))
        inbox = self.inbox(store, on_answered=lambda *what: answered.append(what))
        self.assertTrue(inbox.follow(lambda: inbox.caught_up, WAIT_S))
        self.assertEqual(inbox.clock, "manual")
        first = {kept.worker: kept.notice for kept in store.new() if kept.notice["kind"] == "crossover.found"}
        self.assertEqual(first["garcia"]["other"], "1B2C3D4")
        self.assertEqual(first["jones"]["contacts"][0]["phone"], GARCIA["phone"])
        inbox.answer("garcia", first["garcia"]["id"])
        self.assertTrue(inbox.follow(lambda: not inbox.unconfirmed, WAIT_S))
        self.assertEqual([what[:3] for what in answered], [("garcia", first["garcia"]["id"], "garcia")])
        self.assertLessEqual({"pub_hello", "event_sent", "subscribe", "ack", "sub_hello", "welcome", "credit", "notice_sent",
                              "caughtup", "receipt", "answer", "answered"}, self.heard.names)

    def test_an_answer_to_nothing_is_given_up_and_the_rest_goes_on(self):
        self.cross()
        store, refused = self.enterContext(Store(None)), []
        inbox = self.inbox(store, on_refused=lambda *answer: refused.append(answer))
        inbox.answer("garcia", "00" * 16)
        self.assertTrue(inbox.follow(lambda: not inbox.unconfirmed and inbox.caught_up, WAIT_S), inbox.trouble)
        self.assertEqual(refused, [("garcia", "00" * 16)])
        self.assertGreater(len(store.new()), 1)

    def test_the_feed_waits_for_the_daemon(self):
        with linkages.FeedPublisher(self.peer("feed", "cws"), "cws-cms") as feed:
            self.assertTrue(all(feed.publish(e, WAIT_S) for e in CWS))
            self.assertTrue(feed.ping())
        self.publish(self.outbox("calsaws"), *CALWORKS)
        store = self.enterContext(Store(None))
        inbox = self.inbox(store)
        self.assertTrue(inbox.follow(lambda: "crossover.found" in {kept.notice["kind"] for kept in store.new()}, WAIT_S))

    def test_refusals_are_kept_and_the_queue_goes_on(self):
        box = self.outbox("calsaws")
        self.publish(box, CALWORKS[0], WRONG, *CALWORKS[1:])
        self.assertEqual([(r.seq, r.id, r.reason, r.field) for r in box.refusals()], [(2, "e4", "bad_value", "data.status")])
        self.assertEqual(self.events(), 3)

    def test_a_verdict_is_not_lost_with_a_lost_acknowledgement(self):
        box = self.outbox("calsaws")
        self.publish(box, CALWORKS[0], WRONG)
        box._db.execute("DELETE FROM refusal")  # as if the acknowledgement had never come
        box._db.execute("UPDATE outbox SET acked = 0")
        self.publish(box, CALWORKS[1])
        self.assertEqual([(r.seq, r.reason) for r in box.refusals()], [(2, "bad_value")])

    # ---- what was lost on one side

    def test_an_old_copy_of_an_outbox_gets_a_new_epoch(self):
        box = self.outbox("calsaws", "a")
        self.publish(box, CALWORKS[0])
        box.close()
        shutil.copy(self.path("a"), self.path("b"))
        box = self.outbox("calsaws", "a")
        self.publish(box, *CALWORKS[1:])
        old = self.outbox("calsaws", "b")
        epoch = old.state.epoch
        self.publish(old, WRONG)
        self.assertNotEqual(old.state.epoch, epoch)
        self.assertEqual([(r.seq, r.id) for r in old.refusals()], [(2, "e4")])
        self.assertEqual(self.log(), [("calsaws", id_) for id_ in ("e1", "e2", "e3")])

    def test_an_old_copy_that_grew_as_far_as_the_daemon_has_come(self):
        """Its numbers were given to other events: none of either may be lost."""
        box = self.outbox("calsaws", "a")
        self.publish(box, CALWORKS[0])
        box.close()
        shutil.copy(self.path("a"), self.path("b"))
        self.publish(self.outbox("calsaws", "a"), CALWORKS[1])
        old = self.outbox("calsaws", "b")
        epoch = old.state.epoch
        self.publish(old, CALWORKS[2], calsaws(5, "contact.made", 7, kind="phone"))
        self.assertNotEqual(old.state.epoch, epoch)
        self.assertEqual(old.refusals(), [])
        self.assertEqual(sorted(self.log()), [("calsaws", id_) for id_ in ("e1", "e2", "e3", "e5")])

    def test_a_daemon_that_lost_its_disk_gets_everything_again_and_tells_nothing_twice(self):
        calsaws_box, cws_box = self.cross()
        store = self.enterContext(Store(self.path("inbox")))
        before = self.told(store)
        mailbox = store.place("garcia")[0]
        self.daemon.stop()
        for name in os.listdir(self.daemon.path("state")):
            if not name.startswith("server."):
                path = os.path.join(self.daemon.path("state"), name)
                (shutil.rmtree if os.path.isdir(path) else os.unlink)(path)
        self.daemon.start()
        for box in (calsaws_box, cws_box):
            self.publish(box)
        self.assertEqual(self.events(), 5)
        self.assertEqual(self.told(store), before)
        self.assertNotEqual(store.place("garcia")[0], mailbox)
        self.assertGreater(len(before), 1)

    def test_where_an_effect_fails_it_happens_once_all_the_same(self):
        self.cross()
        seen = []

        def effect(db, worker, seq, notice):
            keep(db, worker, seq, notice)
            seen.append(notice["id"])
            if len(seen) == 2:
                raise RuntimeError("this one fails")

        store = self.enterContext(Store(self.path("inbox"), effect))
        with self.inbox(store) as inbox:
            with self.assertRaises(RuntimeError):
                inbox.follow(lambda: inbox.caught_up, WAIT_S)
        self.assertNotIn(seen[1], [kept.notice["id"] for kept in store.new()])
        self.assertEqual(self.told(store), self.told(self.enterContext(Store(None))))

    # ---- a daemon that is away, silent, or says no

    def test_a_daemon_that_is_killed_is_found_again(self):
        box = self.outbox("calsaws")
        with linkages.Publisher(self.peer("intake", "calworks"), box) as publisher:
            box.append(CALWORKS[0])
            self.assertTrue(publisher.flush(WAIT_S))
            self.daemon.kill()
            box.append(*CALWORKS[1:])
            self.assertFalse(publisher.flush(0.5))
            self.daemon.start()
            self.assertTrue(publisher.flush(WAIT_S), publisher.trouble)
        self.assertEqual(self.events(), 3)

    def test_silence_ends_a_connection_and_a_new_socket_is_made(self):
        box = self.outbox("calsaws")
        with mock.patch.multiple(session, SILENCE=1, PING_AFTER=0.3), \
                linkages.Publisher(self.peer("intake", "calworks"), box) as publisher:
            self.assertTrue(publisher.flush(WAIT_S))
            before = publisher._connection
            self.daemon.process.send_signal(signal.SIGSTOP)
            box.append(CALWORKS[0])
            self.assertFalse(publisher.flush(WAIT_S, until=lambda: publisher.trouble != ""))
            self.assertIn("silent", publisher.trouble)
            self.daemon.process.send_signal(signal.SIGCONT)
            self.assertTrue(publisher.flush(WAIT_S), publisher.trouble)
            self.assertIsNot(publisher._connection, before)

    def test_another_agencys_source_is_forbidden(self):
        box = self.outbox("cws-cms")
        with linkages.Publisher(self.peer("intake", "calworks"), box) as publisher:
            with self.assertRaises(linkages.Forbidden):
                publisher.flush(WAIT_S)

    def test_a_stranger_is_told_why_nobody_answers(self):
        peer = self.peer("intake", "calworks")._replace(pair=zmq.curve_keypair())
        with linkages.Publisher(peer, self.outbox("calsaws")) as publisher:
            self.assertFalse(publisher.flush(WAIT_S, until=lambda: publisher.trouble != ""))
            self.assertIn(session.KEPT_OUT, publisher.trouble)

    # ---- the control lane

    def test_verbs(self):
        self.publish(self.outbox("calsaws"), WRONG)
        with linkages.Control(self.peer("control", "operator")) as control:
            self.assertEqual(control.ask("status")[0]["clock"], "manual")
            letters = [letter for part in control.ask("dead-letters", limit=10) for letter in part["letters"]]
            self.assertEqual([letter["reason"] for letter in letters], ["bad_value"])
            with self.assertRaises(linkages.Forbidden):
                control.ask("family", agency="cws", case="0123-4567", purpose="a test")
            with self.assertRaises(linkages.SessionError) as caught:
                control.ask("dead-letters", limit=0)
            self.assertEqual(caught.exception.code, "bad_value")
        self.assertLessEqual({"verb", "reply"}, self.heard.names)

    # ---- the command line

    def start_client(self, *words):
        client = subprocess.Popen([sys.executable, "-B", "-m", "linkages", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True,
                                  env={**os.environ, "PYTHONPATH": os.path.join(harness.ROOT, "clients", "python")})
        self.addCleanup(lambda: client.poll() is None and client.kill())
        return client

    def run_client(self, *words, text=""):
        run = self.start_client(*words)
        said = run.communicate(text, timeout=2 * WAIT_S)
        return run.returncode, *said

    def keys_of(self, client):
        return ["--server-key", self.daemon.path("state/server.pub"), "--key", self.daemon.path(client + ".key")]

    def test_the_command_line(self):
        lines = "".join(wire.to_json(e) + "\n" for e in [CALWORKS[0], WRONG, *CALWORKS[1:]]) + "{\n"
        pub = ["pub", "--server", self.daemon.lanes["intake"], *self.keys_of("calworks"), "--source", "calsaws", "--outbox",
               self.path("outbox")]
        status, _, said = self.run_client(*pub, text=lines)
        self.assertEqual(status, 1, said)
        self.assertIn("line 2: bad_value data.status", said)
        self.assertIn("line 5: malformed", said)
        self.assertEqual(self.run_client(*pub, text=wire.to_json(CALWORKS[0]))[0], 0)
        with linkages.Outbox(self.path("outbox")) as outbox:
            self.publish(outbox, {**WRONG, "id": "e5"})  # and nobody is told
        status, _, said = self.run_client(*pub)
        self.assertEqual((status, "event e5: bad_value data.status" in said), (1, True), said)
        self.assertEqual(self.run_client(*pub)[0], 0)
        feed = ["pub", "--feed", "--server", self.daemon.lanes["feed"], *self.keys_of("cws"), "--source", "cws-cms"]
        self.assertEqual(self.run_client(*feed, text="".join(wire.to_json(e) + "\n" for e in CWS))[0], 0)
        sub = ["sub", "--server", self.daemon.lanes["inbox"], *self.keys_of("district"), "--store", self.path("store"),
               "--once", "garcia"]
        shown = ""
        while "crossover.found" not in shown:  # the feed lane does not say when it has arrived
            status, shown, said = self.run_client(*sub)
            self.assertEqual(status, 0, said)
        self.assertNotIn("crossover.found", self.run_client(*sub)[1])
        digits = [line for line in shown.splitlines() if "crossover.found" in line][0].split()[-1]
        self.assertEqual(self.run_client(*sub, "--answer", digits)[0], 0)
        self.assertEqual(self.run_client(*sub, "--answer", "00" * 16)[0], 1)
        ctl = ["ctl", "--server", self.peer("control", "operator").address, *self.keys_of("operator")]
        self.assertEqual(self.run_client(*ctl, "status")[0], 0)
        self.assertEqual(self.run_client(*ctl, "nothing")[0], 1)

    def until_acked(self, seq):
        """As a second process sees the outbox that is followed: the file is its own, so the daemon's sources tell."""
        end = time.monotonic() + WAIT_S
        with linkages.Control(self.peer("control", "operator")) as control:
            while {s["source"]: s["accepted"] for s in next(iter(control.ask("sources", WAIT_S)))["sources"]}["calsaws"] < seq:
                self.assertLess(time.monotonic(), end, "not acknowledged")

    def test_what_the_input_grows_by_is_sent(self):
        pub = ["pub", "--follow", "--server", self.daemon.lanes["intake"], *self.keys_of("calworks"), "--source", "calsaws",
               "--outbox", self.path("outbox")]
        first, second, *more = [(wire.to_json(e) + "\n").encode() for e in CALWORKS]
        with open(self.path("events"), "wb", buffering=0) as growing:
            growing.write(first + second[:20])
            run = self.start_client(*pub, self.path("events"))
            self.until_acked(1)
            growing.write(second[20:] + (wire.to_json(WRONG) + "\n").encode() + b"\xff\n")
            self.until_acked(2)
            self.assertEqual([run.stderr.readline().split(":")[0] for _ in range(2)], ["line 4", "line 3"])
            run.terminate()
            said = run.communicate(timeout=WAIT_S)[1]
        self.assertEqual((run.returncode, "4 lines read, 2 refused; all acknowledged" in said), (1, True), said)
        run = self.start_client(*pub)  # a pipe: what came is sent while its writer lives, and the end is the end
        run.stdin.write(more[0].decode())
        run.stdin.flush()
        self.until_acked(3)
        said = run.communicate("{\n", timeout=WAIT_S)[1]
        self.assertEqual((run.returncode, "line 2: malformed" in said), (1, True), said)

    def test_mistakes_of_a_newcomer_are_named(self):
        good = ["--server", self.daemon.lanes["intake"], *self.keys_of("calworks"), "--outbox", self.path("outbox")]
        os.chmod(self.daemon.path("cws.key"), 0o644)
        for words, told in (
                (["--key", self.path("no.key")], "No such file"),
                (["--key", self.daemon.path("state/server.pub")], "others may read"),
                (["--key", self.daemon.path("cws.key")], "chmod 600"),
                (["--server-key", self.daemon.path("calworks.key")], "server.pub"),
                (["--server", "nonsense"], "an address is like"),
                (["--server", "tcp://127.0.0.1:1"], "nobody listens there"),
                (["--outbox", self.daemon.path("linkages.yaml")], "not an outbox"),
                (["--source", "cws-cms", "--outbox", self.path("other")], "forbidden")):
            status, _, said = self.run_client("pub", *good, "--source", "calsaws", "--timeout", "3", *words)
            self.assertIn(status, (1, 2), words)
            self.assertIn(told, said, words)


class Files(Folder):
    def test_a_file_is_of_one_kind_and_of_one_process(self):
        outbox = self.path("outbox")
        with linkages.Outbox(outbox, "calsaws"):
            with self.assertRaisesRegex(files.DamagedFile, "another process"):
                linkages.Outbox(outbox)
        with self.assertRaisesRegex(files.DamagedFile, "not a store"):
            Store(outbox)
        with self.assertRaisesRegex(files.DamagedFile, "of calsaws"):
            linkages.Outbox(outbox, "cws-cms")
        with self.assertRaisesRegex(files.DamagedFile, "whose events"):
            linkages.Outbox(self.path("new"))
        self.assertEqual(os.stat(outbox).st_mode & 0o777, 0o600)

    def test_damage_on_disk_is_noticed_before_it_is_sent(self):
        with linkages.Outbox(self.path("outbox"), "calsaws") as outbox:
            outbox.append(*CALWORKS)
            outbox._db.execute("UPDATE event SET body = zeroblob(9) WHERE seq = 2")
            self.assertEqual([seq for seq, _ in outbox.read(1, 1)], [1])
            with self.assertRaisesRegex(files.DamagedFile, "event 2"):
                outbox.read(1, 3)

    def test_an_outbox_forgets_only_what_is_safe_and_settled(self):
        with linkages.Outbox(self.path("outbox"), "calsaws") as outbox:
            self.assertEqual(outbox.append(*CALWORKS), [1, 2, 3])
            self.assertEqual(outbox.append(CALWORKS[1]), [2])
            for upto, safe, first in ((3, 0, 1), (1, 3, 2), (3, 2, 3), (3, 9, 4)):
                outbox.settle(upto, safe, [])
                self.assertEqual(outbox.state.first, first)
            self.assertEqual((outbox.state.last, outbox.append(WRONG)), (3, [4]))
            for bad in ({}, {**WRONG, "source": "cws-cms"}, {**WRONG, "x": "y" * 70_000}, {**WRONG, "x": 1.5}):
                with self.assertRaises(linkages.Refused):
                    outbox.append(bad)

    def test_a_telling_that_may_not_be_shown_any_more_is_erased(self):
        notice = {"id": "00" * 16, "rev": 1, "to": "garcia", "kind": "status.changed", "state": "new", "about": {"x": "secret"}}
        bare = {**{k: notice[k] for k in ("id", "to", "kind")}, "rev": 1, "state": "withdrawn", "reason": "consent"}
        with Store(self.path("inbox")) as store:
            store.begin()
            store.move("garcia", "11" * 16, 0)
            self.assertTrue(store.take("garcia", 1, notice))
            self.assertFalse(store.take("garcia", 2, notice))
            self.assertTrue(store.take("garcia", 3, bare))
            self.assertFalse(store.take("garcia", 4, notice))
            self.assertFalse(store.take("garcia", 5, bare))
            store.commit()
            self.assertEqual([kept.notice for kept in store.new()], [bare])
            self.assertEqual(store.place("garcia"), ("11" * 16, 5))
        self.assertNotIn(b"secret", pathlib.Path(self.path("inbox")).read_bytes())

    def test_nothing_identifying_leaves_the_machine(self):
        with open(os.open(self.path("identity.key"), os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
            file.write("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n")
        key = keys.read_identity_key(self.path("identity.key"))
        rosa = {"last": "García", "first": "Rosa", "birth": "1990-02-28", "ssn": "123-45-6789"}
        opened = calsaws(1, "case.opened", 0, status="active", members=[
            {"person": "p1", "identity": rosa, "keys": {"cin": "00" * 16}}, {"person": "p2"}])
        sealed = identity.seal(opened, key)
        self.assertEqual(sealed["data"]["members"], [
            {"person": "p1", "keys": {"cin": "00" * 16, "ssn": "d5f9e7dac6d3c763c6c7401a2828b595",
                                      "name_dob": "0046b8107f89fb022b933bda0d61ed74"}}, {"person": "p2"}])
        self.assertEqual(list(contract.complaints(contract.schemas("events")["case.opened"], sealed)), [])
        self.assertEqual(identity.seal(CALWORKS[0], None), CALWORKS[0])
        for members, with_key, field in (
                ([{"person": "p1", "identity": rosa}], None, "data.members[0].identity"),
                ([{"person": "p0"}, {"person": "p1", "identity": {"ssn": "000-12-3456"}}], key, "data.members[1].identity.ssn"),
                ([{"person": "p1", "identity": {"last": "García"}}], key, "data.members[0].identity.last"),
                ([{"person": "p1", "identity": {"cin": 5}}], key, "data.members[0].identity.cin"),
                ([{"person": "p1", "identity": []}], key, "data.members[0].identity")):
            with self.assertRaises(linkages.Refused) as caught:
                identity.seal(calsaws(1, "case.opened", 0, status="active", members=members), with_key)
            self.assertEqual(caught.exception.field, field)
            for secret in ("Garc", "000-12", "1990"):
                self.assertNotIn(secret, str(caught.exception))
        os.chmod(self.path("identity.key"), 0o644)
        with self.assertRaisesRegex(keys.BadKey, "chmod 600"):
            keys.read_identity_key(self.path("identity.key"))

    def test_pauses_grow_and_are_scattered(self):
        for failures, seconds in ((0, 1), (1, 2), (5, 32), (6, 60), (99, 60)):
            self.assertEqual(session.pause(failures, lambda low, high: low), seconds / 2)
            self.assertEqual(session.pause(failures, lambda low, high: high), seconds * 1.5)
        self.assertEqual(len({session.pause(3) for _ in range(20)}), 20)

    def test_keys_are_made_once_and_are_ours_alone(self):
        name = self.path("feed")
        public = keys.make_pair(name)
        self.assertEqual(keys.read_pair(name + ".key")[0], public.encode())
        self.assertEqual(os.stat(name + ".key").st_mode & 0o777, 0o600)
        with self.assertRaises(FileExistsError):
            keys.make_pair(name)


if __name__ == "__main__":
    unittest.main()
