"""test_bench.py - the bench measures a real daemon, and leaves nothing.

In: a small flood, a small paced run, wrong words. Out: exit status. Promise: each prints its one line, whose figures
agree with each other; an unknown daemon is named; no folder and no process is left.
"""
import contextlib
import os
import re
import sqlite3
import subprocess
import tempfile

from harness import program

FLOOD = re.compile(r"linkagesd flood events=(\d+) seconds=([\d.]+) events_per_s=(\d+)\n")
PACED = re.compile(r"linkagesd paced events=(\d+) seconds=([\d.]+) events_per_s=(\d+)"
                   r" p50_ms=([\d.]+) p99_ms=([\d.]+) max_ms=([\d.]+)\n")


def bench(folder, *words):
    return subprocess.run([program("linkages-bench"), *words], capture_output=True, text=True, timeout=150,
                          env={**os.environ, "TMPDIR": folder})


def measured(folder, line, *words):
    ran = bench(folder, *words)
    assert ran.returncode == 0, ran.stderr
    found = line.fullmatch(ran.stdout)
    assert found, ran.stdout
    return [float(word) for word in found.groups()]


with tempfile.TemporaryDirectory() as folder:
    events, seconds, rate = measured(folder, FLOOD, "--events", "300", "--families", "20")
    assert events == 300 and events / (seconds + 0.001) < rate < events / (seconds - 0.001), (seconds, rate)
    events, seconds, rate, p50, p99, most = measured(folder, PACED, "--events", "100", "--families", "20", "--paced", "200")
    assert events == 100 and seconds > 99 / 200 and 0 < p50 <= p99 <= most
    wrong = bench(folder, "--daemon", "/nowhere/linkagesd")
    assert wrong.returncode == 2 and "/nowhere/linkagesd" in wrong.stderr and wrong.stdout == ""
    for words, told in ((["--paced", "0"], "--paced wants 1 or more"), (["--reload"], "--reload goes with --paced"),
                        (["flood"], "'flood' is not an option"), (["--events", "0"], "1 to 9999999")):
        wrong = bench(folder, *words)
        assert wrong.returncode == 2 and told in wrong.stderr and wrong.stdout == "", (words, wrong.stderr)
    assert os.listdir(folder) == []

    state = os.path.join(folder, "kept")
    words = ["--events", "10", "--families", "10", "--state", state, "--details"]
    assert bench(folder, *words).returncode == 0
    again = bench(folder, *words)
    assert again.returncode == 0 and "cpu_us_per_event" in again.stderr, again.stderr
    with contextlib.closing(sqlite3.connect(os.path.join(state, "state", "linkages.db"))) as db:
        spoken = db.execute("SELECT count(*) FROM event WHERE type = (SELECT type FROM event ORDER BY position DESC LIMIT 1) "
                            "GROUP BY case_ref").fetchall()
    assert spoken == [(1,)] * 20, "the second run speaks of the cases that the first has left out"
    other = bench(folder, *words, "--paced", "200", "--reload")
    assert other.returncode == 0 and "every family derived again within" in other.stderr, other.stderr
print("ok")
