"""One connection to one ROUTER lane, made again whenever it ends (schemas/README.md, "Connecting"; lanes/intake.md).

In: a Peer. Out: on_connected(), on_message(message) and on_pause() of the class that inherits. Promise: step() waits no
longer than it is told; 15 s of silence end a connection; each new one is a new socket, after 1 s doubling to 60 s, scattered
by half; a version or a right that is missing raises Forbidden, since trying again would not help.
"""
import logging
import random
import time

import zmq
from zmq.utils.monitor import recv_monitor_message

from . import wire

PING_AFTER = 5
SILENCE = 15
DIAL_MOST = 10
PAUSE_FIRST, PAUSE_MOST = 1, 60
BITE = 512  # messages taken before anything else is looked at
QUEUE = 8192
# We connect anew ourselves. With -1, libzmq takes an ended connection's unread messages away with it.
NEVER_MS = 24 * 3600 * 1000

log = logging.getLogger("linkages")


class SessionError(RuntimeError):
    """What the daemon said, or that it said nothing. `code` as in the table of errors, or None."""

    def __init__(self, text, code=None):
        super().__init__(text)
        self.code = code


class Forbidden(SessionError):
    """Trying again does not help: the daemon speaks another version, or does not let this key do that."""


def pause(failures, scatter=random.uniform):
    """Seconds until the next connection, after so many failures in a row."""
    return min(PAUSE_MOST, PAUSE_FIRST * 2 ** min(failures, 6)) * scatter(0.5, 1.5)


CURVE_BOX = 33  # bytes around a message on the wire: libzmq measures with them
MONITORED = (zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL |
             zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL | zmq.EVENT_DISCONNECTED | zmq.EVENT_CLOSED | zmq.EVENT_CONNECTED)
KEPT_OUT = "the daemon does not let this key in: is it enrolled, and is the server's key the right one?"
TROUBLE = {
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: KEPT_OUT,
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: KEPT_OUT,
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: KEPT_OUT,
}


def curve_socket(context, kind, peer):
    socket = context.socket(kind)
    for option, value in ((zmq.LINGER, 0), (zmq.RECONNECT_IVL, NEVER_MS), (zmq.CONNECT_TIMEOUT, 5000), (zmq.HANDSHAKE_IVL, 5000),
                          (zmq.SNDHWM, QUEUE), (zmq.RCVHWM, QUEUE), (zmq.HEARTBEAT_IVL, 5000),
                          (zmq.HEARTBEAT_TIMEOUT, 15000), (zmq.IPV6, 1), (zmq.MAXMSGSIZE, wire.MESSAGE.size + CURVE_BOX)):
        socket.setsockopt(option, value)
    socket.curve_serverkey = peer.server_key
    socket.curve_publickey, socket.curve_secretkey = peer.pair
    return socket


class Connection:
    """A CURVE socket and its monitor. `up`: the handshake is done. Gone after close()."""

    def __init__(self, kind, peer):
        self.up = self.reached = False
        self._context = zmq.Context()
        self.socket = curve_socket(self._context, kind, peer)
        self._monitor = self.socket.get_monitor_socket(MONITORED)
        try:
            self.socket.connect(peer.address)
        except zmq.ZMQError as error:
            self.close()
            raise SessionError(f"{peer.address}: {error}; an address is like tcp://127.0.0.1:5562") from error

    def wait(self, seconds, also_writable=False):
        """Returns when there is something to be looked at, or the time is over."""
        poller = zmq.Poller()
        poller.register(self.socket, zmq.POLLIN | (zmq.POLLOUT if also_writable else 0))
        poller.register(self._monitor, zmq.POLLIN)
        poller.poll(max(0, int(seconds * 1000) + 1))

    def trouble(self):
        """Takes the monitor's news. A sentence when the connection is gone, else None."""
        while self._monitor.poll(0):
            event = recv_monitor_message(self._monitor)["event"]
            if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                self.up = True
            elif event == zmq.EVENT_CONNECTED:
                self.reached = True
            elif event in TROUBLE:
                return TROUBLE[event]
            elif self.up:
                return "the daemon hung up"
            else:
                return KEPT_OUT if self.reached else "nobody listens there: is the daemon running?"
        return None

    def close(self, linger_ms=0):
        self.socket.disable_monitor()
        self._monitor.close(0)
        self.socket.close(linger_ms)
        self._context.term()


class Session:
    """Inherit, and give on_connected() and on_message(). `trouble`: why there is no connection, for people."""

    def __init__(self, peer):
        self.peer, self.trouble, self.greeted = peer, "", False
        self._connection = None
        self._failures = 0
        self._due = time.monotonic()  # without a connection: when to make one; before it is up: when to give up
        self._heard = self._spoke = 0.0
        self._blocked = False
        self._warned = ""

    # ---- for those who inherit ---------------------------------------------------------------------------------------

    def on_connected(self):
        """The handshake is done: say hello."""
        raise NotImplementedError

    def on_message(self, message):
        """Anything but signs of life and errors."""
        raise NotImplementedError

    def on_pause(self):
        """All that had come has been handed over: what was put off is done now."""

    def on_idle(self):
        """We have said nothing for a while but that we live."""

    def on_error(self, message):
        """True: this error was expected, and a new connection will do. The present one ends."""
        return False

    def signs_of_life(self):
        """Members of ping and pong."""
        return {}

    def greeting_came(self):
        self.greeted, self.trouble, self._warned, self._failures = True, "", "", 0

    @property
    def connected(self):
        return self._connection is not None and self._connection.up

    def send(self, m, **members):
        """False: there is no room, or no connection; say it again later."""
        if not self.connected:
            return False
        try:
            self._connection.socket.send(wire.pack({"m": m, **members}), zmq.NOBLOCK)
        except zmq.Again:
            self._blocked = True
            return False
        self._spoke = time.monotonic()
        log.debug("> %s", m)
        return True

    def drop(self, trouble):
        """Ends the connection; the next one is made after a pause."""
        trouble = f"{self.peer.address}: {trouble}"
        if trouble != self._warned:  # said once, not at each try
            log.warning("%s (trying again)", trouble)
        self._warned = trouble
        self._end(trouble)

    def _end(self, trouble):
        self.trouble = trouble
        self._hang_up()
        self._due = time.monotonic() + pause(self._failures)
        self._failures += 1

    # ---- for those who own it ----------------------------------------------------------------------------------------

    def step(self, seconds):
        """Waits up to so long for something to do, and does a bounded bite of it."""
        now = time.monotonic()
        if self._connection is None:
            if now < self._due:
                time.sleep(min(seconds, self._due - now))
                return
            self._dial()
        self._look_at_time()
        if self._connection is None:
            return
        self._connection.wait(min(seconds, self._next_look() - time.monotonic()), self._blocked)
        self._blocked = False
        self._take_news()
        if self._connection is not None:
            self._take_messages()
        self.on_pause()

    def hurry(self):
        """Where there is no connection, one is made now: somebody waits."""
        if self._connection is None:
            self._due = time.monotonic()

    def close(self):
        self._hang_up(1000 if self.greeted else 0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- inside ------------------------------------------------------------------------------------------------------

    def _dial(self):
        self._connection = Connection(zmq.DEALER, self.peer)
        self._due = time.monotonic() + DIAL_MOST

    def _hang_up(self, linger_ms=0):
        if self._connection is not None:
            self._connection.close(linger_ms)
        self._connection, self.greeted, self._blocked = None, False, False

    def _next_look(self):
        return min(self._spoke + PING_AFTER, self._heard + SILENCE) if self.connected else self._due

    def _look_at_time(self):
        now = time.monotonic()
        if not self.connected:
            if now >= self._due:
                self.drop("the daemon does not answer")
        elif now >= self._heard + SILENCE:
            self.drop("the daemon was silent for 15 s")
        elif now >= self._spoke + PING_AFTER:
            self.send("ping", **self.signs_of_life())
            self.on_idle()

    def _take_news(self):
        connection = self._connection
        was_up, trouble = connection.up, connection.trouble()
        if connection.up and not was_up:
            self._heard = self._spoke = time.monotonic()
            self.on_connected()
        if trouble is not None and self._connection is connection:
            self._take_messages()  # what had come before it ended: an error says why
        if trouble is not None and self._connection is connection:
            self.drop(trouble)

    def _take_messages(self):
        for _ in range(BITE):
            try:
                frames = self._connection.socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._heard = time.monotonic()
            if len(frames) == 1:
                self._take(frames[0])
            if self._connection is None:
                return

    def _take(self, body):
        try:
            message = wire.unpack(body)
        except wire.Refused as refused:
            self.drop(f"the daemon said something unreadable: {refused}")
            return
        m = message.get("m")
        log.debug("< %s", m)
        if m == "ping":
            self.send("pong", **self.signs_of_life())
        elif m == "error":
            self._take_error(message)
        elif m != "pong":
            self.on_message(message)

    def _take_error(self, message):
        code, detail = message.get("code"), message.get("detail")
        text = f"the daemon says {code}{': ' if detail else ''}{detail or ''}"
        if self.on_error(message):
            self._end(text)
            self.hurry()
        elif code in ("version", "forbidden"):
            self._end(text)
            raise Forbidden(f"{self.peer.address}: {text}", code)
        else:
            self.drop(text)
