#!/usr/bin/python3
"""The demo's promise: it ends well, or when it is interrupted, and leaves nothing running and nothing behind."""
import os
import pathlib
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
        self.assertRegex(said, r"\d+ events in, \d+ notices out to \d+ workers, 0 refused")
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


if __name__ == "__main__":
    unittest.main()
