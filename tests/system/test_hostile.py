#!/usr/bin/python3
"""test_hostile.py - who may not come in, and who comes in and claims to be another.

In: peers that speak ZMTP and CURVE by hand (zmtp.py). Out: for each fact that is known of libzmq, that its guard holds:
refused, counted, no crash, memory bounded, others served. HOSTILE.md has the table. Nothing sleeps.
"""
import os
import select
import struct
import unittest

import besieged
import peer
import zmtp
from besieged import hello, worker_hello

NULL = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32)
PLAIN = NULL[:12] + b"PLAIN".ljust(20, b"\0") + bytes(32)
READY = zmtp.frame(b"\x05READY" + zmtp.metadata((b"Socket-Type", b"DEALER")), zmtp.COMMAND)
LIE = zmtp.frame(b"\x05HELLO\x01\x00" + os.urandom(192), zmtp.COMMAND)

# What comes first on a connection: name, bytes. None of them is a CURVE handshake that could end well.
FIRST_PACKETS = (
    ("nothing", b""),
    ("one_byte", b"\xff"),
    ("zmtp_1", b"\x01\x00" + b"\x02\x00x" * 100),
    ("zmtp_1_long", b"\xff" + struct.pack(">Q", 1 << 30) + b"\x00" + bytes(4096)),
    ("zmtp_2", b"\xff" + bytes(8) + b"\x7f\x01\x05\x00\x00" + b"\x00\x01x" * 100),
    ("zmtp_3_null", NULL + READY + zmtp.frame(b"x")),
    ("zmtp_3_plain", PLAIN + zmtp.frame(b"\x05HELLO\x01a\x01b", zmtp.COMMAND)),
    ("no_mechanism", zmtp.GREETING[:12] + bytes(52)),
    ("as_server", zmtp.GREETING[:32] + b"\x01" + bytes(31)),
    ("http", b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("tls", bytes.fromhex("16030100c8010000c40303") + os.urandom(193)),
    ("ssh", b"SSH-2.0-OpenSSH_9.2\r\n"),
    ("ones", b"\xff" * 65536),
    ("zeros", bytes(65536)),
    ("noise", os.urandom(65536)),
    ("gibibyte_command", zmtp.GREETING + b"\x06" + struct.pack(">Q", 1 << 30) + bytes(1 << 20)),
    ("exbibyte_frame", zmtp.GREETING + b"\x02" + struct.pack(">Q", (1 << 63) - 1) + bytes(1 << 20)),
    ("negative_frame", zmtp.GREETING + b"\x02" + struct.pack(">Q", (1 << 64) - 1) + bytes(1 << 16)),
    ("endless_hello", zmtp.GREETING + b"\x06" + struct.pack(">Q", 1 << 20) + b"\x05HELLO" + bytes(1 << 20)),
    ("hello_of_noise", zmtp.GREETING + LIE),
    ("hello_cut_short", zmtp.GREETING + zmtp.frame(b"\x05HELLO\x01\x00", zmtp.COMMAND)),
    ("hello_version_9", zmtp.GREETING + zmtp.frame(b"\x05HELLO\x09\x09" + bytes(192), zmtp.COMMAND)),
    ("initiate_first", zmtp.GREETING + zmtp.frame(b"\x08INITIATE" + bytes(248), zmtp.COMMAND)),
    ("message_first", zmtp.GREETING + zmtp.frame(b"\x07MESSAGE" + bytes(64))),
    ("ready_first", zmtp.GREETING + READY),
    ("error_first", zmtp.GREETING + zmtp.frame(b"\x05ERROR\xff", zmtp.COMMAND)),
    ("empty_frames", zmtp.GREETING + bytes(2) * 4096),
    ("reserved_flags", zmtp.GREETING + b"\xf8\x05HELLO"),
)


def pour(connections):
    """Sends to all what each has to say, reads until each is closed. What came back, by connection; None: never closed."""
    left = {c: memoryview(text) for c, text in connections.items()}
    heard, over = {c: b"" for c in connections}, set()
    for c in connections:
        c.setblocking(False)
    while len(over) < len(connections):
        reads = [c for c in connections if c not in over]
        writes = [c for c in reads if left[c]]
        ready, able, _ = select.select(reads, writes, [], zmtp.LIMIT_S)
        if not ready and not able:
            break
        for c in able:
            try:
                left[c] = left[c][c.send(left[c]):]
            except OSError:
                left[c] = memoryview(b"")
        for c in ready:
            try:
                more = c.recv(65536)
            except OSError:
                more = b""
            heard[c] += more
            if not more:
                over.add(c)
    return {c: heard[c] if c in over else None for c in connections}


class Strangers(besieged.Siege):
    """Nobody without an enrolled key: no byte of ours beyond the greeting and a refusal."""

    def test_what_is_no_handshake_is_closed(self):
        with self.siege("what is no handshake") as figure:
            names, connections = {}, {}
            addresses = {**self.lanes, "http": "tcp://" + self.daemon.http}
            for lane, address in addresses.items():
                for name, text in FIRST_PACKETS:
                    c = self.keep(zmtp.dial(address))
                    names[c], connections[c] = (lane, name), text
            for c, heard in pour(connections).items():
                self.assertIsNotNone(heard, f"{names[c]} was never closed")
                self.assertTrue(len(heard) < 256 or names[c] == ("http", "http"), names[c])
                self.assertNotIn(b"READY", heard, names[c])
            figure.update(kinds=len(FIRST_PACKETS), closed=len(connections))
        self.assertEqual(self.counters()["zap_admitted"], 3, "the bystanders and the operator")

    def refused(self, lane, *properties, **who):
        """Of a handshake: as far as it goes. The connection, for the daemon to close."""
        p = self.raw(lane, **who)
        try:
            p.greet()
            p.hello()
            p.initiate(((b"Socket-Type", b"XPUB" if lane == "feed" else b"DEALER"), *properties), wait=False)
        except zmtp.Refused:
            pass
        return p.socket

    def test_keys_that_open_nothing(self):
        """A key that is not enrolled, one that is revoked, another server's key; and a stranger who names a client."""
        d = self.daemon
        text = "".join(d.entry(*c) for c in self.clients)
        d.write("clients.yaml", text.replace(d.entry(*self.clients[-1]), d.entry(*self.clients[-1]) + "  revoked: true\n"))
        self.ask("reload")
        wrong, name = zmtp.zmq.curve_keypair()[0], (b"User-Id", b"0" * 32 + b":" + d.pairs["calworks"][0])
        with self.siege("keys that open nothing", zap_unknown=8, zap_revoked=4) as figure:
            tries = [(self.refused(lane, keys=zmtp.pair()), self.refused(lane, client="gone"),
                      self.refused(lane, client="calworks", server_key=wrong), self.refused(lane, name, keys=zmtp.pair()))
                     for lane in besieged.LANES]
            connections = {c: b"" for lane in tries for c in lane}
            for heard in pour(connections).values():
                self.assertIsNotNone(heard)
                self.assertNotIn(b"READY", heard)
            figure["refused"] = len(connections)
        d.write("clients.yaml", text)
        self.ask("reload")

    def test_a_thousand_who_say_nothing(self):
        """They are shown out after the handshake's three seconds, and cost little until then."""
        with self.siege("idle connections", rss_mb=64) as figure:
            idle = [self.keep(zmtp.dial(self.lanes[lane])) for lane in ("feed", "intake", "inbox") for _ in range(334)]
            figure["served_meanwhile_ms"] = round(self.serve() * 1000)
            waiting = set(idle)
            while waiting:
                poll = select.poll()
                for c in waiting:
                    poll.register(c, select.POLLIN)
                ready = {fd for fd, _ in poll.poll(zmtp.LIMIT_S * 1000)}
                self.assertTrue(ready, f"{len(waiting)} were never closed")
                waiting -= {c for c in waiting if c.fileno() in ready and self.at_end(c)}
            figure["closed"] = len(idle)

    @staticmethod
    def at_end(connection):
        try:
            return connection.recv(65536) == b""
        except ConnectionError:
            return True


class Descriptors(besieged.Siege):
    """More connections than the process may have: who is in is served, and when they go others come in."""

    LIMIT = 96

    @classmethod
    def start(cls):
        super().start()
        limit = struct.pack("QQ", cls.LIMIT, cls.LIMIT)
        assert zmtp.prlimit(cls.daemon.process.pid, zmtp.RLIMIT_NOFILE, limit) == 0

    def test_the_limit_is_survived(self):
        with self.siege("more connections than descriptors") as figure:
            crowd = [self.keep(zmtp.dial(self.lanes["intake"])) for _ in range(2 * self.LIMIT)]
            self.keep(zmtp.dial(f"ipc://{self.daemon.path('run/control')}"))  # which libzmq takes for a fault of its own
            figure.update(limit=self.LIMIT, connections=len(crowd), served_meanwhile_ms=round(self.serve() * 1000))
            late = self.raw("intake", "calworks")
            late.shake()  # the idle ones are shown out, and then there is room
            self.said(late, **hello())
            self.assertEqual(self.answer(late)["m"], "subscribe")
            self.ask("reload")


class Impostors(besieged.Siege):
    """Enrolled keys that claim to be others."""

    def test_what_one_says_of_oneself_is_not_believed(self):
        d = self.daemon
        with self.siege("forged User-Id", errors_sent=2) as figure:
            for forged in (d.pairs["cws"][0], b"0" * 32 + b":" + d.pairs["cws"][0]):
                p = self.raw("intake", "calworks")
                p.shake(b"DEALER", (b"User-Id", forged), (b"user-id", forged), (b"Peer-Address", b"::1"))
                self.said(p, **hello("cws-cms"))
                self.assertEqual(self.answer(p)["code"], "forbidden")
                self.said(p, **hello())
                self.assertEqual(self.answer(p)["m"], "subscribe", "its own source it may speak for")
            figure["forged"] = 2

    def test_all_of_ours_runs_in_one_thread_but_checkpoints_and_readings(self):
        """The others are libzmq's, and call nothing of ours (tests/lint: threads, which names the files of those two)."""
        task = f"/proc/{self.daemon.process.pid}/task"
        names = []
        for thread in os.listdir(task):
            with open(f"{task}/{thread}/comm", encoding="utf-8") as f:
                names.append(f.read().strip())
        self.assertEqual(sorted(n for n in names if not n.startswith("ZMQbg/")), ["checkpoint", "linkagesd", "reader"])
        self.assertEqual(len(names), 5, "one I/O thread and one that buries sockets")

    SOCKETS = (b"PAIR", b"PUB", b"SUB", b"REQ", b"REP", b"DEALER", b"ROUTER", b"PULL", b"PUSH", b"XPUB", b"XSUB",
               b"STREAM", b"SERVER", b"CLIENT", b"RADIO", b"DISH", b"", b"X" * 255, None)

    def test_each_kind_of_socket_on_each_lane(self):
        """What does not fit is refused in the handshake; what fits is told nothing unasked."""
        fits = {lane: {b"PUB", b"XPUB"} if lane == "feed" else {b"REQ", b"DEALER", b"ROUTER"} for lane in besieged.LANES}
        for kinds in fits.values():
            kinds.add(None)  # libzmq asks for the type only where one is said
        with self.siege("other kinds of socket") as figure:
            refused = silent = 0
            for lane in besieged.LANES:
                for kind in self.SOCKETS:
                    p = self.raw(lane, "operator")
                    p.greet()
                    p.hello()
                    properties = ((b"Socket-Type", kind),) if kind is not None else ()
                    try:
                        p.initiate(properties)
                        self.assertIn(kind, fits[lane], lane)
                    except zmtp.Refused:
                        self.assertNotIn(kind, fits[lane], lane)
                        refused += 1
                        continue
                    p.socket.settimeout(0.05)
                    heard = b""
                    try:
                        heard = p.receive()
                    except zmtp.Refused:
                        silent += 1
                    self.assertIn(heard, (b"", b"\x09SUBSCRIBE") if lane == "feed" else (b"",))
            figure.update(refused=refused, told_nothing=silent)

    def test_a_request_socket_is_no_dealer(self):
        """Its delimiter is a part too many: dropped whole and counted."""
        with self.siege("a request socket", shape_dropped=2):
            for lane, message in (("intake", hello()), ("inbox", worker_hello("garcia"))):
                p = self.raw(lane, "calworks").shake(b"REQ")
                p.send(b"", more=True)
                self.said(p, **message)

    def test_a_routing_id_of_ones_own(self):
        ids = (b"mine", b"x", b"\0", b"\0abc", b"\0abcde", b"abcde", b"\xff" * 255, b"0x00000001")
        with self.siege("chosen routing ids", foreign_route=len(ids)) as figure:
            for chosen in ids:
                p = self.raw("intake", "calworks").shake(b"DEALER", (b"Identity", chosen))
                self.said(p, **hello())
            figure["ids"] = len(ids)

    def test_an_id_that_is_in_use(self):
        """The second is not heard at all; the first goes on."""
        with self.siege("a routing id in use") as figure:
            first = self.raw("intake", "calworks").shake(b"DEALER", (b"Identity", b"\0used"))
            self.said(first, **hello())
            self.assertEqual(self.answer(first)["m"], "subscribe")
            second = self.raw("intake", "cws").shake(b"DEALER", (b"Identity", b"\0used"))
            self.said(second, **hello("cws-cms"))
            self.said(first, m="event", epoch=besieged.EPOCH, seq=1, event=besieged.CALWORKS_SIDE[0])
            self.assertEqual(self.answer(first)["upto"], 1)
            second.socket.settimeout(0.2)
            with self.assertRaises(zmtp.Refused):
                second.receive()
            figure["ignored"] = 1

    def test_an_id_that_was_in_use(self):
        """Who takes over the id of one who has just gone inherits nothing, and is sent nothing that was meant for it."""
        with self.siege("a routing id of one who has gone", parted=1) as figure:
            victim = self.raw("inbox", "district").shake(b"DEALER", (b"Identity", b"\0heir"))
            self.said(victim, **worker_hello("garcia", "jones"))
            session = self.answer(victim)["session"]
            self.said(victim, m="credit", session=session, n=100)
            self.assertEqual({self.answer(victim)["m"] for _ in range(2)}, {"caughtup"})
            victim.close()
            thief = self.take_over(b"\0heir")
            self.publish("cws", "cws-cms", besieged.CWS_SIDE)
            self.publish("calworks", "calsaws", besieged.CALWORKS_SIDE)
            self.serve()  # and so what had to be sent was
            self.said(thief, m="credit", session=session, n=100)
            first = self.answer(thief)
            self.assertEqual((first["m"], first.get("code")), ("error", "no_session"), "nothing was sent to it before")
            honest = self.open(peer.Worker, "inbox", "district", "raw", peer.new_store(["garcia", "jones"]))
            self.assertGreater(honest.catch_up(), 0, "there was something to be had")
            figure["leaked"] = 0

    def take_over(self, identity):
        """A peer that has the id as soon as libzmq gives it up, and says nothing by which the lane could know: what has too
        many parts is counted and no more."""
        before = self.counters()["shape_dropped"]
        while True:
            p = self.raw("inbox", "elsewhere").shake(b"DEALER", (b"Identity", identity))
            p.send(b"", more=True)
            p.send(b"")
            for _ in range(20):
                if self.counters()["shape_dropped"] > before:
                    return p
            p.close()


if __name__ == "__main__":
    unittest.main()
