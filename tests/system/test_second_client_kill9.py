#!/usr/bin/python3
"""kill -9 of the daemon, of a worker's client and of the publishers of clients/python, at random moments of an invented county.

What must hold at the end: every event is in the log once, in the outbox's order, and the effect of every notice has happened
once in the worker's database, in the mailbox's order.

usage: test_second_client_kill9.py [--rounds N] [--families N] [--days D] [--seed S]
       test_second_client_kill9.py --read STORE ADDRESS SERVER_KEY KEY WORKER…    the worker's client, a process of its own

A moment is a number of lines that the clients have said, drawn from the seed: it depends on no clock.
"""
import argparse
import contextlib
import os
import random
import selectors
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time

import harness
from test_kill9 import SOURCES, check_log, county, rows

PACKAGE = os.path.join(harness.ROOT, "clients", "python")
sys.path.insert(0, PACKAGE)

from linkages import Control, Inbox, Store, keys

SILENCE_S = 90  # nothing said by anybody for so long is a failure
READER = "reader"


# ---- the worker's client -----------------------------------------------------------------------------------------------


def effect(db, worker, seq, notice):
    """What a real client would do: rows of its own, here in a table without any key that would hide a repetition."""
    db.execute("CREATE TABLE IF NOT EXISTS effect (worker TEXT, seq INTEGER, id TEXT, rev INTEGER)")
    db.execute("INSERT INTO effect VALUES (?, ?, ?, ?)", (worker, seq, notice["id"], notice["rev"]))


def inbox_of(kept, address, server_key, key, workers, **more):
    return Inbox(keys.read_peer(address, server_key, key), "kill9", workers, kept, **more)


def read(store, address, server_key, key, *workers):
    """Until it is killed."""
    with Store(store, effect) as kept, inbox_of(kept, address, server_key, key, workers,
                                                on_received=lambda: print("stored", flush=True)) as inbox:
        inbox.follow(lambda: False)


# ---- everybody else ----------------------------------------------------------------------------------------------------


class Cast:
    """The processes that may be killed, and the lines that they say."""

    def __init__(self, daemon, folder, workers):
        self.daemon, self.folder, self.workers = daemon, folder, workers
        self.said = 0
        self._processes = {}
        self._lines = selectors.DefaultSelector()
        for name in (READER, *dict(SOURCES)):
            self.start(name)

    def path(self, name):
        return os.path.join(self.folder, name)

    def _words(self, name):
        lane = "inbox" if name == READER else "intake"
        where = [self.daemon.lanes[lane], self.daemon.path("state/server.pub"), self.daemon.path(name + ".key")]
        if name == READER:
            return [os.path.abspath(__file__), "--read", self.path("store"), *where, *self.workers]
        return ["-m", "linkages", "pub", "--verbose", "--timeout", "0", "--server", where[0], "--server-key", where[1],
                "--key", where[2], "--source", name, "--outbox", self.path(name + ".outbox"), self.path(name + ".ndjson")]

    def start(self, name):
        process = subprocess.Popen([sys.executable, "-B", *self._words(name)], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, "PYTHONPATH": PACKAGE})
        os.set_blocking(process.stdout.fileno(), False)
        self._lines.register(process.stdout, selectors.EVENT_READ, name)
        self._processes[name] = process

    def _end(self, name):
        process = self._processes.pop(name)
        self._lines.unregister(process.stdout)
        process.stdout.close()
        return process.wait(harness.STOP_S)

    def kill(self, name):
        if name == "daemon":
            self.daemon.kill()
            self.daemon.start()
            return
        self._processes[name].send_signal(signal.SIGKILL)
        self._end(name)

    def publishing(self):
        return [name for name in dict(SOURCES) if name in self._processes]

    def listen(self, upto):
        """Until so many lines have been said altogether, or all is published."""
        while self.said < upto and self.publishing():
            ready = self._lines.select(SILENCE_S)
            assert ready, f"nobody has said anything for {SILENCE_S} s; linkagesd said:\n{self.daemon.said()}"
            for key, _ in ready:
                text = os.read(key.fd, 65536)
                self.said += text.count(b"\n")
                assert b"Traceback" not in text, text.decode()
                if not text:
                    status = self._end(key.data)
                    assert status == 0, f"{key.data} left with {status}"

    def close(self):
        for name in list(self._processes):
            self.kill(name)
        self._lines.close()


def check_effects(daemon, store):
    """The effects are the daemon's mailboxes: none twice, none missing, in order."""
    with contextlib.closing(sqlite3.connect(store)) as base:
        got = base.execute("SELECT worker, seq, id, rev FROM effect ORDER BY worker, rowid").fetchall()
    want = rows(daemon, "SELECT worker_name, seq, lower(hex(id)), rev FROM notice_row ORDER BY worker_name, seq")
    assert got == want, f"{len(got)} effects, {len(set(got))} different ones, {len(want)} notices told"
    return len(got)


def play(daemon, folder, workers, rounds, events, chance):
    victims = ["daemon", READER, *dict(SOURCES)] * rounds
    chance.shuffle(victims)
    cast = Cast(daemon, folder, workers)
    try:
        for victim in victims:
            # The publishers say one line an event: the moments lie in the first half of what is said.
            cast.listen(cast.said + chance.randint(1, max(2, events // (2 * len(victims)))))
            assert cast.publishing(), "all was published too soon: more --families"
            if victim not in ("daemon", READER, *cast.publishing()):
                victim = READER  # that one has nothing left to say
            cast.kill(victim)
            if victim != "daemon":
                cast.start(victim)
        cast.listen(1 << 60)
    finally:
        cast.close()
    return len(victims)


def set_clock(daemon):
    """To the county's first day: with cases that are years old, the first event would else set it so that others lie too far
    ahead."""
    peer = keys.read_peer(f"ipc://{daemon.path('run')}/control", daemon.path("state/server.pub"), daemon.path("operator.key"))
    with Control(peer) as control:
        control.ask("clock", SILENCE_S, to="2026-03-02T00:00:00-08:00")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("--rounds", 3), ("--families", 300), ("--days", 30), ("--seed", 1)):
        p.add_argument(name, type=int, default=default)
    a = p.parse_args()
    chance, began = random.Random(a.seed), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="linkages-county.") as folder:
        outboxes, workers = county(folder, a.families, a.days, a.seed)
        events = sum(map(len, outboxes.values()))
        clients = [(s, "publisher", {"sources": [s]}) for s in outboxes] + [
            (READER, "worker", {"workers": workers}), ("operator", "operator", {})]
        store = os.path.join(folder, "store")
        with harness.Daemon(clients, SOURCES) as daemon:
            set_clock(daemon)
            kills = play(daemon, folder, workers, a.rounds, events, chance)
            with Store(store, effect) as kept, inbox_of(
                    kept, daemon.lanes["inbox"], daemon.path("state/server.pub"), daemon.path(READER + ".key"), workers) as inbox:
                assert inbox.follow(lambda: inbox.caught_up, SILENCE_S), inbox.trouble
            daemon.stop()
            check_log(daemon, outboxes, {source: {} for source in outboxes})
            notices = check_effects(daemon, store)
    print(f"{events} events, {notices} effects, {kills} kills, {time.monotonic() - began:.1f} s: each once, in order")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--read"]:
        read(*sys.argv[2:])
    else:
        main()
