#!/usr/bin/python3
"""test_unit.py - the daemon as systemd runs it: its sandbox, its watchdog, its credential, its reload and its stop.

In: systemd/linkagesd.service. Out: what each of its lines promises, as far as it can be had where systemd is not PID 1: the
score, the system call filter (expanded by systemd-analyze, loaded by libseccomp, then the daemon is run), notifications on
a socket of ours, a disk that is full and one that hangs. Promise: waits are for conditions.
"""
import ctypes
import errno
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import harness
import test_lanes

UNIT = os.path.join(harness.ROOT, "systemd", "linkagesd.service")
BUILD = os.path.dirname(harness.BIN)
MOST_EXPOSED = 12  # tenths
LIMIT_S = 30
STOP_S = 5
WATCHDOG_S = 3


def unit_lines(text, key):
    return re.findall(rf"^{key}=(.*)$", text, re.M)


def unit_text():
    with open(UNIT, encoding="utf-8") as f:
        return f.read()


# ---- The score ---------------------------------------------------------------------------------------------------------


@unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
class Score(unittest.TestCase):
    def exposure(self, text, name="linkagesd.service"):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, name)
            with open(path, "w", encoding="utf-8") as f:
                f.write(text)
            said = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", path],
                                  capture_output=True, text=True, check=False).stdout
        return int(re.search(r"Overall exposure level for \S+: (\d+)\.(\d)", said).expand(r"\1\2"))

    def test_little_is_exposed(self):
        self.assertLessEqual(self.exposure(unit_text()), MOST_EXPOSED)
        self.assertGreater(self.exposure(unit_text().replace("SystemCallFilter=@system-service\n", "")), MOST_EXPOSED)

    def test_each_line_of_the_sandbox_has_its_reason(self):
        reasoned = False
        for line in unit_text().split("[Service]")[1].split("[Install]")[0].splitlines():
            reasoned = line.startswith("#") or (reasoned and line != "")
            self.assertTrue(reasoned or line == "", f"'{line}' has no reason above it")

    def test_an_instance_has_the_same_sandbox_and_places_of_its_own(self):
        with open(os.path.join(BUILD, "linkagesd@.service"), encoding="utf-8") as f:
            instance = f.read()
        self.assertLessEqual(self.exposure(instance, "linkagesd@county.service"), MOST_EXPOSED)
        for key in ("StateDirectory", "RuntimeDirectory", "ConfigurationDirectory"):
            self.assertEqual(unit_lines(instance, key), ["linkages/%i"])
        self.assertEqual(unit_lines(instance, "LoadCredential"), ["server.key:/etc/linkages/%i/server.key"])
        self.assertEqual([line for line in instance.splitlines() if "%i" not in line and not line.startswith("#")],
                         [line for line in unit_text().splitlines() if not line.startswith("#") and not re.search(
                             "/etc/linkages/|Directory=linkages|Description", line)])


# ---- The filter --------------------------------------------------------------------------------------------------------


def expand(names):
    """Sets of systemd to names of system calls."""
    found = set()
    for name in names:
        if not name.startswith("@"):
            found.add(name)
            continue
        said = subprocess.run(["systemd-analyze", "--no-pager", "syscall-filter", name], capture_output=True, text=True,
                              check=True).stdout
        found |= expand([line.strip() for line in said.splitlines()[1:] if line.strip() and "#" not in line])
    return found


def allowed(text):
    calls = expand(["@default"])  # systemd always adds it
    for line in unit_lines(text, "SystemCallFilter"):
        if line.startswith("~"):
            calls -= expand(line[1:].split())
        else:
            calls |= expand(line.split())
    return calls


def confine(calls):
    """What the unit does to the process, between fork and exec."""
    seccomp = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    seccomp.seccomp_init.restype = ctypes.c_void_p
    refuse = 0x00050000 | errno.EPERM  # SCMP_ACT_ERRNO
    allow = 0x7FFF0000
    context = ctypes.c_void_p(seccomp.seccomp_init(ctypes.c_uint32(refuse)))
    for call in calls:
        number = seccomp.seccomp_syscall_resolve_name(call.encode())
        if number >= 0:
            seccomp.seccomp_rule_add(context, ctypes.c_uint32(allow), ctypes.c_int(number), ctypes.c_uint(0))
    assert seccomp.seccomp_load(context) == 0, "the filter is not loaded"


class Confined(harness.Daemon):
    """As harness.Daemon, under a filter."""

    def __init__(self, *more, calls=(), **named):
        super().__init__(*more, **named)
        self.calls = calls

    def popen(self, environment):
        environment["ASAN_OPTIONS"] = "detect_leaks=0"  # the leak check traces its own process
        return super().popen(environment, preexec_fn=lambda: confine(self.calls))


@unittest.skipUnless(shutil.which("systemd-analyze"), "systemd-analyze is not installed")
class Filter(test_lanes.LaneTest):
    def setUp(self):
        self.daemon = Confined(harness.CLIENTS, self.sources, calls=allowed(unit_text()))
        self.addCleanup(self.daemon.close)
        self.lanes = []

    def test_a_feed_is_played_under_it(self):
        self.assertNotIn("mount", self.daemon.calls)
        self.daemon.start()
        with open(f"/proc/{self.daemon.process.pid}/status", encoding="ascii") as f:
            self.assertIn("Seccomp:\t2\n", f.read())
        self.cross()
        worker = self.worker()
        self.assertGreater(worker.catch_up(), 0)
        self.asker().ok("reload")
        connection = http.client.HTTPConnection(self.daemon.http, timeout=LIMIT_S)
        connection.request("GET", "/metrics")
        self.assertEqual(connection.getresponse().status, 200)
        connection.close()
        self.daemon.stop()

    def test_a_filter_without_the_scheduler_is_found_out(self):
        self.daemon.calls = allowed(re.sub(r"^SystemCallFilter=sched.*\n", "", unit_text(), flags=re.M))
        with self.assertRaises((AssertionError, harness.Ended)):
            self.daemon.start()


# ---- What systemd is told ----------------------------------------------------------------------------------------------


class Told(harness.Daemon):
    """As harness.Daemon; the socket of notifications stays open, and a bad disk can be had."""

    def __init__(self, *more, **named):
        super().__init__(*more, **named)
        self.notified = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notified.bind(self.path("told"))

    def popen(self, environment):
        environment.update(NOTIFY_SOCKET=self.path("told"), WATCHDOG_USEC=str(WATCHDOG_S * 1000000),
                           **harness.preloaded("bad_disk", BAD_DISK=self.folder))
        return super().popen(environment)

    def start(self):
        self.process = self.popen(dict(os.environ))
        self.until(b"READY=1")
        with open(self.path("state/server.pub"), encoding="ascii") as f:
            self.server_key = f.readline().strip().encode()

    def messages(self, seconds):
        """Notifications as they come, for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.notified.settimeout(left)
            try:
                yield self.notified.recv(4096)
            except socket.timeout:
                return

    def until(self, word, seconds=LIMIT_S):
        for message in self.messages(seconds):
            if word in message:
                return message
        raise AssertionError(f"{word} was not told within {seconds} s; it said:\n{self.said()}")

    def forget(self):
        """What was told so far."""
        self.notified.setblocking(False)
        try:
            while True:
                self.notified.recv(4096)
        except BlockingIOError:
            pass

    def close(self):
        super().close()
        self.notified.close()


class Notified(test_lanes.LaneTest):
    def setUp(self):
        self.daemon = Told(harness.CLIENTS, self.sources)
        self.addCleanup(self.daemon.close)
        self.daemon.start()
        self.lanes = []

    def page(self, path):
        connection = http.client.HTTPConnection(self.daemon.http, timeout=LIMIT_S)
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return answer.status, body

    def page_says(self, status):
        until = time.monotonic() + LIMIT_S
        while time.monotonic() < until:
            self.daemon.forget()  # the kernel keeps ten notifications, then whoever sends one waits
            if self.page("/readyz")[0] == status:
                return
        self.fail(f"/readyz does not become {status}: {self.page('/readyz')}; it said:\n{self.daemon.said()}")

    def test_alive_and_what_it_is_doing(self):
        self.daemon.until(b"WATCHDOG=1", WATCHDOG_S)
        self.daemon.until(b"WATCHDOG=1", WATCHDOG_S)
        self.assertRegex(self.daemon.until(b"STATUS="), rb"manual clock; serving; \d+ events, \d+ notices sent")

    def test_a_full_disk_is_an_answer(self):
        self.daemon.write("full", "")
        self.daemon.until(b"the store refuses")
        self.daemon.until(b"WATCHDOG=1", WATCHDOG_S)
        self.daemon.until(b"WATCHDOG=1", WATCHDOG_S)
        self.assertEqual(self.page("/readyz"), (503, b"the store refuses\n"))
        self.assertEqual(self.page("/healthz")[0], 200)
        os.unlink(self.daemon.path("full"))
        self.page_says(200)
        self.cross()

    def test_a_disk_that_hangs_is_none(self):
        self.daemon.write("hangs", "")
        self.still_told()  # the beat at hand
        self.assertFalse(self.still_told(), "the watchdog is fed although a commit does not return")
        os.unlink(self.daemon.path("hangs"))
        self.daemon.until(b"WATCHDOG=1")

    def still_told(self):
        """Whether anything comes in a whole watchdog's time."""
        self.daemon.forget()
        return any(b"WATCHDOG=1" in m for m in self.daemon.messages(WATCHDOG_S))

    def test_reload(self):
        self.daemon.process.send_signal(signal.SIGHUP)
        self.assertRegex(self.daemon.until(b"RELOADING=1"), rb"MONOTONIC_USEC=\d+")
        self.assertIn(b"STATUS=serving", self.daemon.until(b"READY=1"))
        self.daemon.write("clients.yaml", "- nonsense\n")
        self.daemon.process.send_signal(signal.SIGHUP)
        self.daemon.until(b"RELOADING=1")
        self.assertIn(b"the old settings stay", self.daemon.until(b"READY=1"))

    def test_stop_with_peers_that_are_dead(self):
        self.cross()
        dead = [subprocess.Popen([harness.program("linkages-sub"), "--server", self.daemon.lanes["inbox"],
                                  "--server-key", self.daemon.path("state/server.pub"), "--key",
                                  self.daemon.path("district.key"), "--store", self.daemon.path(f"{i}.inbox"), "garcia"],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for i in range(3)]
        try:
            until = time.monotonic() + LIMIT_S
            while self.asker().ok("status")["inbox"]["sessions"] < len(dead) and time.monotonic() < until:
                pass
            self.assertEqual(self.asker().ok("status")["inbox"]["sessions"], len(dead))
            for peer in dead:
                peer.send_signal(signal.SIGSTOP)
            began = time.monotonic()
            self.daemon.process.send_signal(signal.SIGTERM)
            self.daemon.until(b"STOPPING=1")
            self.assertEqual(self.daemon.process.wait(LIMIT_S), 0)
            self.assertLess(time.monotonic() - began, STOP_S)
        finally:
            for peer in dead:
                peer.kill()
                peer.wait()


class Credential(test_lanes.LaneTest):
    def configure(self):
        """As LoadCredential= leaves it: a file in a folder that is named in the environment."""
        public, secret = (k.decode() for k in test_lanes.zmq.curve_keypair())
        os.mkdir(self.daemon.path("credentials"))
        self.daemon.write("credentials/server.key", f"{public}\n{secret}\n", 0o400)
        self.public = public
        self.addCleanup(os.environ.pop, "CREDENTIALS_DIRECTORY")
        os.environ["CREDENTIALS_DIRECTORY"] = self.daemon.path("credentials")

    def test_the_key_is_used_and_no_other_is_made(self):
        self.assertEqual(self.daemon.server_key.decode(), self.public)
        self.assertFalse(os.path.exists(self.daemon.path("state/server.key")))
        self.cross()


JOURNAL = "/run/systemd/journal/socket"


@unittest.skipIf(os.path.exists(JOURNAL) or os.getuid() != 0, "the journal runs here, or its socket cannot be made")
class Journal(unittest.TestCase):
    def test_a_line_is_an_entry_with_fields(self):
        """Where standard error is the journal, as $JOURNAL_STREAM says."""
        os.makedirs(os.path.dirname(JOURNAL), exist_ok=True)
        journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(journal.close)
        journal.bind(JOURNAL)
        self.addCleanup(os.unlink, JOURNAL)
        journal.settimeout(LIMIT_S)
        daemon = harness.Daemon(harness.CLIENTS)
        self.addCleanup(daemon.close)
        stream = os.fstat(daemon.log.fileno())
        daemon.environment["JOURNAL_STREAM"] = f"{stream.st_dev}:{stream.st_ino}"
        daemon.start()
        entry = {}
        while "LINKAGES_INTAKE" not in entry:
            entry = dict(line.split("=", 1) for line in journal.recv(4096).decode().splitlines())
        self.assertEqual((entry["PRIORITY"], entry["SYSLOG_IDENTIFIER"], entry["LINKAGES_INTAKE"]),
                         ("5", "linkagesd", daemon.lanes["intake"]))
        self.assertTrue(entry["MESSAGE"].startswith("ready version="))
        self.assertNotIn("ready", daemon.said())


if __name__ == "__main__":
    unittest.main()
