#!/usr/bin/python3
"""Mistakes that a newcomer makes at a terminal: each is answered at once, by name, with what to do about it.

In: the built tools, a daemon where one is needed. Out: what they say. Promise: nothing waits for a timeout that a look at
the arguments could have spared.
"""
import os
import pty
import signal
import socket
import subprocess
import tempfile
import unittest

import zmq

import harness

WAIT_S = 20


class Mistakes(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="linkages-newcomer.")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        for name in ("server", "ours"):
            public, secret = (key.decode() + "\n" for key in zmq.curve_keypair())
            self.write(name + ".pub", public)
            self.write(name + ".key", public + secret)
        self.keys = ["--server-key", self.path("server.pub"), "--key", self.path("ours.key")]

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text, mode=0o600):
        with open(os.open(self.path(name), os.O_WRONLY | os.O_CREAT, mode), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def run_tool(self, name, *words, text=""):
        run = subprocess.run([harness.program(name), *words], input=text, capture_output=True, text=True, timeout=WAIT_S,
                             check=False, env={**os.environ, "HOME": self.folder, "XDG_STATE_HOME": self.path("state")})
        return run.returncode, run.stdout, run.stderr

    def said(self, told, name, *words, status=2, **more):
        """What went wrong is on standard error, and nothing is on standard output."""
        got, out, err = self.run_tool(name, *words, **more)
        self.assertEqual((got, out), (status, ""), err)
        self.assertIn(told, err)

    def test_a_file_that_is_not_there(self):
        self.said("nofile: No such file", "linkages-pub", self.path("nofile"))
        self.said("nofile: No such file", "linkages-sim", self.path("nofile"))

    def test_events_of_nobody(self):
        self.said("say --source NAME", "linkages-pub", text="{}\n")

    def test_a_public_key_instead_of_the_key_file(self):
        self.keys[-1] = self.path("ours.pub")
        for tool, words in (("linkages-sub", ["garcia"]), ("linkages-ctl", ["--server", "ipc:///nowhere", "status"])):
            self.said("holds a public key only", tool, *self.keys, *words)

    def test_a_secret_that_others_may_read(self):
        os.chmod(self.path("ours.key"), 0o644)
        self.said("chmod 600", "linkages-sub", *self.keys, "garcia")

    def test_a_name_is_no_workers_id(self):
        for worker in ("R Garcia", "", "a" * 65, "josé"):
            self.said("is no worker's id", "linkages-sub", *self.keys, "--client", "desk", worker)

    def test_an_address_without_its_scheme(self):
        self.said("an address is like tcp://", "linkages-sub", *self.keys, "--server", "127.0.0.1:5563", "garcia")

    def test_nobody_answers(self):
        self.said("is the daemon running?", "linkages-sub", *self.keys, "--server", f"ipc://{self.path('nobody')}", "--once",
                  "--timeout", "1", "garcia")
        self.said(f"{self.folder}/control, nor at /run/linkages/control: is linkagesd running?", "linkages-ctl", "--state",
                  self.folder, "status")

    def test_a_daemon_that_does_not_run_is_named_as_the_configuration_says(self):
        """Another one has left its socket behind, where there is none of the one that is meant."""
        self.write("linkages.yaml", "state_directory: s\nruntime_directory: r\n")
        os.makedirs(self.path("state/linkages"))
        left = socket.socket(socket.AF_UNIX)
        left.bind(self.path("state/linkages/control"))
        left.close()
        self.said(f"the configuration says ipc://{self.path('r/control')}, and there is no socket", "linkages-ctl", *self.keys,
                  "--config", self.folder, "--timeout", "1", "status")

    def test_a_story_without_checks_holds_nothing(self):
        story = self.write("story.ndjson", '{"note": "nothing is checked here"}\n{"clock": "2026-03-02T08:30:00-08:00"}\n')
        status, out, err = self.run_tool("linkages-sim", "--check", story)
        self.assertEqual((status, out.splitlines()[-1]), (1, "0 passed, 1 failed"))
        self.assertIn("there is no check in it", err)

    def test_a_check_that_is_spelt_wrongly_is_named(self):
        story = self.write("story.ndjson", '{"clock": "2026-03-02T08:30:00-08:00"}\n{"never": {"kind": "visit.due"}}\n'
                           '{"expct": {"kind": "visit.due"}}\n{"clock": "tomorrow"}\n{"refused": {"field": "clock"}}\n')
        status, out, err = self.run_tool("linkages-sim", "--check", story)
        self.assertEqual((status, out.splitlines()[-1]), (0, "1 passed, 0 failed"), err)
        self.assertRegex(err, "^[^\n]*story.ndjson:3: input that was refused [(]missing[)], and no check asks for it\n$")

    def test_a_word_that_is_no_command(self):
        self.said("there is no command 'stauts'; is 'status' meant?", "linkages-ctl", "stauts")
        self.said("is 'dead-letters' meant?", "linkages-ctl", "dead-letter")
        self.said("there is no command 'zzz'; try --help", "linkages-ctl", "zzz")
        self.said("'hold' is followed by one of: add, release, list", "linkages-ctl", "hold")

    def test_a_value_that_is_none_is_refused_before_anybody_is_asked(self):
        case = ("--agency", "foo", "--purpose", "order 1")
        self.said("'foo' is no agency", "linkages-ctl", *case, "expunge", "1")
        self.said("'foo' is no agency", "linkages-ctl", *case, "family", "1")
        self.said("--timeout: 1 second or more", "linkages-ctl", "--timeout", "0", "status")
        self.said("Foo/Bar", "linkages-ctl", "--timezone", "Foo/Bar", "report")
        self.said("say one of them", "linkages-ctl", "--json", "--csv", "report")

    def test_a_file_is_named_as_it_was_given(self):
        self.said(f"{self.folder}: cannot open it: Is a directory", "linkages-pub", "--outbox", self.folder, text="{}\n")
        self.said(f"{self.folder} cannot be read: Is a directory", "linkages-ctl", "ledger", "verify", self.folder)
        self.said(f"{self.path('ours.pub')} is no copy of a store", "linkages-ctl", "ledger", "verify", self.path("ours.pub"))
        self.said(f"cannot read {self.folder}: Is a directory", "linkages-ctl", "policy", "check", self.folder)

    def test_what_was_not_sent_is_not_called_acknowledged(self):
        event = '{"specversion":"1.0","id":"1","source":"calsaws","type":"case.closed","subject":"1"}\n'
        status, out, err = self.run_tool("linkages-pub", text=event)
        self.assertEqual(status, 2, err)
        self.assertNotIn("acknowledged", out)

    def test_a_key_that_is_not_there_is_all_there_is_to_say(self):
        event = '{"specversion":"1.0","id":"1","source":"calsaws","type":"case.closed","subject":"1"}\n'
        self.said("calsaws.key is not there", "linkages-pub", "--server-key", self.path("server.pub"), text=event)
        self.said("nowhere.key: No such file", "linkages-pub", "--key", self.path("nowhere.key"), "--server-key",
                  self.path("server.pub"), text=event)

    def test_a_key_that_is_not_there_is_said_of_an_outbox_that_is_there_too(self):
        """The outbox knows its source, so that it is open before the key is looked for; all in it is acknowledged."""
        event = '{"specversion":"1.0","id":"1","source":"calsaws","type":"case.closed","subject":"1"}\n'
        outbox = ["--outbox", self.path("calsaws.outbox")]
        self.run_tool("linkages-pub", *self.keys, *outbox, "--source", "calsaws", "--timeout", "1", "--server",
                      f"ipc://{self.path('nobody')}")
        self.assertTrue(os.path.exists(outbox[1]))
        self.said("nowhere.pub: No such file", "linkages-pub", *outbox, *self.keys, "--server-key", self.path("nowhere.pub"),
                  text=event)

    def test_what_cannot_be_written_is_no_success(self):
        with open("/dev/full", "w", encoding="utf-8") as full:
            for words in (["linkages-sim", os.path.join(harness.ROOT, "tests/scenarios/06-two-places.ndjson")],
                          ["linkages-ctl", "--help"], ["linkages-sub", "--version"]):
                run = subprocess.run([harness.program(words[0]), *words[1:]], stdout=full, stderr=subprocess.DEVNULL, check=False)
                self.assertEqual(run.returncode, 2, words)


class Terminal(unittest.TestCase):
    def test_help_fits_the_terminal(self):
        for tool in ("ctl", "pub", "sub", "sim", "county", "bench"):
            for columns in (60, 80):
                for line in harness.screen(columns, harness.program("linkages-" + tool), "--help"):
                    self.assertLessEqual(len(line), columns, line)
        self.assertLessEqual(max(map(len, harness.screen(85, harness.program("linkagesd"), "--help"))), 85)

    def test_who_follows_an_empty_mailbox_is_told_that_nothing_is_amiss(self):
        with harness.Daemon([("workers", "worker", {"workers": ["garcia"]})]) as daemon:
            ours, theirs = pty.openpty()
            sub = subprocess.Popen([harness.program("linkages-sub"), "--server", daemon.lanes["inbox"], "--server-key",
                                    daemon.path("state/server.pub"), "--key", daemon.path("workers.key"), "--store",
                                    daemon.path("inbox"), "garcia"], stdin=theirs, stdout=theirs, stderr=theirs)
            os.close(theirs)
            said = b""
            while b"nothing more is waiting" not in said:
                said += os.read(ours, 4096)  # ends with an error when the tool does
            sub.send_signal(signal.SIGINT)
            self.assertEqual(sub.wait(WAIT_S), 0)
            os.close(ours)

    def test_an_empty_mailbox_is_told_of_once_and_not_at_each_reconnection(self):
        with harness.Daemon([("workers", "worker", {"workers": ["garcia"]})]) as daemon:
            ours, theirs = pty.openpty()
            sub = subprocess.Popen([harness.program("linkages-sub"), "--server", daemon.lanes["inbox"], "--server-key",
                                    daemon.path("state/server.pub"), "--key", daemon.path("workers.key"), "--no-store", "--json",
                                    "garcia"], stdin=theirs, stdout=subprocess.PIPE, stderr=theirs)
            os.close(theirs)
            self.assertIn(b"caughtup", sub.stdout.readline())
            daemon.stop()
            daemon.start()
            self.assertIn(b"caughtup", sub.stdout.readline())
            said = b""
            while b"the daemon answers again" not in said:
                said += os.read(ours, 4096)
            sub.send_signal(signal.SIGINT)
            self.assertEqual(sub.wait(WAIT_S), 0)
            sub.stdout.close()
            self.assertEqual(said.count(b"nothing was ever told"), 1, said)
            os.close(ours)

    def test_a_name_that_nobody_ever_told_anything_is_asked_about(self):
        with harness.Daemon([("workers", "worker", {"workers": ["'*'"]})]) as daemon:
            run = subprocess.run([harness.program("linkages-sub"), "--server", daemon.lanes["inbox"], "--server-key",
                                  daemon.path("state/server.pub"), "--key", daemon.path("workers.key"), "--no-store", "--once",
                                  "garsia"], capture_output=True, text=True, timeout=WAIT_S, check=False)
            self.assertEqual((run.returncode, run.stdout), (0, ""))
            self.assertIn("nothing was ever told to 'garsia': is that the worker's id?", run.stderr)


if __name__ == "__main__":
    unittest.main()
