#!/usr/bin/python3
"""kill -9 of the daemon at random moments while events stream in and a client receives.

What must hold at the end: every acknowledged event is in the log once, every notice reached the client's store once and
in order, and nothing else is in either.

usage: test_kill9.py [--rounds N] [--families N] [--days D] [--seed S]    (14,000 families are about 100,000 events)

A moment is a number of messages seen since the start, drawn from the seed: it depends on no clock.
"""
import argparse
import csv
import json
import os
import random
import subprocess
import tempfile

import zmq

import blocks
import harness
import peer

SOURCES = (("cws-cms", "cws"), ("calsaws", "calworks"))
WORKERS_A_CLIENT = 400  # a hello names at most 1,000


def county(folder, families, days, seed):
    """Two outboxes and the workers of an invented county."""
    subprocess.run([harness.program("linkages-county"), "--families", str(families), "--days", str(days),
                    "--seed", str(seed), "--out", folder], check=True)
    outboxes = {}
    for source, _ in SOURCES:
        with open(os.path.join(folder, source + ".ndjson"), encoding="utf-8") as f:
            outboxes[source] = [json.loads(line) for line in f]
    with open(os.path.join(folder, "workers.tsv"), encoding="utf-8") as f:
        workers = [row[0] for row in csv.reader(f, delimiter="\t")]
    return outboxes, workers + ["cws.liaison", "calworks.liaison"]


def readers(daemon, store):
    workers = list(store)
    parts = [workers[i:i + WORKERS_A_CLIENT] for i in range(0, len(workers), WORKERS_A_CLIENT)]
    return [peer.Worker(daemon.context, daemon.lanes["inbox"], daemon.server_key, daemon.pairs["county"], f"county-{i}",
                        {w: store[w] for w in part}) for i, part in enumerate(parts)]


class Stream:
    """The clients of one life of the daemon: two publishers, and as many workers' clients as it takes."""

    def __init__(self, daemon, outboxes, store, acked):
        self.acked = acked
        self.publishers = [
            peer.Publisher(daemon.context, daemon.lanes["intake"], daemon.server_key, daemon.pairs[source], source,
                           f"{i + 1:032x}", outboxes[source]) for i, (source, _) in enumerate(SOURCES)]
        self.lanes = self.publishers + readers(daemon, store)
        self.poller = zmq.Poller()
        for lane in self.lanes:
            self.poller.register(lane.socket, zmq.POLLIN)
        for p in self.publishers:
            p.acked = acked[p.source]
        for lane in self.lanes:
            lane.hello()
        self.seen = 0

    def close(self):
        for lane in self.lanes:
            lane.close()

    def take(self, lane):
        message = peer.unpack(lane.socket.recv(zmq.NOBLOCK))
        self.seen += 1
        if message["m"] == "ping":
            lane.send("pong")
        elif message["m"] != "pong":
            if lane.take(message) and self.seen % 16 == 0:
                lane.receipt(message["worker"])

    def turn(self):
        """One bite at every socket. Fails after a long silence."""
        ready = dict(self.poller.poll(peer.LIMIT_MS))
        if not ready:
            raise peer.Silence("neither an acknowledgement nor a notice")
        for lane in self.lanes:
            for _ in range(64):
                if not lane.socket.poll(0):
                    break
                self.take(lane)
        for p in self.publishers:
            p.push(64)
            self.acked[p.source] = max(self.acked[p.source], p.acked)

    def done(self):
        return all(p.acked == len(p.outbox) for p in self.publishers)

    def run_until(self, seen):
        while self.seen < seen and not self.done():
            self.turn()


def rows(daemon, query):
    base = blocks.connect(daemon.path("state/linkages.db"))
    try:
        return base.execute(query).fetchall()
    finally:
        base.close()


def check_log(daemon, outboxes, refused):
    for source, outbox in outboxes.items():
        ids = [r[0] for r in rows(daemon, f"SELECT id FROM event_row WHERE source_name = '{source}' ORDER BY outbox_seq")]
        want = [e["id"] for seq, e in enumerate(outbox, 1) if seq not in refused[source]]
        assert len(ids) == len(set(ids)), f"{source}: an event is in the log twice"
        assert ids == want, f"{source}: {len(ids)} events in the log, {len(want)} acknowledged"
    assert rows(daemon, "PRAGMA integrity_check") == [("ok",)]


def check_mailboxes(daemon, store):
    """The client's store is the daemon's mailboxes, seq by seq: none twice, none missing, none of another's."""
    want = {}
    for worker, seq, id_, rev in rows(daemon, "SELECT worker_name, seq, lower(hex(id)), rev FROM notice_row"):
        want.setdefault(worker, {})[seq] = (id_, rev)
    got = {w: {seq: (n["id"], n["rev"]) for seq, n in s["notices"].items()} for w, s in store.items() if s["notices"]}
    assert got == want, f"{sum(map(len, got.values()))} notices received, {sum(map(len, want.values()))} told"
    for notices in got.values():
        assert list(notices) == list(range(1, len(notices) + 1)), "a mailbox is out of order"
        assert len(set(notices.values())) == len(notices), "a notice came twice"
    return sum(map(len, got.values()))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rounds", type=int, default=4)
    p.add_argument("--families", type=int, default=300)
    p.add_argument("--days", type=int, default=30)
    p.add_argument("--seed", type=int, default=1)
    a = p.parse_args()
    chance, kills = random.Random(a.seed), 0
    staff = [s for s, _ in SOURCES]
    with tempfile.TemporaryDirectory(prefix="linkages-county.") as folder:
        outboxes, workers = county(folder, a.families, a.days, a.seed)
        events = sum(map(len, outboxes.values()))
        clients = [(s, "publisher", {"sources": [s]}) for s in staff] + [("county", "worker", {"workers": workers})]
        store, acked, refused = peer.new_store(workers), dict.fromkeys(staff, 0), {s: {} for s in staff}
        with harness.Daemon(clients, SOURCES) as daemon:
            while True:
                stream = Stream(daemon, outboxes, store, acked)
                # About half as many messages come as events go: the rounds take their share of the first quarter.
                stream.run_until(chance.randint(1, max(2, events // (4 * a.rounds))) if kills < a.rounds else 1 << 60)
                for s in stream.publishers:
                    refused[s.source].update(s.refused)
                if stream.done():
                    break
                daemon.kill()
                kills += 1
                stream.close()
                daemon.start()
            stream.close()
            for reader in readers(daemon, store):
                reader.catch_up()
                reader.close()
            daemon.stop()
            check_log(daemon, outboxes, refused)
            assert check_mailboxes(daemon, store) > 0
    assert kills == a.rounds, f"only {kills} kills: more --families, or fewer --rounds"
    print(f"daemon killed at random moments of a county's stream: {kills} kills, {events} events, "
          f"{sum(map(len, refused.values()))} refused; each once in the log, each notice once and in order")


if __name__ == "__main__":
    main()
