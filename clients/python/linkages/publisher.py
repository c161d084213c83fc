"""An outbox's way to the daemon (schemas/lanes/intake.md).

In: an Outbox, a Peer. Out: on_settled(upto) after each acknowledgement. Promise: nothing is sent above the credit; verdicts
are recorded before they are told; an old copy of an outbox gets a new epoch.
"""
import time

from .session import Session

BITE = 256  # events sent before anything else is looked at


class Publisher(Session):
    def __init__(self, peer, outbox, on_settled=None):
        super().__init__(peer)
        self.outbox = outbox
        self._on_settled = on_settled
        self._cursor = self._limit = 0  # the next to be sent; the highest that may be
        self._renewed = False

    def signs_of_life(self):
        return {"last": self.outbox.state.last}

    def on_connected(self):
        state = self.outbox.state
        self.send("hello", v=1, source=state.source, epoch=state.epoch, first=state.first, last=state.last, acked=state.acked)

    def on_message(self, message):
        take = {"subscribe": self._subscribed, "ack": self._acknowledged, "nak": self._asked_again}.get(message.get("m"))
        if take is not None and message.get("epoch") == self.outbox.state.epoch:
            take(message, self.outbox.state)

    def on_pause(self):
        self._push()

    def flush(self, seconds=None, until=None):
        """Waits until everything in the outbox is settled. True: it is; False: the time is over, or until() says so."""
        end = None if seconds is None else time.monotonic() + seconds
        self._push()
        while not self.settled:
            if (end is not None and time.monotonic() >= end) or (until is not None and until()):
                return False
            self.step(0.2 if end is None else max(0, min(0.2, end - time.monotonic())))
        return True

    @property
    def settled(self):
        state = self.outbox.state
        return self.greeted and state.acked == state.last

    # ---- what the daemon says ----------------------------------------------------------------------------------------

    def _settle(self, upto, message):
        self.outbox.settle(upto, message["safe"], message["refused"])
        if self._on_settled is not None:
            self._on_settled(upto)

    def _subscribed(self, message, state):
        if message["next"] > state.last + 1:
            self._renew()
            return
        if message["next"] < state.first:
            self.drop("the daemon asks for events that it had let this outbox delete")
            return
        self._settle(message["next"] - 1, message)
        self._cursor = message["next"]
        self._limit = message["next"] - 1 + message["credit"]
        self._renewed = False
        self.greeting_came()

    def _renew(self):
        if self._renewed:
            self.drop("the daemon claims to know events of an outbox that was made a moment ago")
            return
        self.outbox.renew()
        self._renewed = True
        self._cursor, self._limit = 1, 0  # until the daemon has answered the new greeting
        self.on_connected()

    def _acknowledged(self, message, state):
        if not self.greeted:
            return
        if message["upto"] > state.last:
            self.drop("the daemon acknowledged an event that was never made")
            return
        if any(item["reason"] == "conflict" and item.get("field") == "seq" for item in message["refused"]):
            self._renew()  # an old copy of the outbox: its numbers were given to other events before
            return
        self._cursor = max(self._cursor, message["upto"] + 1)
        self._limit = message["upto"] + message["credit"]
        self._settle(max(message["upto"], state.acked), message)

    def _asked_again(self, message, state):
        if not self.greeted:
            return
        if message["want"] < state.first:
            self.drop("the daemon asks for events that it had let this outbox delete")
        else:
            self._cursor = min(self._cursor, message["want"])

    # ---- what we say -------------------------------------------------------------------------------------------------

    def _push(self):
        if not self.greeted:
            return
        epoch = self.outbox.state.epoch
        for seq, event in self.outbox.read(self._cursor, min(self._limit, self._cursor + BITE - 1)):
            if not self.send("event", epoch=epoch, seq=seq, event=event):
                return
            self._cursor = seq + 1
