"""zmtp.py - ZMTP 3.1 and CurveZMQ by hand, for peers that libzmq would not let us be.

In: an address and what to say. Out: the bytes that came back. Promise: nothing is checked that a hostile peer would not
check; each wait ends after its limit; written from RFC 23 and RFC 26 with libsodium for the boxes.
"""
import ctypes
import os
import socket
import struct

import zmq.utils.z85

LIMIT_S = 20
MORE, LONG, COMMAND = 1, 2, 4
HEARTBEAT = b"\x04PING\x00\x00", 2  # and how it is marked inside of a message
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01" + b"CURVE".ljust(20, b"\0") + bytes(32)
MAC, KEY, NONCE = 16, 32, 24

sodium = ctypes.CDLL("libsodium.so.23")
assert sodium.sodium_init() >= 0


class Refused(Exception):
    """The connection was closed, or an ERROR command came."""


def box(text, nonce, public, secret):
    out = ctypes.create_string_buffer(len(text) + MAC)
    assert sodium.crypto_box_easy(out, text, ctypes.c_ulonglong(len(text)), nonce, public, secret) == 0
    return out.raw


def unbox(sealed, nonce, public, secret):
    out = ctypes.create_string_buffer(max(1, len(sealed) - MAC))
    if sodium.crypto_box_open_easy(out, sealed, ctypes.c_ulonglong(len(sealed)), nonce, public, secret) != 0:
        raise Refused("a box that does not open")
    return out.raw[:len(sealed) - MAC]


def pair():
    public, secret = ctypes.create_string_buffer(KEY), ctypes.create_string_buffer(KEY)
    sodium.crypto_box_keypair(public, secret)
    return public.raw, secret.raw


def decoded(pair_z85):
    return tuple(zmq.utils.z85.decode(half) for half in pair_z85)


def metadata(*properties):
    return b"".join(bytes([len(name)]) + name + struct.pack(">I", len(value)) + value for name, value in properties)


def frame(body, flags=0):
    head = bytes([flags | LONG]) + struct.pack(">Q", len(body)) if len(body) > 255 else bytes([flags, len(body)])
    return head + body


def dial(address):
    """A TCP or ipc connection that has said nothing yet."""
    scheme, rest = address.split("://")
    if scheme == "ipc":
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(LIMIT_S)
        s.connect(rest)
        return s
    host, port = rest.rsplit(":", 1)
    return socket.create_connection((host, int(port)), LIMIT_S)


class Peer:
    """One connection. After shake() it is a CURVE client with whatever metadata it likes."""

    def __init__(self, address, server_key, keys):
        self.socket = dial(address)
        self.server, self.keys = zmq.utils.z85.decode(server_key), keys
        self.mine, self.theirs, self.counter = pair(), None, 0

    def close(self):
        self.socket.close()

    def exactly(self, n):
        got = b""
        while len(got) < n:
            try:
                more = self.socket.recv(n - len(got))
            except (ConnectionError, socket.timeout) as e:
                raise Refused(str(e)) from None
            if not more:
                raise Refused("closed")
            got += more
        return got

    def write(self, text):
        try:
            self.socket.sendall(text)
        except (ConnectionError, socket.timeout) as e:
            raise Refused(str(e)) from None

    def read_frame(self):
        flags = self.exactly(1)[0]
        size = struct.unpack(">Q", self.exactly(8))[0] if flags & LONG else self.exactly(1)[0]
        return flags, self.exactly(size)

    def is_closed(self):
        """Waits until the other side has hung up; True, or it never did."""
        try:
            while self.socket.recv(65536):
                pass
            return True
        except ConnectionError:
            return True
        except socket.timeout:
            return False

    def nonce(self, prefix):
        self.counter += 1
        short = struct.pack(">Q", self.counter)
        return short, prefix + short

    # ---- The handshake, step by step

    def greet(self):
        self.write(GREETING)
        return self.exactly(len(GREETING))

    def hello(self):
        short, nonce = self.nonce(b"CurveZMQHELLO---")
        self.write(frame(b"\x05HELLO\x01\x00" + bytes(72) + self.mine[0] + short
                         + box(bytes(64), nonce, self.server, self.mine[1]), COMMAND))
        _, body = self.read_frame()
        if not body.startswith(b"\x07WELCOME"):
            raise Refused(body)
        told = unbox(body[24:], b"WELCOME-" + body[8:24], self.server, self.mine[1])
        self.theirs, self.cookie = told[:KEY], told[KEY:]

    def initiate(self, properties, wait=True):
        fresh = os.urandom(16)
        vouch = box(self.mine[0] + self.server, b"VOUCH---" + fresh, self.theirs, self.keys[1])
        short, nonce = self.nonce(b"CurveZMQINITIATE")
        self.write(frame(b"\x08INITIATE" + self.cookie + short
                         + box(self.keys[0] + fresh + vouch + metadata(*properties), nonce, self.theirs, self.mine[1]),
                         COMMAND))
        _, body = self.read_frame() if wait else (0, b"\x05READY")
        if not body.startswith(b"\x05READY"):
            raise Refused(body)

    def shake(self, kind=b"DEALER", *properties):
        self.greet()
        self.hello()
        self.initiate(((b"Socket-Type", kind), *properties))
        return self

    # ---- Messages

    def sealed(self, text, flags=0):
        short, nonce = self.nonce(b"CurveZMQMESSAGEC")
        return frame(b"\x07MESSAGE" + short + box(bytes([flags]) + text, nonce, self.theirs, self.mine[1]))

    def send(self, text, more=False):
        self.write(self.sealed(text, MORE if more else 0))

    def receive(self):
        """The next whole frame's content; heartbeats of libzmq are passed over."""
        while True:
            _, body = self.read_frame()
            if not body.startswith(b"\x07MESSAGE"):
                raise Refused(body)
            told = unbox(body[16:], b"CurveZMQMESSAGES" + body[8:16], self.theirs, self.mine[1])
            if not told[0] & COMMAND:
                return told[1:]


RLIMIT_DATA, RLIMIT_CORE, RLIMIT_NOFILE = 2, 4, 7
libc = ctypes.CDLL(None, use_errno=True)


def prlimit(pid, resource, limit):
    """Sets a limit of another process: two 64-bit numbers, soft and hard."""
    return libc.prlimit(pid, resource, limit, None)
