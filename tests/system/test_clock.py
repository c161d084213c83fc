#!/usr/bin/python3
"""test_clock.py - somebody sets the machine's clock: wakes stop, intake goes on, the alarm stands until it is right or accepted.

In: a daemon on the real clock, which tests/tools/shift_clock.c sets off for this one process. Out: what it says of the time,
and what it lets fall due. Promise: every wait is for a condition; the machine's own clock is left alone.
"""
import datetime
import os
import signal
import struct
import subprocess
import time
import unittest

import harness
from saying import calsaws, cws
from test_lanes import GARCIA, JONES, LaneTest

HOUR, DAY, YEAR = 3600, 86_400, 31_557_600
STOOD_S = 17  # 15 s of silence end a session


def at(seconds):
    """So much from the machine's own now."""
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).isoformat()


class ClockTest(LaneTest):
    def setUp(self):
        self.daemon = harness.Daemon(harness.CLIENTS, self.sources, clock="real")
        self.addCleanup(self.daemon.close)
        self.shift(0)
        self.daemon.environment = harness.preloaded("shift_clock", SHIFT_CLOCK=self.daemon.path("shift"))
        self.daemon.start()
        self.lanes = []

    def shift(self, seconds):
        path = self.daemon.path("shift")
        with open(path, "r+b" if os.path.exists(path) else "wb") as f:
            f.write(struct.pack("=q", seconds * 1_000_000))

    def status(self):
        return self.asker().ok("status")

    def suspect(self):
        return self.status()["alarms"].get("clock_suspect", {}).get("stands", False)

    def seconds_off(self):
        """How far the daemon's time is from the machine's."""
        now = datetime.datetime.fromisoformat(self.status()["now"])
        return (now - datetime.datetime.now(datetime.timezone.utc)).total_seconds()

    def cross_now(self):
        """A family of both agencies, some days old."""
        crossing = [calsaws(1, "case.opened", 0, status="active"), calsaws(2, "worker.assigned", 0, **JONES),
                    calsaws(3, "link.confirmed", 2, other={"agency": "cws", "case": "0123-4567"})]
        other = [cws(1, "case.opened", 0, status="fm"), cws(2, "worker.assigned", 0, **GARCIA)]
        old = {"time": at(-30 * DAY)}
        self.agency = self.publisher([{**e, **old} for e in crossing])
        self.agency.publish_all()
        self.publisher([{**e, **old} for e in other], "cws", "cws-cms", "f" * 32).publish_all()

    def publish_more(self, event):
        self.agency.outbox.append(event)
        while self.agency.acked < len(self.agency.outbox):
            self.agency.push()
            self.agency.take(self.agency.receive())
        self.assertEqual(self.agency.refused, {})

    def restart(self, seconds):
        self.daemon.stop()
        self.shift(seconds)
        self.daemon.start()


class Clock(ClockTest):
    def test_a_jump_stops_wakes_and_not_intake_until_it_is_accepted(self):
        self.cross_now()
        worker = self.worker(["garcia"])
        worker.catch_up()
        self.shift(10 * DAY)
        before = self.status()
        self.assertTrue(before["alarms"]["clock_suspect"]["stands"])
        self.assertLess(abs(self.seconds_off()), HOUR, "time goes on by the machine's count")
        # Due in five days, if one believes the clock; it is not let fall due.
        self.publish_more({**calsaws(4, "case.closed", 0, reason="ended"), "time": at(5 * DAY)})
        kinds = {n["kind"] for n in worker.store["garcia"]["notices"].values()}
        after = self.status()
        self.assertEqual(after["store"]["events"], before["store"]["events"] + 1, "intake goes on")
        self.assertEqual(after["counters"]["passes"], before["counters"]["passes"])
        self.assertEqual(after["store"]["notices"], before["store"]["notices"])
        said = self.ctl("clock", "accept")
        self.assertEqual(said.returncode, 0, said.stderr)
        while len(kinds) == len({n["kind"] for n in worker.store["garcia"]["notices"].values()}):
            worker.take(worker.receive())
        self.assertFalse(self.suspect())
        self.assertGreater(self.seconds_off(), 9 * DAY)
        self.assertIn("alarm=clock_suspect", self.daemon.said())
        again = self.ctl("clock", "accept")
        self.assertEqual(again.returncode, 1)
        self.assertIn("not suspect", again.stderr)

    def ctl(self, *words):
        d = self.daemon
        return subprocess.run([harness.program("linkages-ctl"), "--server", f"ipc://{d.path('run/control')}", "--server-key",
                               d.path("state/server.pub"), "--key", d.path("operator.key"), *words], capture_output=True,
                              text=True, check=False, timeout=60)

    def test_an_hour_is_no_jump_and_a_clock_that_is_right_again_is_believed(self):
        self.cross_now()
        self.shift(HOUR - 60)
        self.assertFalse(self.suspect())
        for raised, seconds in enumerate((-2 * HOUR, 10 * YEAR, -10 * YEAR), 1):
            self.shift(seconds)
            self.assertTrue(self.suspect())
            self.shift(0)
            self.assertFalse(self.suspect())
            self.assertEqual(self.status()["alarms"]["clock_suspect"]["raised"], raised)

    def test_at_start_before_the_last_commit(self):
        self.cross_now()
        self.restart(-60)
        self.assertTrue(self.suspect())
        self.assertGreater(self.seconds_off(), -30, "time does not run backwards")
        self.publish_again(1)
        self.asker().ok("clock-accept")
        self.assertFalse(self.suspect())

    def publish_again(self, n):
        self.agency = self.subscribed(self.agency.outbox, self.agency.acked)
        for i in range(n):
            self.publish_more({**calsaws(100 + i, "contact.made", 0, kind="phone"), "time": at(-DAY)})

    def test_at_start_more_than_a_week_after_the_last_commit(self):
        self.cross_now()
        self.restart(6 * DAY)
        self.assertFalse(self.suspect(), "a week of absence is no reason")
        self.restart(6 * DAY + 8 * DAY)
        self.assertTrue(self.suspect())
        self.publish_again(1)
        passes = self.status()["counters"]["passes"]
        self.assertEqual(passes, 0)
        self.asker().ok("clock-accept")
        while self.status()["counters"]["passes"] == 0:
            pass
        self.assertGreater(self.seconds_off(), 13 * DAY)

    def test_a_daemon_that_stood_still_takes_nobody_for_gone(self):
        """SIGSTOP for longer than a silence may last: who spoke meanwhile is served in the session of before, and no time was lost."""
        self.cross_now()
        worker = self.worker(["garcia"])
        worker.catch_up()
        notices, since = len(worker.store["garcia"]["notices"]), time.monotonic()
        self.daemon.process.send_signal(signal.SIGSTOP)
        self.agency.outbox.append({**calsaws(4, "case.closed", 0, reason="ended"), "time": at(-DAY)})
        self.assertEqual(self.agency.push(), 1)
        while time.monotonic() < since + STOOD_S:
            self.assertEqual(self.agency.socket.poll(1000), 0)
            for lane in (self.agency, worker):
                lane.send("ping")
        self.daemon.process.send_signal(signal.SIGCONT)
        while self.agency.acked < len(self.agency.outbox):
            self.agency.take(self.agency.receive())
        while len(worker.store["garcia"]["notices"]) == notices:
            worker.take(worker.receive())
        status = self.status()
        self.assertEqual((status["counters"]["sessions_silent"], status["intake"]["sessions"], status["inbox"]["sessions"]), (0, 2, 1))
        self.assertFalse(self.suspect())
        self.assertLess(abs(self.seconds_off()), 5)

    def test_a_new_store_believes_any_clock(self):
        self.assertFalse(self.suspect())

    def test_more_than_400_days_ahead_is_refused(self):
        self.cross_now()
        self.agency.outbox += [{**calsaws(50, "contact.made", 0, kind="phone"), "time": at(399 * DAY)},
                               {**calsaws(51, "contact.made", 0, kind="phone"), "time": at(401 * DAY)},
                               {**calsaws(52, "contact.made", 0, kind="phone"), "time": "2101-01-01T00:00:00Z"},
                               {**calsaws(53, "contact.made", 0, kind="phone"), "time": "1989-12-31T00:00:00Z"}]
        while self.agency.acked < len(self.agency.outbox):
            self.agency.push()
            self.agency.take(self.agency.receive())
        self.assertEqual(self.agency.refused, {n: ("bad_value", "time") for n in (5, 6, 7)})


class Manual(LaneTest):
    def test_a_manual_clock_is_never_suspect(self):
        self.cross()
        self.assertEqual(self.asker().refused("clock-accept"), "not_now")

    def configure(self):
        self.daemon.environment = harness.preloaded("bad_disk", BAD_DISK=self.daemon.folder)

    def test_on_a_full_disk_it_stays_where_it_is_and_says_so(self):
        self.cross()
        asker, to = self.asker(), "2027-03-01T16:00:00+00:00"
        before = asker.ok("status")["now"]
        self.daemon.write("full", "")
        refused = asker.ask("clock", to=to)[-1]
        self.assertEqual((refused["ok"], refused["body"]["code"]), (False, "busy"))
        self.assertIn("full", refused["body"]["detail"])
        self.assertEqual(asker.ok("status")["now"], before)
        os.unlink(self.daemon.path("full"))
        self.assertEqual(asker.ok("clock", to=to)["now"], to)


if __name__ == "__main__":
    unittest.main()
