"""What a worker's client keeps: each notice's effect, and the place it stands for, in one transaction (lanes/inbox.md).

In: notices as they come. Out: what the effect makes of them; without one of your own, a list of notices. Promise: the effect
of each telling happens once, whatever is killed when; what may no longer be shown is erased.
"""
import collections

from . import wire
from .files import OwnFile, transaction

APPLICATION = 0x4C4B5049  # "LKPI"
SCHEMA = """
CREATE TABLE place (
	worker TEXT PRIMARY KEY,
	mailbox TEXT NOT NULL, -- names the numbering
	last INTEGER NOT NULL -- done up to here
) STRICT, WITHOUT ROWID;
CREATE TABLE seen (
	id TEXT PRIMARY KEY, -- of a notice
	rev INTEGER NOT NULL, -- the highest that was seen
	withdrawn INTEGER NOT NULL -- 1: that one was a withdrawal
) STRICT, WITHOUT ROWID;
CREATE TABLE notice (
	position INTEGER PRIMARY KEY, -- order of arrival
	worker TEXT NOT NULL,
	seq INTEGER NOT NULL, -- in the mailbox at the time
	id TEXT NOT NULL,
	body TEXT, -- JSON; null: it may not be shown any more
	shown INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX notice_id ON notice (id);
CREATE INDEX notice_shown ON notice (position) WHERE shown = 0
"""

Kept = collections.namedtuple("Kept", "position worker seq notice")
ERASING = ("consent", "unlinked")


def keep(db, worker, seq, notice):
    """The effect where none is given: a row of `notice`."""
    if notice["state"] == "withdrawn" and notice.get("reason") in ERASING:
        db.execute("UPDATE notice SET body = NULL WHERE id = ?", (notice["id"],))
    db.execute("INSERT INTO notice (worker, seq, id, body) VALUES (?, ?, ?, ?)",
               (worker, seq, notice["id"], wire.to_json(notice)))


class Store(OwnFile):
    def __init__(self, path, effect=keep):
        """None: in memory. effect(db, worker, seq, notice) is called once a telling, inside of the transaction that keeps
        the place: what it writes through `db` is there exactly if the place is. It must not commit."""
        super().__init__(path, "a store of notices", APPLICATION, SCHEMA)
        self._effect = effect

    # ---- one transaction at a time -----------------------------------------------------------------------------------

    def begin(self):
        if not self._db.in_transaction:
            self._db.execute("BEGIN IMMEDIATE")

    def commit(self):
        if self._db.in_transaction:
            self._db.execute("COMMIT")

    def rollback(self):
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def place(self, worker):
        """(mailbox, last); (None, 0) where nothing was ever received."""
        row = self._db.execute("SELECT mailbox, last FROM place WHERE worker = ?", (worker,)).fetchone()
        return row or (None, 0)

    def move(self, worker, mailbox, last):
        """In a transaction: from now on the place is in this mailbox. What was seen before is still known."""
        self._db.execute("INSERT OR REPLACE INTO place VALUES (?, ?, ?)", (worker, mailbox, last))

    def take(self, worker, seq, notice):
        """In a transaction: one telling. True: it was new."""
        self._db.execute("UPDATE place SET last = ? WHERE worker = ?", (seq, worker))
        withdrawn = notice["state"] == "withdrawn"
        seen = self._db.execute("SELECT rev, withdrawn FROM seen WHERE id = ?", (notice["id"],)).fetchone()
        if seen is not None and (notice["rev"], withdrawn) <= seen:
            return False
        self._db.execute("INSERT OR REPLACE INTO seen VALUES (?, ?, ?)", (notice["id"], notice["rev"], withdrawn))
        self._effect(self._db, worker, seq, notice)
        return True

    # ---- where notices are kept as they are --------------------------------------------------------------------------

    def new(self):
        """What was kept and not shown yet, in order of arrival."""
        rows = self._db.execute("SELECT position, worker, seq, body FROM notice WHERE shown = 0 AND body IS NOT NULL "
                                "ORDER BY position").fetchall()
        return [Kept(position, worker, seq, wire.from_json(body, wire.MESSAGE)) for position, worker, seq, body in rows]

    def shown(self, upto):
        with transaction(self._db):
            self._db.execute("UPDATE notice SET shown = 1 WHERE shown = 0 AND position <= ?", (upto,))

    def find(self, prefix):
        """[(id, worker)] of the notices whose id begins so."""
        return self._db.execute("SELECT DISTINCT id, worker FROM notice WHERE substr(id, 1, ?) = ?",
                                (len(prefix), prefix)).fetchall()
