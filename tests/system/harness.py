"""harness.py - one linkagesd in a temporary folder, for a test.

In: roles of clients. Out: a running daemon, its addresses, its keys. Promise: it is ready when start() returns (it says
READY=1 on a socket of ours, as to systemd); nothing of it is left after close().
"""
import fcntl
import os
import pty
import random
import signal
import shutil
import socket
import struct
import subprocess
import tempfile
import termios
import time

import zmq

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("LINKAGES_BIN", os.path.join(ROOT, "build", "bin"))
READY_S = 60
STOP_S = 30
# Of this process alone: whoever connects does so from 127.0.0.1, and other tests listen elsewhere, so a port that was free
# stays free until it is bound.
HOST = f"127.{random.randrange(1, 255)}.{random.randrange(256)}.{random.randrange(1, 255)}"


def program(name):
    return os.path.join(BIN, name)


# Two agencies, a worker's office, and those who look after the daemon: (name, role, what else the table says).
CLIENTS = (
    ("cws", "publisher", {"sources": ["cws-cms"]}),
    ("calworks", "publisher", {"sources": ["calsaws"]}),
    ("district", "worker", {"workers": ["garcia", "jones"]}),
    ("operator", "operator", {}),
    ("auditor", "auditor", {}),
)


def preloaded(tool, **environment):
    """For a process that is to run with one of tests/tools/ before its libraries."""
    return {"LD_PRELOAD": os.path.join(BIN, "..", "tests", f"lib{tool}.so"), **environment,
            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}


def free_addresses(n):
    """Of ports that nobody has, at HOST."""
    held = [socket.create_server((HOST, 0)) for _ in range(n)]
    addresses = [f"{HOST}:{s.getsockname()[1]}" for s in held]
    for s in held:
        s.close()
    return addresses


def screen(columns, *words):
    """The lines that a program writes to a terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    run = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL, env={**os.environ, "TERM": "dumb"})
    os.close(theirs)
    said = b""
    try:
        while True:
            said += os.read(ours, 4096)
    except OSError:  # nobody has the other end any more: all was said
        pass
    os.close(ours)
    assert run.wait(STOP_S) == 0, words
    return said.decode().splitlines()


def processes(test):
    """A list: what is put into it ends with the test."""
    running = []

    def end():
        for process in running:
            if process.poll() is None:
                process.kill()
            process.communicate()

    test.addCleanup(end)
    return running


class Ended(AssertionError):
    """The daemon has left before it was ready."""


class Daemon:
    def __init__(self, clients, sources=(("cws-cms", "cws"), ("calsaws", "calworks")), clock="manual"):
        """clients: (name, role, {"sources" or "workers": […]}) each."""
        self.folder = tempfile.mkdtemp(prefix="linkages-test.")
        self.context = zmq.Context()
        self.pairs = {name: zmq.curve_keypair() for name, _, _ in clients}
        *lanes, self.http = free_addresses(4)
        self.lanes = {name: f"tcp://{address}" for name, address in zip(("feed", "intake", "inbox"), lanes)}
        self.write("linkages.yaml", self.configuration(sources, clock))
        self.write("clients.yaml", "".join(self.entry(*c) for c in clients))
        for name, pair in self.pairs.items():
            self.write(name + ".key", f"{pair[0].decode()}\n{pair[1].decode()}\n", 0o600)
        self.log = open(self.path("log"), "ab")
        self.process, self.environment = None, {}

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text, mode=0o644):
        with open(os.open(self.path(name), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as f:
            f.write(text)

    def configuration(self, sources, clock):
        lines = [f"state_directory: {self.path('state')}", f"runtime_directory: {self.path('run')}",
                 "clients: clients.yaml", f"clock: {clock}", "lanes:"]
        lines += [f"  {lane}: {address}" for lane, address in self.lanes.items()]
        lines += [f"  http: tcp://{self.http}", "sources:"] + [f"  - {{name: {n}, agency: {a}, watched: false}}" for n, a in sources]
        return "\n".join(lines) + "\n"

    def entry(self, name, role, more):
        text = f"- name: {name}\n  key: '{self.pairs[name][0].decode()}'\n  role: {role}\n"
        return text + "".join(f"  {k}: [{', '.join(v)}]\n" for k, v in more.items())

    def popen(self, environment, **more):
        return subprocess.Popen([program("linkagesd"), "--config", self.path("linkages.yaml")], stdin=subprocess.DEVNULL,
                                stdout=self.log, stderr=self.log, env=environment, **more)

    def start(self):
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.settimeout(0.1)  # and then a look whether it lives
        path = self.path("notify")
        if os.path.exists(path):
            os.unlink(path)
        notify.bind(path)
        self.process = self.popen({**os.environ, "NOTIFY_SOCKET": path, **self.environment})
        try:
            self.await_ready(notify)
        finally:
            notify.close()
        with open(self.path("state/server.pub"), encoding="ascii") as f:
            self.server_key = f.readline().strip().encode()

    def await_ready(self, notify):
        until = time.monotonic() + READY_S
        while time.monotonic() < until:
            try:
                if b"READY=1" in notify.recv(4096).split(b"\n"):
                    return
            except socket.timeout:
                if self.process.poll() is not None:
                    raise Ended(f"linkagesd left with {self.process.returncode}; it said:\n{self.said()}") from None
        raise AssertionError(f"linkagesd was not ready within {READY_S} s; it said:\n{self.said()}")

    def said(self):
        with open(self.path("log"), encoding="utf-8", errors="replace") as f:
            return f.read()[-4000:]

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(STOP_S)

    def stop(self):
        """As systemd would: SIGTERM; it drains and leaves with 0."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(STOP_S)
        assert status == 0, f"linkagesd left with {status}; it said:\n{self.said()}"

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.log.close()
        self.context.destroy(linger=0)
        shutil.rmtree(self.folder)

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None:
            print(f"linkagesd said:\n{self.said()}")
        self.close()
