"""Questions and orders (schemas/lanes/control.md).

In: a verb and its arguments. Out: the parts of the answer. Promise: a refusal is a SessionError with the daemon's code; a
connection that fails is told at once, for a person waits.
"""
import time

from .session import Forbidden, Session, SessionError


class Control(Session):
    def __init__(self, peer):
        super().__init__(peer)
        self._id = 0
        self._question = None  # what is to be said on connecting
        self._parts = []
        self._whole = False

    def ask(self, verb, seconds=10, **args):
        """The bodies of the answer's parts."""
        end = time.monotonic() + seconds
        self._id += 1
        self._question = {"verb": verb, "v": 1, "id": self._id, "args": args}
        self._parts, self._whole, self.trouble = [], False, ""
        self.hurry()
        if self.connected:
            self.send("verb", **self._question)
        while not self._whole:
            if self.trouble:
                raise SessionError(self.trouble)
            if time.monotonic() >= end:
                raise SessionError(f"no answer within {seconds} s")
            self.step(min(0.2, end - time.monotonic()))
        return self._parts

    def drop(self, trouble):
        """A person waits: told at once, not tried for a minute."""
        self._end(f"{self.peer.address}: {trouble}")

    def on_connected(self):
        self.greeting_came()
        if self._question is not None and not self._whole:
            self.send("verb", **self._question)

    def on_message(self, message):
        if message.get("m") != "reply" or message.get("id") != self._id:
            return
        body = message.get("body")
        if not message["ok"]:
            body = body if isinstance(body, dict) else {}
            code = body.get("code")
            raise (Forbidden if code == "forbidden" else SessionError)(f"{code}: {body.get('detail')}", code)
        if body is not None:
            self._parts.append(body)
        self._whole = not message["more"]
