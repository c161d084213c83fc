"""What a linkages.db says was told: notices lie in blocks there (schemas/store.sql), written by nothing of the daemon's.

connect(path) is a connection that only reads, on which there are the tables notice and notice_row.
"""
import ctypes
import sqlite3

COLUMNS = ("serial", "number", "id", "rev", "marks", "own_case", "other_case", "told_at", "ledger", "sum", "body")


class Bytes:
    def __init__(self, at):
        self.at = at

    def take(self, n):
        taken, self.at = self.at[:n], self.at[n:]
        assert len(taken) == n, "a block is cut short"
        return taken

    def number(self):
        value, shift = 0, 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def numbers(self, n):
        return [self.number() for _ in range(n)]


def unsqueeze(packed):
    length = packed.number()
    plain = ctypes.create_string_buffer(length)
    n = ctypes.CDLL("liblz4.so.1").LZ4_decompress_safe(packed.at, plain, len(packed.at), length)
    assert n == length, "a block cannot be unpacked"
    return Bytes(plain.raw)


def steps(numbers):
    last = 0
    for n in numbers:
        last += (n >> 1) ^ -(n & 1)
        yield last


def refs(numbers):
    """Steps, but of nothing none."""
    there = steps(n - 1 for n in numbers if n > 0)
    return [next(there) if n > 0 else None for n in numbers]


def block(first, packed):
    n, span = packed.number(), packed.number()
    gaps = [0] * n if span == n - 1 else packed.numbers(n)
    serials = [first + i + sum(gaps[:i + 1]) for i in range(n)]
    ids = [packed.take(16) for _ in range(n)]
    sums = [int.from_bytes(packed.take(4), "little") for _ in range(n)]
    boxes, places = packed.numbers(n), packed.numbers(n)
    own, other = [[ref or None for ref in packed.numbers(n)] for _ in range(2)]
    rest = unsqueeze(packed)
    revs, marks = rest.numbers(n), rest.numbers(n)
    told, ledger = list(steps(rest.numbers(n))), refs(rest.numbers(n))
    bodies = [rest.take(length) for length in rest.numbers(n)]
    numbers = [box << 32 | place for box, place in zip(boxes, places)]
    return zip(serials, numbers, ids, revs, marks, own, other, told, ledger, sums, bodies)


def connect(path):
    base = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    base.execute(f"CREATE TEMP TABLE notice ({', '.join(COLUMNS)})")
    for first, packed in base.execute("SELECT first, bytes FROM main.notice_block").fetchall():
        base.executemany(f"INSERT INTO temp.notice VALUES ({', '.join('?' * len(COLUMNS))})", block(first, Bytes(packed)))
    view, = base.execute("SELECT sql FROM main.sqlite_schema WHERE name = 'notice_row'").fetchone()
    base.execute(view.replace("CREATE VIEW", "CREATE TEMP VIEW", 1))
    base.commit()
    return base
