#!/usr/bin/python3
"""test_protocol.py - a peer that knows the protocol's own page and nothing else: no `several`, every member of every kind.

In: a daemon with CURVE on. Out: what each wrong, missing, largest and too large thing is answered with. Promise: every wait
is for a condition; what is said last is a sign of life, whose answer comes behind all that was to come.
"""
import datetime
import unittest

import zmq
from zmq.utils.monitor import recv_monitor_message

import harness
import peer
from saying import calsaws, cws
from test_inboxes import InboxTest
from test_lanes import EPOCH, LaneTest, contacts

KIB = 1024
LARGEST = 256 * KIB  # bytes of a message
# One of each kind, and what lies at the edges; what is no JSON has no place anywhere, in members that nobody knows either.
WRONG = {
    "integer": (None, True, "", "1", [], {}, -1),
    "text": (None, False, 7, [], {}, ""),
    "digits": (None, True, 7, "", "0" * 31, "0" * 33, "A" * 32, "g" * 32, [], {}),
    "list": (None, True, 0, "", {}),
}
NO_JSON = (0.5, b"x", 1 << 53, -(1 << 53), (1 << 64) - 1, "a\0b")
FAMILIES = 3_000  # three notices each: more than a connection holds
SESSION, MOVING = "0" * 32, "a" * 32
MESSAGES = {
    "intake": {
        "hello": {"v": (1, "integer"), "source": ("calsaws", "text"), "epoch": (EPOCH, "digits"), "first": (1, "integer"),
                  "last": (0, "integer"), "acked": (0, "integer")},
        "event": {"epoch": (EPOCH, "digits"), "seq": (1, "integer"), "event": ({}, None)},
    },
    "inbox": {
        "hello": {"v": (1, "integer"), "client": ("python", "text"), "workers": ([], "list")},
        "credit": {"session": (SESSION, "digits"), "n": (1, "integer")},
        "receipt": {"session": (SESSION, "digits"), "worker": ("garcia", "text"), "upto": (0, "integer")},
        "answer": {"session": (SESSION, "digits"), "worker": ("garcia", "text"), "notice": (SESSION, "digits")},
    },
}
PLACE = {"worker": "garcia", "mailbox": None, "last": 0}


def sized(n):
    """A sign of life of so many bytes."""
    body = {"m": "ping", "padding": ""}
    body["padding"] = "x" * (n - len(peer.pack(body)) - 4)  # whose length takes four bytes more
    assert len(peer.pack(body)) == n
    return peer.pack(body)


class Letter(LaneTest):
    def lane(self, lane):
        return self.open(peer.Lane, lane, {"intake": "calworks", "inbox": "district", "control": "operator"}[lane])

    def session(self, lane):
        """One that has said hello."""
        one = self.lane(lane)
        if lane == "intake":
            one.send("hello", v=1, source="calsaws", epoch=EPOCH, first=1, last=0, acked=0)
            one.expect("subscribe")
        else:
            one.send("hello", v=1, client="python", workers=[PLACE])
            one.expect("welcome")
            one.expect("caughtup")
        return one


class Kinds(Letter):
    def spoilt(self):
        """Each message with one member wrong, or not there: (lane, message, member, how)."""
        for lane, messages in MESSAGES.items():
            for m, members in messages.items():
                good = {name: value for name, (value, _) in members.items()}
                for name, (_, kind) in members.items():
                    yield lane, m, {k: v for k, v in good.items() if k != name}, f"no {name}"
                    for wrong in WRONG.get(kind, ()) + (NO_JSON if kind is not None else ()):
                        yield lane, m, {**good, name: wrong}, f"{name}: {wrong!r}"
                for wrong in NO_JSON:
                    yield lane, m, {**good, "unknown": wrong}, f"a member that nobody knows: {wrong!r}"

    def test_members_of_other_kinds(self):
        n = 0
        for lane, m, members, how in self.spoilt():
            with self.subTest(f"{lane} {m}, {how}"):
                one = self.session(lane) if m != "hello" else self.lane(lane)
                one.send(m, **members)
                error = one.expect("error")
                self.assertEqual((error["code"], error["re"]), ("malformed", None))
                one.close()
                n += 1
        self.assertEqual(self.counter("malformed"), n)

    def test_places_of_other_kinds(self):
        for change in ({"worker": 7}, {"worker": None}, {"worker": ""}, {"mailbox": 7}, {"mailbox": ""}, {"mailbox": []},
                       {"mailbox": "0" * 31}, {"mailbox": "A" * 32}, {"mailbox": True}, {"last": None}, {"last": -1}, {"last": "1"}):
            with self.subTest(change):
                one = self.lane("inbox")
                one.send("hello", v=1, client="python", workers=[{**PLACE, **change}])
                self.assertEqual(one.expect("error")["code"], "malformed")
        for place in ("garcia", None, 7, []):
            with self.subTest(place):
                one = self.lane("inbox")
                one.send("hello", v=1, client="python", workers=[place])
                self.assertEqual(one.expect("error")["code"], "malformed")
        self.assertEqual(self.counter("sessions_opened"), 0)

    def test_members_that_nobody_knows_are_passed_over(self):
        for more in (None, True, -1, (1 << 53) - 1, "text", [[]], {"a": {"b": []}}):
            with self.subTest(more):
                one = self.lane("inbox")
                one.send("hello", v=1, client="python", workers=[{**PLACE, "more": more}], more=more)
                one.expect("welcome")
                one = self.lane("intake")
                one.send("hello", v=1, source="calsaws", epoch=EPOCH, first=1, last=0, acked=0, more=more)
                one.expect("subscribe")

    def test_another_version_is_told_ours_whatever_it_says_beside(self):
        for lane, m in (("intake", "hello"), ("inbox", "hello"), ("control", "verb")):
            for more in ({}, {"source": ["calsaws"], "epoch": 7, "client": {}, "verb": None}):
                with self.subTest(f"{lane}: {more}"):
                    one = self.lane(lane)
                    one.send(m, v=2, **more)
                    self.assertEqual(one.expect("error"), {"m": "error", "code": "version", "detail": "1", "re": m})
        self.assertEqual(self.counter("malformed"), 0)


class Sizes(Letter):
    def test_messages_of_the_largest_size_and_one_more(self):
        """CURVE's box is not counted; above, the connection is shut."""
        for lane in ("intake", "inbox"):
            with self.subTest(lane):
                one = self.session(lane)
                monitor = one.socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
                one.socket.send(sized(LARGEST))
                said = None
                while said != "pong":
                    self.assertTrue(one.socket.poll(peer.LIMIT_MS))
                    said = peer.unpack(one.socket.recv())["m"]
                one.socket.send(sized(LARGEST + 1))
                self.assertTrue(monitor.poll(peer.LIMIT_MS))
                one.socket.disable_monitor()
                monitor.close()

    def test_events_of_the_largest_size_and_one_more(self):
        """65,536 bytes, 512 values, eight deep; an integer of 53 bits."""
        good = contacts(2)[1]
        deep = [[[[[[]]]]]]  # in a member of the event: two less than it has levels
        pad = 65_536 - len(peer.pack({**good, "pad": ""})) - 2
        values = 512 - len(good) - 1 - len(good["data"]) - 1
        largest = [{**good, "id": "e4", "pad": "x" * pad}, {**good, "id": "e5", "pad": [0] * values}, {**good, "id": "e6", "pad": [deep]},
                   {**good, "id": "e7", "pad": (1 << 53) - 1}]
        larger = [{**good, "id": "e8", "pad": "x" * (pad + 1)}, {**good, "id": "e9", "pad": [0] * (values + 1)},
                  {**good, "id": "f1", "pad": [[deep]]}]
        agency = self.publisher([contacts(1)[0], *largest, *larger])
        agency.publish_all()
        self.assertEqual(len(peer.pack(largest[0])), 65_536)
        self.assertEqual(agency.refused, {6: ("too_large", None), 7: ("too_large", None), 8: ("malformed", None)})


class Rotation(Letter):
    """The daemon's key: a second pair of addresses until all have moved."""

    def configure(self):
        d = self.daemon
        names = ("feed", "intake", "inbox")
        self.second = dict(zip(names, (f"tcp://{address}" for address in harness.free_addresses(3))))
        with open(d.path("linkages.yaml"), encoding="utf-8") as f:
            self.plain = f.read()
        lines = [f"rotation:\n  key: {d.path('next.key')}\n", *(f"  {name}: {self.second[name]}\n" for name in names)]
        d.write("linkages.yaml", self.plain + "".join(lines))

    def next_key(self):
        with open(self.daemon.path("state/server.next.pub"), encoding="ascii") as f:
            return f.read().strip().encode()

    def moved(self, kind, lane, client, *more, key=None, pair=None):
        """By the second address."""
        d = self.daemon
        self.lanes.append(kind(d.context, self.second[lane], key or self.next_key(), pair or d.pairs[client], *more))
        return self.lanes[-1]

    def test_clients_move_one_after_the_other_and_nothing_is_lost(self):
        self.cross()
        events, theirs = [calsaws(i, "contact.made", i, kind="phone") for i in range(10, 50)], peer.new_store(["garcia", "jones"])
        old = self.subscribed(events, epoch=MOVING)
        old.push(10)
        while old.acked < 10:
            old.take(old.receive())
        new = self.moved(peer.Publisher, "intake", "calworks", "calsaws", MOVING, events)
        new.acked = 10
        new.hello()
        new.subscribed(new.expect("subscribe"))
        for agency in (new, old):  # who has not moved goes on meanwhile
            agency.push(20)
            while agency.acked < (30 if agency is new else 10):
                agency.take(agency.receive())
        worker = self.moved(peer.Worker, "inbox", "district", "python", theirs)
        worker.catch_up()
        behind = self.worker()
        behind.catch_up()
        self.assertEqual(behind.store, theirs)
        self.assertTrue(theirs["garcia"]["notices"])
        feed = self.moved(peer.Feed, "feed", "cws", "cws-cms")
        feed.publish(cws(9, "contact.made", 9, kind="phone"))
        asker = self.asker()
        while asker.ok("status")["counters"]["events_accepted"] < 5 + 30 + 1:
            pass
        self.switch()
        last = self.moved(peer.Publisher, "intake", "calworks", "calsaws", MOVING, events)
        last.publish_all()
        self.assertEqual(last.refused, {})
        self.assertEqual(self.asker().ok("status")["store"]["events"], 5 + 40 + 1)
        again = self.moved(peer.Worker, "inbox", "district", "python", theirs)
        self.assertEqual(again.catch_up(), 0, "all was there")

    def switch(self):
        """All have moved: the new key is the daemon's, and the second addresses are the only ones."""
        d = self.daemon
        new, text = self.next_key(), self.plain
        d.stop()
        for name, address in self.second.items():
            text = text.replace(d.lanes[name], address)
        d.write("linkages.yaml", text + f"keys: {{server: {d.path('next.key')}}}\n")
        d.start()
        self.assertEqual(d.server_key, new)

    def test_neither_key_counts_at_the_others_address_and_strangers_at_none(self):
        d, stranger = self.daemon, zmq.curve_keypair()
        for address, key, pair in ((self.second["intake"], d.server_key, d.pairs["calworks"]),
                                   (d.lanes["intake"], self.next_key(), d.pairs["calworks"]),
                                   (self.second["intake"], self.next_key(), stranger),
                                   (self.second["inbox"], self.next_key(), stranger)):
            socket = d.context.socket(zmq.DEALER)
            self.lanes.append(socket)
            monitor = socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED)
            socket.curve_serverkey, (socket.curve_publickey, socket.curve_secretkey) = key, pair
            socket.connect(address)
            self.assertTrue(monitor.poll(peer.LIMIT_MS))
            self.assertEqual(recv_monitor_message(monitor)["event"], zmq.EVENT_DISCONNECTED)
            socket.disable_monitor()
            monitor.close()
        self.assertEqual(self.counter("sessions_opened"), 0)


class Ages(Letter):
    def test_who_stays_connected_hears_what_may_be_forgotten_for_its_age(self):
        """Looked at since and older than 30 days; no backup was made, and nobody said hello again."""
        agency = self.subscribed(contacts(3))
        agency.push()
        while agency.acked < 3:
            message = agency.receive()
            self.assertEqual(message["safe"], 0)
            agency.take(message)
        asker, safe, day = self.asker(), 0, datetime.datetime(2026, 5, 1, tzinfo=datetime.timezone.utc)
        while safe < 3:
            asker.ok("clock", to=day.isoformat())
            day += datetime.timedelta(days=1)  # from one pass to the next
            self.assertLess(day.month, 9, "nothing may be forgotten")
            agency.socket.poll(500)  # rows are looked at when nobody publishes
            agency.outbox.append({**contacts(2)[1], "id": f"late{len(agency.outbox)}"})
            agency.push()
            message = agency.expect("ack")
            safe = message["safe"]
            agency.take(message)
        self.assertLess(safe, agency.acked, "what came last is young")


class Grants(Letter):
    def test_a_worker_who_is_given_to_a_key_has_a_mailbox_from_its_first_notice_on(self):
        d = self.daemon
        text = "".join(d.entry(*c) for c in harness.CLIENTS)
        d.write("clients.yaml", text.replace("[garcia, jones]", "[jones]"))
        self.asker().ok("reload")
        self.cross()
        jones = self.worker(["jones"])
        jones.catch_up()
        refused = self.worker(["garcia"])
        refused.hello()
        self.assertEqual(refused.expect("error")["code"], "forbidden")
        d.write("clients.yaml", text)
        self.asker().ok("reload")
        garcia = self.worker(["garcia"])
        self.assertEqual(garcia.catch_up(), 3)
        self.assertEqual(sorted(garcia.store["garcia"]["notices"]), [1, 2, 3])
        jones.send("receipt", session=jones.session, worker="jones", upto=2)
        while self.counter("receipts") == 0:  # who had a session goes on
            pass


class Narrow:
    """A client with hardly any room for what comes and is not read."""

    def __init__(self, context, address, server_key, pair, *more):
        super().__init__(context, address, server_key, pair, *more)
        self.socket.close()
        self.socket = context.socket(zmq.DEALER)
        self.socket.linger, self.socket.rcvhwm, self.socket.rcvbuf = 0, 1, 4096
        self.socket.curve_serverkey, (self.socket.curve_publickey, self.socket.curve_secretkey) = server_key, pair
        self.socket.connect(address)


class NarrowWorker(Narrow, peer.Worker):
    pass


class NarrowPublisher(Narrow, peer.Publisher):
    pass


class Greetings(LaneTest):
    """Who says hello again and again, and reads nothing, cannot be told at last: that hello opens no session."""

    def until_refused(self, lane, one):
        asker = self.asker()
        while asker.ok("status")["counters"]["sends_blocked"] == 0:
            for _ in range(100):
                one.hello()
        status = asker.ok("status")
        while status[lane]["sessions"] > 0:  # a hello behind the refused one may have found room on the way again
            one.hello()
            status = asker.ok("status")
            self.assertEqual(status["counters"]["sessions_silent"], 0, "it stood until it was called silent")

    def test_a_publisher(self):
        self.until_refused("intake", self.open(NarrowPublisher, "intake", "calworks", "calsaws", EPOCH, []))

    def test_a_worker(self):
        self.until_refused("inbox", self.open(NarrowWorker, "inbox", "district", "slow", peer.new_store(["garcia"])))


class Answers(InboxTest):
    def until_full(self):
        """Tried again five times, and nothing more went."""
        asker, since = self.asker(), {"notices_sent": -1}
        while True:
            now = asker.ok("status")["counters"]
            self.assertLess(now["notices_sent"], 3 * FAMILIES, "all of it had room")
            if now["notices_sent"] != since["notices_sent"]:
                since = now
            elif now["sends_blocked"] >= since["sends_blocked"] + 5:
                return

    def test_a_session_that_is_full_hears_of_answers_when_there_is_room_again(self):
        """It has the notice already, so nothing but `answered` can tell it."""
        self.tell(FAMILIES)
        slow = self.open(NarrowWorker, "inbox", "district", "slow", peer.new_store(["garcia"]))
        slow.hello()
        slow.session = slow.expect("welcome")["session"]
        slow.credit(65_536)
        self.until_full()
        quick = self.welcomed(credit=2)
        notices = [quick.expect("notice")["notice"]["id"] for _ in range(2)]
        for notice in notices:
            quick.send("answer", session=quick.session, worker="garcia", notice=notice)
            self.assertEqual(quick.expect("answered")["notice"], notice)
        seqs, answered = [], []
        while len(seqs) < 3 * FAMILIES or len(answered) < 2:
            message = slow.receive()
            if message["m"] == "answered":
                answered.append(message["notice"])
            elif message["m"] == "notice":
                self.assertNotIn("answered", message["notice"], "it was sent before")
                seqs.append(message["seq"])
        self.assertEqual((seqs, answered), (list(range(1, 3 * FAMILIES + 1)), notices))


if __name__ == "__main__":
    unittest.main()
