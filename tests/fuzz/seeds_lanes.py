#!/usr/bin/python3
"""seeds_lanes.py - writes the first plays for fuzz_lanes: what peers of good will and of none say, in order.

usage: seeds_lanes.py FOLDER

In: nothing. Out: a file a play. Promise: each message of each lane is in one of them, and each step of fuzz_lanes.c.
"""
import os
import sys

import msgpack

SAY, TURN, CUT, TABLE, ZAP, FORGE, ROUTE, FAULT = 0, 8, 9, 10, 11, 12, 13, 14
CWS, CALWORKS, GARCIA, JONES, OPERATOR, AUDITOR, FEED_CWS, FEED_CALWORKS, RIVAL = range(9)
EPOCH = "0123456789abcdef" * 2


def step(what, who=0, body=b""):
    return bytes([what, who]) + len(body).to_bytes(2, "big") + body


def say(who, m, **members):
    return step(SAY, who, msgpack.packb({"m": m, **members}))


def hello(who, source, first=1, last=9, acked=0, epoch=EPOCH):
    return say(who, "hello", v=1, source=source, epoch=epoch, first=first, last=last, acked=acked)


def read(who, *workers, last=0, mailbox=None, **more):
    return say(who, "hello", v=1, client="x", workers=[{"worker": w, "mailbox": mailbox, "last": last} for w in workers], **more)


def session(n):
    """Chance is taken out: the n-th random thing is n, again and again."""
    return f"{n:02x}" * 16


def event(source, number, type_, **members):
    subject = {"cws-cms": "0123-4567", "calsaws": "1B2C3D4"}[source]
    return {"specversion": "1.0", "id": f"e{number}", "source": source, "type": type_, "subject": subject,
            "time": f"2026-03-02T09:{number:02d}:00-08:00", "data": members}


def sent(who, source, number, type_, seq=None, **members):
    return say(who, "event", epoch=EPOCH, seq=seq or number, event=event(source, number, type_, **members))


def several(who, source, first, *types):
    return say(who, "events", epoch=EPOCH, seq=first,
               events=[event(source, n, type_, **members) for n, (type_, members) in enumerate(types, first)])


def verb(who, which, n=1, **args):
    return say(who, "verb", v=1, id=n, verb=which, args=args)


CWS_SIDE = hello(CWS, "cws-cms") + sent(CWS, "cws-cms", 1, "case.opened", status="fm") \
    + sent(CWS, "cws-cms", 2, "worker.assigned", role="social_worker", worker="garcia")
CALWORKS_SIDE = hello(CALWORKS, "calsaws") + sent(CALWORKS, "calsaws", 1, "case.opened", status="active") \
    + sent(CALWORKS, "calsaws", 2, "worker.assigned", role="ais_worker", worker="jones") \
    + sent(CALWORKS, "calsaws", 3, "link.confirmed", other={"agency": "cws", "case": "0123-4567"})
READERS = read(GARCIA, "garcia") + read(JONES, "jones")
CREDIT = b"".join(say(who, "credit", session=session(n), n=100) for who in (GARCIA, JONES) for n in range(2, 6))
CROSSED = READERS + CREDIT + CWS_SIDE + CALWORKS_SIDE + step(TURN)

PLAYS = {
    "crossed": CROSSED,
    "caught_up": CWS_SIDE + CALWORKS_SIDE + READERS + CREDIT + step(TURN)
    + say(GARCIA, "receipt", session=session(2), worker="garcia", upto=1) + step(TURN),
    "answered": CROSSED + say(GARCIA, "answer", session=session(2), worker="garcia", notice="0" * 32) + step(TURN),
    "consent": CROSSED + sent(CWS, "cws-cms", 3, "consent.signed", consent="c") + sent(CWS, "cws-cms", 4, "case.status", status="fr")
    + sent(CWS, "cws-cms", 5, "consent.revoked", consent="c") + step(TURN),
    "several": read(GARCIA, "garcia", several=9) + CREDIT + hello(CWS, "cws-cms")
    + several(CWS, "cws-cms", 1, ("case.opened", {"status": "fm"}), ("worker.assigned", {"role": "social_worker", "worker": "garcia"}),
              ("no.such", {})) + CALWORKS_SIDE + step(TURN) + several(CWS, "cws-cms", 2, *7 * [("contact.made", {"kind": "phone"})])
    + several(CWS, "cws-cms", 8) + step(TURN),
    "gap": hello(CWS, "cws-cms", first=5, last=9, acked=4) + sent(CWS, "cws-cms", 9, "contact.made", kind="phone") + step(TURN)
    + say(CWS, "ping", last=9) + say(CWS, "pong", last=9),
    "beyond_credit": hello(CWS, "cws-cms") + 2 * sent(CWS, "cws-cms", 1, "contact.made", seq=99, kind="phone"),
    "refused": hello(CWS, "cws-cms") + sent(CWS, "cws-cms", 1, "no.such") + sent(CWS, "cws-cms", 2, "case.opened", status="no")
    + step(TURN) + hello(CWS, "cws-cms"),
    "two_epochs": hello(CWS, "cws-cms") + hello(CWS, "cws-cms", epoch="f" * 32) + sent(CWS, "cws-cms", 1, "case.opened", status="er"),
    "revoked": CROSSED + step(TABLE, 1) + sent(CALWORKS, "calsaws", 4, "contact.made", kind="phone") + step(TURN) + step(TABLE, 0),
    "swapped": CROSSED + step(TABLE, 2) + READERS + step(TURN) + CREDIT,
    "parted": CROSSED + step(CUT, GARCIA) + sent(CWS, "cws-cms", 3, "case.closed") + step(TURN) + read(RIVAL, "garcia"),
    "blocked": READERS + CREDIT + step(FAULT, 2) + CWS_SIDE + CALWORKS_SIDE + step(TURN) + step(FAULT, 0) + step(TURN),
    "gone": READERS + CREDIT + step(FAULT, 1) + CWS_SIDE + CALWORKS_SIDE + step(TURN),
    "feed": step(SAY, FEED_CWS, msgpack.packb({**event("cws-cms", 1, "case.opened", status="ifs"), "sequence": "1"}))
    + step(SAY, FEED_CWS, msgpack.packb({**event("cws-cms", 2, "case.closed"), "sequence": "5"}))
    + step(SAY, FEED_CALWORKS, msgpack.packb({"m": "ping", "last": 7})) + step(TURN),
    "verbs": CROSSED + verb(OPERATOR, "status") + verb(OPERATOR, "dead-letters", after=0, limit=5)
    + verb(OPERATOR, "clock", to="2026-03-20T08:00:00-07:00", silent=["calsaws"]) + 3 * step(TURN) + verb(OPERATOR, "stop")
    + verb(OPERATOR, "policy-check", text="rules: {}", name="p") + verb(OPERATOR, "reload") + verb(OPERATOR, "no-such"),
    "cases": CROSSED + verb(AUDITOR, "family", agency="cws", case="0123-4567", purpose="x")
    + verb(AUDITOR, "plan", agency="cws", case="0123-4567", worker="garcia", purpose="x")
    + verb(AUDITOR, "why", notice="0" * 32, purpose="x")
    + verb(AUDITOR, "why-not", event="cws-cms/e1", worker="jones", purpose="x") + verb(AUDITOR, "status"),
    "strangers": step(ZAP, 0, bytes(32)) + step(ZAP, 0, b"\x01" * 32) + step(ZAP, 0, b"x") + step(FORGE, 0, b"01" * 16 + b":" + b"x" * 40)
    + step(FORGE, 0, b"nobody") + step(ROUTE, 0, b"chosen") + step(ROUTE, 2, b"\0abcd") + read(10, "garcia"),
    "bombs": step(SAY, CWS, b"\xdd\xff\xff\xff\xff") + step(SAY, GARCIA, b"\x91" * 300) + step(SAY, OPERATOR, b"\xc1"),
}

if __name__ == "__main__":
    for name, play in PLAYS.items():
        with open(os.path.join(sys.argv[1], name), "wb") as out:
            out.write(play)
