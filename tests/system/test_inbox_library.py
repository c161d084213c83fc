"""test_inbox_library.py - linkages-sub against a daemon's end of the inbox lane written from the protocol.

In: the built linkages-sub. Out: what it said on the wire and printed. Promise: each notice is shown once and in order,
over lost receipts, restarts on either side and new mailboxes; receipts come after storing; every wait is for a condition.
"""
import json
import os
import pathlib
import shutil
import sqlite3
import subprocess
import tempfile
import time
import unittest

import zmq

import harness
from lane_end import LIMIT_MS, LaneEnd

BIN = os.environ.get("LINKAGES_BIN", "build/bin")
BOX_A, BOX_B = "a" * 32, "b" * 32
SESSIONS = ("1" * 32, "2" * 32)


def notice(number, rev=1, **members):
    return {"id": f"{number:032x}", "rev": rev, "to": "garcia", "kind": "status.changed", "state": "new",
            "at": "2026-03-02T09:15:00-08:00", "case": "12-34", "urgency": "prompt", "level": "content",
            "about": {"what": "status", "from": "er", "status": "fm"},
            "because": {"rule": "status.changed", "cites": "ACIN G8", "events": []}, **members}


class Daemon(LaneEnd):
    def __init__(self, folder):
        self.session, self.credit = SESSIONS[0], 0
        super().__init__(folder)

    def receive_any(self):
        message = self.take()
        if message["m"] == "credit":
            assert message["session"] == self.session
            self.credit += message["n"]
        elif message["m"] == "ping":
            self.send("pong")
        return message

    def receive(self):
        """The next message that is neither credit nor a sign of life."""
        while True:
            message = self.receive_any()
            if message["m"] not in ("credit", "ping"):
                return message

    def await_credit(self):
        while self.credit == 0:
            self.receive_any()

    def expect(self, m):
        message = self.receive()
        assert message["m"] == m, f"wanted {m}, got {message}"
        return message

    def greet(self, mailbox=BOX_A, first=1, next_=1, session=SESSIONS[0], credit=65536):
        hello = self.receive()
        while hello["m"] == "receipt":  # of the session before
            hello = self.receive()
        return self.welcome(hello, mailbox, first, next_, session, credit)

    def welcome(self, hello, mailbox, first, next_, session, credit):
        assert hello["m"] == "hello", f"wanted hello, got {hello}"
        self.session, self.credit = session, 0
        self.send("welcome", session=session, limits={"credit": credit}, clock="real",
                  workers=[{"worker": w["worker"], "mailbox": mailbox, "first": first, "next": next_}
                           for w in hello["workers"]])
        return hello

    def tell(self, seq, body, worker="garcia"):
        self.send("notice", session=self.session, worker=worker, seq=seq, notice=body)

    def tell_several(self, seq, bodies, worker="garcia"):
        self.send("notices", session=self.session, worker=worker, seq=seq, notices=bodies)

    def caught_up(self, seq, worker="garcia"):
        self.send("caughtup", session=self.session, worker=worker, seq=seq)

    def receipt(self, upto):
        """Receipts may come one by one or together; the last says it all."""
        while True:
            message = self.expect("receipt")
            assert message["session"] == self.session
            if message["upto"] == upto:
                return
            assert message["upto"] < upto


class InboxLibrary(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="linkages-sub-")
        self.daemon = Daemon(self.folder)
        public, secret = zmq.curve_keypair()
        self.key = os.path.join(self.folder, "workers.key")
        with open(os.open(self.key, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as f:
            f.write(public + b"\n" + secret + b"\n")
        self.addCleanup(shutil.rmtree, self.folder)
        self.addCleanup(lambda: self.daemon.stop())
        self.running = harness.processes(self)

    def follow(self, *arguments, workers=("garcia",), out=subprocess.PIPE):
        process = subprocess.Popen(
            [os.path.join(BIN, "linkages-sub"), "--server", self.daemon.address,
             "--server-key", os.path.join(self.folder, "server.pub"), "--key", self.key,
             "--store", os.path.join(self.folder, "garcia.inbox"), *arguments, *workers],
            stdout=out, stderr=subprocess.PIPE, text=True, env={**os.environ, "LC_ALL": "C.UTF-8"})
        self.running.append(process)
        return process

    def ends(self, process, status):
        out, err = process.communicate(timeout=LIMIT_MS / 1000)
        self.assertEqual(process.returncode, status, err)
        return out, err

    def seqs(self, out):
        return [line["seq"] for line in map(json.loads, out.splitlines()) if "notice" in line]

    def test_shown_in_order_then_the_place_is_kept(self):
        process = self.follow("--once", "--json")
        hello = self.daemon.greet(next_=4)
        self.assertEqual(hello["workers"], [{"worker": "garcia", "mailbox": None, "last": 0}])
        for seq in (1, 2, 3):
            self.daemon.tell(seq, notice(seq))
        self.daemon.caught_up(3)
        self.daemon.receipt(3)
        out, _ = self.ends(process, 0)
        lines = [json.loads(line) for line in out.splitlines()]
        self.assertEqual([line.get("seq") for line in lines[:3]], [1, 2, 3])
        self.assertEqual(lines[1]["notice"], notice(2))
        self.assertEqual(lines[3], {"caughtup": {"worker": "garcia", "seq": 3}})
        process = self.follow("--once", "--json")
        hello = self.daemon.greet(next_=4)
        self.assertEqual(hello["workers"], [{"worker": "garcia", "mailbox": BOX_A, "last": 3}])
        self.daemon.receipt(3)  # the one before may have been lost: said again
        self.daemon.caught_up(3)
        self.assertEqual(self.seqs(self.ends(process, 0)[0]), [])

    def test_what_may_not_be_shown_any_more_is_no_empty_sentence(self):
        process = self.follow("--once")
        self.daemon.greet(next_=2)
        gone = {"id": f"{1:032x}", "rev": 2, "to": "garcia", "kind": "status.changed", "state": "withdrawn", "reason": "consent"}
        self.daemon.tell(1, gone)
        self.daemon.caught_up(1)
        self.assertRegex(self.ends(process, 0)[0], "^ +status.changed +withdrawn +what it said may not be shown any more [(]consent")

    def test_what_comes_again_is_skipped(self):
        process = self.follow("--once", "--json")
        self.daemon.greet(next_=3)
        for seq in (1, 2, 1, 2):
            self.daemon.tell(seq, notice(seq))
        self.daemon.caught_up(2)
        self.assertEqual(self.seqs(self.ends(process, 0)[0]), [1, 2])

    def test_of_a_message_that_comes_again_in_part_the_rest_is_stored(self):
        process = self.follow("--once", "--json")
        self.daemon.greet(next_=5)
        self.daemon.tell_several(1, [notice(1), notice(2)])
        self.daemon.tell_several(1, [notice(seq) for seq in (1, 2, 3, 4)])
        self.daemon.receipt(4)
        self.daemon.caught_up(4)
        self.assertEqual(self.seqs(self.ends(process, 0)[0]), [1, 2, 3, 4])

    def test_names_are_made_in_quiet(self):
        """A name holds the bytes of an id, which a notice says as digits. Nobody else can open the file meanwhile."""
        process = self.follow("--json", out=subprocess.DEVNULL)
        self.daemon.greet(next_=601)
        for seq in range(1, 601):
            self.daemon.tell(seq, notice(0xfeedfacecafe << 64 | seq))
        self.daemon.receipt(600)
        name = bytes.fromhex(f"{0xfeedfacecafe << 64 | 600:032x}")
        files = [os.path.join(self.folder, file) for file in ("garcia.inbox", "garcia.inbox-wal")]
        deadline = time.monotonic() + LIMIT_MS / 1000
        while not any(name in pathlib.Path(file).read_bytes() for file in files):
            self.assertLess(time.monotonic(), deadline, "no name was written")
            time.sleep(0.05)
        process.terminate()
        self.ends(process, 0)

    def test_a_restarted_daemon_is_greeted_with_the_place(self):
        process = self.follow("--once", "--json")
        self.daemon.greet(next_=4)
        self.daemon.tell(1, notice(1))
        self.daemon.receipt(1)
        self.daemon.stop()
        self.daemon.start()
        hello = self.daemon.greet(next_=4, session=SESSIONS[1])
        self.assertEqual(hello["workers"][0]["last"], 1)
        self.daemon.tell(2, notice(2))
        self.daemon.tell(3, notice(3))
        self.daemon.caught_up(3)
        self.assertEqual(self.seqs(self.ends(process, 0)[0]), [1, 2, 3])

    def test_killed_after_a_receipt_nothing_is_lost_or_doubled(self):
        process = self.follow("--json")
        self.daemon.greet(next_=3)
        self.daemon.tell(1, notice(1))
        self.daemon.receipt(1)
        self.assertEqual(json.loads(process.stdout.readline())["seq"], 1)
        process.kill()
        process.communicate()
        process = self.follow("--once", "--json")
        hello = self.daemon.greet(next_=3, session=SESSIONS[1])
        self.assertEqual(hello["workers"][0]["last"], 1)
        self.daemon.tell(2, notice(2))
        self.daemon.caught_up(2)
        shown = self.seqs(self.ends(process, 0)[0])
        # Shown twice only where it died between the printing and the mark.
        self.assertIn(shown, ([2], [1, 2]))

    def test_in_a_new_mailbox_repetitions_are_known_by_id_and_rev(self):
        process = self.follow("--once")
        self.daemon.greet(next_=3)
        self.daemon.tell(1, notice(1))
        self.daemon.tell(2, notice(2))
        self.daemon.caught_up(2)
        self.ends(process, 0)
        process = self.follow("--once", "--json")
        self.daemon.greet(mailbox=BOX_B, next_=3, session=SESSIONS[1])
        self.daemon.tell(1, notice(2))
        self.daemon.tell(2, notice(1, rev=2, state="updated"))
        self.daemon.caught_up(2)
        out, _ = self.ends(process, 0)
        self.assertEqual(self.seqs(out), [2])
        self.assertEqual(json.loads(out.splitlines()[0])["notice"]["rev"], 2)

    def test_a_place_ahead_of_the_daemon_is_given_up(self):
        process = self.follow("--once")
        self.daemon.greet(next_=3)
        self.daemon.tell(1, notice(1))
        self.daemon.tell(2, notice(2))
        self.daemon.caught_up(2)
        self.ends(process, 0)
        process = self.follow("--once", "--json")
        self.daemon.greet(next_=2, session=SESSIONS[1])
        self.daemon.tell(1, notice(7))
        self.daemon.caught_up(1)
        self.assertEqual(self.seqs(self.ends(process, 0)[0]), [1])

    def test_what_the_store_did_not_take_is_not_receipted(self):
        """A bite whose last notice cannot be stored is taken back whole: no receipt for any of it, and it is asked for again."""
        path = os.path.join(self.folder, "garcia.inbox")
        process = self.follow("--once")
        self.daemon.greet()
        self.daemon.caught_up(0)
        self.ends(process, 0)
        base = sqlite3.connect(path)
        base.execute("CREATE TRIGGER full BEFORE INSERT ON arrival WHEN NEW.seq = 100 BEGIN SELECT RAISE(ABORT, 'full'); END")
        base.close()
        process = self.follow("--json")
        self.daemon.greet(next_=101, session=SESSIONS[1])
        for seq in range(1, 101):
            self.daemon.tell(seq, notice(seq))
        shown = self.seqs(self.ends(process, 2)[0])
        base = sqlite3.connect(path)
        base.execute("DROP TRIGGER full")
        base.close()
        process = self.follow("--once", "--json")
        receipted = [0]
        while (said := self.daemon.receive())["m"] == "receipt":
            receipted.append(said["upto"])
        kept = said["workers"][0]["last"]
        self.assertLessEqual(max(receipted), kept)
        self.daemon.welcome(said, BOX_A, 1, 101, SESSIONS[1], 65536)
        for seq in range(kept + 1, 101):
            self.daemon.tell(seq, notice(seq))
        self.daemon.caught_up(100)
        self.assertEqual(shown + self.seqs(self.ends(process, 0)[0]), list(range(1, 101)))

    def test_a_number_passed_over_ends_the_session(self):
        process = self.follow("--once", "--json")
        self.daemon.greet(next_=4)
        self.daemon.tell(1, notice(1))
        self.daemon.tell(3, notice(3))
        hello = self.daemon.greet(next_=4, session=SESSIONS[1])
        self.assertEqual(hello["workers"][0]["last"], 1)
        self.daemon.tell(2, notice(2))
        self.daemon.tell(3, notice(3))
        self.daemon.caught_up(3)
        self.assertEqual(self.seqs(self.ends(process, 0)[0]), [1, 2, 3])

    def test_credit_is_given_anew_as_it_is_used(self):
        process = self.follow("--once", "--json")
        self.daemon.greet(next_=31, credit=10)
        for seq in range(1, 31):
            self.daemon.await_credit()
            self.daemon.credit -= 1
            self.daemon.tell(seq, notice(seq))
        self.daemon.caught_up(30)
        self.assertEqual(self.seqs(self.ends(process, 0)[0]), list(range(1, 31)))

    def test_lines_for_people_cannot_steer_the_terminal(self):
        process = self.follow("--once")
        self.daemon.greet(next_=2)
        evil = {"meeting_kind": "ltm", "change": "moved", "place": "\x1b[2Jroom\u202e1"}
        self.daemon.tell(1, notice(1, kind="meeting.changed", about=evil, due="2026-03-09"))
        self.daemon.caught_up(1)
        out, _ = self.ends(process, 0)
        self.assertNotIn("\x1b", out)
        self.assertEqual(out.split(), "2026-03-02 09:15 meeting.changed new ltm meeting moved, \\x1b[2Jroom\\u{202e}1;"
                         " due 2026-03-09; case 12-34 00000000".split())

    def test_an_answer_is_confirmed(self):
        process = self.follow("--once")
        self.daemon.greet(next_=2)
        self.daemon.tell(1, notice(0xabc << 116))
        self.daemon.caught_up(1)
        self.ends(process, 0)
        process = self.follow("--answer", "abc")
        self.daemon.greet(next_=2, session=SESSIONS[1])
        said = self.daemon.receive()
        while said["m"] == "receipt":
            said = self.daemon.receive()
        self.assertEqual((said["m"], said["worker"], said["notice"]), ("answer", "garcia", "abc" + "0" * 29))
        self.assertEqual(self.daemon.credit, 0)
        self.daemon.send("answered", worker="garcia", notice=said["notice"], by="garcia", at="2026-03-02T10:00:00-08:00")
        self.ends(process, 0)

    def test_an_answer_that_nobody_confirms_is_repeated(self):
        process = self.follow("--answer", "f" * 32)
        self.daemon.greet(next_=2)
        first = self.daemon.expect("answer")
        self.assertEqual(self.daemon.expect("answer"), first, "in the same session")
        self.daemon.send("answered", worker="garcia", notice=first["notice"], by="garcia", at="2026-03-02T10:00:00-08:00")
        self.ends(process, 0)

    def test_the_first_digits_are_not_known_to_who_finds_the_store_in_use(self):
        reader = self.follow("--json")
        self.daemon.greet(next_=2)
        self.daemon.tell(1, notice(0xabc << 116))
        self.daemon.receipt(1)
        _, err = self.ends(self.follow("--answer", "abc"), 2)
        self.assertRegex(err, "garcia.inbox: another process is using this file; end it first, or give the notice's whole id")
        reader.terminate()
        self.assertEqual(self.seqs(self.ends(reader, 0)[0]), [1])

    def test_an_answer_is_refused(self):
        process = self.follow("--answer", "f" * 32)
        self.daemon.greet(next_=2)
        self.daemon.expect("answer")
        self.daemon.send("error", code="draining", detail="in a while", re=None)  # of the session: it is asked again
        self.daemon.greet(next_=2, session=SESSIONS[1])
        answer = self.daemon.expect("answer")
        self.daemon.send("error", code="forbidden", detail="this worker was told no such notice", re=answer["notice"])
        _, err = self.ends(process, 1)
        self.assertIn("told no such notice", err)

    def test_forbidden_ends_it(self):
        process = self.follow()
        self.daemon.expect("hello")
        self.daemon.send("error", code="forbidden", detail="not this worker")
        _, err = self.ends(process, 2)
        self.assertIn("may not", err)

    def test_no_store_keeps_nothing(self):
        for _ in range(2):
            process = self.follow("--once", "--json", "--no-store")
            hello = self.daemon.greet(next_=2)
            self.assertEqual(hello["workers"][0]["last"], 0)
            self.daemon.tell(1, notice(1))
            self.daemon.caught_up(1)
            self.assertEqual(self.seqs(self.ends(process, 0)[0]), [1])
        self.assertFalse(os.path.exists(os.path.join(self.folder, "garcia.inbox")))


if __name__ == "__main__":
    unittest.main()
