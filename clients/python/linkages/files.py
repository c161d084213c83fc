"""The client's own SQLite files: one owner at a time, each transaction synced.

In: a path, an application id, a schema. Out: a connection. Promise: a file of another kind, of a later version, damaged, or
held by another process is refused by name; what was committed survives a power cut.
"""
import contextlib
import os
import sqlite3


class DamagedFile(RuntimeError):
    """A file that is not what it should be, or that another process holds."""


def open_file(path, kind, application, schema):
    """`schema` makes a new file. Mode 0600: what is in it is about families."""
    if path is not None and not os.path.exists(path):
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    db = sqlite3.connect(path or ":memory:", isolation_level=None, timeout=0)
    try:
        # EXTRA: also the folder is synced when a journal goes. What is erased is overwritten.
        db.executescript("PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=EXTRA;"
                         "PRAGMA secure_delete=ON")
        _claim(db, path, kind, application, schema)
    except sqlite3.DatabaseError as error:
        db.close()
        held = "locked" in str(error)
        raise DamagedFile(f"{path}: {'another process holds it' if held else f'not {kind}: {error}'}") from error
    except DamagedFile:
        db.close()
        raise
    return db


class OwnFile:
    def __init__(self, path, kind, application, schema):
        self._db = open_file(path, kind, application, schema)

    def close(self):
        self._db.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _claim(db, path, kind, application, schema):
    with transaction(db):
        found, version = (db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
        empty = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0] == 0
        if found == application and version == 1:
            return
        if found == application:
            raise DamagedFile(f"{path}: written by a later version of this client")
        if found != 0 or not empty:
            raise DamagedFile(f"{path}: not {kind}")
        for statement in schema.split(";\n"):
            db.execute(statement)
        db.execute(f"PRAGMA application_id={application}")
        db.execute("PRAGMA user_version=1")


@contextlib.contextmanager
def transaction(db):
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")
