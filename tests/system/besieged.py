"""besieged.py - one daemon under attack, with bystanders who must notice nothing.

In: an attack, and what the daemon shall have counted of it. Out: a line of counts, which are the same each time, and one
of what was measured, which begins with a blank. Promise: after each attack the same
process runs, it counted what came, its memory grew by no more than allowed, and a publisher and a worker who were
there before are served in the sessions that they had.
"""
import contextlib
import os
import time
import unittest

import harness
import peer
import zmtp
from saying import calsaws, cws, event

EPOCH = "0123456789abcdef0123456789abcdef"
PAGE = os.sysconf("SC_PAGE_SIZE")
SERVED_S = 5
SOURCES = (("cws-cms", "cws"), ("calsaws", "calworks"), ("quiet", "calworks"))
CLIENTS = (
    ("cws", "publisher", {"sources": ["cws-cms"]}),
    ("calworks", "publisher", {"sources": ["calsaws"]}),
    ("quiet", "publisher", {"sources": ["quiet"]}),
    ("district", "worker", {"workers": ["garcia", "jones"]}),
    ("elsewhere", "worker", {"workers": ["okafor"]}),
    ("desk", "worker", {"workers": ["quiet-one"]}),
    ("operator", "operator", {}),
    ("gone", "publisher", {"sources": ["calsaws"]}),
)
LANES = ("feed", "intake", "inbox", "control")
# Freed memory is handed back at once: what grows, grows.
os.environ["ASAN_OPTIONS"] = ":".join(filter(None, (os.environ.get("ASAN_OPTIONS"), "quarantine_size_mb=4")))


CWS_SIDE = [cws(1, "case.opened", 0, status="fm"),
            cws(2, "worker.assigned", 0, role="social_worker", worker="garcia", name="R. Garcia")]
CALWORKS_SIDE = [calsaws(1, "case.opened", 0, status="active"),
                 calsaws(2, "worker.assigned", 0, role="ais_worker", worker="jones", name="D. Jones"),
                 calsaws(3, "link.confirmed", 2, other={"agency": "cws", "case": "0123-4567"})]


def hello(source="calsaws", **change):
    return {"m": "hello", "v": 1, "source": source, "epoch": EPOCH, "first": 1, "last": 0, "acked": 0, **change}


def worker_hello(*workers, **change):
    return {"m": "hello", "v": 1, "client": "raw",
            "workers": [{"worker": w, "mailbox": None, "last": 0} for w in workers], **change}


class Siege(unittest.TestCase):
    """One daemon for all tests of a class: an attack that spoils it is seen by the next."""

    clients, sources = CLIENTS, SOURCES

    @classmethod
    def setUpClass(cls):
        cls.daemon = harness.Daemon(cls.clients, cls.sources)
        cls.addClassCleanup(cls.daemon.close)
        cls.start()

    @classmethod
    def start(cls):
        d = cls.daemon
        d.start()
        cls.lanes = {**d.lanes, "control": f"ipc://{d.path('run/control')}"}
        cls.asker = peer.Lane(d.context, cls.lanes["control"], d.server_key, d.pairs["operator"])
        cls.publisher = peer.Publisher(d.context, d.lanes["intake"], d.server_key, d.pairs["quiet"], "quiet", EPOCH, [])
        cls.publisher.hello()
        cls.publisher.subscribed(cls.publisher.expect("subscribe"))
        cls.silent = 0
        cls.meet_worker()

    @classmethod
    def meet_worker(cls):
        d = cls.daemon
        cls.worker = peer.Worker(d.context, d.lanes["inbox"], d.server_key, d.pairs["desk"], "desk",
                                 peer.new_store(["quiet-one"]))
        cls.worker.catch_up()

    @classmethod
    def tearDownClass(cls):
        for lane in (cls.asker, cls.publisher, cls.worker):
            lane.close()
        cls.daemon.stop()  # with 0: no leak, nothing that a sanitizer found

    def setUp(self):
        self.opened = []

    def tearDown(self):
        for one in self.opened:
            one.close()

    def keep(self, one):
        self.opened.append(one)
        return one

    # ---- Peers

    def raw(self, lane, client=None, keys=None, server_key=None):
        """A connection of our own making, with the key of a client, or with other keys."""
        d = self.daemon
        keys = keys if client is None else zmtp.decoded(d.pairs[client])
        return self.keep(zmtp.Peer(self.lanes[lane], server_key or d.server_key, keys))

    def open(self, kind, lane, client, *more):
        d = self.daemon
        return self.keep(kind(d.context, self.lanes[lane], d.server_key, d.pairs[client], *more))

    def said(self, connection, **message):
        connection.send(peer.pack(message))

    def answer(self, connection):
        while True:
            message = peer.unpack(connection.receive())
            if message["m"] not in ("ping", "pong"):
                return message

    def publish(self, client, source, outbox, epoch=EPOCH):
        agency = self.open(peer.Publisher, "intake", client, source, epoch, outbox)
        agency.publish_all()
        return agency

    # ---- What the daemon says of itself

    @classmethod
    def ask(cls, verb, **args):
        cls.asker.send("verb", verb=verb, v=1, id=1, args=args)
        reply = cls.asker.expect("reply")
        assert reply["ok"], reply
        return reply.get("body")

    def counters(self):
        return self.ask("status")["counters"]

    def until(self, **least):
        """Waits until the counters have grown so far. The last of them."""
        end = time.monotonic() + zmtp.LIMIT_S
        while True:
            counters = self.counters()
            if all(counters[name] >= n for name, n in least.items()):
                return counters
            if time.monotonic() > end:
                raise AssertionError(f"wanted {least}, got { {n: counters[n] for n in least} }")

    def rss(self):
        with open(f"/proc/{self.daemon.process.pid}/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * PAGE

    # ---- The bystanders

    def attend(self):
        """On a slow machine an attack may last longer than the fifteen seconds after which who says nothing is let go."""
        if self.counters()["sessions_silent"] > type(self).silent:
            type(self).silent = self.counters()["sessions_silent"]
            self.publisher.hello()
            message = self.publisher.receive()
            while message["m"] != "subscribe":
                message = self.publisher.receive()
            self.publisher.subscribed(message)
            self.worker.close()
            self.meet_worker()

    def serve(self):
        """An event is acknowledged in the session that was there before, and the worker is heard. Seconds it took."""
        agency, began = self.publisher, time.monotonic()
        n = len(agency.outbox) + 1
        agency.outbox.append(event("quiet", "Q1", n, "case.opened" if n == 1 else "contact.made", 0,
                                   **({"status": "active"} if n == 1 else {"kind": "phone"})))
        agency.push()
        while agency.acked < n:
            agency.take(agency.receive())
        self.worker.send("ping")
        while peer.unpack(self.worker.socket.recv())["m"] != "pong":
            pass
        return time.monotonic() - began

    @contextlib.contextmanager
    def siege(self, name, rss_mb=48, **counted):
        """counted: counters and by how much at least they grow. The attack tells what it did by figure[…] = …, and what it saw
        of times and sizes by names that end in _ms or _mb."""
        self.attend()
        self.serve()
        before, held, pid = self.counters(), self.rss(), self.daemon.process.pid
        figure = {}
        yield figure
        after = self.until(**{c: before[c] + n for c, n in counted.items()})
        self.attend()
        took, grown = self.serve(), max(0, self.rss() - held)
        self.assertIsNone(self.daemon.process.poll(), "the daemon is gone")
        self.assertEqual(self.daemon.process.pid, pid)
        self.assertLess(took, SERVED_S, "the bystanders were kept waiting")
        self.assertLess(grown, rss_mb << 20, "memory grew")
        measured = {k: figure.pop(k) for k in list(figure) if k.endswith(("_ms", "_mb"))}
        measured |= {c: after[c] - before[c] for c in counted}
        counts = [f"{k} {v}" for k, v in figure.items()] + [f"{c} at least {n}" for c, n in counted.items()]
        print(f"{name}: " + ", ".join(counts) + f"; others served, memory grew by less than {rss_mb} MiB", flush=True)
        print("  " + " ".join(f"{k}={v}" for k, v in measured.items())
              + f" rss_grown_mb={grown / 2**20:.1f} served_ms={took * 1000:.0f}", flush=True)
