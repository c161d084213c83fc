#!/usr/bin/python3
"""A second, independent reading of the domain's rules, to hold the simulator against.

usage: model.py STORY.ndjson

In: a story (scenarios/README.md). Out: the notices and refusals that linkages-sim prints, one JSON object a line.
Promise: slow and simple. At each step everything is derived anew from the list of all known events and compared with
what was told; nothing else is carried over.
"""
import hashlib
import json
import sys

from rules import CONTENT, REGISTRY, SIGNAL, OWN, Notice, Rules
from state import LIAISON, State
from story import AGENCY_OF, Refused, instant_of, read_event, read_line, written

PROMPT_WAITS, URGENT_WAITS = 48 * 3600, 8 * 3600
BEGINNING = instant_of("1990-01-01T00:00:00Z")


BLIND_KINDS = ("meeting.needed", "meeting.overdue", "meeting.reschedule")  # without consent they are told as signals
BLIND = ("meeting", "meeting_kind", "start", "reasons", "proposals")  # what a blind one says (5.2)


class Telling:
    """One id: what was last told under it."""

    def __init__(self, notice, moment):
        self.notice, self.moment = notice, moment
        self.rev, self.told, self.since, self.acked = 0, False, None, False
        self.seen_from = None  # of a moment that still follows: from when on it must have been live


class Model:
    def __init__(self, out):
        self.known, self.told, self.out = [], {}, out
        self.state, self.apart = None, set()
        self.shared = set()  # slots whose worker had the moment by another slot
        self.by_name = {}
        self.now = BEGINNING
        self.line = 0
        self.heard = {}  # source -> since when it has been silent
        self.clock_before = None
        self.refusals = 0
        self.next_wake = None

    # ---- The lines of a story ---------------------------------------------------------------------------------------

    def play(self, lines):
        for self.line, text in enumerate(lines, 1):
            if not text.strip():
                continue
            try:
                self.stimulus(read_line(text))
            except Refused as refusal:
                self.refusals += 1
                self.out({"line": self.line, "refused": {"reason": refusal.reason, "field": refusal.field}})

    def stimulus(self, line):
        if set(line) <= {"clock", "silent"} and "clock" in line:
            self.clock(instant_of(line["clock"]), line.get("silent", []))
        elif set(line) == {"ack"}:
            self.ack(line["ack"])
        else:
            self.event(line)

    def clock(self, at, silent):
        for source in list(self.heard):
            if source not in silent:
                del self.heard[source]
        for source in silent:
            self.heard.setdefault(source, self.now)
        self.step()
        self.move(at)

    def ack(self, want):
        for telling in self.told.values():
            seen = self.shown(telling.notice, "new")
            if telling.told and all(seen.get(k) == v for k, v in want.items()):
                telling.acked = True
        self.step()

    def event(self, raw):
        e = read_event(raw, self.line)
        if e.name in self.by_name:
            if self.by_name[e.name].raw != raw:
                raise Refused("conflict", None)
            return
        self.move(e.time)
        self.heard.pop(e.source, None)
        self.known.append(e)
        self.by_name[e.name] = e
        self.step()

    # ---- Time passes ------------------------------------------------------------------------------------------------

    def move(self, to):
        """Everything that falls due on the way fires at its own instant."""
        while self.next_wake is not None and self.next_wake <= to:
            self.now = self.next_wake
            self.step()
        self.now = max(self.now, to)

    def step(self):
        """fold, derive, compare (domain.md 2)."""
        stands = {(t.notice.kind, t.notice.key) for t in self.told.values() if t.told}
        proposed = {t.notice.key: t.notice.about["proposals"] for t in self.told.values()
                    if t.told and t.notice.kind == "meeting.reschedule" and "proposals" in t.notice.about}
        before, self.state = self.state, State(self.known)
        self.apart = {case for case in self.state.cases if before and case in before.cases and any(
            k in before.cases and before.cases[k].door(self.now)
            for k in before.family(case, self.now) - self.state.family(case, self.now))}
        rules = self.derived(stands, proposed)
        gone = self.compare_standing(rules.standing)
        if self.compare_moments(rules.moments):  # what crossed an undone link may follow by another one
            self.compare_moments(self.derived(stands, proposed).moments)
        self.crossover_ended(gone)
        self.compare_unanswered(rules)
        self.next_wake = min(rules.wakes, default=None)

    def derived(self, stands, proposed):
        told_at = {(t.notice.kind, t.notice.key, t.notice.slot): t.since for t in self.told.values()
                   if t.told and t.moment}
        rules = Rules(self.state, self.now, self.heard, stands, proposed, told_at)
        for notice in rules.standing + rules.moments:
            self.add_contacts(notice)
        return rules

    def add_contacts(self, notice):
        if notice.other and notice.level in (REGISTRY, CONTENT):
            notice.contacts = self.state.cases[notice.other].contacts_of(self.now)

    # ---- Compare with what was told ---------------------------------------------------------------------------------

    def compare_standing(self, standing, kinds=None):
        """-> the tellings withdrawn because a link was."""
        wanted, holds = {}, {}
        for notice in standing:
            holds.setdefault((notice.kind, notice.key), []).append(notice)
            if not notice.withheld:
                wanted.setdefault(("S", notice.kind, notice.key, notice.to), notice)
        unlinked = []
        for slot, telling in list(self.told.items()):
            if telling.moment or not telling.told or slot in wanted or \
                    (telling.notice.kind == "notice.unanswered") != (kinds == "unanswered"):
                continue
            reason = self.reason_over(telling.notice, holds.get((telling.notice.kind, telling.notice.key), []))
            self.withdraw(telling, reason)
            if reason == "unlinked":
                unlinked.append(telling)
        for slot, notice in wanted.items():
            telling = self.told.setdefault(slot, Telling(notice, False))
            if not telling.told:
                self.tell(telling, notice, "new")
            elif self.shown(notice, "") != self.shown(telling.notice, ""):
                self.tell(telling, notice, "updated")
        return unlinked

    def reason_over(self, notice, holds):
        """The first that applies: consent, unlinked, reassigned, over (domain.md 5)."""
        near = self.state.family(notice.case, self.now) if notice.case else ()
        if any(n.withheld and n.case[0] == notice.case[0] and (n.case in near or n.to == notice.to) for n in holds) and \
                notice.level == CONTENT:  # also of who leads a case of each part that an undone link leaves
            return "consent"
        if self.was_unlinked(notice) or self.came_apart(notice):
            return "unlinked"
        if notice.level == CONTENT and notice.kind not in BLIND_KINDS and self.hidden(notice.topic, near):
            return "consent"
        if any(notice.kind in ("notice.unanswered", "feed.silent") or n.case in near for n in holds if not n.withheld):
            return "reassigned"
        return "over"

    def hidden(self, topic, family):
        """There are two sides, and no consent lets the one see the other's."""
        return all(self.state.side(family, agency, self.now) for agency in LIAISON) and \
            not self.state.live(topic, family, self.now)

    def was_unlinked(self, notice, at=None):
        """It had crossed a link since removed."""
        return bool(notice.crosses) and notice.crosses[1] not in self.state.family(notice.crosses[0], at or self.now)

    def came_apart(self, notice):
        """Its family has just lost cases: what goes had crossed that link, whichever link its two cases have left."""
        return bool(notice.crosses) and notice.case in self.apart

    def went_apart(self, told, follows):
        """What follows does so in another family than that which was told."""
        return follows and follows.case and told.case and follows.case not in self.state.family(told.case, self.now)

    def compare_moments(self, moments):
        """A moment is frozen once told; it is told once a slot, and to nobody twice (domain.md 2, 5). -> the undone."""
        follows = {("M", n.kind, n.key, n.slot): n for n in moments}
        self.shared &= set(follows)
        undone = set()
        for slot, telling in list(self.told.items()):
            if not telling.moment or not telling.told:
                continue
            if self.went_apart(telling.notice, follows.get(slot)) or \
                    self.was_unlinked(telling.notice) and (telling.notice.level in (REGISTRY, CONTENT) or
                                                           slot not in follows):
                self.withdraw(telling, "unlinked")
                undone.add(slot)
            elif slot not in follows and not self.ended_holds(telling.notice):
                self.withdraw(telling, "unlinked" if self.came_apart(telling.notice) else "corrected")
        for slot, notice in follows.items():
            have = self.told.get(slot)
            if have and have.told:
                have.seen_from = notice.fresh_from
            if not notice.tell or have and have.told:
                continue
            if slot in undone or slot in self.shared:
                continue
            if any(s[:3] == slot[:3] and t.told and t.notice.to == notice.to for s, t in self.told.items()):
                self.shared.add(slot)  # told by the other slot: not to a successor either
                continue
            telling = self.told.setdefault(slot, Telling(notice, True))
            self.tell(telling, notice, "new")
        return undone

    def ended_holds(self, notice):
        """crossover.ended, and at the time of what removed the link the family is not mutual."""
        return notice.kind == "crossover.ended" and not self.state.mutual_at(notice.case, self.by_name[notice.key].time)

    def crossover_ended(self, gone):
        """A link was removed and the family is not mutual by it any more: all who had its crossover.found."""
        last = self.known[-1] if self.known else None
        for telling in gone:
            notice = telling.notice
            if notice.kind == "crossover.found" and not self.state.mutual_at(notice.case, min(last.time, self.now)):
                slot = ("M", "crossover.ended", last.name, notice.to)
                ended = Notice("crossover.ended", last.name, notice.to, notice.to, notice.case, SIGNAL)
                have = self.told.setdefault(slot, Telling(ended, True))
                if not have.told:
                    self.tell(have, ended, "new")

    def compare_unanswered(self, rules):
        """Told and not acknowledged: a prompt one for 48 h, an urgent one for 8 h (DK "accountable")."""
        standing = []
        for telling in self.told.values():
            n = telling.notice
            wait = {"prompt": PROMPT_WAITS, "urgent": URGENT_WAITS}.get(n.urgency)
            if not telling.told or telling.acked or not wait or not n.case or n.kind == "notice.unanswered":
                continue
            if rules.reached(telling.since + wait):
                case = self.state.cases.get(n.case)
                supervisor = case and self.state.supervisor(case, self.state.family(n.case, self.now), self.now)
                to = next((w for w in (supervisor, LIAISON[n.case[0]]) if w and w != n.to), None)
                if to:
                    standing.append(Notice("notice.unanswered", self.id_of(telling), None, to, n.case, SIGNAL,
                                           about={"notice": self.id_of(telling), "kind": n.kind, "worker": n.to}))
        self.compare_standing(standing, "unanswered")

    # ---- Telling ----------------------------------------------------------------------------------------------------

    def id_of(self, telling):
        n = telling.notice
        who = n.slot if telling.moment else n.to
        return hashlib.sha256(repr((n.kind, n.key, who)).encode()).hexdigest()[:32]

    def shown(self, notice, state):
        out = {"to": notice.to, "kind": notice.kind, "state": state}
        if notice.case:
            out["case"] = notice.case[1]
        if notice.other and notice.level in (REGISTRY, CONTENT):
            out["other"] = notice.other[1]
            out["contacts"] = notice.contacts
        if notice.due:
            out["due"] = notice.due.isoformat()
        out.update(urgency=notice.urgency, level=notice.level, about=dict(notice.about))
        return out

    def tell(self, telling, notice, state):
        if state == "new":
            telling.since, telling.acked = self.now, False
        telling.notice, telling.told = notice, True
        self.say(telling, self.shown(notice, state))

    def withdraw(self, telling, reason):
        """Repeats what was told, less what may not be seen any more; unlinked: nothing of the other side."""
        telling.told = False
        out = self.shown(telling.notice, "withdrawn")
        out["reason"] = reason
        notice = telling.notice
        unseen = notice.level == CONTENT and not (self.state.live_throughout(
            notice.topic, notice.other or notice.case, self.happened(telling), self.now) and
            notice.case in self.state.cases and self.state.cases[notice.case].door(self.now))
        if reason == "unlinked" or unseen:
            for member in notice.foreign:
                if reason == "unlinked" or notice.kind != "meeting.reschedule" or member not in BLIND:
                    out["about"].pop(member, None)
        crossed = notice.level in (REGISTRY, CONTENT)
        if reason == "unlinked" and crossed and notice.kind not in ("meeting.needed", "meeting.overdue"):
            out.pop("due", None)
        if reason == "unlinked" and notice.kind == "meeting.reschedule" and notice.level != OWN:
            out["about"].pop("with", None)
            if notice.key[0][0] != notice.case[0]:  # the other side's meeting
                out["about"] = {}
        if unseen:
            out["level"] = REGISTRY
            if notice.kind not in ("meeting.needed", "meeting.overdue"):
                out.pop("due", None)
        gone = notice.other and notice.kind != "crossover.possible" and not self.state.side(  # no case of the other side was ever opened
            self.state.family(notice.case, self.now), notice.other[0], self.now)
        own = self.state.cases.get(notice.case)
        if notice.case and not (own and own.door(self.now)):
            gone = True
        if gone:
            for member in notice.foreign:
                out["about"].pop(member, None)
            if crossed and notice.kind not in ("meeting.needed", "meeting.overdue"):
                out.pop("due", None)
        if (reason == "unlinked" or gone) and notice.level != OWN:
            out["level"] = SIGNAL
            out.pop("other", None)
            out.pop("contacts", None)
        self.say(telling, out)

    def happened(self, telling):
        """From when on it must have been live: of a moment whose event still counts, from its time."""
        if not telling.moment:
            return self.now
        counted = self.state.counted_from
        return min((counted[name] for name in telling.notice.events if name in counted), default=telling.seen_from or telling.since)

    def events_shown(self, notice, out):
        """The other side's only where its content is; nothing of it once it may not be seen."""
        if out["level"] != notice.level:
            return []
        return [name for name in notice.events if notice.level == CONTENT or
                AGENCY_OF[name.split("/")[0]] == notice.case[0]]

    def say(self, telling, out):
        telling.rev += 1
        self.out({"line": self.line, "id": self.id_of(telling), "rev": telling.rev, "at": written(self.now), **out,
                  "because": {"rule": telling.notice.kind, "events": self.events_shown(telling.notice, out)}})


def main():
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    with open(sys.argv[1], encoding="utf-8") as f:
        lines = f.read().split("\n")
    model = Model(lambda line: print(json.dumps(line)))
    model.play(lines)
    return 1 if model.refusals else 0


if __name__ == "__main__":
    sys.exit(main())
