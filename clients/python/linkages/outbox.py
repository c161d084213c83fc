"""The outbox: what an agency has to say, kept until the daemon needs it no more (schemas/lanes/intake.md, "The outbox").

In: events. Out: the same, numbered. Promise: an event is on disk, synced, when append() returns; it is deleted only at or
below both `safe` and `upto`; verdicts are on disk before anybody hears of them. One process at a time.
"""
import collections
import secrets

from . import wire
from .files import DamagedFile, OwnFile, transaction

APPLICATION = 0x4C4B504F  # "LKPO"
SCHEMA = """
CREATE TABLE outbox (
	one INTEGER PRIMARY KEY CHECK (one = 1), -- a file is one outbox
	source TEXT NOT NULL, -- whose events
	epoch TEXT NOT NULL, -- names this numbering
	last INTEGER NOT NULL, -- the highest number given, also when nothing is kept
	acked INTEGER NOT NULL -- settled up to here
) STRICT;
CREATE TABLE event (
	seq INTEGER PRIMARY KEY,
	digest TEXT NOT NULL, -- of body: tells repetitions, and damage
	body BLOB NOT NULL -- canonical MessagePack
) STRICT;
CREATE INDEX event_digest ON event (digest);
CREATE TABLE refusal (
	seq INTEGER PRIMARY KEY,
	id TEXT, -- of the event, which may be deleted before anybody reads this
	reason TEXT NOT NULL,
	field TEXT,
	detail TEXT,
	told INTEGER NOT NULL DEFAULT 0 -- 1: somebody has been told
) STRICT
"""

State = collections.namedtuple("State", "source epoch first last acked")
Refusal = collections.namedtuple("Refusal", "seq id reason field detail")


class Outbox(OwnFile):
    def __init__(self, path, source=None):
        """A file that is not there is made for `source`; None: whatever source the file is of."""
        super().__init__(path, "an outbox", APPLICATION, SCHEMA)
        try:
            self._find(path, source)
        except DamagedFile:
            self.close()
            raise

    def _find(self, path, source):
        row = self._db.execute("SELECT source FROM outbox").fetchone()
        if row is None and source is None:
            raise DamagedFile(f"{path}: a new outbox needs to know whose events it holds")
        if row is None:
            with transaction(self._db):
                self._db.execute("INSERT INTO outbox VALUES (1, ?, ?, 0, 0)", (source, secrets.token_hex(16)))
        elif source not in (None, row[0]):
            raise DamagedFile(f"{path}: holds events of {row[0]}, not of {source}")

    @property
    def state(self):
        return State(*self._db.execute(
            "SELECT source, epoch, coalesce((SELECT min(seq) FROM event), last + 1), last, acked FROM outbox").fetchone())

    # ---- appending ---------------------------------------------------------------------------------------------------

    def append(self, *events):
        """All of them, or none; returns their numbers. The very same event that is kept already keeps its number."""
        bodies = [self._body(event) for event in events]
        with transaction(self._db):
            return [self._append(body) for body in bodies]

    def _body(self, event):
        """Whether it makes sense is for the daemon to say; here it need only be sendable."""
        wire.check(event)
        if event.get("source") != self.state.source:
            raise wire.Refused("forbidden", "source", "the outbox is of another source")
        body = wire.canonical(event)
        if len(body) > wire.EVENT.size:
            raise wire.Refused("too_large", "", f"more than {wire.EVENT.size} bytes")
        return body

    def _append(self, body):
        digest = wire.digest(body)
        kept = self._db.execute("SELECT seq FROM event WHERE digest = ?", (digest,)).fetchone()
        if kept is not None:
            return kept[0]
        seq = self._db.execute("UPDATE outbox SET last = last + 1 RETURNING last").fetchone()[0]
        self._db.execute("INSERT INTO event VALUES (?, ?, ?)", (seq, digest, body))
        return seq

    # ---- reading -----------------------------------------------------------------------------------------------------

    def read(self, first, upto):
        """[(seq, event)], in order."""
        rows = self._db.execute("SELECT seq, digest, body FROM event WHERE seq BETWEEN ? AND ? ORDER BY seq", (first, upto))
        return [(seq, self._sound(seq, digest, body)) for seq, digest, body in rows]

    @staticmethod
    def _sound(seq, digest, body):
        if wire.digest(body) != digest:
            raise DamagedFile(f"event {seq} of the outbox is damaged on disk")
        return wire.unpack(body, wire.EVENT)

    def refusals(self, after=0):
        return self._refusals("seq > ?", after)

    def untold(self):
        """Refusals that nobody has been told of: whoever died before saying them says them the next time."""
        return self._refusals("told = ?", 0)

    def told(self, refusals):
        with transaction(self._db):
            self._db.executemany("UPDATE refusal SET told = 1 WHERE seq = ?", ((refusal.seq,) for refusal in refusals))

    def _refusals(self, where, value):
        query = f"SELECT seq, id, reason, field, detail FROM refusal WHERE {where} ORDER BY seq"
        return [Refusal(*row) for row in self._db.execute(query, (value,))]

    # ---- what the daemon says ----------------------------------------------------------------------------------------

    def settle(self, upto, safe, refused):
        """Everything up to `upto` is settled, what is listed was refused, nothing up to `safe` will be asked for again.
        `upto` may go back: the daemon came back from an older state."""
        with transaction(self._db):
            for item in refused:
                self._db.execute("INSERT OR IGNORE INTO refusal (seq, id, reason, field, detail) VALUES (?, ?, ?, ?, ?)",
                                 (item["seq"], self._id_of(item["seq"]), item["reason"], item.get("field"), item.get("detail")))
            self._db.execute("UPDATE outbox SET acked = ?", (upto,))
            self._db.execute("DELETE FROM event WHERE seq <= ?", (min(upto, safe),))

    def _id_of(self, seq):
        kept = self._db.execute("SELECT body FROM event WHERE seq = ?", (seq,)).fetchone()
        id_ = wire.unpack(kept[0], wire.EVENT).get("id") if kept else None
        return id_ if isinstance(id_, str) else None

    def renew(self):
        """The file is an old copy: a new epoch, and what is kept is numbered from 1."""
        with transaction(self._db):
            kept = self._db.execute("SELECT digest, body FROM event ORDER BY seq").fetchall()
            self._db.execute("DELETE FROM event")
            self._db.execute("DELETE FROM refusal")
            self._db.executemany("INSERT INTO event VALUES (?, ?, ?)", ((n, *row) for n, row in enumerate(kept, 1)))
            self._db.execute("UPDATE outbox SET epoch = ?, last = ?, acked = 0", (secrets.token_hex(16), len(kept)))
