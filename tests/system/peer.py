"""peer.py - publishers and a worker's client, written from the prose of the protocol alone; shares no line with ours.

In: addresses and CURVE keys. Out: what the daemon said, as Python values.
Promise: every wait is for a condition and ends with Silence after its limit; nothing sleeps.
"""
import time

import msgpack
import zmq

LIMIT_MS = 20_000  # for a machine that is busy; a healthy daemon answers within milliseconds


class Silence(Exception):
    """What was waited for did not come."""


def pack(value):
    return msgpack.packb(value, use_bin_type=True)


def unpack(body):
    return msgpack.unpackb(body, raw=False, strict_map_key=True)


def curve_socket(context, kind, address, server_key, pair, again_ms=(20, 200)):
    socket = context.socket(kind)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.CURVE_SERVERKEY, server_key)
    socket.setsockopt(zmq.CURVE_PUBLICKEY, pair[0])
    socket.setsockopt(zmq.CURVE_SECRETKEY, pair[1])
    socket.setsockopt(zmq.RECONNECT_IVL, again_ms[0])
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, again_ms[1])
    socket.setsockopt(zmq.SNDHWM, 0)
    socket.setsockopt(zmq.RCVHWM, 0)
    socket.connect(address)
    return socket


class Lane:
    """One DEALER on a ROUTER lane: one body frame a message, a map whose member m names it."""

    heard = None  # a list: every body that came is kept there, as bytes

    def __init__(self, context, address, server_key, pair):
        self.socket = curve_socket(context, zmq.DEALER, address, server_key, pair)

    def close(self):
        self.socket.close()

    def send(self, m, **members):
        self.socket.send(pack({"m": m, **members}))

    def receive(self, timeout_ms=LIMIT_MS):
        """The next message that is not a sign of life."""
        until = time.monotonic() + timeout_ms / 1000
        while True:
            left = max(0, int((until - time.monotonic()) * 1000))
            if not self.socket.poll(left):
                raise Silence(f"nothing came within {timeout_ms} ms")
            body = self.socket.recv()
            if self.heard is not None:
                self.heard.append(body)
            message = unpack(body)
            if message["m"] == "ping":
                self.send("pong")
            elif message["m"] != "pong":
                return message

    def expect(self, m, timeout_ms=LIMIT_MS):
        message = self.receive(timeout_ms)
        assert message["m"] == m, f"expected {m}, got {message}"
        return message


class Publisher(Lane):
    """A durable subscription seen from the agency's side. The outbox is a list: seq n is at n - 1."""

    def __init__(self, context, address, server_key, pair, source, epoch, outbox):
        super().__init__(context, address, server_key, pair)
        self.source, self.epoch, self.outbox = source, epoch, outbox
        self.acked, self.sent, self.allowed, self.refused = 0, 0, 0, {}

    def hello(self):
        self.send("hello", v=1, source=self.source, epoch=self.epoch, first=1, last=len(self.outbox),
                  acked=self.acked)

    def subscribed(self, message):
        self.sent = message["next"] - 1
        self.allowed = self.sent + message["credit"]
        self.verdicts(message)

    def verdicts(self, message):
        for item in message["refused"]:
            self.refused[item["seq"]] = (item["reason"], item.get("field"))

    def acknowledged(self, message):
        assert message["epoch"] == self.epoch
        assert message["upto"] <= len(self.outbox), "acknowledged what was never sent"
        self.acked = max(self.acked, message["upto"])
        self.allowed = message["upto"] + message["credit"]
        self.verdicts(message)

    def push(self, most=256):
        """Sends what credit allows, at most so many."""
        n = min(len(self.outbox), self.allowed, self.sent + most) - self.sent
        for _ in range(n):
            self.send("event", epoch=self.epoch, seq=self.sent + 1, event=self.outbox[self.sent])
            self.sent += 1
        return n

    def take(self, message):
        if message["m"] == "ack":
            self.acknowledged(message)
        elif message["m"] == "subscribe":
            self.subscribed(message)
        elif message["m"] == "nak":
            self.sent = message["want"] - 1
        else:
            raise AssertionError(f"unexpected: {message}")

    def publish_all(self):
        self.hello()
        self.subscribed(self.expect("subscribe"))
        while self.acked < len(self.outbox):
            self.push()
            self.take(self.receive())


class Feed:
    """The simplest way in: an XPUB that waits for the daemon's subscription, then source and event in two frames."""

    def __init__(self, context, address, server_key, pair, source):
        self.socket = curve_socket(context, zmq.XPUB, address, server_key, pair)
        self.source = source.encode()
        if not self.socket.poll(LIMIT_MS):
            raise Silence("the daemon did not subscribe")
        assert self.socket.recv()[:1] == b"\x01"

    def publish(self, event):
        self.socket.send_multipart([self.source, pack(event)])

    def close(self):
        self.socket.close()


class Worker(Lane):
    """Mailboxes of workers. The store is a dict a worker: mailbox, last, and the notices by seq."""

    def __init__(self, context, address, server_key, pair, client, store):
        super().__init__(context, address, server_key, pair)
        self.client, self.store, self.session, self.behind = client, store, None, set()

    def hello(self):
        self.send("hello", v=1, client=self.client, workers=[
            {"worker": w, "mailbox": s["mailbox"], "last": s["last"]} for w, s in self.store.items()])

    def welcomed(self, message):
        self.session = message["session"]
        self.behind = set(self.store)
        for box in message["workers"]:
            mine = self.store[box["worker"]]
            if mine["mailbox"] != box["mailbox"]:
                assert mine["mailbox"] is None, "the mailbox changed although nothing was restored"
                mine["mailbox"] = box["mailbox"]
        self.credit(1000)

    def credit(self, n):
        self.send("credit", session=self.session, n=n)

    def keep(self, message):
        """Stores a notice together with its place; what is there already is skipped. True: it was new."""
        mine = self.store[message["worker"]]
        if message["seq"] <= mine["last"]:
            return False
        assert message["seq"] == mine["last"] + 1, f"a gap: {message['seq']} after {mine['last']}"
        mine["notices"][message["seq"]] = message["notice"]
        mine["last"] = message["seq"]
        return True

    def receipt(self, worker):
        self.send("receipt", session=self.session, worker=worker, upto=self.store[worker]["last"])

    def take(self, message):
        """True: a notice that was new."""
        if message["m"] == "welcome":
            self.welcomed(message)
        elif message["m"] == "caughtup":
            self.behind.discard(message["worker"])
        elif message["m"] == "notice":
            self.credit(1)
            return self.keep(message)
        elif message["m"] != "answered":
            raise AssertionError(f"unexpected: {message}")
        return False

    def catch_up(self):
        """Says hello and takes everything up to the last caughtup. How many notices were new."""
        self.hello()
        self.take(self.expect("welcome"))
        new = 0
        while self.behind:
            new += self.take(self.receive())
        return new


def new_store(workers):
    return {w: {"mailbox": None, "last": 0, "notices": {}} for w in workers}
