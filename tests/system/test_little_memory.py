#!/usr/bin/python3
"""test_little_memory.py - memory that ends, as where the kernel promises no more than it has (vm.overcommit_memory = 2).

In: a daemon that may have hardly more memory than it had at its start, events that need more, a worker who reads along. Out:
what was acknowledged and what was told, before its end and after the next start. Promise: every wait is for a condition.
"""
import unittest

import harness
import peer
import zmtp
from test_inboxes import InboxTest, Outbox
from test_lanes import OTHER_EPOCH

FAMILIES, BATCH = 3000, 100
QUIET_MS = 3000  # nothing more comes
with open(harness.program("linkagesd"), "rb") as program:
    SANITIZED = b"libasan" in program.read()


class LittleMemory(InboxTest):
    def had(self, word):
        """KiB, as the kernel counts them."""
        with open(f"/proc/{self.daemon.process.pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith(word))

    def start_with(self, more_mib):
        """A sanitizer has the whole address space for its own, and a limit of its own on what is used."""
        d = self.daemon
        d.stop()
        d.start()
        if SANITIZED:
            limit = self.had("VmRSS") // 1024 + more_mib
            d.stop()
            d.environment = {"ASAN_OPTIONS": f"soft_rss_limit_mb={limit}:allocator_may_return_null=1:quarantine_size_mb=1"}
            d.start()
            d.environment = {}
        else:
            limit = (self.had("VmData") + 1024 * more_mib) << 10
            zmtp.prlimit(d.process.pid, zmtp.RLIMIT_DATA, zmtp.struct.pack("QQ", limit, limit))

    def is_out_of_memory(self):
        """It says so, or is gone."""
        with open(self.daemon.path("log"), encoding="utf-8", errors="replace") as f:
            return "memory" in f.read() or self.daemon.process.poll() is not None

    def say(self, agency, worker):
        """As long as there is memory; what it tells the worker meanwhile is kept."""
        while agency.acked < len(agency.outbox) and not self.is_out_of_memory():
            agency.push(BATCH)
            if agency.socket.poll(100):
                message = agency.receive()
                if message["m"] == "error":
                    return
                agency.take(message)
            while worker.socket.poll(0):
                worker.take(worker.receive())

    def hear(self, worker):
        while worker.socket.poll(QUIET_MS):
            try:
                worker.take(worker.receive(QUIET_MS))
            except (AssertionError, peer.Silence):  # an error: the daemon has no room for it
                return

    def test_what_was_acknowledged_is_there_and_what_was_told_is_true(self):
        sides = [Outbox(0), Outbox(1)]
        for side in sides:
            side.families = FAMILIES
        self.publisher(sides[0], "cws", "cws-cms", OTHER_EPOCH).publish_all()
        self.start_with(8)
        worker, agency = self.worker(["garcia"]), self.publisher(sides[1])
        worker.catch_up()
        agency.hello()
        agency.subscribed(agency.expect("subscribe"))
        self.say(agency, worker)
        self.hear(worker)
        self.assertTrue(self.is_out_of_memory(), "there was memory enough")
        self.daemon.kill()
        self.daemon.start()
        again = self.publisher(sides[1])
        again.acked = agency.acked
        again.publish_all()
        self.assertGreaterEqual(again.acked, agency.acked)
        self.assertEqual(self.asker().ok("status")["store"]["events"], len(sides[0]) + len(sides[1]))
        everything = self.worker(["garcia"])
        everything.catch_up()
        told, now = (w.store["garcia"]["notices"] for w in (worker, everything))
        self.assertTrue(agency.acked and told, "nothing was acknowledged, or told, before")
        self.assertEqual({seq: now.get(seq) for seq in told}, told)
        print("memory that ends: lost 0 of what was acknowledged before, untrue 0 of what was told", flush=True)


if __name__ == "__main__":
    unittest.main()
