#!/usr/bin/python3
"""test_disclosure.py - under all faults nobody has a byte that is not theirs to have.

In: families whose secrets are words (county_oracle.py); kills, lost connections, places rolled back, outboxes sent again,
thieves, keys that are revoked. Out: every byte that every client was sent, held against what the oracle allows at that
point. Promise: each point is a fence: what was sent before it is told from what was sent after; nothing sleeps.

usage: test_disclosure.py [--seed N] [--rounds N] [unittest's own arguments]
"""
import argparse
import sys
import time
import unittest

import harness
import peer
import zmtp
from county_oracle import County, CONTENT, REGISTRY, SIDES, SOURCE

OPTIONS = argparse.Namespace(seed=1, rounds=16)
EPOCH = {"cws": "c" * 32, "calworks": "d" * 32}


class Reader:
    """One worker's client, who keeps every byte."""

    def __init__(self, world, worker):
        self.world, self.worker, self.lane, self.heard = world, worker, None, []
        self.store = peer.new_store([worker])

    def connect(self):
        self.drop()
        d = self.world.daemon
        self.lane = peer.Worker(d.context, d.lanes["inbox"], d.server_key, d.pairs[self.worker], "reader", self.store)
        self.lane.heard = self.heard
        self.lane.catch_up()

    def connect_with(self, credit):
        """A client that takes so many and no more."""
        d = self.world.daemon
        self.lane = peer.Worker(d.context, d.lanes["inbox"], d.server_key, d.pairs[self.worker], "reader", self.store)
        self.lane.heard = self.heard
        self.lane.credit = lambda n: None
        self.lane.hello()
        self.lane.take(self.lane.expect("welcome"))
        del self.lane.credit
        self.lane.credit(credit)
        self.lane.credit = lambda n: None

    def take_words(self, n):
        """Waits for so many notices that hold a word of a moment."""
        found = set()
        while len(found) < n:
            self.lane.take(self.lane.receive())
            found = {w for body in self.heard for w in self.world.county.found(body)
                     if self.world.county.words[w][1] == "content of a moment"}
        return found

    def drop(self):
        if self.lane is not None:
            self.lane.close()
        self.lane = None

    def fence(self):
        """All that was sent up to now has come, when what we ask now is answered."""
        try:
            self.lane.send("ping")
            self.take_up_to_pong()
        except peer.Silence:
            self.connect()

    def take_up_to_pong(self):
        while self.lane.socket.poll(2 * peer.LIMIT_MS // 10):
            body = self.lane.socket.recv()
            self.heard.append(body)
            message = peer.unpack(body)
            if message["m"] == "pong":
                return
            if message["m"] == "ping":
                self.lane.send("pong")
            elif message["m"] == "error":
                break
            else:
                self.lane.take(message)
        raise peer.Silence(self.worker)


class World:
    """A county, its daemon, two agencies and a client for each worker."""

    def __init__(self, seed, families):
        self.county = County(seed, families, 10 * families)
        self.dice = self.county.dice
        everyone = [(w, side) for side in SIDES for w in self.county.spare[side]]
        clients = [(side, "publisher", {"sources": [SOURCE[side]]}) for side in SIDES]
        clients += [(w, "worker", {"workers": [w]}) for w, _ in everyone] + [("thief", "worker", {"workers": ["nobody"]})]
        self.clients = clients
        self.daemon = harness.Daemon(clients)
        self.readers, self.gone = {}, {}
        self.acked = {}  # by epoch
        self.faults = {"kills": 0, "drops": 0, "rolled_back": 0, "sent_again": 0, "thefts": 0, "revoked": 0}
        self.checked = self.words = 0
        self.seen = set()
        self.thief_heard = []

    def publish(self):
        for side in SIDES:
            self.publish_side(side)

    def publish_side(self, side):
        """All that the side has to say; now and then the daemon is killed in the midst, and it is said again."""
        if self.dice.random() < 0.25:
            self.faults["kills"] += 1
            agency = self.subscribed(side)
            agency.push()
            self.kill()
            agency.close()
        agency = self.subscribed(side)
        while agency.acked < len(agency.outbox):
            agency.push()
            agency.take(agency.receive())
        self.acked[EPOCH[side]] = agency.acked
        agency.close()

    def subscribed(self, side):
        """What is below the number that the daemon asks for, it has."""
        d = self.daemon
        agency = peer.Publisher(d.context, d.lanes["intake"], d.server_key, d.pairs[side], SOURCE[side], EPOCH[side],
                                self.county.said[side])
        agency.acked = self.acked.get(EPOCH[side], 0)
        agency.hello()
        agency.subscribed(agency.expect("subscribe"))
        agency.acked = agency.sent
        return agency

    def kill(self):
        self.daemon.kill()
        self.daemon.start()

    # ---- Readers

    def join(self):
        """Whoever has a case has a client."""
        for worker, _, _ in self.county.workers():
            if worker not in self.readers and worker not in self.gone:
                self.readers[worker] = Reader(self, worker)
                self.readers[worker].connect()

    def fence(self):
        self.join()
        for reader in self.readers.values():
            if reader.lane is None:
                reader.connect()
            else:
                reader.fence()

    def check(self, *rights):
        """What came since the last check, against the union of what might be read since."""
        for worker, reader in {**self.readers, **self.gone}.items():
            may = set().union(*(r.get(worker, set()) for r in rights))
            for body in reader.heard:
                found = self.county.found(body)
                self.checked += 1
                self.words += len(found)
                self.seen |= {(self.county.words[n][1], self.side_of(worker) == self.county.words[n][2].side) for n in found}
                bad = found - may
                if bad:
                    raise AssertionError(f"{worker} of {self.side_of(worker)} was sent "
                                         + "; ".join(self.county.describe(n) for n in bad) + f" in {peer.unpack(body)}")
            reader.heard.clear()
        for body in self.thief_heard:
            assert not self.county.found(body), body
        self.thief_heard.clear()

    def side_of(self, worker):
        return next(self.county.cases[i].side for w, i, _ in self.county.workers() if w == worker)

    # ---- Faults

    def fault(self):
        getattr(self, "fault_" + self.dice.choice(("kill", "drop", "roll_back", "send_again", "steal", "steal", "revoke")))()

    def some_reader(self):
        return self.readers[self.dice.choice(sorted(self.readers))]

    def fault_kill(self):
        self.faults["kills"] += 1
        self.kill()

    def fault_drop(self):
        for reader in self.readers.values():
            if self.dice.random() < 0.5:
                self.faults["drops"] += 1
                reader.drop()

    def fault_roll_back(self):
        """A client whose store was restored from nothing: it is handed out everything again."""
        for reader in self.readers.values():
            if self.dice.random() < 0.5:
                self.faults["rolled_back"] += 1
                reader.drop()
                reader.store = peer.new_store([reader.worker])

    def fault_send_again(self):
        side = self.dice.choice(SIDES)
        self.faults["sent_again"] += 1
        EPOCH[side] = "%032x" % self.dice.getrandbits(128)

    def fault_steal(self):
        """Another's mailbox asked for, another's session named, another's routing id taken."""
        d, victim = self.daemon, self.some_reader()
        self.faults["thefts"] += 1
        victim.drop()
        keys = {name: zmtp.decoded(d.pairs[name]) for name in ("thief", victim.worker)}
        identity = (b"Identity", b"\0" + zmtp.struct.pack(">I", self.faults["thefts"]))
        owner = zmtp.Peer(d.lanes["inbox"], d.server_key, keys[victim.worker]).shake(b"DEALER", identity)
        hello = {"m": "hello", "v": 1, "client": "x", "workers": [{"worker": victim.worker, "mailbox": None, "last": 0}]}
        owner.send(peer.pack(hello))
        session = peer.unpack(owner.receive())["session"]
        owner.close()
        thief = zmtp.Peer(d.lanes["inbox"], d.server_key, keys["thief"]).shake(b"DEALER", identity)
        for message in (hello, {"m": "credit", "session": session, "n": 1000},
                        {"m": "receipt", "session": session, "worker": victim.worker, "upto": 1 << 40}, {"m": "ping"}):
            thief.send(peer.pack(message))
        thief.socket.settimeout(0.05)
        try:
            while True:
                self.thief_heard.append(thief.receive())
        except zmtp.Refused:
            thief.close()

    def fault_revoke(self):
        """A worker's key is revoked, and not given back."""
        if len(self.gone) == 3:
            return
        victim = self.some_reader()
        self.faults["revoked"] += 1
        d = self.daemon
        names = {*self.gone, victim.worker}
        d.write("clients.yaml", "".join(d.entry(*c) + ("  revoked: true\n" if c[0] in names else "") for c in self.clients))
        d.process.send_signal(harness.signal.SIGHUP)
        message = victim.lane.receive() if victim.lane is not None else {"m": "error"}
        while message["m"] != "error":
            victim.lane.take(message)
            message = victim.lane.receive()
        self.gone[victim.worker] = self.readers.pop(victim.worker)

    def gone_hear_nothing(self):
        for reader in self.gone.values():
            if reader.lane is not None:
                while reader.lane.socket.poll(0):
                    reader.heard.append(reader.lane.socket.recv())


class Disclosure(unittest.TestCase):
    def world(self, seed, families=4, linked=2):
        """So many families, so many of them linked, with a consent."""
        world = World(seed, families)
        self.addCleanup(world.daemon.close)
        world.daemon.start()
        county = world.county
        county.open_all()
        for a in range(0, len(county.cases), 2):
            if a < 2 * linked:
                county.link(a, a + 1)
                county.sign(a)
        world.publish()
        world.fence()
        world.check(county.allowed())
        return world

    def test_nobody_has_what_is_not_theirs(self):
        world = self.world(OPTIONS.seed)
        county, changes = world.county, {}
        for _ in range(OPTIONS.rounds):
            world.fault()
            for _ in range(world.dice.randint(1, 3)):
                county.news(county.any_case())
            before = county.allowed()
            name = county.change()
            changes[name] = changes.get(name, 0) + 1
            world.publish()
            world.fence()
            world.gone_hear_nothing()
            world.check(before, county.allowed())
            # From here on only what may be seen now.
            world.fault()
            for _ in range(2):
                county.news(county.any_case())
            world.publish()
            world.fence()
            world.gone_hear_nothing()
            world.check(county.allowed())
        for level in (REGISTRY, CONTENT):
            self.assertIn((level, False), world.seen, "nothing crossed at all: then this shows nothing")
        for reader in [*world.readers.values(), *world.gone.values()]:
            reader.drop()
        world.daemon.stop()
        with open(world.daemon.path("log"), "rb") as f:
            self.assertFalse(county.found(f.read()) - {county.by_word[w.encode()] for w, *_ in county.workers()})
        print(f"disclosure under faults, seed {OPTIONS.seed}: rounds {OPTIONS.rounds}, "
              + ", ".join(f"{k} {v}" for k, v in {**world.faults, **changes}.items()) + "; words out of place 0")
        print(f"  messages={world.checked} words={world.words}")

    @staticmethod
    def milestones(reader, least):
        """Of what it has heard, when it is at least so many; a full queue lets an answer overtake what waits behind it."""
        deadline = time.monotonic() + peer.LIMIT_MS / 1000
        while True:
            reader.fence()
            heard = [m["notice"] for m in map(peer.unpack, reader.heard) if m["m"] == "notice"]
            told = [notice for notice in heard if notice["kind"] == "milestone.reached"]
            if len(told) >= least or time.monotonic() > deadline:
                return told

    def test_a_revocation_with_a_thousand_in_flight(self):
        """Once it is acknowledged, and what was sent before it has come, not one more is shown: not to who has credit, not to
        who asks for the rest, not to who asks for all."""
        world = self.world(11, 20, 20)
        county, jones = world.county, world.county.cases[1].holder["ais_worker"]
        for reader in world.readers.values():
            reader.drop()
        county.pace = 0
        for case in county.cases[3::2]:
            county.assign(case, "ais_worker", jones)
        world.publish_side("calworks")
        slow, deaf, again = (Reader(world, jones) for _ in range(3))
        for reader, credit in ((slow, 100), (deaf, 60_000)):
            reader.connect_with(credit)
        for case in 50 * county.cases[::2]:
            county.say(case, "milestone.reached", "content of a moment", milestone=county.word("content of a moment", case))
        world.publish_side("cws")
        told = slow.take_words(50)
        for case in county.cases[::2]:
            (consent, _), = case.consents
            county.say(case, "consent.revoked", consent=consent)
        world.publish_side("cws")
        self.assertGreaterEqual(len(told), 50)
        for reader in (slow, deaf):
            reader.fence()
            reader.heard.clear()
            reader.lane.send("credit", session=reader.lane.session, n=5000)
        again.connect()
        for reader, least in ((slow, 900), (deaf, 0), (again, 1000)):
            hidden = self.milestones(reader, least)
            for notice in hidden:
                self.assertEqual(set(notice), {"id", "rev", "to", "kind", "state", "reason"})
            for body in reader.heard:
                self.assertFalse({n for n in county.found(body) if county.words[n][2].side == "cws" and
                                  county.words[n][1].startswith("content")}, body)
            reader.hidden = len(hidden)
            reader.drop()
        self.assertEqual(again.hidden, 1000)
        self.assertGreaterEqual(slow.hidden, 900)
        world.daemon.stop()
        print("a revocation with 1000 notices in flight: shown after it 0, of 1000 asked for anew 0")
        print(f"  slow={slow.hidden} deaf={deaf.hidden}")

    def test_the_oracle_sees_what_is_out_of_place(self):
        """Planted: content crosses rightly, and the oracle is told that the consent was never signed."""
        world = self.world(7)
        county = world.county
        for _ in range(12):
            county.news(0)
            county.news(1)
        world.publish()
        world.fence()
        county.cases[0].consents.clear()
        with self.assertRaisesRegex(AssertionError, "content of"):
            world.check(county.allowed())
        for reader in world.readers.values():
            reader.drop()
        world.daemon.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--seed", type=int, default=OPTIONS.seed)
    parser.add_argument("--rounds", type=int, default=OPTIONS.rounds)
    OPTIONS, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
