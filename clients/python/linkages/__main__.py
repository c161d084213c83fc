"""python3 -m linkages: an agency's publisher, a worker's client, and the control lane, from a terminal."""
import argparse
import json
import logging
import os
import select
import signal
import stat
import sys

from . import identity, keys, wire
from .control import Control
from .feed import FeedPublisher
from .files import DamagedFile
from .inbox import Inbox
from .outbox import Outbox
from .publisher import Publisher
from .session import Forbidden, SessionError
from .store import Store

DONE, REFUSED, COULD_NOT = 0, 1, 2
BATCH = 256  # lines that are synced together
CHUNK = 256 * 1024  # bytes of a growing input that are looked at together
GROWTH_CHECK = 0.2  # seconds after which the input is looked at again


def say(text):
    print(text, file=sys.stderr, flush=True)


# ---- pub ---------------------------------------------------------------------------------------------------------------


class Lines:
    """Events by line; lines that are none are named and counted."""

    def __init__(self, file, identity_key):
        self.file, self._key, self.number, self.refused = file, identity_key, 0, 0

    def refuse(self, number, refused):
        self.refused += 1
        say(f"line {number}: {refused}")

    def events(self, lines):
        """(number, event) of each line, which is bytes."""
        for line in lines:
            self.number += 1
            if not line.strip():
                continue
            try:
                yield self.number, identity.seal(wire.from_json(line.decode()), self._key)
            except UnicodeDecodeError:
                self.refuse(self.number, wire.malformed("This text is not UTF-8."))
            except wire.Refused as refused:
                self.refuse(self.number, refused)

    def __iter__(self):
        return self.events(self.file)


class Tail:
    """Whole lines of a file as it grows, or of a pipe until its writer ends; never waits."""

    def __init__(self, file):
        self._fd, self._rest, self.ended = file.fileno(), b"", False
        self._is_file = stat.S_ISREG(os.fstat(self._fd).st_mode)

    def read(self):
        if not self._is_file and not select.select([self._fd], [], [], 0)[0]:
            return []
        chunk = os.read(self._fd, CHUNK)
        self.ended = not chunk and not self._is_file
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if self.ended:
            lines, self._rest = lines + [self._rest], b""
        return lines


def batches(events):
    batch = []
    for numbered in events:
        batch.append(numbered)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def append(outbox, lines, batch, line_of):
    """One sync for all of them, unless one is refused: then one by one, so that the rest is kept."""
    try:
        seqs = outbox.append(*(event for _, event in batch))
    except wire.Refused:
        seqs = []
        for number, event in batch:
            try:
                seqs += outbox.append(event)
            except wire.Refused as refused:
                lines.refuse(number, refused)
                seqs.append(None)
    for (number, _), seq in zip(batch, seqs):
        line_of.setdefault(seq, number)


class Run:
    """One outbox, from lines to verdicts."""

    def __init__(self, args, lines, outbox):
        self.args, self.lines, self.outbox = args, lines, outbox
        self.line_of, self.refused, self._epoch = {}, 0, outbox.state.epoch

    def take(self, events):
        for batch in batches(events):
            append(self.outbox, self.lines, batch, self.line_of)

    def tell(self):
        """The verdicts that nobody was told of."""
        if self.outbox.state.epoch != self._epoch:
            say("the outbox was an old copy of itself: what it held was sent again under a new name")
            self.line_of, self._epoch = {}, self.outbox.state.epoch
        new = self.outbox.untold()
        for r in new:
            where = f"line {self.line_of[r.seq]}" if r.seq in self.line_of else f"event {r.id or r.seq}"
            say(f"{where}: {r.reason}{' ' + r.field if r.field else ''}: {r.detail or ''}")
        self.outbox.told(new)
        self.refused += len(new)

    def follow(self, publisher):
        """Sends what the input grows by, until it ends or we are stopped. True: all of it is settled."""
        stopped = []
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopped.append(True))
        tail = Tail(self.lines.file)
        while not (stopped or tail.ended):
            came = tail.read()
            self.take(self.lines.events(came))
            publisher.step(0 if came else GROWTH_CHECK)
            self.tell()
        return publisher.settled if stopped else flush(publisher, self.args.timeout)


def publish(args, lines):
    """Through the outbox, and on until all is settled."""
    with Outbox(args.outbox, args.source) as outbox:
        run = Run(args, lines, outbox)
        if not args.follow:
            run.take(lines)
        with Publisher(args.peer, outbox) as publisher:
            done = run.follow(publisher) if args.follow else flush(publisher, args.timeout)
        run.tell()
        waiting = outbox.state.last - outbox.state.acked
    if not done:
        say(f"{f'{waiting} events wait in {args.outbox}' if waiting else 'nothing waits'}: "
            f"{publisher.trouble or 'the daemon does not acknowledge'}")
        return COULD_NOT
    say(f"{lines.number} lines read, {lines.refused + run.refused} refused; all acknowledged")
    return REFUSED if run.refused or lines.refused else DONE


def flush(publisher, seconds):
    """Gives up after so many seconds without an acknowledgement; 0: never."""
    if seconds == 0:
        return publisher.flush()
    while not publisher.settled:
        acked = publisher.outbox.state.acked
        if publisher.flush(seconds, until=lambda: publisher.outbox.state.acked > acked) or publisher.outbox.state.acked > acked:
            continue
        return False
    return True


def publish_on_feed(args, lines):
    """Published and gone: nobody answers."""
    n = 0
    with FeedPublisher(args.peer, args.source) as feed:
        for number, event in lines:
            try:
                if not feed.publish(event, args.timeout or 3600):
                    say(f"line {number} and what follows were not sent: {feed.trouble or 'the daemon does not listen'}")
                    return COULD_NOT
                n += 1
            except wire.Refused as refused:
                lines.refuse(number, refused)
    say(f"{n} events sent; whether they arrived, this lane does not say")
    return REFUSED if lines.refused else DONE


def pub(args):
    key = keys.read_identity_key(args.identity_key) if args.identity_key else None
    args.peer = keys.read_peer(args.server, args.server_key, args.key)
    if args.feed and not args.source:
        args.parser.error("--feed needs --source NAME")
    if not args.feed and not args.outbox:
        args.parser.error("--outbox FILE says where events are kept until they are acknowledged")
    if args.feed and args.follow:
        args.parser.error("--follow goes on with an outbox; the feed lane keeps nothing")
    if args.file == "-":
        return (publish_on_feed if args.feed else publish)(args, Lines(sys.stdin.buffer, key))
    with open(args.file, "rb") as file:
        return (publish_on_feed if args.feed else publish)(args, Lines(file, key))


# ---- sub ---------------------------------------------------------------------------------------------------------------


def sentence(kept):
    notice = kept.notice
    about = " ".join(f"{name}={value if isinstance(value, str) else wire.to_json(value)}"
                     for name, value in notice.get("about", {}).items())
    words = [notice.get("at", "-"), kept.worker, notice.get("urgency", "-"), notice["kind"], notice["state"],
             notice.get("reason"), about or None, f"due {notice['due']}" if notice.get("due") else None,
             f"case {notice['case']}" if notice.get("case") else None,
             f"other {notice['other']}" if notice.get("other") else None, notice["id"][:8]]
    return "".join(c if c.isprintable() else "?" for c in "  ".join(word for word in words if word))


def show(store, as_json):
    new = store.new()
    for kept in new:
        line = {"worker": kept.worker, "seq": kept.seq, "notice": kept.notice}
        print(wire.to_json(line) if as_json else sentence(kept))
    sys.stdout.flush()
    if new:
        store.shown(new[-1].position)


def say_answer(args, inbox, store, refused):
    found = store.find(args.answer) or ([(args.answer, args.worker[0])] if len(args.answer) == 32 else [])
    if len(found) != 1:
        say(f"{args.answer}: {'several notices begin' if found else 'no notice that is kept here begins'} so")
        return COULD_NOT
    inbox.answer(found[0][1], found[0][0])
    if inbox.follow(lambda: not inbox.unconfirmed, args.timeout or None):
        for _, notice in refused:
            say(f"{notice[:8]}: this worker was told no such notice, or it was taken back for good")
        return REFUSED if refused else DONE
    say(f"not confirmed: {inbox.trouble or 'the daemon does not answer'}")
    return COULD_NOT


def sub(args):
    peer = keys.read_peer(args.server, args.server_key, args.key)
    refused = []
    with Store(args.store) as store:
        show(store, args.json)  # what an earlier run had kept and not shown
        with Inbox(peer, args.client or args.worker[0], args.worker, store,
                   on_received=lambda: show(store, args.json),
                   on_refused=lambda *answer: refused.append(answer)) as inbox:
            if args.answer:
                return say_answer(args, inbox, store, refused)
            if inbox.follow(lambda: args.once and inbox.caught_up, args.timeout if args.once and args.timeout else None):
                return DONE
            say(f"not caught up: {inbox.trouble or 'the daemon does not answer'}")
            return COULD_NOT


# ---- ctl ---------------------------------------------------------------------------------------------------------------


def argument(text):
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"'{text}': an argument is NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def keygen(name):
    public = keys.make_pair(name)
    say(f"{name}.key is secret and stays here; {name}.pub is for the table of clients:")
    print(f"- name: {os.path.basename(name)}\n  key: '{public}'\n  role: publisher\n  sources: [] # which?")
    return DONE


def ctl(args):
    if args.verb == "keygen":
        if len(args.argument) != 1:
            args.parser.error("keygen NAME")
        return keygen(args.argument[0])
    with Control(keys.read_peer(args.server, args.server_key, args.key)) as control:
        for part in control.ask(args.verb, args.timeout or 3600, **dict(argument(text) for text in args.argument)):
            print(wire.to_json(part))
    return DONE


# ---- the command line --------------------------------------------------------------------------------------------------


def common(parser, server):
    parser.set_defaults(parser=parser)
    parser.add_argument("-s", "--server", metavar="ADDRESS", default=server, help="where the daemon listens (%(default)s)")
    parser.add_argument("--server-key", metavar="FILE", default="server.pub", help="the daemon's public key (%(default)s)")
    parser.add_argument("-k", "--key", metavar="FILE", default="client.key", help="our own key file (%(default)s)")
    parser.add_argument("-t", "--timeout", metavar="SECONDS", type=float, default=60,
                        help="give up after so long without a word; 0: never (%(default)g)")
    parser.add_argument("-v", "--verbose", action="store_true", help="names of messages as they pass, on standard error")


def command_line():
    parser = argparse.ArgumentParser(prog="python3 -m linkages", description="A client of linkagesd.",
                                     epilog="Exit status: 0 done; 1 something was refused; 2 could not.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    p = commands.add_parser("pub", help="publish events, one JSON object a line, and return when all are acknowledged")
    common(p, "tcp://127.0.0.1:5562")
    p.set_defaults(run=pub)
    p.add_argument("-o", "--outbox", metavar="FILE", help="keeps the events until the daemon needs them no more")
    p.add_argument("--source", metavar="NAME", help="whose events these are; needed where the outbox is made, and on the feed")
    p.add_argument("--identity-key", metavar="FILE", help="makes members' `identity` into tokens before anything is kept")
    p.add_argument("-f", "--follow", action="store_true", help="keep running: send what the input grows by")
    p.add_argument("--feed", action="store_true", help="the simple lane: nothing is kept, nothing acknowledged")
    p.add_argument("file", metavar="FILE", nargs="?", default="-", help="(default: standard input)")
    p = commands.add_parser("sub", help="show each notice of one or several workers once")
    common(p, "tcp://127.0.0.1:5563")
    p.set_defaults(run=sub)
    p.add_argument("--store", metavar="FILE", required=True, help="keeps the notices and our place in the mailboxes")
    p.add_argument("--client", metavar="NAME", help="a name for operators (default: the first WORKER)")
    p.add_argument("-1", "--once", action="store_true", help="end when everything that was waiting has been shown")
    p.add_argument("-a", "--answer", metavar="NOTICE", help="acknowledge this notice and end; its first digits will do")
    p.add_argument("--json", action="store_true", help="one JSON object a line: {worker, seq, notice}")
    p.add_argument("worker", metavar="WORKER", nargs="+")
    p = commands.add_parser("ctl", help="ask a verb of the control lane, or make keys: keygen NAME")
    common(p, "ipc:///run/linkages/control")
    p.set_defaults(run=ctl)
    p.add_argument("verb", metavar="VERB")
    p.add_argument("argument", metavar="NAME=VALUE", nargs="*", help="a value that is JSON is taken as JSON")
    return parser


def main():
    args = command_line().parse_args()
    logging.basicConfig(level=logging.DEBUG if args.verbose else logging.WARNING, format="%(message)s")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(COULD_NOT))
    try:
        return args.run(args)
    except Forbidden as forbidden:
        say(f"linkages: {forbidden}")
        return REFUSED
    except (SessionError, DamagedFile, keys.BadKey, wire.Refused, argparse.ArgumentTypeError) as error:
        say(f"linkages: {error}")
        return REFUSED if getattr(error, "code", None) else COULD_NOT
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return COULD_NOT
    except OSError as error:
        say(f"linkages: {error.filename or ''}: {error.strerror}")
        return COULD_NOT
    except KeyboardInterrupt:
        return COULD_NOT


if __name__ == "__main__":
    sys.exit(main())
