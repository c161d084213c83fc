#!/usr/bin/python3
"""sessions.py - what connected workers' clients cost a daemon while nothing happens.

In: how many sessions, for how many seconds; how many of them come at once, as after a start of the daemon; how much each
says, as in a long life; a folder of `linkages-bench --state DIR` to be connected to the daemon that it runs, else a daemon
is started. Out: one line: sessions, how long until all were welcome, the daemon's share of a core, its memory a connection.
Promise: every session is a real one, over CURVE, that has said hello and answers what it is asked, and says hello again
where that was lost; one that ends while the time is taken fails the run.

Each session needs two descriptors here and one in the daemon: mind `ulimit -n`. They are spread over processes of this program.
"""
import argparse
import os
import re
import subprocess
import sys
import time

import zmq

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "system"))
import harness  # noqa: E402
import peer  # noqa: E402

A_PROCESS = 4000  # sessions
OPEN_S = 300
LOST_S = 15  # after which a hello was lost, with the connection that it went by
AGAIN_MS = (1000, 60000)  # pauses of those who are not let in, as the library's
SILENCE_S = 5  # after which a ping is due, as the protocol says
ROUND_S = 0.25
PING, PONG = peer.pack({"m": "ping"}), peer.pack({"m": "pong"})


class Session:
    def __init__(self, context, address, keys, worker):
        self.socket = peer.curve_socket(context, zmq.DEALER, address, keys[0], keys[1:], AGAIN_MS)
        self.worker, self.said_at, self.is_open = worker, 0.0, False

    def say(self, body, now):
        self.socket.send(body)
        self.said_at = now

    def hello(self, now):
        self.say(peer.pack({"m": "hello", "v": 1, "client": self.worker,
                            "workers": [{"worker": self.worker, "mailbox": None, "last": 0}]}), now)

    def take(self, now):
        """All that has come. A session that was ended says why."""
        while True:
            try:
                message = peer.unpack(self.socket.recv(zmq.NOBLOCK))
            except zmq.Again:
                break
            if message["m"] == "error" and message["code"] != "no_session":
                raise SystemExit(f"session of {self.worker}: {message}")
            if message["m"] == "error":  # the connection is another one
                self.is_open = False
                self.hello(now)
            if message["m"] == "ping":
                self.say(PONG, now)
            self.is_open |= message["m"] == "welcome"
        if self.is_open and now - self.said_at >= SILENCE_S:
            self.say(PING, now)
        elif not self.is_open and now - self.said_at >= LOST_S:
            self.hello(now)


def look(sessions, pause_s):
    now = time.monotonic()
    for s in sessions:
        s.take(now)
    time.sleep(max(0.0, now + pause_s - time.monotonic()))


def open_some(sessions, more):
    """Those that are asked for; meanwhile the others are looked at now and then."""
    for s in more:
        s.hello(time.monotonic())
    until = time.monotonic() + OPEN_S
    while not all(s.is_open for s in more):
        if time.monotonic() > until:
            raise SystemExit("a session is not welcomed")
        look(more, 0.1)
    sessions += more


def live(sessions, said):
    """Each says so many pings and hears as many answers, a hundred sessions at a time."""
    for begin in range(0, len(sessions), 100):
        some = sessions[begin:begin + 100]
        for _ in range(said):
            now = time.monotonic()
            for s in some:
                s.say(PING, now)
            for s in some:
                s.socket.poll(5000)
                s.take(now)
        look(sessions, 0)


def hold(first, n, at_once, said, address, keys):
    """A process of this program: opens its sessions, says so, and holds them until its input ends."""
    context = zmq.Context()
    context.set(zmq.MAX_SOCKETS, n + 16)
    sessions, looked_at = [], time.monotonic()
    while len(sessions) < n:
        names = range(first + len(sessions), first + min(n, len(sessions) + at_once))
        open_some(sessions, [Session(context, address, keys, f"idle{i:05d}") for i in names])
        if time.monotonic() > looked_at + 1:
            looked_at = time.monotonic()
            look(sessions, 0)
    live(sessions, said)
    while not all(s.is_open for s in sessions):
        look(sessions, ROUND_S)
    print("open", flush=True)
    os.set_blocking(sys.stdin.fileno(), False)
    while sys.stdin.buffer.read(1) != b"":
        look(sessions, ROUND_S)
        if not all(s.is_open for s in sessions):
            raise SystemExit("a session was lost")


class Holders:
    def __init__(self, given, address, keys):
        processes = range(0, given.sessions, A_PROCESS)
        at_once = max(1, given.at_once // len(processes))
        self.processes = [
            subprocess.Popen([sys.executable, __file__, "--hold", str(first), str(min(A_PROCESS, given.sessions - first)),
                              str(at_once), str(given.pings), address, *(k.decode() for k in keys)],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            for first in processes]

    def await_open(self):
        for p in self.processes:
            if p.stdout.readline() != b"open\n":
                raise SystemExit("the sessions cannot be opened")

    def are_there(self):
        return all(p.poll() is None for p in self.processes)

    def end(self):
        for p in self.processes:
            p.stdin.close()
        for p in self.processes:
            p.wait()


def read(path):
    with open(path, encoding="ascii") as f:
        return f.read()


def usage(pid):
    """Seconds of processor, KiB of memory."""
    fields = read(f"/proc/{pid}/stat").rsplit(")", 1)[1].split()
    resident = re.search(r"VmRSS:\s+(\d+)", read(f"/proc/{pid}/status")).group(1)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), int(resident)


def measure(pid, given, address, keys):
    n, before, begun = given.sessions, usage(pid), time.monotonic()
    holders = Holders(given, address, keys)
    try:
        holders.await_open()
        opened, took = usage(pid), time.monotonic() - begun
        time.sleep(given.seconds)
        after = usage(pid)
        if not holders.are_there():
            raise SystemExit("a session ended by itself")
    finally:
        holders.end()
    print(f"linkagesd sessions={n} open_s={took:.1f} seconds={given.seconds} "
          f"core_percent={(after[0] - opened[0]) / given.seconds * 100:.2f} "
          f"hello_us={(opened[0] - before[0]) / n * 1e6:.0f} resident_mib={after[1] / 1024:.1f} "
          f"kib_a_session={(after[1] - before[1]) / n:.1f}")


def beside(folder, given):
    """The daemon that linkages-bench runs in this folder."""
    pid = next(int(p) for p in os.listdir("/proc") if p.isdigit() and
               f"{folder}/linkages.yaml" in read_or_nothing(f"/proc/{p}/cmdline"))
    address = re.search(r"inbox: (\S+)", read(f"{folder}/linkages.yaml")).group(1)
    keys = [read(f"{folder}/state/server.pub").strip(), *read(f"{folder}/workers.key").split()[:2]]
    measure(pid, given, address, [k.encode() for k in keys])


def read_or_nothing(path):
    try:
        return read(path)
    except (OSError, UnicodeDecodeError):
        return ""


def alone(given):
    with harness.Daemon([("workers", "worker", {"workers": ["'*'"]})], clock="real") as daemon:
        measure(daemon.process.pid, given, daemon.lanes["inbox"], [daemon.server_key, *daemon.pairs["workers"]])


def main():
    if sys.argv[1:2] == ["--hold"]:
        hold(*(int(a) for a in sys.argv[2:6]), sys.argv[6], [k.encode() for k in sys.argv[7:10]])
        return
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--sessions", type=int, default=1000)
    options.add_argument("--seconds", type=int, default=20)
    options.add_argument("--at-once", type=int, default=300, help="how many of them come together")
    options.add_argument("--pings", type=int, default=0, help="that each says first: 12 are a minute of a session's life")
    options.add_argument("--beside", metavar="DIR", help="the folder of a linkages-bench that runs")
    given = options.parse_args()
    if given.beside:
        beside(os.path.abspath(given.beside), given)
    else:
        alone(given)


main()
