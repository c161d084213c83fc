#!/usr/bin/python3
"""beside_redis.py - the durable part of linkages-bench's work done by Redis, to be run beside it on the same machine.

In: as linkages-bench: how many events over how many families, and a pace or none. Out: a line of the same form, and what the
client itself used of a core. Promise: each event is stored once (XADD under the publisher's own number, which Redis takes
once), its family's row is written (HSET), two numbered notices are stored in the mailboxes of two of 128 workers (XADD), one
reader receives all of them (XREAD) and says how far it has come (HSET, twice a second, as a daemon of ours writes receipts);
appendfsync is always, so that whoever is answered is on disk. There are no rules, no late events, no ledger, no keys and no
encryption: it is what a store of that kind takes at the least.

Needs Debian's redis-server, and nothing else of Redis: `apt-get install redis-server`. The project does not depend on it.

What is sent is made before the first publish, and two publishers have at most 1,024 events on the way, each.
"""
import argparse
import os
import re
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "system"))
import harness  # noqa: E402

WINDOW = 1024
SOURCES = ("cws-cms", "calsaws")
RECEIPTS_S = 0.5
STUCK_S = 60
NOTE = ("Certificate of the second course was handed in at the district office; attendance was complete in all twelve weeks, "
        "and the next course begins in the autumn.")[:150]
WORK = """#!lua name=linkages
redis.register_function('event', function(keys, args)
	local source, seq, family, id, body, notice = args[1], args[2], args[3], args[6], args[7], args[8]
	redis.call('XADD', 'log:' .. source, seq .. '-0', 'event', body)
	redis.call('HSET', 'family:' .. family, 'last', id, 'by', source, 'milestone', 'training_completed')
	for side = 4, 5 do
		redis.call('XADD', args[side], '0-*', 'event', id, 'notice', notice)
	end
	return 1
end)
"""
ENTRY = re.compile(rb"\*2\r\n\$\d+\r\n0-(\d+)\r\n\*4\r\n\$5\r\nevent\r\n\$\d+\r\n(\d+)\r\n")


def command(*words):
    words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


def event(n, families, workers):
    """The nth: the agencies take turns, half the county apart, as in linkages-bench."""
    side = n % 2
    family = (n // 2 + side * families // 2) % families
    half = max(1, len(workers) // 2)
    leads = workers[family % half * 2 % len(workers)], workers[(family % half * 2 + 1) % len(workers)]
    body = (f'{{"specversion":"1.0","id":"{n:07}","source":"{SOURCES[side]}","type":"milestone.reached","subject":"{family:07}",'
            f'"time":"2026-03-02T10:00:00Z","data":{{"milestone":"training_completed","note":"{NOTE}"}}}}')
    notice = (f'{{"kind":"milestone.reached","state":"new","level":"content","own":"C{family:07}","other":"W{family:07}",'
              f'"at":"2026-03-02T10:00:00Z","about":{{"milestone":"training_completed","note":"{NOTE}"}}}}')
    return command("FCALL", "event", 0, SOURCES[side], n // 2 + 1, family, *leads, n, body, notice)


class Server:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="beside-redis.")
        self.address = harness.free_addresses(1)[0].split(":")
        self.process = subprocess.Popen(
            ["redis-server", "--bind", self.address[0], "--port", self.address[1], "--dir", self.folder, "--save", "", "--appendonly",
             "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0", "--daemonize", "no"],
            stdout=subprocess.DEVNULL)

    def connect(self):
        until = time.monotonic() + 20
        while True:
            try:
                s = socket.create_connection(self.address)
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return s
            except ConnectionRefusedError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.01)

    def cpu_s(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def bytes(self):
        return sum(os.path.getsize(os.path.join(at, f)) for at, _, files in os.walk(self.folder) for f in files)

    def close(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder)


def ask(s, *words):
    s.sendall(command(*words))
    answer = s.recv(1 << 16)
    if answer[:1] == b"-":
        raise SystemExit(f"redis: {answer.decode().strip()}")
    return answer


class Publisher:
    """Sends what it has as far as its window reaches. An answer is `:1` and a line's end; anything else is a fault."""

    def __init__(self, server, events):
        self.socket, self.events = server.connect(), events
        self.sent = self.answered = 0

    def say(self, upto):
        upto = min(upto, len(self.events), self.answered + WINDOW)
        if upto > self.sent:
            self.socket.sendall(b"".join(self.events[self.sent:upto]))
            self.sent = upto

    def hear(self):
        said = self.socket.recv(1 << 16)
        if b"-" in said or said == b"":
            raise SystemExit(f"redis: {said[:200]}")
        self.answered += said.count(b"\n")


class Reader:
    """One client of all mailboxes. It asks again when an answer is whole."""

    def __init__(self, server, workers):
        self.socket, self.receipts = server.connect(), server.connect()
        self.reached = dict.fromkeys(workers, 0)
        self.to_say, self.said_at = set(), 0.0
        self.rest = b""
        self.ask()

    def ask(self):
        places = self.reached
        self.socket.sendall(command("XREAD", "COUNT", 256, "BLOCK", 0, "STREAMS", *places, *(f"0-{n}" for n in places.values())))

    def hear(self):
        """Numbers of the events that whole answers tell of; none while one is not whole."""
        self.rest += self.socket.recv(1 << 20)
        end = whole(self.rest, 0)
        if end < 0:
            return []
        events = []
        for part in re.split(rb"\*2\r\n\$5\r\n(?=w\d{4}\r\n)", self.rest[:end])[1:]:
            worker, said = part[:5].decode(), ENTRY.findall(part)
            if [int(n) for n, _ in said] != list(range(self.reached[worker] + 1, self.reached[worker] + 1 + len(said))):
                raise SystemExit(f"{worker}: notices are missing or come twice")
            self.reached[worker] += len(said)
            self.to_say.add(worker)
            events += [int(e) for _, e in said]
        self.rest = self.rest[end:]
        self.ask()
        return events

    def say_receipts(self, now):
        if self.to_say and now - self.said_at >= RECEIPTS_S:
            ask(self.receipts, "HSET", "received", *(x for w in self.to_say for x in (w, self.reached[w])))
            self.to_say, self.said_at = set(), now


HEAD = re.compile(rb"([*$:+-])(-?\d*)[^\r]*\r\n")


def whole(said, at):
    """Where the answer that begins at `at` ends; -1: it is not all here. Entries are skipped by their length."""
    left = 1
    while left > 0:
        head = HEAD.match(said, at)
        if head is None:
            return -1
        at, left = head.end(), left - 1
        if head[1] == b"*":
            left += int(head[2])
        elif head[1] == b"$":
            at += int(head[2]) + 2
    return at if at <= len(said) else -1


def run(given, server):
    workers = [f"w{i:04}" for i in range(given.mailboxes)]
    events = [event(n, given.families, workers) for n in range(given.events)]
    publishers = [Publisher(server, events[side::2]) for side in range(2)]
    reader = Reader(server, workers)
    sent_at, took, received = [0.0] * given.events, [], 0
    poll = select.poll()
    heard = {}
    for peer in (*publishers, reader):
        poll.register(peer.socket, select.POLLIN)
        heard[peer.socket.fileno()] = peer
    begun, used, own = time.monotonic(), server.cpu_s(), time.process_time()
    due, moved = 0, begun
    while received < 2 * given.events:
        now = time.monotonic()
        if given.paced:
            upto = min(given.events, int((now - begun) * given.paced) + 1)
            for n in range(due, upto):
                sent_at[n] = time.monotonic()
                publishers[n % 2].say(n // 2 + 1)
            due = upto
        else:
            for p in publishers:
                p.say(len(p.events))
        pause = begun + due / given.paced - time.monotonic() if given.paced and due < given.events else 1
        for fd, _ in poll.poll(max(0.0, pause * 1000)):
            told = heard[fd].hear()
            if told:
                now = moved = time.monotonic()
                received += len(told)
                took += [now - sent_at[n] for n in told] if given.paced else ()
        reader.say_receipts(now)
        if time.monotonic() - moved > STUCK_S:
            raise SystemExit("nothing moves for a minute")
    seconds = time.monotonic() - begun
    return seconds, (server.cpu_s() - used) / given.events, (time.process_time() - own) / seconds, sorted(took)


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("-n", "--events", type=int, default=200000)
    options.add_argument("-f", "--families", type=int, default=10000)
    options.add_argument("-p", "--paced", type=int, default=0, metavar="R", help="R events a second; else as fast as it goes")
    options.add_argument("--mailboxes", type=int, default=128, help="1: the least that Redis can be asked for")
    given = options.parse_args()
    if shutil.which("redis-server") is None:
        sys.exit("there is no redis-server here: apt-get install redis-server")
    server = Server()
    try:
        with server.connect() as s:
            ask(s, "FUNCTION", "LOAD", WORK)
        seconds, cpu_s, share, took = run(given, server)
        line = (f"redis {'paced' if given.paced else 'flood'} events={given.events} seconds={seconds:.3f} "
                f"events_per_s={given.events / seconds:.0f}")
        if took:
            line += "".join(f" {name}_ms={took[(len(took) - 1) * at // 1000] * 1e3:.3f}"
                            for name, at in (("p50", 500), ("p99", 990), ("max", 1000)))
        print(line)
        print(f"cpu_us_per_event redis={cpu_s * 1e6:.1f}; client's share of a core {share:.2f}; "
              f"bytes_per_event {server.bytes() / given.events:.0f}", file=sys.stderr)
    finally:
        server.close()


main()
