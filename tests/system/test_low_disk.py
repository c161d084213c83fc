#!/usr/bin/python3
"""test_low_disk.py - a disk that fills up, and has room again: credit goes to 0 before, and comes back by itself.

In: a file system of 32 MiB of its own for the state, a daemon with a reserve of 8 MiB. Out: what publishers were told, and
what is in the log. Promise: where no file system can be mounted the test is skipped by name; nothing stays mounted.
"""
import os
import subprocess
import sys
import unittest

import harness
import peer
from test_lanes import CROSSOVER, EPOCH, OTHER_EPOCH, LaneTest, contacts

sys.path.insert(0, os.path.join(harness.ROOT, "clients", "python"))

import linkages
from linkages import keys
from linkages.store import Store

WAIT_S = 30  # for a machine that is busy
THIRD_EPOCH = "a" * 32
MIB = 1 << 20
SIZE, RESERVE = 32 * MIB, 8 * MIB


def mount(folder):
    """None, or why not."""
    os.mkdir(folder)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", folder], capture_output=True, text=True,
                          check=False)
    return None if done.returncode == 0 else done.stderr.strip() or "mount failed"


class LowDisk(LaneTest):
    def configure(self):
        state = self.daemon.path("state")
        why = mount(state)
        if why is not None:
            self.skipTest(f"low disk: needs a file system of its own: {why}")
        self.addCleanup(subprocess.run, ["umount", state], check=True)
        with open(self.daemon.path("linkages.yaml"), "a", encoding="utf-8") as f:
            f.write(f"intake: {{credit: 200, disk_reserve: {RESERVE // MIB} MiB}}\n")

    def tearDown(self):
        super().tearDown()
        self.daemon.process.kill()  # before its files go
        self.daemon.process.wait()

    def leave_free(self, size):
        """All but so much is taken up by somebody else."""
        with open(self.daemon.path("state/ballast"), "ab") as f:
            disk = os.fstatvfs(f.fileno())
            f.truncate(0)
            taken = max(0, disk.f_bavail * disk.f_frsize - size)
            os.posix_fallocate(f.fileno(), 0, taken)

    def make_room(self):
        os.unlink(self.daemon.path("state/ballast"))

    def events(self):
        return self.asker().ok("status")["store"]["events"]

    def credit(self, agency):
        """What it may still send, once everything that was said is read."""
        return agency.allowed - agency.sent

    def test_credit_goes_to_0_before_the_disk_is_full_and_comes_back(self):
        outbox = contacts(400)
        agency, idle = self.subscribed(outbox), self.subscribed(contacts(3), epoch=OTHER_EPOCH)
        agency.push(50)
        while agency.acked < 50:
            agency.take(agency.receive())
        self.assertGreater(self.credit(agency), 0)
        self.leave_free(RESERVE)
        for told in (agency, idle):  # without being asked, also who has sent nothing
            while self.credit(told) > 0:
                told.take(told.receive())
        status = self.asker().ok("status")
        self.assertEqual((status["intake"]["credit"], status["alarms"]["low_disk"]["stands"]), (0, True))
        agency.send("event", epoch=EPOCH, seq=51, event=outbox[50])  # was granted before: taken all the same
        agency.sent = 51
        while agency.acked < 51:
            agency.take(agency.receive())
        self.assertEqual(self.credit(agency), 0)
        self.make_room()
        while agency.acked < len(outbox):
            agency.push()
            agency.take(agency.receive())
        self.assertFalse(self.asker().ok("status")["alarms"]["low_disk"]["stands"])
        self.assertEqual(self.events(), len(outbox))

    def test_an_answer_that_could_not_be_written_is_recorded_when_there_is_room(self):
        """The client's session stands all the while: it is the client that says it again."""
        self.cross()
        large = [{**e, "data": {**e["data"], "note_of_nobody": "x" * 50_000}} for e in contacts(150)[len(CROSSOVER):]]
        agency = self.subscribed(large, epoch=THIRD_EPOCH)
        store = self.enterContext(Store(None))
        peer_of = keys.Peer(self.daemon.lanes["inbox"], self.daemon.server_key, self.daemon.pairs["district"])
        inbox = self.enterContext(linkages.Inbox(peer_of, "python", ["garcia"], store))
        self.assertTrue(inbox.follow(lambda: inbox.caught_up, WAIT_S), inbox.trouble)
        self.leave_free(MIB)
        while agency.sent < min(agency.allowed, len(large)):
            agency.send("event", epoch=THIRD_EPOCH, seq=agency.sent + 1, event=large[agency.sent])
            agency.sent += 1
        asker = self.asker()
        while not asker.ok("status")["alarms"].get("store_fails", {}).get("stands"):
            pass
        inbox.answer("garcia", next(iter(store.new())).notice["id"])
        self.assertTrue(inbox.follow(lambda: "inbox outcome=failed" in self.daemon.said(), WAIT_S), "it was written")
        self.make_room()
        self.assertTrue(inbox.follow(lambda: not inbox.unconfirmed, WAIT_S), inbox.trouble)

    def test_a_file_system_that_cannot_be_written_is_refused_by_name(self):
        state = self.daemon.path("state")
        self.publisher(contacts(3)).publish_all()
        self.daemon.stop()
        subprocess.run(["mount", "-o", "remount,ro", state], check=True)
        with self.assertRaises(harness.Ended) as refused:
            self.daemon.start()
        self.assertEqual(self.daemon.process.returncode, 74)
        self.assertIn("linkages.db cannot be written: it is read-only", str(refused.exception))
        subprocess.run(["mount", "-o", "remount,rw", state], check=True)
        self.daemon.start()
        self.assertEqual(self.events(), 3)

    def test_a_full_disk_acknowledges_nothing_and_loses_nothing(self):
        """What was granted does not fit any more: nothing half stored, nothing acknowledged, and on it goes."""
        large = [{**e, "data": {**e["data"], "note_of_nobody": "x" * 50_000}} for e in contacts(150)]
        agency = self.subscribed(large)
        allowed = agency.allowed
        self.leave_free(MIB)
        while agency.sent < min(allowed, len(large)):  # whatever it is told: it had been granted
            agency.send("event", epoch=EPOCH, seq=agency.sent + 1, event=large[agency.sent])
            agency.sent += 1
        asker = self.asker()
        while not asker.ok("status")["alarms"].get("store_fails", {}).get("stands"):
            pass
        status = asker.ok("status")
        self.assertTrue(status["intake"]["held"])
        self.assertLess(status["store"]["events"], len(large))
        self.assertGreater(status["counters"]["batches_failed"], 0)
        stored = status["store"]["events"]
        self.daemon.kill()
        self.make_room()
        self.daemon.start()
        self.assertGreaterEqual(self.events(), stored)
        again = self.publisher(large)
        again.publish_all()
        self.assertEqual((self.events(), again.refused), (len(large), {}))

    def test_a_full_disk_that_has_room_again_goes_on_by_itself(self):
        large = [{**e, "data": {**e["data"], "note_of_nobody": "x" * 50_000}} for e in contacts(150)]
        agency = self.subscribed(large)
        self.leave_free(MIB)
        while agency.sent < len(large):
            agency.send("event", epoch=EPOCH, seq=agency.sent + 1, event=large[agency.sent])
            agency.sent += 1
        asker = self.asker()
        while not asker.ok("status")["alarms"].get("store_fails", {}).get("stands"):
            pass
        stored = asker.ok("status")["store"]["events"]
        while agency.socket.poll(0):
            agency.take(agency.receive())
        self.assertLessEqual(agency.acked, stored, "acknowledged is stored")
        self.assertTrue(agency.socket.poll(peer.LIMIT_MS), "it has nothing to say any more")
        self.assertEqual(peer.unpack(agency.socket.recv())["m"], "ping", "it lives, and says so, though it reads nothing")
        self.make_room()
        while agency.acked < len(large):
            agency.take(agency.receive())
            agency.push()
        status = asker.ok("status")
        self.assertEqual((status["store"]["events"], status["alarms"]["store_fails"]["stands"]), (len(large), False))
        self.assertEqual(agency.refused, {})


if __name__ == "__main__":
    unittest.main()
