#!/usr/bin/python3
"""test_verbs.py - every verb of the control lane: what a running daemon says is what schemas/verbs/ promises.

In: a small family with something of everything in it, a daemon that is asked everything about it, answers of every kind, and
refusals. Out: each reply held against its schema (verbs.py). Promise: a verb that was not asked, and a member that no answer
has shown with a value, is named.
"""
import os
import sqlite3
import unittest

import harness
import peer
import verbs
from saying import calsaws, cws, event
from test_clock import DAY, ClockTest, at
from test_lanes import GARCIA, JONES, OTHER_EPOCH, LaneTest, contacts

WHY = {"purpose": "a look at everything"}
HERS, HIS = {"agency": "cws", "case": "0123-4567"}, {"agency": "calworks", "case": "1B2C3D4"}
# Else the daemon may come upon a damaged row by itself, and end, before a scrub that was asked for.
SCRUBBED = ("REPLACE INTO value (name, value) SELECT 'scrub.ended', value FROM value WHERE name = 'now' "
            "UNION ALL VALUES ('scrub.part', 0), ('scrub.place', 0)")
LATER = {"start": "2026-03-20T09:00:00-07:00", "end": "2026-03-20T10:00:00-07:00"}

CWS = [
    cws(1, "case.opened", 0, status="ifs"), cws(2, "worker.assigned", 1, **GARCIA),
    cws(3, "worker.assigned", 1, role="supervisor", worker="ito", name="K. Ito", phone="925-555-0303"),
    cws(4, "consent.signed", 6, consent="c1", expires="2026-08-31"),
    cws(5, "plan.signed", 7, plan="p1", kind="ifs_agreement"), cws(6, "plan.closing", 8, plan="p1", date="2026-09-01"),
    cws(7, "service.started", 9, service="s1", category="employment"),
    cws(8, "concern.raised", 10, concern="k1", kind="deviation"),
    cws(9, "referral.made", 11, referral="r1", category="housing", to="calworks", follow_up="2026-03-30"),
    cws(10, "meeting.scheduled", 12, meeting="m1", kind="visit", place="x" + "ü" * 199, required=["garcia"], **LATER),
    cws(11, "contact.made", 13, kind="face_to_face"), cws(12, "case.closing", 14, date="2026-10-01"),
    # Named before they are there: all but the id is null.
    cws(13, "plan.closing", 15, plan="p9", date="2026-09-01"), cws(14, "service.ended", 15, service="s9", outcome="stopped"),
    cws(15, "concern.resolved", 15, concern="k9"), cws(16, "referral.updated", 15, referral="r9", status="received"),
    cws(17, "milestone.reached", 16, milestone="reunified"),
    {**cws(18, "milestone.reached", 16, milestone="safe"), "supersedes": "e17"},
    event("cws-cms", "0200-0001", 30, "case.opened", 2, status="er"),
    event("cws-cms", "0200-0001", 31, "case.closed", 3, reason="done"),
    event("cws-cms", "0200-0001", 32, "link.confirmed", 4, other={"agency": "calworks", "case": "1B2C3D4"}),
    event("cws-cms", "0300-0001", 40, "case.status", 4, status="fm"),
    event("cws-cms", "0400-0001", 41, "case.opened", 4, status="fm"),
]
CALWORKS = [
    calsaws(1, "case.opened", 2, status="active"), calsaws(2, "worker.assigned", 3, **JONES),
    calsaws(3, "link.confirmed", 4, other={"agency": "cws", "case": "0123-4567"}),
    calsaws(4, "case.status", 20, status="sanctioned"),
    calsaws(8, "referral.made", 20, referral="r2", category="food", to="cws"),
    calsaws(5, "no.such.type", 21), calsaws(6, "case.status", 22, status="gone"), calsaws(7, "case.status", 23, status=1.5),
]


class Verbs(LaneTest):
    """One long story: what was said before is what the next verb shows."""

    def configure(self):
        with open(self.daemon.path("linkages.yaml"), encoding="utf-8") as f:
            text = f.read().replace("name: cws-cms,", "name: cws-cms, sequence: dense,")
        self.daemon.write("linkages.yaml", text)

    def setUp(self):
        super().setUp()
        self.operator, self.auditor = self.asker(), self.asker("auditor")

    def shown(self, verb, **args):
        return self.auditor.ok(verb, **args, **WHY)

    def publish(self):
        self.operator.ok("sources")  # nobody was heard
        self.operator.ok("workers")
        self.publisher(CWS, "cws", "cws-cms", OTHER_EPOCH).publish_all()
        agency = self.publisher(CALWORKS)
        agency.publish_all()
        self.assertEqual(set(agency.refused), {6, 7, 8})
        feed = self.open(peer.Feed, "feed", "cws", "cws-cms")
        feed.publish({**cws(50, "case.opened", 59, status="gone"), "sequence": "1"})  # no place in an outbox

    def read_along(self):
        """A first hand-out, one after a pause, and an answer."""
        self.reader = self.worker()
        self.reader.catch_up()
        notices = self.reader.store["jones"]["notices"].values()
        self.status_changed = next(n["id"] for n in notices if n["kind"] == "status.changed")
        self.needed = next(n["id"] for n in notices if n["kind"] == "meeting.needed")
        self.reader.send("answer", session=self.reader.session, worker="jones", notice=self.status_changed)
        self.reader.expect("answered")

    def counted(self):
        """The census counts in quiet moments."""
        while self.operator.ok("status")["waiting"]["families"] is None:
            pass

    def look(self):
        self.counted()
        for verb in ("status", "sources", "sessions", "workers"):
            self.operator.ok(verb)
        self.assertEqual(self.operator.ok("workers", unreachable=True)["workers"][0]["client"], None)

    def look_at_cases(self):
        family = self.shown("family", **HERS)
        self.shown("family", **HIS)
        self.assertEqual([r["status"] for r in family["referrals"]], ["made", None, "made"])
        self.shown("family", agency="cws", case="0300-0001")  # a status, and no opening yet
        visit = self.shown("family", agency="cws", case="0400-0001")["coming"][0]
        self.assertEqual((visit["kind"], visit["due"]), ("visit.due", "2026-04-30"))
        self.shown("plan", **HERS, worker="garcia")
        self.shown("plan", **HIS, worker="jones")
        for notice in (self.status_changed, self.needed[:12]):
            self.shown("why", notice=notice)
        for worker in ("garcia", "jones", "ito", "nobody"):
            for name in ("calsaws/e4", "cws-cms/e1", "cws-cms/e17", "cws-cms/e7", "cws-cms/e10"):
                self.shown("why-not", event=name, worker=worker)

    def take_consent_back(self):
        agency = self.publisher(CWS + [cws(19, "consent.revoked", 40, consent="c1")], "cws", "cws-cms", OTHER_EPOCH)
        agency.acked = len(CWS)
        agency.publish_all()
        self.assertEqual(self.shown("why", notice=self.status_changed)["disclosure"]["held_by"], "no_consent")
        for withdrawn in (n["id"] for n in self.family_told("jones")):
            self.shown("why", notice=withdrawn)

    def family_told(self, worker):
        self.reader = self.worker()
        self.reader.catch_up()
        return [n for n in self.reader.store[worker]["notices"].values() if n["state"] == "withdrawn"]

    def letters(self):
        listed = self.operator.ok("dead-letters", after=0, limit=100)["letters"]
        self.assertEqual({letter["reason"] for letter in listed}, {"unknown_type", "bad_value", "malformed"})
        read = self.shown("dead-letters-read", after=0)["letters"]
        self.assertTrue(all((letter["json"] is None) != (letter["hex"] is None) for letter in read))
        number = next(letter["number"] for letter in read if letter["seq"] == 7)
        self.shown("dead-letter-resubmit", number=number, event=calsaws(6, "case.status", 22, status="good_cause"))
        self.operator.ok("dead-letters")

    def policy(self):
        self.operator.ok("policy-check", text="visits:\n  told_before: 9 days\n", name="other.yaml")
        self.operator.ok("policy-check", text="{}")
        self.assertEqual(self.operator.refused("policy-check", text="visits:\n  told_before: 9 weeks\n"), "refused")
        self.operator.ask("policy-check", text=f"visits:\n  told_before: 9 {'ü' * 500}\n")  # cut, and still text
        self.operator.ask("policy-check", text=f"visits:\n  told_before: 9 x{'ü' * 500}\n")
        self.operator.ask("policy-check", text=f"visits:\n  {'ü' * 500}: 1\n", name="ü" * 120)
        self.operator.ok("reload")

    def upkeep(self):
        head = self.operator.ok("ledger-verify")["head"]
        self.operator.ok("ledger-verify", head=head)
        for verb in ("scrub", "rebuild", "prune"):
            self.operator.ok(verb)
        made = self.operator.ok("backup")
        self.operator.ok("backups")
        self.operator.ok("backup-verified", backup=made["backup"], place="/srv/backup/1.db")
        self.operator.ok("backups")
        self.shown("export")

    def expunge(self):
        self.shown("hold", **HERS)
        self.shown("holds")
        self.assertEqual(self.auditor.refused("expunge", **HIS, **WHY), "not_now")
        self.shown("release", **HERS)
        self.shown("expunge", **HIS)
        self.auditor.ok("vacuum", case=HIS["case"])
        self.operator.ok("backup-forget", backup=1)

    def refusals(self):
        """To whoever has not the role; of what makes no sense; of what is not there."""
        publisher = self.asker("cws")
        for verb in [*verbs.VERBS, "no-such-verb"]:
            self.assertIn(publisher.refused(verb), ("forbidden", "unknown_verb"))
        for verb, args in (("family", {}), ("family", {**HERS, "purpose": ""}), ("plan", HERS), ("why", {"notice": "xyz", **WHY}),
                           ("why-not", {"event": "e1", "worker": "garcia", **WHY}), ("dead-letters-read", {"limit": 0, **WHY}),
                           ("dead-letter-resubmit", {"number": 1, **WHY}), ("expunge", {"agency": "cws", **WHY}),
                           ("hold", {"agency": "nobody", **WHY}), ("holds", {}), ("export", {})):
            self.assertEqual(self.auditor.refused(verb, **args), "bad_value", verb)
        for verb, args in (("dead-letters", {"after": -1}), ("ledger-verify", {"head": "1"}), ("policy-check", {}),
                           ("backup-verified", {"backup": 1}), ("backup-forget", {}), ("clock", {"to": "tomorrow"})):
            self.assertEqual(self.operator.refused(verb, **args), "bad_value", verb)
        for verb, args in (("family", HIS), ("plan", {**HIS, "worker": "jones"}), ("why", {"notice": "f" * 32}),
                           ("why-not", {"event": "calsaws/e99", "worker": "jones"}), ("release", HERS),
                           ("expunge", {"agency": "cws", "case": "9"})):
            self.assertEqual(self.auditor.refused(verb, **args, **WHY), "not_found", verb)
        self.assertEqual(self.operator.refused("clock-accept"), "not_now")

    def meddle(self, *queries):
        if self.daemon.process.poll() is None:
            self.daemon.stop()
        base = sqlite3.connect(self.daemon.path("state/linkages.db"))
        with base:
            for query in queries:
                self.assertGreater(base.execute(query).rowcount, 0)
        base.close()
        self.daemon.start()
        self.operator = self.asker()

    def damage(self):
        """What was meddled with is told by the members that are null else."""
        self.meddle("UPDATE ledger SET level = 1 - level WHERE number = (SELECT min(number) FROM ledger WHERE at IS NOT NULL)")
        self.assertFalse(self.operator.ok("ledger-verify")["sound"])
        while self.operator.ok("status")["waiting"]["oldest"] is None:  # counted in a quiet moment after the start
            pass

    def many(self):
        """More than one message may hold."""
        self.meddle("INSERT INTO backup (made_at, position, ledger) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
                    "FROM n WHERE i < 1500) SELECT 1772000000000000 + i, 1, 1 FROM n")
        parts = self.operator.ask("backups")
        self.assertEqual(sum(len(part["body"]["backups"]) for part in parts), 1500)
        self.assertGreater(len(parts), 1)

    def scrub_finds(self):
        """And the daemon ends, for its store is to be made anew."""
        self.meddle("UPDATE event SET body = CAST(body || x'00' AS BLOB) WHERE position = "
                    "(SELECT min(position) FROM event WHERE type >= 0)", SCRUBBED)
        found = self.operator.ok("scrub")
        self.assertEqual((found["sound"], found["damages"], len(found["damaged"])), (False, 1, 1))
        self.assertRegex(found["damaged"][0], r"^event at \d+: ")
        self.assertEqual(self.daemon.process.wait(harness.STOP_S), 75)

    def test_every_verb(self):
        self.publish()
        self.read_along()
        self.look()
        self.look_at_cases()
        self.take_consent_back()
        self.letters()
        self.policy()
        self.upkeep()
        self.operator.ok("clock", to="2026-03-10T09:00:00-07:00", silent=["calsaws"])
        self.look()
        self.expunge()
        self.refusals()
        self.operator.ok("stop")
        self.assertEqual(self.daemon.process.wait(harness.STOP_S), 0)
        self.damage()
        self.many()
        self.scrub_finds()


class MuchToSay(LaneTest):
    def test_an_answer_that_is_no_message_is_refused(self):
        """A family with more in it than a message may hold: said at once, and not by silence."""
        opening = [cws(1, "case.opened", 0, status="fm"), cws(2, "worker.assigned", 1, **GARCIA)]
        consents = [cws(n, "consent.signed", 2, consent=f"c{n}") for n in range(3, 700)]
        self.publisher(opening + consents, "cws", "cws-cms", OTHER_EPOCH).publish_all()
        auditor = self.asker("auditor")
        self.assertEqual(auditor.refused("family", **HERS, **WHY), "too_large")
        auditor.ok("plan", **HERS, **WHY, worker="garcia")


class LongWork(LaneTest):
    def test_who_waits_for_one_is_told_when_the_daemon_ends(self):
        self.publisher(contacts(3000)).publish_all()
        asker = self.asker()
        asker.send("verb", verb="scrub", v=1, id=1)
        asker.send("verb", verb="stop", v=1, id=2)
        last = {}
        while len(last) < 2:
            reply = asker.expect("reply")
            verbs.check("scrub" if reply["id"] == 1 else "stop", {}, [reply])
            if not reply["more"]:
                last[reply["id"]] = reply
        self.assertTrue(last[2]["ok"])
        self.assertTrue(last[1]["ok"] or last[1]["body"]["code"] == "not_now")
        self.assertEqual(self.daemon.process.wait(harness.STOP_S), 0)


    def heard_beside(self, asker, verb, much):
        """The parts of a long work's answer, up to two, while 64 other questions wait all the time."""
        parts, waiting = [], 0
        asker.send("verb", verb=verb, v=1, id=1)
        while not parts or len(parts) < 2 and parts[-1]["more"]:
            for waiting in range(waiting + 1, 65):
                asker.send("verb", verb="policy-check", v=1, id=2, args=much)
            reply = asker.expect("reply")
            waiting -= reply["id"] == 2
            parts += [reply] * (reply["id"] == 1)
        return parts

    def test_who_waits_for_one_hears_how_far_it_is(self):
        """While the daemon has so much else to do that the work goes on at its beat alone."""
        self.publisher(contacts(1600)).publish_all()
        with open(os.path.join(harness.ROOT, "daemon", "policy.yaml"), encoding="utf-8") as f:
            much = {"text": f.read()}
        parts = [{"more": False}]
        while not parts[0]["more"]:
            parts = self.heard_beside(self.asker(), "scrub", much)
        self.assertEqual(parts[0]["body"]["working"], "scrub")
        verbs.check("scrub", {}, parts)


class RealClock(ClockTest):
    def test_what_a_clock_moved_by_hand_does_not_know(self):
        """An event whose time has not come, and a clock that jumped."""
        self.cross_now()
        self.publish_more({**calsaws(4, "case.closed", 0, reason="ended"), "time": at(5 * DAY)})
        auditor = self.asker("auditor")
        self.assertEqual(auditor.ok("family", **HERS, **WHY)["ahead"][0]["event"], "calsaws/e4")
        auditor.ok("why-not", event="calsaws/e4", worker="jones", **WHY)
        self.shift(10 * DAY)
        self.assertTrue(self.suspect())
        self.asker().ok("clock-accept")


class Zoned(unittest.TestCase):
    """Runs last, by its name."""

    def test_every_member_has_been_seen(self):
        self.assertEqual(verbs.unseen(), [])

    def test_each_kind_of_mistake_is_found(self):
        body = {"holds": [{"agency": "cws", "case": "1", "reason": "suit", "since": "2026-03-02T09:00:00Z"}]}
        reply = {"ok": True, "more": False, "body": body}
        self.assertEqual(list(verbs.disagreements("holds", WHY, [reply])), [])
        row = body["holds"][0]
        for wrong in ({}, {**row, "until": None}, {**row, "agency": "other"}, {**row, "since": 5}, {**row, "case": None},
                      {word: row[word] for word in ("agency", "case", "reason")}):
            self.assertTrue(list(verbs.disagreements("holds", WHY, [{**reply, "body": {"holds": [wrong]}}])), wrong)
        for args in ({}, {"purpose": ""}, {**WHY, "case": "1"}):
            self.assertTrue(list(verbs.disagreements("holds", args, [reply])), args)
        refused = {"ok": False, "more": False, "body": {"code": "perhaps", "detail": "no"}}
        self.assertTrue(list(verbs.disagreements("holds", WHY, [refused])))
        verbs.SEEN.discard("holds.holds[].since")
        self.assertIn("holds.holds[].since", verbs.unseen())
        verbs.SEEN.add("holds.holds[].since")


if __name__ == "__main__":
    unittest.main()
