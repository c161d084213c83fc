"""county_oracle.py - a few families whose every secret is a word that occurs nowhere else, and who may read which word.

In: what the agencies said, in the order in which it was acknowledged. Out: for a worker, the words that the worker's bytes
may hold. Promise: derived from domain.md, sections 3 and 4, alone; not a line is shared with the engine. It allows what a
worker was told rightly once and has in the own mailbox still, unless the basis for showing it has gone.

Words: worker, name, phone, case number: registry. Event id, concern: content. Milestone and referral, which are told in moments
only: content, and only if it could be seen all the time since. Note, reason, person, unit: nobody's.
"""
import datetime
import random
import re

WORD = re.compile(rb"Q[0-9a-z]{9}Q")
BEGIN = datetime.datetime(2026, 3, 2, 9, tzinfo=datetime.timezone(datetime.timedelta(hours=-8)))
SIDES = ("cws", "calworks")
SOURCE = {"cws": "cws-cms", "calworks": "calsaws"}
LEAD = {"cws": "social_worker", "calworks": "ais_worker"}
REGISTRY, CONTENT, MOMENT, NEVER = "registry", "content", "content of a moment", "never"


class Case:
    def __init__(self, family, side, number):
        self.family, self.side, self.number = family, side, number
        self.holder = {}      # role: worker now
        self.left_at = {}     # worker: how many words there were when the worker was taken off
        self.limited = False
        self.consents = set()  # in force


class County:
    """The families, what was said of them, and the words in it."""

    def __init__(self, seed, families=4, spare=40):
        self.dice = random.Random(seed)
        self.words = []      # (word, level, case)
        self.by_word = {}
        self.numbers = {side: 0 for side in SIDES}
        self.minutes = 0
        self.pace = 30       # most minutes between two events
        self.history = []    # what changed who may see what, and the words of moments, in order
        self.links = set()   # pairs of indices of cases
        self.met = {}        # index of a case: those that it was ever joined with
        self.said = {side: [] for side in SIDES}
        self.spare = {side: [self.new_word() for _ in range(spare)] for side in SIDES}
        self.cases = []
        for family in range(families):
            for side in SIDES:
                case = Case(family, side, None)
                case.number = self.word(REGISTRY, case)
                self.cases.append(case)

    # ---- Words

    def new_word(self):
        return "Q" + "".join(self.dice.choice("0123456789abcdefghijklmnopqrstuvwxyz") for _ in range(9)) + "Q"

    def enter(self, word, level, case):
        self.by_word[word.encode()] = len(self.words)
        if level == MOMENT:
            self.history.append(("word", self.cases.index(case), len(self.words)))
        self.words.append((word, level, case))
        return word

    def word(self, level, case):
        return self.enter(self.new_word(), level, case)

    # ---- What agencies say

    def say(self, case, type_, level=CONTENT, **members):
        self.minutes += self.dice.randint(min(1, self.pace), self.pace)
        at = BEGIN + datetime.timedelta(minutes=self.minutes)
        self.numbers[case.side] += 1
        event = {"specversion": "1.0", "id": self.word(level, case), "source": SOURCE[case.side], "type": type_,
                 "subject": case.number, "time": at.isoformat(), "data": members}
        self.said[case.side].append(event)
        return event

    def open_all(self):
        for case in self.cases:
            status = "fm" if case.side == "cws" else "active"
            self.say(case, "case.opened", status=status, county=self.word(NEVER, case), members=[
                {"person": self.word(NEVER, case), "role": "child", "keys": {"ssn": "%032x" % self.dice.getrandbits(128)}}])
            self.assign(case, LEAD[case.side])
            self.assign(case, "supervisor")

    def assign(self, case, role, worker=None):
        worker = worker or self.enter(self.spare[case.side].pop(), REGISTRY, case)
        if role in case.holder:
            case.left_at[case.holder[role]] = len(self.words)
        case.holder[role] = worker
        self.say(case, "worker.assigned", role=role, worker=worker, name=self.word(REGISTRY, case),
                 phone=self.word(REGISTRY, case), unit=self.word(NEVER, case))

    def link(self, a, b, type_="link.confirmed"):
        one, other = self.cases[a], self.cases[b]
        pair = frozenset((a, b))
        self.links = self.links | {pair} if type_ == "link.confirmed" else self.links - {pair}
        self.history.append((type_, pair, None))
        for i in range(len(self.cases)):
            self.met[i] = self.met.get(i, set()) | self.component(i)
        self.say(one, type_, other={"agency": other.side, "case": other.number})

    # ---- Who may see what

    def component(self, i, links=None):
        group, grown = {i}, True
        while grown:
            more = {j for pair in (self.links if links is None else links) if pair & group for j in pair} - group
            group |= more
            grown = bool(more)
        return group

    def is_live(self, group):
        return any(self.cases[i].consents for i in group) and not any(self.cases[i].limited for i in group)

    def settled(self):
        """The history without links that have never been and consents that were taken back."""
        out = {"consent": set(), "link.confirmed": set()}
        for n, (what, who, value) in enumerate(self.history):
            if what == "link.removed":
                out["link.confirmed"] |= {m for m in range(n) if self.history[m][:2] == ("link.confirmed", who)}
            elif what == "retracted":
                out["consent"] |= {m for m in range(n) if self.history[m][0] == "consent" and self.history[m][2] in value}
        gone = out["consent"] | out["link.confirmed"]
        return [step for n, step in enumerate(self.history) if n not in gone]

    def unbroken(self):
        """For each word of a moment that the other side could see ever since it was said, the cases of that family now.

        What has been live is the topic, in the family of the case that said it (domain.md, 4): whose case joins that family
        later may be told what comes late of before, for late moments go to whoever holds the place when they are told."""
        links, consents, limited, of = set(), {}, set(), {}
        for what, who, value in self.settled():
            if what == "word":
                of[value] = who
            elif what == "link.confirmed":
                links.add(who)
            elif what == "consent":
                consents.setdefault(who, set()).add(value)
            elif what == "revoked":
                consents.pop(who, None)
            elif what == "limited":
                limited = limited | {who} if value else limited - {who}
            for n in list(of):
                group = self.component(of[n], links)
                shared = len({self.cases[i].side for i in group}) == len(SIDES)
                if not shared or group & limited or not any(consents.get(i) for i in group):
                    del of[n]
        return {n: self.component(i, links) for n, i in of.items()}

    def workers(self):
        """Every worker who ever had a case: worker, index of the case, how many words there were when it ended (None: not)."""
        for i, case in enumerate(self.cases):
            for worker in case.holder.values():
                yield worker, i, None
            for worker, n in case.left_at.items():
                yield worker, i, n

    def allowed(self):
        """For each worker the numbers of the words that may be in the bytes that come now."""
        rights, reach = {}, self.unbroken()
        for worker, i, known in self.workers():
            group, side = self.component(i), self.cases[i].side
            live = self.is_live(group)
            may = rights.setdefault(worker, set())
            for n, (_, level, case) in enumerate(self.words[:known]):
                at = self.cases.index(case)
                # What the own agency said is no secret of the other's, and stays where it was told.
                own = case.side == side and at in self.met.get(i, {i})
                if level != NEVER and (own or at in group and (level == REGISTRY or live and level == CONTENT) or i in reach.get(n, ())):
                    may.add(n)
        return rights

    def found(self, body):
        """The numbers of the words in some bytes."""
        return {self.by_word[w] for w in WORD.findall(body) if w in self.by_word}

    def describe(self, n):
        word, level, case = self.words[n]
        return f"{word}: {level} of {case.side}'s case of family {case.family}"

    # ---- What happens: each says one thing that changes who may see what, or nothing but news

    def news(self, i):
        case = self.cases[i]
        kinds = {
            "milestone.reached": lambda: {"milestone": self.word(MOMENT, case), "note": self.word(NEVER, case)},
            "referral.made": lambda: {"referral": self.word(MOMENT, case), "category": "housing", "urgent": True,
                                      "to": SIDES[case.side == "cws"]},
            "contact.made": lambda: {"kind": "face_to_face"},
            "household.changed": lambda: {"what": self.word(NEVER, case)},
            "case.closing": lambda: {"date": "2026-04-20", "reason": self.word(NEVER, case)},
            "case.status": lambda: {"status": self.dice.choice(("fm", "fr", "ifs") if case.side == "cws" else
                                                               ("noncompliance", "sanctioned", "active", "exempt")),
                                    "reason": self.word(NEVER, case)},
            "concern.raised": lambda: {"concern": self.word(CONTENT, case), "kind": "deviation", "note": self.word(NEVER, case)},
        }
        type_ = self.dice.choice(sorted(kinds))
        self.say(case, type_, MOMENT if type_ in ("milestone.reached", "referral.made") else CONTENT, **kinds[type_]())

    def change(self):
        """Something by which more or fewer may see. Its name."""
        name = self.dice.choice(("consent", "consent", "consent", "revoke", "retract", "limit", "lift", "lift", "link",
                                 "link", "unlink", "assign"))
        return name if getattr(self, "change_" + name)() else self.change()

    def any_case(self, fits=lambda i, case: True):
        some = [i for i, case in enumerate(self.cases) if fits(i, case)]
        return self.dice.choice(some) if some else None

    def sign(self, i):
        case = self.cases[i]
        consent = self.word(NEVER, case)
        event = self.say(case, "consent.signed", consent=consent)
        case.consents.add((consent, event["id"]))
        self.history.append(("consent", i, consent))

    def change_consent(self):
        self.sign(self.any_case())
        return True

    def change_revoke(self):
        i = self.any_case(lambda _, case: case.consents)
        if i is None:
            return False
        case = self.cases[i]
        for consent in sorted(case.consents):
            self.say(case, "consent.revoked", consent=consent[0])
        case.consents = set()
        self.history.append(("revoked", i, None))
        return True

    def change_retract(self):
        """The agency takes back that there ever was a consent."""
        i = self.any_case(lambda _, case: case.consents)
        if i is None:
            return False
        case = self.cases[i]
        for consent in sorted(case.consents):
            self.say(case, "event.retracted")["supersedes"] = consent[1]
        self.history.append(("retracted", i, {consent for consent, _ in case.consents}))
        case.consents = set()
        return True

    def set_limit(self, limited):
        i = self.any_case(lambda _, case: case.limited != limited)
        if i is None:
            return False
        self.cases[i].limited = limited
        self.history.append(("limited", i, limited))
        self.say(self.cases[i], "case.restricted", limited_access=limited)
        return True

    def change_limit(self):
        return self.set_limit(True)

    def change_lift(self):
        return self.set_limit(False)

    def change_link(self):
        """Most often the right one; now and then somebody else's family."""
        a = self.any_case(lambda _, case: case.side == "cws")
        b = a + 1 if self.dice.random() < 0.7 else self.any_case(lambda _, case: case.side == "calworks")
        if frozenset((a, b)) in self.links:
            return False
        self.link(a, b)
        return True

    def change_unlink(self):
        if not self.links:
            return False
        a, b = sorted(self.dice.choice(sorted(map(sorted, self.links))))
        self.link(a, b, "link.removed")
        return True

    def change_assign(self):
        case = self.cases[self.any_case()]
        self.assign(case, self.dice.choice((LEAD[case.side], "supervisor")))
        return True
