#!/usr/bin/python3
"""Clients of another make, CURVE on: publish on feed and on intake, receive, catch up, answer."""
import unittest

import harness
import peer
from saying import calsaws, cws

EPOCH = "0123456789abcdef0123456789abcdef"
GARCIA = {"role": "social_worker", "worker": "garcia", "name": "R. Garcia", "phone": "925-555-0101"}
JONES = {"role": "ais_worker", "worker": "jones", "name": "D. Jones", "phone": "925-555-0102"}
CLIENTS = (
    ("cws", "publisher", {"sources": ["cws-cms"]}),
    ("calworks", "publisher", {"sources": ["calsaws"]}),
    ("district", "worker", {"workers": ["garcia", "jones"]}),
)


OPENED = [calsaws(1, "case.opened", 0, status="active"), calsaws(2, "worker.assigned", 0, **JONES)]
OTHER_OPENED = [cws(1, "case.opened", 1, status="fm"), cws(2, "worker.assigned", 1, **GARCIA)]
LINK = calsaws(3, "link.confirmed", 2, other={"agency": "cws", "case": "0123-4567"})


class PythonClient(unittest.TestCase):
    def setUp(self):
        self.daemon = harness.Daemon(CLIENTS)
        self.daemon.__enter__()
        self.addCleanup(self.daemon.close)
        self.lanes = []

    def tearDown(self):
        for lane in self.lanes:
            lane.close()

    def open(self, kind, lane, client, *more):
        d = self.daemon
        self.lanes.append(kind(d.context, d.lanes[lane], d.server_key, d.pairs[client], *more))
        return self.lanes[-1]

    def publisher(self, outbox, client="calworks", source="calsaws"):
        return self.open(peer.Publisher, "intake", client, source, EPOCH, outbox)

    def worker(self, store):
        return self.open(peer.Worker, "inbox", "district", "python", store)

    def cross(self):
        """Both agencies' cases and the link: one over the lossy lane, one over the durable one."""
        agency = self.publisher(OPENED + [LINK])
        feed = self.open(peer.Feed, "feed", "cws", "cws-cms")
        for e in OTHER_OPENED:
            feed.publish(e)
        agency.publish_all()
        return agency

    def wait_for(self, worker, kind):
        """The notice of a kind that Garcia and that Jones were told."""
        told = {}
        while set(told) != {"garcia", "jones"}:
            message = worker.receive()
            if worker.take(message) and message["notice"]["kind"] == kind:
                told[message["worker"]] = message["notice"]
        return told

    def test_both_lanes_in_one_notice_each_out(self):
        worker = self.worker(peer.new_store(["garcia", "jones"]))
        worker.catch_up()
        self.cross()
        told = self.wait_for(worker, "crossover.found")
        self.assertEqual(told["garcia"]["other"], "1B2C3D4")
        self.assertEqual(told["jones"]["contacts"][0]["phone"], GARCIA["phone"])
        self.assertEqual(told["garcia"]["level"], "registry")

    def test_catch_up_and_place(self):
        self.cross()
        store = peer.new_store(["garcia", "jones"])
        worker = self.worker(store)
        worker.catch_up()
        while not all(s["last"] for s in store.values()):
            worker.take(worker.receive())
        first = {w: dict(s["notices"]) for w, s in store.items()}
        for w in store:
            worker.receipt(w)
        worker.close()
        again = self.worker(store)
        again.catch_up()
        for w, notices in first.items():
            self.assertEqual({n: store[w]["notices"][n] for n in notices}, notices)
        fresh = peer.new_store(["garcia", "jones"])
        other = self.worker(fresh)
        other.catch_up()
        self.assertEqual({w: s["notices"] for w, s in fresh.items()}, {w: s["notices"] for w, s in store.items()})
        self.assertEqual({w: s["mailbox"] for w, s in fresh.items()}, {w: s["mailbox"] for w, s in store.items()})

    def test_an_answer_reaches_both_sessions_and_stays(self):
        one, two = (self.worker(peer.new_store(["garcia", "jones"])) for _ in range(2))
        one.catch_up()
        two.catch_up()
        self.cross()
        notice = self.wait_for(one, "crossover.found")["garcia"]
        self.wait_for(two, "crossover.found")
        one.send("answer", session=one.session, worker="garcia", notice=notice["id"])
        for w in (one, two):
            message = w.receive()
            while message["m"] != "answered":
                w.take(message)
                message = w.receive()
            self.assertEqual((message["worker"], message["notice"], message["by"]), ("garcia", notice["id"], "garcia"))
        late = peer.new_store(["garcia"])
        self.worker(late).catch_up()
        answered = [n for n in late["garcia"]["notices"].values() if n["id"] == notice["id"]]
        self.assertEqual(answered[0]["answered"]["by"], "garcia")

    def test_refusals_are_named_and_the_queue_goes_on(self):
        wrong = calsaws(4, "case.status", 5, status="ifs")
        stranger = cws(9, "contact.made", 5, kind="phone")
        agency = self.publisher(OPENED + [wrong, stranger, LINK])
        agency.publish_all()
        self.assertEqual(agency.refused, {3: ("bad_value", "data.status"), 4: ("forbidden", "source")})

    def test_another_workers_mailbox_is_forbidden(self):
        worker = self.worker(peer.new_store(["okafor"]))
        worker.hello()
        self.assertEqual(worker.expect("error")["code"], "forbidden")

    def test_nothing_before_hello(self):
        worker = self.worker(peer.new_store(["garcia"]))
        worker.send("credit", session=EPOCH, n=10)
        self.assertEqual(worker.expect("error")["code"], "no_session")


if __name__ == "__main__":
    unittest.main()
