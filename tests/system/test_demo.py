#!/usr/bin/python3
"""What README.md lets a newcomer try: the demo ends well, or when it is interrupted, and leaves nothing running and nothing
behind; the commands of "Try it by hand" do what they say when all of them are pasted at once."""
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import unittest

import harness

DEMO = ["sh", os.path.join(harness.ROOT, "tests", "system", "demo.sh"), harness.BIN]
SMALL = {"FAMILIES": "150", "DAYS": "4"}
LIMIT_S = 120


def mentions(folder):
    """Processes that were given the folder: on the command line or in the environment."""
    found = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if folder.encode() in told:
            found.append(told.split(b"\0")[0])
    return found


class Demo(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="linkages-test.")
        self.addCleanup(temporary.cleanup)
        self.folder = temporary.name

    def start(self, **more):
        return subprocess.Popen(DEMO, env={**os.environ, **more, "TMPDIR": self.folder}, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True)

    def assert_nothing_left(self):
        self.assertEqual(os.listdir(self.folder), [])
        self.assertEqual(mentions(self.folder), [])

    def test_to_the_end(self):
        with self.start(**SMALL) as demo:
            said = demo.communicate(timeout=LIMIT_S)[0]
        self.assertEqual(demo.returncode, 0, said)
        self.assertRegex(said, r"crossover\.found +\d+")
        self.assertRegex(said, r"\d+ events in, \d+ notices out to \d+ workers,\n0 refused")
        self.assert_nothing_left()

    def test_interrupted(self):
        with self.start(FAMILIES="2000", DAYS="30") as demo:
            for line in demo.stdout:
                if "crossover.found" in line:
                    break
            demo.send_signal(signal.SIGINT)
            demo.communicate(timeout=LIMIT_S)
        self.assertEqual(demo.returncode, 130)
        self.assert_nothing_left()

    def test_nobody_reads_on(self):
        with self.start(**SMALL) as demo:
            while "Following" not in demo.stdout.readline():
                pass
            demo.stdout.close()
            demo.wait(LIMIT_S)
        self.assertEqual(demo.returncode, 141)
        self.assert_nothing_left()


class ByHand(unittest.TestCase):
    """As README.md has them, but for lanes in a folder of ours rather than ports that somebody else may have."""

    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="linkages-test.")
        self.addCleanup(temporary.cleanup)
        self.folder = temporary.name
        with open(os.path.join(self.folder, "lanes.yaml"), "w", encoding="utf-8") as f:
            f.write(f"lanes: {{feed: 'ipc://{self.folder}/feed', intake: 'ipc://{self.folder}/intake', "
                    f"inbox: 'ipc://{self.folder}/inbox', http: off}}\n")

    def commands(self):
        with open(os.path.join(harness.ROOT, "README.md"), encoding="utf-8") as f:
            block = re.search(r"### Try it by hand\n\n```sh\n(.*?)```", f.read(), re.S)[1]
        block = block.replace("/tmp/", self.folder + "/")
        for name, more in (("linkagesd", f" --config {self.folder}/lanes.yaml"), ("linkages-pub", f" --server ipc://{self.folder}/intake"),
                           ("linkages-sub", f" --server ipc://{self.folder}/inbox"), ("linkages-ctl", "")):
            block = re.sub(rf"build/bin/{name}\b", harness.program(name) + more, block)
        return "set -e\n" + block + "wait\n"

    def test_pasted_at_once(self):
        environment = {k: v for k, v in os.environ.items() if not k.endswith("_DIRECTORY") and not k.startswith("XDG_")}
        shell = subprocess.Popen(["sh", "-c", self.commands()], cwd=harness.ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 text=True, start_new_session=True, env={**environment, "HOME": self.folder})
        try:
            said, complained = shell.communicate(timeout=LIMIT_S)
        finally:
            if mentions(self.folder):
                os.killpg(shell.pid, signal.SIGKILL)
        self.assertEqual((shell.returncode, complained), (0, ""), said)
        self.assertEqual(said.count("all acknowledged"), 2)
        self.assertIn("crossover.found", said)
        self.assertIn("served by both agencies since 2026-03-02", said)
        self.assertEqual(mentions(self.folder), [])


if __name__ == "__main__":
    unittest.main()
