#!/usr/bin/python3
"""test_first_hour.py - from an empty folder to a daemon that a county could use, with linkages-ctl alone.

In: a folder. Out: keys, configuration, table of clients; a daemon that runs with them; who is there and what waits.
Promise: each mistake is answered with a file, a line and a remedy; nothing is changed by it.
"""
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import tempfile
import unittest

import harness
import test_lanes


def run(*words, status=0, stdin=subprocess.DEVNULL, **more):
    result = subprocess.run(list(words), capture_output=True, text=True, check=False, stdin=stdin,
                            env={**{k: v for k, v in os.environ.items() if not k.endswith("_DIRECTORY")}, **more})
    assert result.returncode == status, f"{words}: {result.returncode}, not {status}: {result.stdout}{result.stderr}"
    return result.stdout + result.stderr


class FirstHour(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="linkages-test.")
        self.addCleanup(shutil.rmtree, self.folder)
        self.county = os.path.join(self.folder, "county")
        self.ctl("init", self.county)

    def ctl(self, *words, **more):
        return run(harness.program("linkages-ctl"), "--config", self.county, *words, **more)

    def path(self, name):
        return os.path.join(self.county, name)

    def text(self, name):
        with open(self.path(name), encoding="utf-8") as f:
            return f.read()

    def check(self, status=0):
        return run(harness.program("linkagesd"), "-n", "-c", self.path("linkages.yaml"), status=status)

    def add(self, name, role, covers=None, *more, **how):
        return self.ctl("--role", role, *(("--covers", covers) if covers else ()), "clients", "add", name, *more, **how)

    def clients(self):
        return {c["client"]: c for c in json.loads(self.ctl("--json", "clients", "list"))}

    def test_keys_are_secret_and_a_second_run_changes_nothing(self):
        for name in ("server.key", "keys/operator.key", "keys/auditor.key"):
            self.assertEqual(stat.S_IMODE(os.stat(self.path(name)).st_mode), 0o600)
        before = {n: self.text(n) for n in ("server.key", "server.pub", "clients.yaml", "linkages.yaml", "policy.yaml")}
        rows = json.loads(self.ctl("--json", "init", self.county))
        self.assertEqual([r["file"] for r in rows if r["made"]], [])
        self.assertEqual({n: self.text(n) for n in before}, before)

    def test_who_must_be_reachable(self):
        said = self.check(status=78)
        self.assertIn("no client reads for the liaison 'cws.liaison'", said)
        self.assertIn("clients add", said)
        self.add("liaisons", "worker", "cws.liaison,calworks.liaison")
        self.assertIn("sound", self.check())
        self.add("desk", "worker", "calworks.liaison,garcia")
        self.assertIn("then no client reads for cws.liaison\n", self.ctl("--yes", "clients", "revoke", "liaisons"))
        self.check(status=78)

    def test_a_client_is_added_rotated_and_revoked_and_comments_stay(self):
        with open(self.path("clients.yaml"), "a", encoding="utf-8") as f:
            f.write("# the last line, by hand\n")
        self.add("calsaws-feed", "publisher", "calsaws")
        first = self.clients()["calsaws-feed"]
        self.assertEqual((first["role"], first["covers"], first["revoked"]), ("publisher", ["calsaws"], False))
        self.ctl("--yes", "clients", "rotate", "calsaws-feed")
        second = self.clients()["calsaws-feed"]
        self.assertNotEqual(first["key"], second["key"])
        with open(self.path("keys/calsaws-feed.new.key"), encoding="ascii") as f:
            self.assertEqual(f.readline().strip(), second["key"])
        self.ctl("--yes", "clients", "revoke", "calsaws-feed")
        self.assertTrue(self.clients()["calsaws-feed"]["revoked"])
        self.assertIn("# the last line, by hand\n", self.text("clients.yaml"))

    def test_another_key_does_not_let_in_who_was_revoked(self):
        self.add("calsaws-feed", "publisher", "calsaws")
        self.ctl("--yes", "clients", "revoke", "calsaws-feed")
        before, line = self.text("clients.yaml"), self.text("clients.yaml").split("- name: calsaws-feed")[0].count("\n") + 1
        self.assertIn(f"clients.yaml:{line}: 'calsaws-feed' is revoked",
                      self.ctl("--yes", "clients", "rotate", "calsaws-feed", status=2))
        self.assertEqual(self.text("clients.yaml"), before)
        self.assertFalse(os.path.exists(self.path("keys/calsaws-feed.new.key")))

    def test_clients_are_listed_by_name(self):
        for i in range(8):
            self.add(f"client-{i}", "operator")
        self.assertEqual(list(self.clients()), ["auditor", *(f"client-{i}" for i in range(8)), "operator"])

    def test_a_source_that_is_not_configured_is_told_of(self):
        self.add("calsaws-feed", "publisher", "calsaws")
        self.add("liaisons", "worker", "cws.liaison,calworks.liaison")
        self.assertNotIn("no source of", self.check())
        with open(self.path("clients.yaml"), encoding="utf-8") as f:
            table = f.read()
        with open(self.path("clients.yaml"), "w", encoding="utf-8") as f:
            f.write(table.replace("sources: [calsaws]", "sources: [calsasw]"))
        self.assertIn("'calsaws-feed' speaks for 'calsasw', which the configuration has no source of", self.check())

    def keygen(self, *words):
        return subprocess.run([harness.program("linkages-ctl"), *words], cwd=self.folder, check=True, capture_output=True,
                              text=True).stdout

    def test_a_public_key_that_somebody_sent(self):
        self.assertIn("sources: [] # which?", self.keygen("keygen", "sent"))
        self.assertIn("workers: [garcia, jones]", self.keygen("--role", "worker", "--covers", "garcia, jones", "keygen", "desk"))
        self.add("sent", "publisher", "calsaws", os.path.join(self.folder, "sent.pub"))
        with open(os.path.join(self.folder, "sent.pub"), encoding="ascii") as f:
            self.assertEqual(self.clients()["sent"]["key"], f.read().strip())
        self.assertFalse(os.path.exists(self.path("keys/sent.key")))

    def test_mistakes_change_nothing(self):
        before = self.text("clients.yaml")
        for said, words in (("Say --covers", ("--role", "worker", "clients", "add", "x")),
                            ("is no role", ("--role", "chief", "clients", "add", "x")),
                            ("covers nobody", ("--role", "operator", "--covers", "a", "clients", "add", "x")),
                            ("in the table already", ("--role", "auditor", "clients", "add", "operator")),
                            ("no source 'calsasw', only: cws-cms, cws-cares, calsaws",
                             ("--covers", "cws-cms,calsasw", "clients", "add", "x")),
                            ("clients.yaml:", ("--role", "worker", "--covers", "a b", "clients", "add", "x")),
                            ("a client's name has", ("--role", "auditor", "clients", "add", "../x")),
                            ("there is no client 'x'", ("--yes", "clients", "revoke", "x")),
                            ("nobody to ask: say --yes", ("clients", "revoke", "operator")),
                            ("'clients add' takes NAME [PUBLIC]", ("clients", "add"))):
            self.assertIn(said, self.ctl(*words, status=2))
            self.assertEqual(self.text("clients.yaml"), before)
        self.assertEqual(sorted(os.listdir(self.path("keys"))), ["auditor.key", "operator.key"])

    def test_the_daemons_own_word_for_the_configuration_is_told_from_ours(self):
        for words in (("status",), ("clients", "list"), ("--yes", "restore", "x.db")):
            self.assertIn("linkages.yaml is no folder: --config names the one that holds linkages.yaml",
                          run(harness.program("linkages-ctl"), "--config", self.path("linkages.yaml"), *words, status=2))

    def test_an_entry_laid_out_otherwise_is_left_to_a_person(self):
        with open(self.path("clients.yaml"), "a", encoding="utf-8") as f:
            f.write("- {name: flat, key: '%s', role: auditor}\n" % ("0" * 40))
        line = self.text("clients.yaml").count("\n")
        self.assertIn(f"clients.yaml:{line}: this entry is laid out in a way of its own",
                      self.ctl("--yes", "clients", "revoke", "flat", status=2))

    def start(self, text):
        """The folder as it is, with this configuration on other ports, and a daemon in it."""
        for known, address in zip((5561, 5562, 5563, 5564), harness.free_addresses(4)):
            text = text.replace(f"tcp://127.0.0.1:{known}", f"tcp://{address}")
        with open(self.path("linkages.yaml"), "w", encoding="utf-8") as f:
            f.write(text)
        daemon = harness.Daemon(())
        self.addCleanup(daemon.close)
        shutil.rmtree(daemon.folder)
        shutil.copytree(self.county, daemon.folder)
        daemon.start()
        self.daemon = daemon
        self.county = daemon.folder

    def test_a_control_socket_where_the_configuration_puts_it(self):
        self.start(re.sub(r"^runtime_directory:.*$", "runtime_directory: elsewhere", self.text("linkages.yaml"), flags=re.M))
        self.assertTrue(os.path.exists(self.path("elsewhere/control")))
        self.assertRegex(self.ctl("status"), r"^linkagesd \d")

    def test_it_runs_and_is_asked(self):
        self.add("calsaws-feed", "publisher", "calsaws")
        self.start(self.text("linkages.yaml"))
        with open(self.path("server.pub"), encoding="ascii") as mine, open(self.path("state/server.pub"),
                                                                           encoding="ascii") as told:
            self.assertEqual(mine.read(), told.read())
        self.assertRegex(self.ctl("status"), r"(?s)^linkagesd \d.*alarms +none.*intake +0 sessions")
        self.assertEqual([s["source"] for s in json.loads(self.ctl("--json", "sources"))["sources"]],
                         ["cws-cms", "cws-cares", "calsaws"])
        self.assertIn("nobody is connected", self.ctl("sessions"))
        self.add("desk", "worker", "calworks.liaison")
        self.assertRegex(self.ctl("reload"), r"read again, and are in force\nno client reads for the liaison cws\.liaison: .*\n$")
        self.add("other", "worker", "cws.liaison")
        self.assertEqual(json.loads(self.ctl("--json", "reload")), {"unreachable": []})
        self.assertIn("ends", self.ctl("--yes", "stop"))

    def test_the_store_that_is_meant_is_the_configurations(self):
        self.start(self.text("linkages.yaml"))
        home = os.path.join(self.folder, "home")
        other = os.path.join(home, "linkages")
        os.makedirs(other)
        copy = os.path.join(self.folder, "copy.db")
        self.ctl("backup", copy)
        self.assertIn("stop the daemon first", self.ctl("--yes", "restore", copy, status=2, XDG_STATE_HOME=home))
        self.daemon.stop()
        self.assertIn(self.path("state"), self.ctl("--yes", "restore", copy, XDG_STATE_HOME=home))
        self.assertTrue([n for n in os.listdir(self.path("state")) if n.startswith("linkages.db.before-")])
        self.ctl("report", XDG_STATE_HOME=home)
        self.assertEqual(os.listdir(other), [])
        self.assertIn("no such folder", self.ctl("--state", self.path("nowhere"), "--yes", "restore", copy, status=2))

    def test_a_socket_that_nobody_listens_at_is_passed_over(self):
        self.start(self.text("linkages.yaml"))
        dead = socket.socket(socket.AF_UNIX)
        dead.bind(os.path.join(self.folder, "control"))
        dead.close()
        run(harness.program("linkages-ctl"), "--server-key", self.path("server.pub"), "--key", self.path("keys/operator.key"),
            "--state", self.folder, "status", RUNTIME_DIRECTORY=self.path("run"))


    def test_who_may_not_ask_is_told_so(self):
        self.start(self.text("linkages.yaml"))
        os.chmod(self.path("run"), 0)
        self.addCleanup(os.chmod, self.path("run"), 0o750)
        as_anybody = ["setpriv", "--bounding-set=-all"] if os.geteuid() == 0 else []  # root may enter any folder
        self.assertIn("permission denied: the control socket is for the daemon's group",
                      run(*as_anybody, harness.program("linkages-ctl"), "--config", self.county, "status", status=2))

    def test_a_configuration_that_cannot_be_read_asks_no_other_daemon(self):
        """One runs where it would be looked for next."""
        self.start(self.text("linkages.yaml"))
        self.ctl("status")
        for text, said in (("state_directory: [\n", "linkages.yaml:"), ("stat_directory: x\n", "stat_directory")):
            self.daemon.write("linkages.yaml", text)
            words = self.ctl("status", status=2)
            self.assertIn(self.path("linkages.yaml"), words)
            self.assertIn(said, words)
        os.unlink(self.path("linkages.yaml"))
        os.mkdir(self.path("linkages.yaml"))
        self.assertIn(f"{self.path('linkages.yaml')}: Is a directory", self.ctl("status", status=2))
        os.rmdir(self.path("linkages.yaml"))
        self.ctl("status")  # a folder of keys alone


class Looks(test_lanes.LaneTest):
    def ctl(self, *words):
        d = self.daemon
        return run(harness.program("linkages-ctl"), "--server", f"ipc://{d.path('run/control')}", "--server-key",
                   d.path("state/server.pub"), "--key", d.path("operator.key"), "--json", *words)

    def test_sources_sessions_and_workers(self):
        self.cross()
        worker = self.worker(["garcia"])
        worker.catch_up()
        sources = {s["source"]: s for s in json.loads(self.ctl("sources"))["sources"]}
        self.assertEqual((sources["calsaws"]["accepted"], sources["calsaws"]["agency"]), (3, "calworks"))
        sessions = json.loads(self.ctl("sessions"))["sessions"]
        self.assertEqual(sorted((s["lane"], s["client"], s["name"], s["for"]) for s in sessions),
                         [("inbox", "district", "python", 1), ("intake", "calworks", None, 1), ("intake", "cws", None, 1)])
        workers = {w["worker"]: w for w in json.loads(self.ctl("workers"))["workers"]}
        self.assertEqual((workers["jones"]["client"], workers["jones"]["waiting"] > 0), ("district", True))
        self.assertEqual(json.loads(self.ctl("workers", "--unreachable"))["workers"], [])

    def test_a_worker_whom_nobody_reads(self):
        self.cross()
        self.daemon.write("clients.yaml", "".join(
            self.daemon.entry(*c) for c in harness.CLIENTS if c[0] != "district"))
        self.asker().ok("reload")
        told = re.findall(r"worker=(\S+) .*no client reads for the liaison of", self.daemon.said())
        self.assertEqual(told, ["cws.liaison", "calworks.liaison"] * 2, "at the start, and at the reload")
        rows = json.loads(self.ctl("workers", "--unreachable"))["workers"]
        self.assertEqual(sorted((w["worker"], w["client"]) for w in rows), [("garcia", None), ("jones", None)])


if __name__ == "__main__":
    unittest.main()
