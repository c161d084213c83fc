#!/usr/bin/python3
"""test_canary.py - nobody's name, number or birthday leaves the agency: looked for in every file, every line and in memory.

In: members with an `identity` that occurs nowhere else, given to linkages-pub. Out: the tokens did their work, and the
identities are nowhere but in the input: not in the outbox, the wire's other end, logs, answers, the daemon's memory or its
core. Promise: the search finds what it must find, too.
"""
import json
import os
import secrets
import signal
import socket
import subprocess
import threading
import unittest
import urllib.request

import harness
import peer
import zmtp

PEOPLE = (
    {"cin": "90055512Z", "ssn": "987-65-4329", "last": "Xylophontes", "first": "Quirinius", "birth": "1987-11-23"},
    {"cin": "90055513Y", "ssn": "987654318", "last": "Zwetschgenbaum", "first": "Ombeline", "birth": "2016-02-29"},
)
# As it was given, and as it is normalised before it is digested.
CANARIES = sorted({v for p in PEOPLE for v in p.values()} | {p["ssn"].replace("-", "") for p in PEOPLE}
                  | {p[k].upper() for p in PEOPLE for k in ("last", "first")})
CHUNK, LONGEST = 1 << 20, 64
ZEROS = bytes(CHUNK)


def event(source, subject, number, type_, **members):
    return {"specversion": "1.0", "id": f"e{number}", "source": source, "type": type_, "subject": subject,
            "time": f"2026-03-02T09:{number:02d}:00-08:00", "data": members}


def members(*people):
    return [{"person": f"p{i}", "role": "child", "identity": p} for i, p in enumerate(people)]


class Wire:
    """A relay that keeps what the publisher said: ciphertext, but its length and its greeting are anybody's."""

    def __init__(self, address):
        host, port = address.split("//")[1].rsplit(":", 1)
        self.target, self.heard = (host, int(port)), []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection(self.target)
            threading.Thread(target=self.carry, args=(near, far, self.heard), daemon=True).start()
            threading.Thread(target=self.carry, args=(far, near, self.heard), daemon=True).start()

    @staticmethod
    def carry(one, other, heard):
        try:
            while (text := one.recv(1 << 16)):
                heard.append(text)
                other.sendall(text)
        except OSError:
            pass
        for s in (one, other):
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self):
        self.listener.close()


class Canary(unittest.TestCase):
    def setUp(self):
        self.daemon = d = harness.Daemon(harness.CLIENTS)
        self.addCleanup(d.close)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(d.folder)  # where a core would be left
        d.start()
        d.write("server.pub", d.server_key.decode() + "\n")
        d.write("identity", secrets.token_hex(32) + "\n", 0o600)
        self.said = b""

    def publish(self, client, source, events, key=True):
        """The publisher's exit status."""
        d = self.daemon
        wire = Wire(d.lanes["intake"])
        done = subprocess.run(
            [harness.program("linkages-pub"), "--source", source, "--outbox", d.path(source + ".outbox"), "--server", wire.address,
             "--server-key", d.path("server.pub"), "--key", d.path(client + ".key"), "-"]
            + (["--identity-key", d.path("identity")] if key else []),
            input="".join(json.dumps(e) + "\n" for e in events).encode(), capture_output=True, check=False, timeout=120)
        wire.close()
        self.said += done.stdout + done.stderr + b"".join(wire.heard)
        return done.returncode

    def cross(self):
        cws = [event("cws-cms", "0123-4567", 1, "case.opened", status="fm", members=members(*PEOPLE)),
               event("cws-cms", "0123-4567", 2, "worker.assigned", role="social_worker", worker="garcia")]
        cal = [event("calsaws", "1B2C3D4", 1, "case.opened", status="active", members=members(PEOPLE[1])),
               event("calsaws", "1B2C3D4", 2, "worker.assigned", role="ais_worker", worker="jones"),
               event("calsaws", "1B2C3D4", 3, "case.opened", status="active",
                     members=members({**PEOPLE[0], "birth": "2016-02-30", "ssn": None})),
               event("calsaws", "1B2C3D4", 5, "child.removed", person="p1", identity=PEOPLE[0]),
               event("calsaws", "1B2C3D4", 4, "case.opened", status="active", members=members({**PEOPLE[0], "ssn": "000-65-4329"}))]
        self.assertEqual(self.publish("cws", "cws-cms", cws), 0)
        self.assertEqual(self.publish("calworks", "calsaws", cal), 1, "no token is made of what cannot be: refused by line")

    def hear(self):
        """What the two workers are told, and what operators and auditors are answered."""
        d = self.daemon
        worker = peer.Worker(d.context, d.lanes["inbox"], d.server_key, d.pairs["district"], "x", peer.new_store(["garcia", "jones"]))
        worker.heard = []
        worker.catch_up()
        worker.close()
        self.said += b"".join(worker.heard)
        for who, verb, args in (("operator", "status", {}), ("operator", "dead-letters", {}),
                                ("auditor", "family", {"agency": "cws", "case": "0123-4567", "purpose": "canary"})):
            lane = peer.Lane(d.context, f"ipc://{d.path('run/control')}", d.server_key, d.pairs[who])
            lane.heard = []
            lane.send("verb", verb=verb, v=1, id=1, args=args)
            while lane.expect("reply")["more"]:
                pass
            lane.close()
            self.said += b"".join(lane.heard)
        with urllib.request.urlopen(f"http://{d.http}/metrics") as page:
            self.said += page.read()
        return worker.store

    def files(self):
        """All that is in the folder: databases with their logs, outboxes, the log, the core. The identity key's too."""
        for folder, _, names in os.walk(self.daemon.folder):
            for path in (os.path.join(folder, n) for n in names):
                if os.path.isfile(path):
                    yield path

    @staticmethod
    def pieces(f, size=1 << 62):
        """A file bit by bit, each with the end of the one before; what was never written is passed over."""
        before = b""
        while size > 0 and (piece := f.read(min(CHUNK, size))):
            size -= len(piece)
            if piece != ZEROS:
                yield before + piece
            before = piece[-LONGEST:]

    def memory(self):
        """What the process can write to, as it is now, in pieces."""
        pid = self.daemon.process.pid
        with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
            for line in maps:
                begin, end = (int(x, 16) for x in line.split()[0].split("-"))
                if "rw" not in line.split()[1] or end - begin > 1 << 30:  # larger ones are a sanitizer's shadow
                    continue
                try:
                    mem.seek(begin)
                    yield from self.pieces(mem, end - begin)
                except OSError:
                    continue  # the kernel's own

    def absent(self, text, where):
        for canary in CANARIES:
            self.assertNotIn(canary.encode(), text, where)

    def core(self):
        """A core of the daemon, or why there is none."""
        d = self.daemon
        with open("/proc/sys/kernel/core_pattern", encoding="ascii") as f:
            pattern = f.read().strip()
        if "/" in pattern or "|" in pattern or zmtp.prlimit(d.process.pid, zmtp.RLIMIT_CORE, b"\xff" * 16) != 0:
            return "not permitted here"
        d.process.send_signal(signal.SIGABRT)
        d.process.wait(harness.STOP_S)
        cores = [n for n in os.listdir(d.folder) if n.startswith("core")]
        return "searched" if cores else "none was left"

    def test_nothing_identifying_is_anywhere(self):
        self.cross()
        store = self.hear()
        kinds = {n["kind"] for s in store.values() for n in s["notices"].values()}
        self.assertIn("crossover.found", kinds, "the same CIN on both sides: the tokens joined the cases")
        self.absent(self.said, "what was said")
        scanned = found = 0
        for piece in self.memory():
            self.absent(piece, "memory of the daemon")
            scanned += len(piece)
            found += piece.count(b"0123-4567")
        self.assertGreater(found, 0, "memory can be searched")
        core, hits = self.core(), 0
        for path in self.files():
            with open(path, "rb") as f:
                for piece in self.pieces(f):
                    self.absent(piece, path)
                    hits += b"0123-4567" in piece
        self.assertGreaterEqual(hits, 2, "files can be searched")
        print(f"identities planted: words {len(CANARIES)}, found 0 in outboxes, databases, logs, answers, metrics, notices, memory")
        print(f"  memory_mb={scanned >> 20} core={core}")

    def test_without_a_key_no_identity_goes_out(self):
        """It is refused at the agency, by line; what has none goes on."""
        status = self.publish("cws", "cws-cms", [
            event("cws-cms", "0123-4567", 1, "case.opened", status="fm", members=members(PEOPLE[0])),
            event("cws-cms", "0123-4567", 2, "case.opened", status="fm", members=[{"person": "p1"}])], key=False)
        self.assertEqual(status, 1)
        self.assertIn(b"identity", self.said)
        self.absent(self.said, "what was said")
        for path in self.files():
            with open(path, "rb") as f:
                for piece in self.pieces(f):
                    self.absent(piece, path)


if __name__ == "__main__":
    unittest.main()
