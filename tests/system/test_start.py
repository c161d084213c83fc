#!/usr/bin/python3
"""test_start.py - a daemon that is started where something is wrong: it says what, and harms nobody who is there already.

In: limits of the process, signals, folders and sockets of others. Out: its status, its words, and that it goes on where it
can. Promise: every wait is for a condition; what needs another user is skipped by name where we can not become one.
"""
import os
import resource
import signal
import time
import unittest

import harness
from test_lanes import LaneTest, contacts

NOBODY = 65534


class Start(LaneTest):
    def test_a_daemon_that_has_ended_leaves_no_socket_behind(self):
        self.assertTrue(os.path.exists(self.daemon.path("run/control")))
        self.daemon.stop()
        self.assertEqual(os.listdir(self.daemon.path("run")), [])

    def another(self):
        """A second daemon, with nothing in common with the first."""
        other = harness.Daemon(harness.CLIENTS, self.sources)
        self.addCleanup(other.close)
        return other

    def refused(self, daemon, status, words, **more):
        daemon.process = daemon.popen({**os.environ, **daemon.environment}, **more)
        self.assertEqual(daemon.process.wait(harness.READY_S), status, daemon.said())
        self.assertIn(words, daemon.said())

    def test_a_control_socket_that_another_daemon_listens_at_is_left_to_it(self):
        other = self.another()
        with open(other.path("linkages.yaml"), encoding="utf-8") as f:
            text = f.read()
        other.write("linkages.yaml", text.replace(other.path("run"), self.daemon.path("run")))
        self.refused(other, os.EX_UNAVAILABLE, "run/control: another process listens there")
        self.assertEqual(self.asker().ok("status")["store"]["events"], 0)

    def test_too_few_files_are_told_before_anything_is_opened(self):
        few = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))
        other = self.another()
        self.refused(other, os.EX_OSERR, "only 32 files may be open at once: 64 are needed", preexec_fn=few)
        self.assertFalse(os.path.exists(other.path("state")))

    def test_a_reload_that_comes_during_the_start_waits_for_its_end(self):
        """Blocked until it is ready, also where whoever starts it had it blocked."""
        other = self.another()
        popen = other.popen

        def told_at_once(environment):
            process = popen(environment, preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP}))
            process.send_signal(signal.SIGHUP)
            return process

        other.popen = told_at_once
        other.start()
        until = time.monotonic() + harness.READY_S
        while "reload outcome=accepted" not in other.said() and time.monotonic() < until:
            self.assertIsNone(other.process.poll(), other.said())
        self.assertIn("reload outcome=accepted", other.said())

    def test_files_that_may_not_grow_are_writes_that_fail(self):
        """As a full disk: nothing is acknowledged, nothing ends, and on it goes."""
        pid, never = self.daemon.process.pid, resource.prlimit(self.daemon.process.pid, resource.RLIMIT_FSIZE)
        agency = self.subscribed(contacts(40))
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, never[1]))
        agency.push(20)
        asker = self.asker()
        while not asker.ok("status")["alarms"].get("store_fails", {}).get("stands"):
            pass
        self.assertEqual(asker.ok("status")["store"]["events"], 0)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, never)
        agency.push()
        while agency.acked < len(agency.outbox):
            agency.take(agency.receive(90_000))  # a batch that was refused is tried again within a minute
            agency.push()
        self.assertEqual(self.asker().ok("status")["store"]["events"], len(agency.outbox))

    def test_what_is_no_file_is_refused_and_not_waited_for(self):
        """A pipe is opened by whoever reads it, and that is nobody."""
        other = self.another()
        os.mkdir(other.path("state"), 0o700)
        mark, key = other.path("state/linkages.mark"), other.path("state/server.key")
        os.mkfifo(mark, 0o600)
        self.refused(other, os.EX_IOERR, f"{mark} is no regular file: move it away")
        os.unlink(mark)
        os.symlink(other.path("elsewhere"), mark)
        self.refused(other, os.EX_IOERR, f"{mark} is no regular file: move it away")
        self.assertFalse(os.path.exists(other.path("elsewhere")))
        os.unlink(mark)
        os.mkfifo(key, 0o600)
        self.refused(other, os.EX_CONFIG, f"{key} is not a public key and its secret")

    @unittest.skipIf(os.getuid() != 0, "needs to start the daemon as somebody else")
    def test_folders_that_may_not_be_written(self):
        def nobody():
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)

        other = self.another()
        os.chmod(other.folder, 0o755)
        for name in ("state", "run"):
            os.mkdir(other.path(name), 0o700)
            os.chown(other.path(name), NOBODY, NOBODY)
        other.process = other.popen({**os.environ}, preexec_fn=nobody)
        while "ready version" not in other.said():
            self.assertIsNone(other.process.poll(), other.said())
        other.kill()  # and its control socket stays
        os.chmod(other.path("run"), 0o500)
        self.refused(other, os.EX_UNAVAILABLE, "there is a file that cannot be taken away", preexec_fn=nobody)
        os.chmod(other.path("run"), 0o700)
        os.chmod(other.path("state"), 0o500)
        self.refused(other, os.EX_IOERR, "it, or the folder that it is in, cannot be written", preexec_fn=nobody)


if __name__ == "__main__":
    unittest.main()
