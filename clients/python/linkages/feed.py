"""Events in, the simple way: published and gone (schemas/lanes/feed.md).

In: events of one source, a Peer. Out: nothing; nobody answers on this lane. Promise: nothing is sent before the daemon has
subscribed; publish() says whether it could be sent, and no more than that.
"""
import time

import zmq

from . import wire
from .session import DIAL_MOST, Connection, SessionError, pause

PING_EVERY = 30


class FeedPublisher:
    def __init__(self, peer, source):
        self.peer, self.source, self.trouble = peer, source, ""
        self._connection = None
        self._subscribed = False
        self._failures = 0
        self._due = self._spoke = time.monotonic()
        self._last = None  # the number in the latest `sequence`

    def publish(self, event, seconds=10):
        """Waits so long for the daemon to listen. False: it does not, and the event is not sent."""
        wire.check(event)
        if event.get("source") != self.source:
            raise wire.Refused("forbidden", "source", "this publisher is of another source")
        if not self.ready(seconds):
            return False
        sequence = event.get("sequence")
        if isinstance(sequence, str) and sequence.isascii() and sequence.isdigit():
            self._last = int(sequence)
        return self._send(event)

    def ping(self, seconds=10):
        """A sign of life of the source; due every 60 s where there is nothing else to say."""
        return self.ready(seconds) and self._send({"m": "ping"} if self._last is None else {"m": "ping", "last": self._last})

    def idle(self, seconds):
        """Waits so long, and pings when it is time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if time.monotonic() - self._spoke >= PING_EVERY:
                self.ping(min(left, 1))
            self._look(min(left, 1))

    def ready(self, seconds):
        """True once the daemon has subscribed."""
        end = time.monotonic() + seconds
        self._look(0)
        while not self._subscribed and (left := end - time.monotonic()) > 0:
            self._look(left)
        return self._subscribed

    def close(self):
        """Lets what was sent go out."""
        self._hang_up(1000)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _send(self, value):
        try:
            self._connection.socket.send_multipart([self.source.encode(), wire.pack(value)], zmq.NOBLOCK)
        except zmq.Again:
            return False
        self._spoke = time.monotonic()
        return True

    def _look(self, seconds):
        now = time.monotonic()
        if self._connection is None and now < self._due:
            time.sleep(min(seconds, self._due - now))
            return
        if self._connection is None:
            self._connection = Connection(zmq.XPUB, self.peer)
            self._due = now + DIAL_MOST
        self._connection.wait(seconds)
        trouble = self._connection.trouble()
        while self._connection.socket.poll(0):
            # 0x01: all that begins with what follows is wanted; 0x00: no more.
            self._subscribed = self._connection.socket.recv()[:1] == b"\x01"
            self._failures, self.trouble = 0, ""
        if trouble is None and not self._subscribed and time.monotonic() >= self._due:
            trouble = "the daemon does not subscribe"
        if trouble is not None:
            self._drop(trouble)

    def _drop(self, trouble):
        self.trouble = trouble
        self._hang_up()
        self._due = time.monotonic() + pause(self._failures)
        self._failures += 1

    def _hang_up(self, linger_ms=0):
        if self._connection is not None:
            self._connection.close(linger_ms)
        self._connection, self._subscribed = None, False
