"""A worker's notices, each once (schemas/lanes/inbox.md).

In: a Store, a Peer, the workers whose mailboxes are read. Out: the store's effects; on_received() after each commit,
on_caught_up(worker), on_answered(worker, notice, by, at), on_refused(worker, notice) for an answer to what was never told.
Promise: a receipt goes out only after the commit; credit is never more than what can be stored; answers are repeated until
they are confirmed; where an effect fails, nothing of its bite is kept, and all of it comes again.
"""
import re
import time

from .session import Session
from .wire import Refused

CREDIT = 1000


class Inbox(Session):
    def __init__(self, peer, client, workers, store, on_received=None, on_caught_up=None, on_answered=None,
                 on_refused=None):
        super().__init__(peer)
        for worker in workers:
            if not re.fullmatch(r"[A-Za-z0-9._@-]{1,64}", worker):
                raise Refused("bad_value", "worker", "an id has 1 to 64 letters, digits and . _ @ -")
        self.client, self.workers, self.store = client, list(workers), store
        self.clock = None  # "real" or "manual", once welcomed
        self._on = {"received": on_received, "caught_up": on_caught_up, "answered": on_answered, "refused": on_refused}
        self._session = None
        self._credit = self._most = 0
        self._last = {}  # per worker: the place, with what this bite has added
        self._behind = set(self.workers)
        self._receipts = set()  # workers
        self._news = False
        self._answers = {}  # (worker, notice): was it said in this session, since on_idle()?

    @property
    def caught_up(self):
        return self.greeted and not self._behind

    def answer(self, worker, notice):
        """A person has acknowledged this notice (its whole id). Repeated until the daemon confirms it, but not over the end of
        the process."""
        if worker not in self.workers:
            raise ValueError(f"this inbox does not read for {worker}")
        self._answers[worker, notice] = False
        self._say_answers()

    @property
    def unconfirmed(self):
        """Answers that the daemon has not confirmed: [(worker, notice)]."""
        return list(self._answers)

    def follow(self, until, seconds=None):
        """Steps until until() says so (True), or the time is over (False)."""
        end = None if seconds is None else time.monotonic() + seconds
        while not until():
            if end is not None and time.monotonic() >= end:
                return False
            self.step(0.2 if end is None else max(0, min(0.2, end - time.monotonic())))
        return True

    def step(self, seconds):
        try:
            super().step(seconds)
        except BaseException:
            self.store.rollback()
            self._hang_up()  # the next greeting asks the store how far it is
            raise

    # ---- what we say -------------------------------------------------------------------------------------------------

    def on_connected(self):
        """The store is asked at each greeting: it, and not our memory, knows what was committed."""
        self._commit()
        places = {worker: self.store.place(worker) for worker in self.workers}
        self._last = {worker: last for worker, (_, last) in places.items()}
        self._session, self._behind, self._receipts = None, set(self.workers), set()
        self._answers = dict.fromkeys(self._answers, False)
        self.send("hello", v=1, client=self.client, workers=[
            {"worker": worker, "mailbox": mailbox, "last": last} for worker, (mailbox, last) in places.items()])

    def _say_credit(self):
        if self.greeted and self._credit <= self._most // 2:
            if self.send("credit", session=self._session, n=self._most - self._credit):
                self._credit = self._most

    def _say_receipts(self):
        for worker in sorted(self._receipts):
            if self.greeted and self.send("receipt", session=self._session, worker=worker, upto=self._last[worker]):
                self._receipts.discard(worker)

    def _say_answers(self):
        for (worker, notice), said in self._answers.items():
            if self.greeted and not said:
                self._answers[worker, notice] = self.send("answer", session=self._session, worker=worker, notice=notice)

    # ---- what the daemon says ----------------------------------------------------------------------------------------

    def on_message(self, message):
        m, session = message.get("m"), message.get("session")
        if m == "welcome":
            self._welcomed(message)
        elif m == "answered":
            self._answered(message)
        elif self.greeted and session == self._session and m == "notice":
            self._told(message)
        elif self.greeted and session == self._session and m == "caughtup":
            self._caught_up(message)

    def on_error(self, message):
        """An answer to what the worker was never told is given up; the session goes on anew."""
        refused = [answer for answer in self._answers if answer[1] == message.get("re")]
        for answer in refused:
            del self._answers[answer]
            self._tell("refused", *answer)
        return bool(refused)

    def on_idle(self):
        """An answer that the daemon could not write then is not confirmed, nor refused."""
        self._answers = dict.fromkeys(self._answers, False)

    def on_pause(self):
        """The effects of this bite become durable; only now they are receipted and told of."""
        self._commit()
        self._say_receipts()
        self._say_credit()
        self._say_answers()

    def _commit(self):
        self.store.commit()
        if self._news:
            self._news = False
            self._tell("received")

    def _tell(self, what, *given):
        if self._on[what] is not None:
            self._on[what](*given)

    def _welcomed(self, message):
        self._session, self.clock = message["session"], message["clock"]
        self._credit, self._most = 0, min(CREDIT, message["limits"]["credit"])
        for box in message["workers"]:
            self._enter(**{name: box[name] for name in ("worker", "mailbox", "first", "next")})
        self.greeting_came()

    def _enter(self, worker, mailbox, first, next):
        """Another mailbox than ours, or one that ends before our place, is read from its first; so is what is kept of one
        that has forgotten what came after our place."""
        mine, last = self.store.place(worker)
        if mine == mailbox and first - 1 <= last < next:
            if last > 0:
                self._receipts.add(worker)  # the one before may have been lost
            return
        self.store.begin()
        self.store.move(worker, mailbox, first - 1)
        self._last[worker] = first - 1

    def _told(self, message):
        worker, seq = message["worker"], message["seq"]
        self._credit -= 1
        if worker not in self._last or seq <= self._last[worker]:
            return
        if seq != self._last[worker] + 1:
            self.drop("a notice is missing before the one that came")
            return
        self.store.begin()
        self._news = self.store.take(worker, seq, message["notice"]) or self._news
        self._last[worker] = seq
        self._receipts.add(worker)

    def _caught_up(self, message):
        self._commit()
        self._behind.discard(message["worker"])
        self._tell("caught_up", message["worker"])

    def _answered(self, message):
        self._answers.pop((message["worker"], message["notice"]), None)
        self._tell("answered", message["worker"], message["notice"], message["by"], message["at"])
