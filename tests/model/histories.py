#!/usr/bin/python3
"""Makes histories up: small families, many things that may happen to them, in and out of order.

usage: histories.py SEED

In: a seed. Out: a story (scenarios/README.md) of stimuli only. Promise: the same seed makes the same story; all is
invented; no two events have one time. Some lie where days, laws and clocks change; no consent does at midnight, where what ends
with the day before comes first.
"""
import json
import random
import sys
from datetime import datetime, timedelta

from story import ROLES, ZONE

BEGINNINGS = ("2026-03-02", "2026-03-05", "2026-01-26", "2026-02-23", "2026-10-27", "2026-10-30", "2026-04-14",
              "2025-12-26", "2024-12-20", "2026-06-08", "2022-04-20", "2028-02-24", "2024-02-26", "2025-03-06",
              "2025-08-28", "2021-10-30")
MEETING_KINDS = ("pltm", "ltm", "tdm", "cft", "staffing", "disposition", "court", "visit", "appointment")
CATEGORIES = ("parenting_class", "substance_use", "housing", "employment")
TOPICS = ("status", "closure", "milestone", "meeting", "services", "referral")
CWS_STATUSES = ("referral", "er", "ifs", "ifs", "fm", "fr", "pp", "st")
CALWORKS_STATUSES = ("applied", "active", "active", "exempt", "good_cause", "noncompliance", "sanctioned",
                     "timed_out", "reunification")
WORKERS = {
    ("cws", "social_worker"): ("garcia", "nguyen", "reyes"),
    ("cws", "supervisor"): ("ito", "adams"),
    ("cws", "clerk"): ("park",),
    ("calworks", "ais_worker"): ("jones", "silva"),
    ("calworks", "employment_specialist"): ("haddad", "moss"),
    ("calworks", "eligibility_worker"): ("lopez",),
    ("calworks", "supervisor"): ("okafor", "brandt"),
    ("calworks", "clerk"): ("quinn",),
}
PLACES = (None, "Office A", "Office B", "home")


class Life:
    KINDS = ("consent", "plan", "service", "concern", "referral")

    def __init__(self, seed, crowded):
        self.r = random.Random(seed)
        self.crowded = crowded  # several families that meet, and much that happens to each
        start = datetime.fromisoformat(self.r.choice(BEGINNINGS))
        self.now = start.replace(hour=9, minute=1, tzinfo=ZONE)
        self.lines, self.count, self.times = [], 0, set()
        self.said = []  # the events, for corrections
        self.names = {}  # kind of thing -> names given
        self.cases = []
        self.open = set()
        self.links = []
        self.since = {}  # case -> when it was first opened
        self.few = self.r.random() < 0.6
        self.tokens = self.r.random() < 0.35  # do openings carry tokens of identity
        self.sharp = self.r.random() < 0.4  # much happens at 08:00, at midnight and on the hour
        self.rough = self.r.random() < 0.5  # families join, openings and closings come late, sources are two

    # ---- Telling ----------------------------------------------------------------------------------------------------

    def moment(self, at, type_):
        """A time that nobody had yet."""
        if self.sharp and self.r.random() < 0.4:
            hour = self.r.choice((8, 8, 9, 10) if type_.startswith("consent.") else (0, 0, 8, 8, at.hour))
            sharp = at.astimezone(ZONE).replace(hour=hour, minute=0, second=0)
            if sharp not in self.times:
                self.times.add(sharp)
                return sharp
        at = at.replace(minute=at.minute if at.minute % 30 else at.minute + 1, second=0, microsecond=0)
        while at in self.times:
            at += timedelta(seconds=1)
        self.times.add(at)
        return at

    def event(self, type_, case, data, at=None, supersedes=None, source=None):
        if type_ in ("case.status", "case.restricted", "case.closing") and not supersedes and not self.rough:
            at = max(at or self.now, self.since[case] + timedelta(minutes=1))  # not before its opening
        at = self.moment(at or self.now, type_)
        self.count += 1
        agency, number = case
        line = {"specversion": "1.0", "id": f"e{self.count}",
                "source": source or self.source(agency), "type": type_,
                "subject": number, "time": at.isoformat(), "data": data}
        if supersedes:
            line["supersedes"] = supersedes
        self.lines.append(line)
        self.said.append((line, case))
        if at > self.now:
            self.now = at

    def source(self, agency):
        if agency == "calworks":
            return "calsaws"
        return "cws-cares" if self.rough and self.r.random() < 0.2 else "cws-cms"

    def clock(self, to, silent=()):
        line = {"clock": to.isoformat()}
        if silent:
            line["silent"] = list(silent)
        self.lines.append(line)
        self.now = max(self.now, to)

    def later(self, hours):
        """Some hours on, in local wall time."""
        at = self.now + timedelta(hours=hours)
        return at.astimezone(ZONE).replace(minute=self.r.choice((5, 11, 17, 23, 37, 41, 53)))

    # ---- Beginnings -------------------------------------------------------------------------------------------------

    def begin(self):
        n = self.r.choice((2, 3, 3, 4) if self.crowded else (1, 1, 1, 1, 2, 2, 3))
        m = self.r.choice((1, 2, 2, 3) if self.crowded else (1, 1, 1, 1, 1, 2))
        cases = [("cws", f"010{i}-000{i}") for i in range(n)] + [("calworks", f"1B{i}C") for i in range(m)]
        self.r.shuffle(cases)
        self.planned = cases
        for case in cases[:max(2, len(cases) - 1)]:
            self.open_case(case)
        for _ in range(self.r.choice((0, 1, 1, 1))):
            self.link()

    def open_case(self, case):
        data = {"status": self.r.choice(CWS_STATUSES if case[0] == "cws" else CALWORKS_STATUSES)}
        if self.r.random() < 0.06:
            data["limited_access"] = True
        if self.tokens and self.r.random() < 0.8:
            data["members"] = self.members()
        self.event("case.opened", case, data)
        self.cases.append(case)
        self.since[case] = self.now
        self.open.add(case)
        for role in sorted(ROLES[case[0]]):
            if self.r.random() < {"social_worker": 0.9, "ais_worker": 0.7, "supervisor": 0.7}.get(role, 0.2):
                self.now += timedelta(minutes=1)
                self.assign(case, role)
        self.now += timedelta(minutes=3)

    def members(self):
        """Few people, so that cases share them."""
        return [{"person": f"p{n}", "keys": {self.r.choice(("cin", "ssn", "ssn", "name_dob")):
                                             f"{self.r.randint(1, 3):032d}"}} for n in range(self.r.randint(1, 2))]

    def assign(self, case, role):
        worker = self.r.choice(WORKERS[case[0], role])
        self.event("worker.assigned", case, {"role": role, "worker": worker, "name": worker.title()})

    def link(self, type_="link.confirmed"):
        early = [c for c in self.planned if c not in self.cases and self.crowded]  # said before it is opened
        case = self.r.choice(self.cases + early)
        others = [c for c in self.cases if c[0] != case[0]]
        if type_ == "link.confirmed" and not self.rough:  # two mutual families do not become one
            others = [c for c in others if {c, case} in self.links or not
                      (any(c in pair for pair in self.links) and any(case in pair for pair in self.links))]
        if others:
            other = self.r.choice(others)
            if {case, other} not in self.links:
                self.links.append({case, other})
            self.event(type_, case, {"other": {"agency": other[0], "case": other[1]}})

    # ---- What may happen --------------------------------------------------------------------------------------------

    def name(self, kind, new=0.5):
        names = self.names.setdefault(kind, [])
        if self.few:
            return f"{kind[0] if kind in self.KINDS else kind}{self.r.randint(1, 2)}"
        if not names or self.r.random() < new:
            names.append(f"{kind[0] if kind in self.KINDS else kind}{len(names) + 1}")
            return names[-1]
        return self.r.choice(names)

    def day(self, low, high):
        return (self.now.date() + timedelta(days=self.r.randint(low, high))).isoformat()

    def case(self, agency=None):
        able = [c for c in self.cases if c in self.open and agency in (None, c[0])] or self.cases
        return self.r.choice(able)

    def status(self):
        case = self.case()
        data = {"status": self.r.choice(CWS_STATUSES if case[0] == "cws" else CALWORKS_STATUSES)}
        if data["status"] == "reunification" and self.r.random() < 0.5:
            data["until"] = self.day(5, 60)
        self.event("case.status", case, data)

    def opening(self):
        left = [c for c in self.planned if c not in self.cases]
        if left:
            self.open_case(left[0])
            self.now += timedelta(minutes=2)
            self.link()

    def closing(self):
        self.event("case.closing", self.case(), {"date": self.r.choice((None, self.day(2, 40), self.day(2, 40)))})

    def close(self):
        case = self.case()
        if case in self.open:
            self.open.discard(case)
            self.event("case.closed", case, {"reason": "done"})

    def reopen(self):
        closed = [c for c in self.cases if c not in self.open]
        if closed:
            case = self.r.choice(closed)
            self.open.add(case)
            data = {"status": self.r.choice(CWS_STATUSES if case[0] == "cws" else CALWORKS_STATUSES)}
            if self.r.random() < 0.2:
                data["limited_access"] = self.r.random() < 0.4
            if self.tokens and self.r.random() < 0.5:
                data["members"] = self.members()
            self.event("case.opened", case, data)

    def restrict(self):
        self.event("case.restricted", self.case(), {"limited_access": self.r.random() < 0.5})

    def reassign(self):
        case = self.case()
        role = self.r.choice(sorted(ROLES[case[0]] - {"clerk"}))
        if self.r.random() < 0.25:
            self.event("worker.unassigned", case, {"role": role})
        else:
            self.assign(case, role)

    def unlink(self):
        self.link(self.r.choice(("link.removed", "link.removed", "link.refused")))

    def sign_consent(self):
        data = {"consent": self.name("consent")}
        if self.r.random() < 0.6:
            data["expires"] = self.day(1, 40)
        if self.r.random() < 0.3:
            data["topics"] = sorted(self.r.sample(TOPICS, self.r.randint(1, 4)))
        self.event("consent.signed", self.case(), data)

    def end_consent(self):
        self.event("consent.revoked", self.case(), {"consent": self.name("consent", 0.05)})

    def refuse_consent(self):
        self.event("consent.refused", self.case(), self.r.choice(({}, {"consent": self.name("consent", 0.1)})))

    def sign_plan(self):
        self.event("plan.signed", self.case(self.r.choice(("cws", "cws", "calworks"))),
                   {"plan": self.name("plan", 0.6), "kind": self.r.choice(("ifs_agreement", "ifs_agreement",
                                                                           "wtw_plan"))})

    def end_plan(self):
        name = self.name("plan", 0)
        if self.r.random() < 0.5:
            self.event("plan.closing", self.case(), {"plan": name, "date": self.r.choice((None, self.day(2, 30)))})
        else:
            self.event("plan.ended", self.case(), {"plan": name})

    def service(self):
        if self.r.random() < 0.7:
            self.event("service.started", self.case(), {"service": self.name("service", 0.6),
                                                        "category": self.r.choice(CATEGORIES)})
        else:
            self.event("service.ended", self.case(), {"service": self.name("service", 0), "outcome": "completed"})

    def schedule(self):
        start = (self.now + timedelta(days=self.r.choice((1, 2, 3, 3, 5, 8, 12)))).astimezone(ZONE)
        start = start.replace(hour=self.r.choice((8, 9, 10, 10, 11, 13, 15)), minute=self.r.choice((0, 0, 15, 30)),
                              second=0)
        end = start + timedelta(minutes=self.r.choice((30, 60, 60, 90)))
        workers = [w for group in sorted(WORKERS) for w in WORKERS[group] if group[1] != "clerk"]
        case = self.case()
        data = {"meeting": self.name("m" + self.r.choice((case[1], "")), 0.6), "kind": self.r.choice(MEETING_KINDS + ("pltm", "ltm", "ltm")),
                "start": start.isoformat(), "end": end.isoformat()}
        if self.r.random() < 0.8:
            data["required"] = self.r.sample(workers, self.r.randint(1, 2))
        if self.r.random() < 0.3:
            data["optional"] = self.r.sample(workers, 1)
        if self.r.random() < 0.2:
            data["family"] = self.r.random() < 0.5
        if self.r.random() < 0.3:
            data["organizer"] = self.r.choice(workers)
        place = self.r.choice(PLACES)
        if place:
            data["place"] = place
        self.event("meeting.scheduled", case, data)

    def meeting_ends(self):
        meetings = [(line, case) for line, case in self.said if line["type"] == "meeting.scheduled"]
        if not meetings:
            return
        line, case = self.r.choice(meetings[-3:])
        type_ = self.r.choice(("meeting.held", "meeting.held", "meeting.held", "meeting.missed", "meeting.cancelled"))
        data = {"meeting": line["data"]["meeting"]}
        if type_ == "meeting.held" and self.r.random() < 0.5:
            data["family"] = self.r.random() < 0.6
        after = datetime.fromisoformat(line["data"]["end"]) + timedelta(minutes=7)
        early = type_ == "meeting.cancelled" or self.rough and self.r.random() < 0.3  # before its hour
        self.event(type_, case, data, at=None if early else max(after, self.now))

    def contact(self):
        self.event("contact.made", self.case("cws"), {"kind": self.r.choice(("face_to_face", "phone"))})

    def milestone(self):
        self.event("milestone.reached", self.case(), {"milestone": "class_completed"})

    def concern(self):
        if self.r.random() < 0.7:
            self.event("concern.raised", self.case(), {
                "concern": self.name("concern", 0.6),
                "kind": self.r.choice(("not_meeting_requirements", "deviation", "removal_considered"))})
        else:
            self.event("concern.resolved", self.case(), {"concern": self.name("concern", 0)})

    def referral(self):
        if self.r.random() < 0.6:
            data = {"referral": self.name("referral", 0.7), "category": self.r.choice(CATEGORIES),
                    "to": self.r.choice(("cws", "calworks", "Food Bank"))}
            if self.r.random() < 0.7:
                data["follow_up"] = self.day(1, 12)
            if self.r.random() < 0.3:
                data["urgent"] = True
            self.event("referral.made", self.case(), data)
        else:
            self.event("referral.updated", self.case(), {
                "referral": self.name("referral", 0),
                "status": self.r.choice(("received", "accepted", "declined", "completed"))})

    def child(self):
        self.event(self.r.choice(("child.removed", "child.returned")), self.case(self.r.choice(("cws", "cws", "calworks"))), {"person": self.r.choice(("ch1", "ch1", "ch2"))})

    def household(self):
        self.event("household.changed", self.case(), {"what": "moved"})

    def months(self):
        self.event("clock.reported", self.case("calworks"), {"clock": "tanf60", "used": self.r.randint(50, 58)})

    # ---- What goes wrong --------------------------------------------------------------------------------------------

    def correct(self):
        """An event is said again otherwise, or taken back."""
        able = [(line, case) for line, case in self.said[2:] if self.rough or line["type"] != "event.retracted"]
        if not able:
            return
        line, case = self.r.choice(able)
        if self.r.random() < 0.4 or line["type"] == "event.retracted":
            self.event("event.retracted", case, {}, supersedes=line["id"], source=line["source"])
            return
        data = dict(line["data"])
        at = datetime.fromisoformat(line["time"])
        if self.rough and self.r.random() < 0.5:
            at += timedelta(hours=self.r.choice((-240, -50, -20, -3, 3, 20, 50, 240)))
            at = min(at, self.now)
        for member in ("expires", "date", "until", "follow_up"):
            if data.get(member) and self.r.random() < 0.7:
                data[member] = self.day(-3, 40)
        if line["type"] == "meeting.scheduled" and self.r.random() < 0.5:
            days = timedelta(days=self.r.choice((-2, 1, 1, 3)))
            for member in ("start", "end"):
                data[member] = (datetime.fromisoformat(data[member]) + days).isoformat()
        if self.rough and line["type"] != "case.opened" and self.r.random() < 0.2:
            same = [c for c in self.cases if c[0] == case[0]]
            case = self.r.choice(same)
        if "status" in data and line["type"] != "referral.updated":
            data["status"] = self.r.choice(CWS_STATUSES if case[0] == "cws" else CALWORKS_STATUSES)
        self.event(line["type"], case, data, at=at, supersedes=line["id"], source=line["source"])

    def late(self, what):
        """It happens as if some time ago."""
        now = self.now
        self.now = now - timedelta(hours=self.r.choice((1, 5, 30, 80, 200)))
        what()
        self.now = max(now, self.now)

    def pass_time(self):
        days = self.r.choice((1, 2, 3, 4, 7, 8, 15, 31))
        silent = ()
        if self.r.random() < 0.12:
            silent = (self.r.choice(("cws-cms", "calsaws")),)
        self.clock((self.now + timedelta(days=days)).astimezone(ZONE).replace(
            hour=self.r.choice((7, 9, 12, 20)), minute=self.r.choice((3, 30, 59)), second=0), silent)

    def ack(self):
        ack = {"to": self.r.choice([w for ws in WORKERS.values() for w in ws])}
        if self.r.random() < 0.3:
            ack["kind"] = "crossover.found"
        self.lines.append({"ack": ack})


# What may happen, and how often.
COMMON = (("status", 10), ("sign_consent", 8), ("end_consent", 2), ("refuse_consent", 1), ("reassign", 6),
          ("schedule", 10), ("meeting_ends", 6), ("milestone", 3), ("concern", 5), ("closing", 4), ("close", 3),
          ("reopen", 2), ("sign_plan", 4), ("end_plan", 2), ("restrict", 1), ("unlink", 2), ("link", 3), ("opening", 3),
          ("pass_time", 14), ("ack", 4), ("correct", 5), ("contact", 3), ("service", 3), ("referral", 3), ("child", 2),
          ("household", 1), ("months", 2))
NEVER_LATE = ("pass_time", "ack", "correct")
NOT_LATE = ("pass_time", "ack", "correct", "opening", "meeting_ends", "reopen", "close")


def history(seed, without=(), crowded=False):
    """-> the lines of one story."""
    life = Life(seed, crowded)
    life.begin()
    names = [n for n, weight in COMMON if n not in without]
    weights = [weight for n, weight in COMMON if n not in without]
    lateness = life.r.choice((0, 0.1, 0.1, 0.4))
    for _ in range(life.r.randint(30, 60) if crowded else life.r.choice((life.r.randint(4, 22), life.r.randint(15, 40)))):
        life.now = life.later(life.r.choice((0, 1, 1, 2, 5, 18, 24)))
        name = life.r.choices(names, weights)[0]
        if name not in (NEVER_LATE if life.rough else NOT_LATE) and "late" not in without and life.r.random() < lateness:
            life.late(getattr(life, name))
        else:
            getattr(life, name)()
    life.clock((life.now + timedelta(days=life.r.choice((1, 9, 16)))).astimezone(ZONE).replace(minute=3))
    lines = life.lines
    if life.rough and life.r.random() < 0.5:
        for _ in range(life.r.choice((1, 1, 2, 4))):
            i = life.r.randrange(len(lines))
            line = lines.pop(i)
            if "clock" in line or "ack" in line:
                lines.insert(i, line)
            else:
                lines.insert(life.r.randint(i, len(lines)), line)
    return [json.dumps(line) for line in lines]


if __name__ == "__main__":
    print("\n".join(history(int(sys.argv[1]))))
