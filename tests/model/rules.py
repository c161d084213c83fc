"""The rules of domain.md 4 and 5, one function each, as sentences.

In: a State, the instant, the silent sources, what stands. Out: the standing notices and the moments that follow, and
the instants at which the answer may change. Promise: every function looks at the whole state and keeps nothing.
"""
from datetime import date

from state import LIAISON, OTHER, alike, answered, in_force, last_day
from story import (AGENCIES, day_of, days_after, instant_of, last_of_month, midnight, months_after, morning, written)

SIGNAL, REGISTRY, CONTENT, OWN = "signal", "registry", "content", "own"
WORKED_TOGETHER = ("ifs", "fm", "fr")
VISITED = ("ifs", "fm", "fr", "pp")
NOT_MEETING = ("noncompliance", "sanctioned")
CREDITABLE = ("parenting_class", "substance_use", "mental_health", "domestic_violence", "education", "employment")
JOINT = ("pltm", "ltm")
URGENCY = {"meeting.overdue": "urgent"}
ROUTINE = ("crossover.possible", "crossover.ended", "clock.near", "milestone.reached", "closure.both",
           "closure.screen", "meeting.changed", "meeting.reminder", "service.duplicate", "service.credit",
           "referral.changed")
HALF_HOUR = 1800
STALE_AFTER, BOTH_WITHIN, LOOK_AHEAD = 30, 365, 120


class Notice:
    """What one worker is to be told. `foreign` names the members of `about` that are the other side's content."""

    def __init__(self, kind, key, slot, to, case, level, other=None, due=None, about=None, foreign=(), crosses=None,
                 urgency=None, events=(), withheld=False, tell=True, topic=None, at=None, fresh_from=None):
        self.kind, self.key, self.slot, self.to = kind, key, slot, to
        self.case, self.level, self.other, self.due = case, level, other, due
        self.about = about or {}
        self.foreign = set(foreign)
        self.crosses = crosses  # the two cases whose family it speaks of
        self.urgency = urgency or URGENCY.get(kind) or ("routine" if kind in ROUTINE else "prompt")
        self.events = events
        self.topic = topic  # what a consent must cover for it
        self.withheld = withheld  # it holds, but may not be seen
        self.tell = tell  # a moment: may be told now for the first time
        self.at = at  # when a moment was
        self.fresh_from = fresh_from  # from when on the other side could know it
        self.contacts = []


class Meeting:
    """One meeting as it is known at an instant."""

    def __init__(self, thing, at):
        self.thing, self.at = thing, at
        self.id, self.owner = thing.name, thing.owner
        self.scheduled = thing.last(at, "meeting.scheduled")
        if not self.scheduled:
            return
        data = self.scheduled.data
        self.agency, self.case = self.scheduled.agency, self.scheduled.case  # who scheduled it
        self.kind = data["kind"]
        self.start, self.end = instant_of(data["start"]), instant_of(data["end"])
        self.place = data.get("place")
        self.required = data.get("required") or []
        self.optional = data.get("optional") or []
        self.needs_family = data.get("family", self.kind not in ("pltm", "staffing"))
        self.organizer = data.get("organizer")
        self.last = thing.last(at, "meeting.scheduled", "meeting.held", "meeting.cancelled", "meeting.missed")

    @property
    def without_family(self):
        """An ltm that was held, but without the family."""
        return self.last.type == "meeting.held" and self.kind == "ltm" and not self.family_was_there(self.last)

    def family_was_there(self, held):
        """Where the report does not say: as it was planned."""
        return held.data.get("family", self.needs_family or self.kind == "pltm")

    @property
    def on_calendar(self):
        """Missed, or its hour passed unreported, or an ltm held without the family: it stays (5.1)."""
        return self.last is self.scheduled or self.missed or self.without_family

    @property
    def missed(self):
        return self.last.type == "meeting.missed"

    def rank(self):
        """court > cws > joint > calworks (5.2)."""
        if self.kind == "court":
            return 0
        if self.kind in JOINT:
            return 2
        return 1 if self.agency == "cws" else 3

    def about(self):
        out = {"meeting": self.id, "meeting_kind": self.kind, "start": written(self.start), "end": written(self.end)}
        if self.place is not None:
            out["place"] = self.place
        return out


class Need:
    """A meeting that is needed: what triggered it, when, by when it is due, and what meets it (5.1)."""

    def __init__(self, key, kind, meets, trigger, due, case, reason=None, event=None):
        self.key, self.kind, self.meets = key, kind, meets
        self.trigger, self.due, self.case, self.reason, self.event = trigger, due, case, reason, event


class Rules:
    def __init__(self, state, now, silent_since, stands, proposed, told_at):
        self.s, self.now = state, now
        self.stands = stands  # (kind, key) of what stands now
        self.told_at = told_at  # (kind, cause, slot) of a moment -> when it was told
        self.proposed = proposed  # meeting key -> the starts that were told
        self.wakes = set()
        self.standing, self.moments = [], []
        self.silent = {s for s, since in silent_since.items() if self.reached(since + 24 * 3600)}
        for (owner, _), consent in self.s.things["consent"].items():
            if in_force(consent, now) and last_day(consent, now):
                self.reached(midnight(days_after(last_day(consent, now), 1)))
        self.meetings = [m for m in (Meeting(t, now) for _, t in sorted(self.s.things["meeting"].items()))
                         if m.scheduled]
        self.derive()

    def reached(self, instant):
        """Every comparison with the clock goes through here, so that the next wake is known."""
        if instant > self.now:
            self.wakes.add(instant)
            return False
        return True

    def derive(self):
        for family in self.s.families(self.now):
            self.family = family
            self.mutual = self.s.mutual(family, self.now)
            self.episode, self.episode_key = self.s.episode(family, self.now)
            self.mains = {agency: self.s.main(family, agency, self.now) for agency in AGENCIES}
            self.cases = [self.s.cases[k] for k in sorted(family) if k in self.s.cases and
                          self.s.cases[k].door(self.now)]
            if self.mutual:
                self.mutual_rules()
            self.every_family_rules()
        self.crossover_possible()
        for source in sorted(self.silent):
            self.feed_silent(source)

    def mutual_rules(self):
        self.crossover_found()
        self.consent_needed()
        self.consent_expiring()
        self.sanction_review()
        self.reunification_evaluate()
        self.reunification_ending()
        self.clock_near()
        self.closure_planned()
        self.service_duplicate()

    def every_family_rules(self):
        self.consent_ended()
        self.status_changed()
        self.milestone_reached()
        self.closures()
        self.service_credit()
        self.referral_changed()
        self.referral_overdue()
        self.meeting_needed_and_overdue()
        self.meeting_reschedule()
        self.meeting_changed()
        self.meeting_reminder()
        self.visits()

    # ---- Who is told, and how much ----------------------------------------------------------------------------------

    def live(self, topic):
        return self.s.live(topic, self.family, self.now)

    def lead(self, case):
        """The worker answering for the case's side (domain.md 1)."""
        return self.s.lead(case, self.family, self.now)

    def supervisor(self, case, at=None):
        """The case's, else that side's."""
        return self.s.supervisor(case, self.s.family(case.key, at) if at else self.family, at or self.now)

    def pair(self, case, other=None):
        other = other or self.mains[OTHER[case.agency]]
        return (case.key, other.key) if other else None

    def stand(self, kind, key, to, case, level, **more):
        if to:
            self.standing.append(Notice(kind, key, None, to, case.key if case else None, level, **more))

    def stand_content(self, kind, key, to, case, said, topic, due=None, about=None, foreign=True, **more):
        """To the side of `case`, about the case `said`: whole to the own side, by consent to the other."""
        if case.agency == said.agency:
            self.stand(kind, key, to, case, OWN, due=due, about=about, crosses=self.pair(case), **more)
        else:
            self.stand(kind, key, to, case, CONTENT, other=said.key, due=due, about=about,
                       foreign=about or (), crosses=(case.key, said.key), withheld=not self.live(topic),
                       topic=topic, **more)

    def both_leads(self, said):
        """(case, worker) of both sides; the side that said it by the case it is about."""
        for agency in AGENCIES:
            case = said if said is not None and agency == said.agency else self.mains[agency]
            if case:
                yield case, self.lead(case)

    def moment(self, kind, cause, slot, to, case, level, at, fresh_from=None, visible=True, **more):
        """It is told unless it is stale, not yet its hour, or may not be seen (domain.md 2)."""
        fresh_from = at if fresh_from is None else fresh_from
        fresh = day_of(self.now) <= days_after(day_of(fresh_from), STALE_AFTER)
        if to:
            self.moments.append(Notice(kind, cause, slot, to, case.key if case else None, level, at=at, fresh_from=fresh_from,
                                       tell=self.reached(at) and fresh and visible, **more))

    def moment_content(self, kind, e, topic, said, case, at, about, cause=None, **more):
        """A moment crosses if its topic has been live from its time until now (domain.md 4)."""
        cause = cause or e.name
        if case.agency == said.agency:
            self.moment(kind, cause, case.agency + ".lead", self.lead(case), case, OWN, at, about=about,
                        crosses=self.pair(case), events=(e.name,), **more)
        else:
            slot = case.agency + ".lead"
            visible = not (kind == "closure.one_side" and said.limited(at)) and self.s.live_throughout(
                topic, said.key, at, self.until(kind, cause, slot, at))
            if visible or (kind, cause, slot) not in self.told_at:
                self.moment(kind, cause, slot, self.lead(case), case, CONTENT, at, about=about, other=said.key,
                            foreign=about, crosses=(case.key, said.key), events=(e.name,), topic=topic,
                            visible=visible, **more)

    def until(self, kind, cause, slot, at):
        """It must be live from its time until now to be told; told, it follows if it could be told at its time."""
        return at if (kind, cause, slot) in self.told_at else self.now

    def others_main(self, case):
        return self.mains[OTHER[case.agency]]

    def may_begin(self, kind, key, cases):
        """Absence rules are not begun while a source that has spoken of the cases is silent (5)."""
        spoken = {e.source for e in self.s.events if e.case in {c.key for c in cases}}
        return not (spoken & self.silent) or (kind, key) in self.stands

    # ---- Crossover --------------------------------------------------------------------------------------------------

    def crossover_found(self):
        """The family is mutual: both leads, both supervisors (HB III.B, IV.B-C; ACIN G5)."""
        for agency in AGENCIES:
            case, other = self.mains[agency], self.mains[OTHER[agency]]
            for to in {self.lead(case), self.supervisor(case)}:
                self.stand("crossover.found", self.episode_key, to, case, REGISTRY, other=other.key,
                           crosses=self.pair(case))

    def crossover_possible(self):
        """Equal tokens of any kind, different agencies, both open, not in one family, no answer (WB)."""
        said = answered(self.s.events)
        for a in sorted(self.s.tokens):
            for b in sorted(self.s.tokens):
                pair = [self.s.cases[key] for key in (a, b)]
                if a >= b or a[0] == b[0] or (a, b) in said or b in self.s.family(a, self.now) or \
                        not all(c.open(self.now) for c in pair) or \
                        alike(self.s.tokens[a], self.s.tokens[b], ("cin", "ssn", "name_dob")) is None:
                    continue
                other, case = sorted(pair, key=lambda c: c.opening(self.now).rank)
                to = self.s.lead(case, self.s.family(case.key, self.now), self.now)
                self.stand("crossover.possible", (a, b), to, case, REGISTRY, other=other.key)

    # ---- Consent ----------------------------------------------------------------------------------------------------

    def discoverer(self):
        """The case opened later."""
        return max((c for c in self.cases if c.open(self.now)),
                   key=lambda c: c.opening(self.now).rank)

    def consent_needed(self):
        """No open case limited, none in force, none refused or revoked in this episode since the last (HB IV.D)."""
        if any(c.limited(self.now) for c in self.cases if c.open(self.now)):
            return
        if self.s.consents_in_force(self.family, self.now):
            return
        said = [e for e in self.s.events if e.case in self.family and e.type.startswith("consent.")]
        answered = False
        for e in said:
            if e.type == "consent.signed":
                answered = False
            elif e.at >= self.episode:
                answered = True
        if not answered and all(self.reached(morning(day)) or midnight(day) < self.episode
                                for day in self.ran_out_today()):
            case = self.discoverer()
            other = self.others_main(case)
            self.stand("consent.needed", self.episode_key, self.lead(case), case, REGISTRY, other=other.key,
                       crosses=self.pair(case))

    def ran_out_today(self):
        """The consents whose last day was yesterday: what begins by the passing of days is told at 08:00."""
        ends = [last_day(c, self.now) for c in self.s.of("consent", self.family)
                if c.last(self.now, "consent.signed") and
                c.last(self.now, "consent.signed", "consent.revoked").type == "consent.signed"]
        return [days_after(day, 1) for day in ends if day and days_after(day, 1) == day_of(self.now)]

    def consent_expiring(self):
        """The last consent in force expires within 14 days (WIC 832)."""
        held = self.s.consents_in_force(self.family, self.now)
        if not held or any(last_day(c, self.now) is None for c in held):
            return
        day = max(last_day(c, self.now) for c in held)
        last = min((c for c in held if last_day(c, self.now) == day), key=lambda c: self.s.events.index(c.events[0]))
        if self.reached(morning(days_after(day, -14))):
            for case, to in self.both_leads(None):
                self.stand("consent.expiring", (last.owner, last.name), to, case, REGISTRY,
                           other=self.others_main(case).key, due=day, crosses=self.pair(case))

    def consent_ended(self):
        """One was revoked, or the last one's day has passed (HB III.C)."""
        for consent in self.s.of("consent", self.family):
            for e in consent.events:
                if e.type == "consent.revoked" and in_force(consent, e.at - 1) and self.s.mutual_at(e.case, e.at):
                    self.tell_consent_ended(e.name, e.at, (e.name,))
                if e.type == "consent.signed" and "expires" in e.data:
                    day = date.fromisoformat(e.data["expires"])
                    self.consent_ran_out(consent, e, days_after(day, 1))

    def consent_ran_out(self, consent, e, after):
        end = midnight(after)
        if not self.reached(end) or not in_force(consent, end - 1) or in_force(consent, end):
            return
        if consent.last(end, "consent.signed") is not e:
            return
        family = self.s.family(consent.owner, end)
        if self.s.mutual(family, end) and not self.s.consents_in_force(family, end) and \
                consent is self.last_of_day(family, end):
            self.tell_consent_ended(e.name + " ran out", morning(after), (e.name,))

    def last_of_day(self, family, end):
        """Of the consents whose day passed then, the one that was named last: one end is told, not several."""
        ran_out = [c for c in self.s.of("consent", family) if in_force(c, end - 1) and not in_force(c, end)]
        return max(ran_out, key=lambda c: c.events[0].rank)

    def tell_consent_ended(self, cause, at, events):
        for agency in AGENCIES:
            case = self.mains[agency]
            if case and self.others_main(case):
                self.moment("consent.ended", cause, agency + ".lead", self.lead(case), case, REGISTRY, at,
                            other=self.others_main(case).key, crosses=self.pair(case), events=events)

    # ---- Status -----------------------------------------------------------------------------------------------------

    def status_changed(self):
        """A first or another status, a removal, a return, a change of household (ACIN G8; HB V.A.7)."""
        for case in self.cases:
            other = self.others_main(case)
            if not other:
                continue
            changes = [s for s in case.statuses if s[1] != s[2]]
            for change in changes:
                self.one_status(case, other, change, changes)
        for e in self.s.events:
            what = {"child.removed": "removal", "child.returned": "return", "household.changed": "household"}
            if e.case in self.family and e.type in what and self.s.mutual_at(e.case, e.at):
                said = self.s.cases[e.case]
                if self.others_main(said):
                    self.moment_content("status.changed", e, "status", said, self.others_main(said), e.at,
                                        {"what": what[e.type]})

    def one_status(self, case, other, change, changes):
        at, code, before, e, _ = change
        about = {"what": "status", "status": code}
        if before:
            about["from"] = before
        slot = other.agency + ".lead"
        follows = self.s.mutual_at(case.key, at)
        visible = follows and self.s.live_throughout("status", case.key, at,
                                                     self.until("status.changed", e.name, slot, at))
        fresh_from = at
        for begin in self.s.instants(self.family):
            if not at < begin <= self.now or [s for s in changes if s[0] <= begin][-1] is not change:
                continue
            if not case.open(begin) or not self.s.mutual_at(case.key, begin):
                continue
            follows = True
            if self.crosses(case, begin) and not self.crosses(case, begin - 1) and \
                    self.s.live_throughout("status", case.key, begin,
                                           self.until("status.changed", e.name, slot, begin)):
                visible, fresh_from = True, begin
        if follows and (visible or ("status.changed", e.name, slot) not in self.told_at):
            self.moment("status.changed", e.name, slot, self.lead(other), other, CONTENT, at, fresh_from=fresh_from,
                        visible=visible, about=about, foreign=about, other=case.key, topic="status",
                        crosses=(other.key, case.key), events=(e.name,))

    def crosses(self, case, at):
        family = self.s.family(case.key, at)
        return case.open(at) and self.s.mutual(family, at) and self.s.live("status", family, at)

    def sanction_review(self):
        """Noncompliance or sanction with a CWS case in ifs, fm or fr: effort may be good cause (ACIN G10)."""
        plans = [c for c in self.s.open_cases(self.family, "cws", self.now) if c.status(self.now) in WORKED_TOGETHER]
        for case in self.s.open_cases(self.family, "calworks", self.now):
            if case.status(self.now) in NOT_MEETING and plans:
                self.stand("sanction.review", case.key, self.lead(case), case, SIGNAL, crosses=self.pair(case))

    def reunification_evaluate(self):
        """A child is removed, the CalWORKs case open and not in reunification (AB 429, AB 135; DK)."""
        removed = [(said[-1][0], c) for c in self.cases if c.open(self.now)
                   for person, said in sorted(c.children.items()) if said[-1][1]]
        for case in self.s.open_cases(self.family, "calworks", self.now):
            if removed and case.status(self.now) != "reunification":
                own = any(c.agency == "calworks" for _, c in removed)
                said = case if own else min(removed, key=lambda r: r[0])[1]
                self.stand_content("reunification.evaluate", case.key, self.lead(case), case, said, "status")

    def reunification_ending(self):
        """The status ends within 30 days: 6 full months after its month, or its own `until` (AB 135)."""
        for said in self.s.open_cases(self.family, "calworks", self.now):
            if said.status(self.now) != "reunification":
                continue
            begun = [s for s in said.statuses if s[1] != s[2]][-1]
            end = last_of_month(months_after(day_of(begun[0]).replace(day=1), 6))
            if day_of(begun[0]) < date(2025, 1, 1):
                end = days_after(day_of(begun[0]), 180)
            if said.statuses[-1][4]:
                end = date.fromisoformat(said.statuses[-1][4])
            if self.reached(morning(days_after(end, -30))) and not self.reached(midnight(days_after(end, 1))):
                for case, to in self.both_leads(said):
                    self.stand_content("reunification.ending", said.key, to, case, said, "status", due=end)

    def clock_near(self):
        """Six months or fewer are left of 60 (ACIN G18)."""
        for said in self.s.open_cases(self.family, "calworks", self.now):
            if not said.clocks or said.status(self.now) == "timed_out":
                continue
            self.reached(midnight(date(2022, 5, 1)))  # more are left from then on: it ends at its instant
            limit = 60 if day_of(self.now) >= date(2022, 5, 1) else 48
            left = limit - said.clocks[-1][1]
            if left <= 6:
                for case, to in self.both_leads(said):
                    self.stand_content("clock.near", said.key, to, case, said, "closure", about={"left": left})

    def milestone_reached(self):
        """Own and other lead may congratulate (ACIN "Key milestones")."""
        for e in self.s.events:
            if e.type == "milestone.reached" and e.case in self.family and self.s.mutual_at(e.case, e.at):
                said = self.s.cases[e.case]
                for case, _ in self.both_leads(said):
                    self.moment_content("milestone.reached", e, "milestone", said, case, e.at,
                                        {"milestone": e.data["milestone"]})

    # ---- Closure ----------------------------------------------------------------------------------------------------

    def closure_planned(self):
        """A planned end, not yet ended, while the other side has an open case (ACIN G18)."""
        for said in self.cases:
            closing = said.closing(self.now)
            if said.open(self.now) and closing:
                self.tell_closure_planned(("case", said.key), said, closing[1], "case")
        for plan in self.s.of("plan", self.family):
            planned = self.planned_end(plan)
            if planned and self.s.cases[plan.owner].open(self.now):
                self.tell_closure_planned(("plan", plan.owner, plan.name), self.s.cases[plan.owner],
                                          date.fromisoformat(planned), "plan")

    def planned_end(self, plan):
        """The day planned for the end of a plan that goes on; one signed anew after its end begins without one."""
        day, ended = None, False
        for e in plan.until(self.now):
            if e.type == "plan.closing":
                day = e.data["date"]
            elif e.type == "plan.signed" and ended:
                day, ended = None, False
            elif e.type == "plan.ended":
                ended = True
        return None if ended else day

    def tell_closure_planned(self, key, said, day, what):
        for case, to in self.both_leads(said):
            self.stand_content("closure.planned", key, to, case, said, "closure", due=day, about={"what": what})

    def closures(self):
        for case in self.cases:
            for i, (at, opened, e) in enumerate(case.doors):
                if not opened and i and case.doors[i - 1][1]:
                    self.one_closure(case, at, e)

    def one_closure(self, said, at, e):
        family = self.s.family(said.key, at)
        here = self.s.open_cases(family, said.agency, at)
        there = self.s.open_cases(family, OTHER[said.agency], at)
        if not here and there and self.s.mutual_at(said.key, at - 1):
            for case, _ in self.both_leads(said):  # ACIN G17-18
                self.moment_content("closure.one_side", e, "closure", said, case, at, {})
        if not here and not there and self.mutual_within(said, at):
            for case, to in self.both_leads(said):  # ACIN G17
                self.moment("closure.both", e.name, case.agency + ".lead", to, case, SIGNAL, at,
                            crosses=self.pair(case), events=(e.name,))
        if said.agency == "cws" and said.status(at) != "referral" and not there:  # ACIN G8
            self.moment("closure.screen", e.name, "cws.lead", self.lead(said), said, SIGNAL, at, events=(e.name,))

    def mutual_within(self, said, at):
        """The family was mutual within the 365 days before."""
        end = at
        for i in reversed([i for i in self.s.instants(self.family) if i < at]):
            if any(self.s.mutual_at(key, i) for key in self.s.family(said.key, at)):
                return day_of(end) >= days_after(day_of(at), -BOTH_WITHIN)
            end = i
        return False

    # ---- Meetings that are needed (5.1) -----------------------------------------------------------------------------

    def needs(self):
        needs = []
        if self.mutual:
            needs += self.need_pltm() + self.need_ltm() + self.need_reconvene() + self.need_tdm()
        return needs + self.need_disposition()

    def need_pltm(self):
        """From the first instant of the episode at which both are at work on a case in ifs, fm or fr."""
        for at in [i for i in self.s.instants(self.family) if self.episode <= i <= self.now]:
            family = self.family & self.at_work(at)
            if family and self.worked_since(at):
                return [Need(("pltm", self.episode_key), "pltm", ("pltm", "ltm"), at, days_after(day_of(at), 7), None)]
        return []

    def worked_since(self, at):
        """A closed case needs no meeting: one is open that both work on, or that took another status since, not by its
        opening."""
        return any(c.status(self.now) in WORKED_TOGETHER or self.turned(c) >= at and self.turned(c) > c.opened(self.now)
                   for c in self.s.open_cases(self.family, "cws", self.now))

    def turned(self, case):
        return [s[0] for s in case.statuses if s[1] != s[2] and s[0] <= self.now][-1]

    def at_work(self, at):
        """The family's cases of an instant, if both sides are at work in it; else nothing."""
        for key in sorted(self.family):
            if self.s.mutual_since(key, self.now) > at:
                continue  # it was of another episode then, or of none
            family = self.s.family(key, at)
            cws = [c for c in self.s.open_cases(family, "cws", at)]
            calworks = [c for c in self.s.open_cases(family, "calworks", at)]
            if any(c.status(at) in WORKED_TOGETHER for c in cws) and any(c.assigned_lead(at) for c in cws) \
                    and any(c.assigned_lead(at) for c in calworks):
                return family
        return frozenset()

    def open_things(self, kind):
        return [t for t in self.s.of(kind, self.family) if self.s.cases[t.owner].open(self.now)]

    def trigger(self, at):
        """A trigger older than the episode counts from the episode's start."""
        return max(at, self.episode)

    def need_ltm(self):
        """An ifs_agreement was signed; a plan that ended needs no meeting."""
        needs = []
        for plan in self.open_things("plan"):
            signed = plan.last(self.now, "plan.signed", "plan.ended")
            if signed and signed.data.get("kind") == "ifs_agreement":
                at = self.trigger(signed.at)
                needs.append(Need(("ltm", plan.owner, plan.name), "ltm", ("ltm",), at, days_after(day_of(at), 7),
                                  self.s.cases[signed.case], event=signed.name))
        return needs

    def need_reconvene(self):
        """Not meeting requirements, discontinuing, or a concern: the team comes together again (HB III.G)."""
        found = []
        for case in self.s.open_cases(self.family, "calworks", self.now):
            became = None
            for s in case.statuses:
                became = (became or s[0]) if s[1] in NOT_MEETING else None
            if became is not None:
                found.append((became, "not_meeting", case))
            if case.closing(self.now):
                found.append((case.closing(self.now)[0], "discontinuing", case))
        for concern in self.open_things("concern"):
            raised = self.unresolved(concern)
            if raised and raised.data["kind"] != "removal_considered":
                found.append((raised.at, "concern", self.s.cases[raised.case]))
        return [Need(("reconvene", self.episode_key), "ltm", ("ltm", "cft"), self.trigger(at),
                     days_after(day_of(self.trigger(at)), 7), case, reason) for at, reason, case in found]

    def unresolved(self, concern):
        """The first saying of this kind since it was last resolved."""
        first = None
        for e in concern.until(self.now):
            same = first and e.data.get("kind") == first.data["kind"]
            first = None if e.type == "concern.resolved" else first if same else e
        return first

    def need_tdm(self):
        """A removal is considered."""
        needs = []
        for concern in self.open_things("concern"):
            raised = self.unresolved(concern)
            if raised and raised.data["kind"] == "removal_considered":
                at = self.trigger(raised.at)
                needs.append(Need(("tdm", concern.owner, concern.name), "tdm", ("tdm",), at,
                                  days_after(day_of(at), 2), self.s.cases[raised.case], event=raised.name))
        return needs

    def need_disposition(self):
        """Every three months in ifs, from the last one held, the agreement, or the status (HB III.G)."""
        needs = []
        for case in self.s.open_cases(self.family, "cws", self.now):
            if case.status(self.now) != "ifs":
                continue
            base = [s for s in case.statuses if s[1] != s[2]][-1][0]
            signed = [p.last(self.now, "plan.signed", "plan.ended") for p in self.s.of("plan", {case.key})]
            agreed = [e.at for e in signed if e and e.data.get("kind") == "ifs_agreement"]
            held = [(e.at, m.id) for m in self.meetings_of({case.key}) for e in self.holdings(m, ("disposition",))]
            last = max(held) if held else (max(agreed), None) if agreed else (base, None)
            base = last[0]
            needs.append(Need(("disposition", case.key, last[1]), "disposition", ("disposition",), base + 1,  # since then
                              months_after(day_of(base), 3), case))
        return needs

    def meetings_of(self, family):
        return [m for m in self.meetings if m.owner in family]

    def holdings(self, meeting, kinds):
        """The times it was held; an ltm without the family does not count."""
        out = []
        for e in meeting.thing.until(self.now):
            if e.type == "meeting.held":
                then = self.version(meeting, e)
                if then.scheduled and then.kind in kinds and (then.kind != "ltm" or then.family_was_there(e)):
                    out.append(e)
        return out

    def serving(self, need):
        family = {need.case.key} if need.kind == "disposition" else self.family
        return self.meetings_of(family)

    def planned(self, need):
        return any(m.kind in need.meets and m.on_calendar and day_of(m.start) >= day_of(need.trigger)
                   for m in self.serving(need))

    def held(self, need):
        return any(e.at >= need.trigger for m in self.serving(need) for e in self.holdings(m, need.meets))

    def meeting_needed_and_overdue(self):
        groups = {}
        for need in self.needs():
            groups.setdefault(need.key, []).append(need)
        for key, needs in groups.items():
            unheld = [n for n in needs if not self.held(n)]
            wanted = [n for n in unheld if not self.planned(n)]
            if needs[0].kind == "disposition":
                wanted = [n for n in wanted if self.reached(morning(days_after(n.due, -21)))]
            if wanted:
                self.tell_needed("meeting.needed", key, wanted)
            if unheld and self.reached(morning(days_after(min(n.due for n in unheld), 1))) and \
                    self.may_begin("meeting.overdue", key, self.cases):
                self.tell_needed("meeting.overdue", key, unheld)

    def tell_needed(self, kind, key, needs):
        due = min(n.due for n in needs)
        sides = ["cws"] if needs[0].kind == "disposition" else AGENCIES
        for agency in sides:
            case = needs[0].case if needs[0].kind == "disposition" else self.mains[agency]
            own = {n.reason for n in needs if n.reason and n.case.agency == agency}
            theirs = [n for n in needs if n.reason and n.case.agency != agency]
            foreign = {n.reason for n in theirs}
            about = {"meeting_kind": needs[0].kind}
            seen = foreign and self.live("meeting")
            reasons = own | foreign if seen else own
            if reasons:
                about["reasons"] = [r for r in ("not_meeting", "discontinuing", "concern") if r in reasons]
            level = CONTENT if seen else SIGNAL
            if needs[0].kind == "disposition" or needs[0].case and not foreign and \
                    all(n.case.agency == agency for n in needs):
                level = OWN
            people = [self.lead(case)]
            if kind == "meeting.overdue":
                people.append(self.supervisor(case))
            for to in dict.fromkeys(people):
                self.stand(kind, key, to, case, level, due=due, about=about,
                           other=self.others_main(case).key if seen else None, topic="meeting",
                           foreign={"reasons"} if seen else (),
                           crosses=None if needs[0].kind == "disposition" else self.pair(case))

    # ---- Meetings to be rescheduled (5.2) ---------------------------------------------------------------------------

    def upcoming(self, meeting):
        """On the calendar, not started."""
        return meeting.last.type in ("meeting.scheduled", "meeting.missed") and not self.reached(meeting.start)

    def collide(self, m, o, start, end):
        """Overlap; different, named places need 30 minutes between."""
        apart = HALF_HOUR if m.place and o.place and m.place != o.place else 0
        return start < o.end + apart and o.start < end + apart

    def concerned(self, m, o):
        """Both need the family, or a worker is required in both."""
        same = o.owner in self.s.family(m.owner, self.now)
        return same and m.needs_family and o.needs_family or bool(set(m.required) & set(o.required))

    def conflicts(self, m):
        out = []
        for o in self.meetings:
            if o.thing is m.thing or not self.upcoming(o) or not self.concerned(m, o):
                continue
            if self.collide(m, o, m.start, m.end):
                later = (m.scheduled.at, m.scheduled.order) > (o.scheduled.at, o.scheduled.order)
                if m.rank() > o.rank() or m.rank() == o.rank() and later:
                    out.append(o)
        return out

    def left(self, m):
        """A required worker's assignment to a case of this family ended after it was put on the calendar."""
        return any(not self.assigned(worker, self.now) and self.ended_since(worker, m.scheduled.at)
                   for worker in m.required)

    def ended_since(self, worker, since):
        for case in self.cases:
            for history in case.holders.values():
                for (_, before), (at, after) in zip(history, history[1:]):
                    if at > since and before and before["worker"] == worker:
                        return True
        return False

    def assigned(self, worker, at):
        return any(c.worker(role, at) == worker for c in self.cases for role in c.holders)

    def ever_assigned(self, worker):
        return any(h and h["worker"] == worker for c in self.cases for hs in c.holders.values() for _, h in hs)

    def is_late(self, m, needs):
        """Its kind is the one needed, it starts after that need's due day, and that has not passed."""
        return any(m.kind == n.kind and m in self.serving(n) and day_of(m.start) > n.due
                   and not self.reached(midnight(days_after(n.due, 1))) for n in needs)

    def replaced(self, m, since):
        """Another of its kind was put on the calendar since, and not called off."""
        return any(o.thing is not m.thing and o.kind == m.kind and o.last.type != "meeting.cancelled" and
                   o.scheduled.at >= since
                   for o in self.meetings_of(self.family))

    def held_with_family_since(self, m):
        return any(e.at > m.last.at for o in self.meetings_of(self.family) for e in self.holdings(o, ("ltm",)))

    def meeting_reschedule(self):
        needs = self.due_needs()
        for m in self.meetings_of(self.family):
            reasons, conflicts = [], []
            if self.upcoming(m):
                conflicts = self.conflicts(m)
                reasons += ["conflict"] if conflicts else []
                reasons += ["participant"] if self.left(m) else []
                reasons += ["closed"] if m.kind in JOINT and self.one_sided() else []
                reasons += ["late"] if self.is_late(m, needs) else []
            if m.missed and not self.replaced(m, m.thing.last(self.now, "meeting.missed").at):
                reasons.append("missed")
            if m.without_family and not self.held_with_family_since(m):
                reasons.append("no_family")
            if reasons:
                self.tell_reschedule(m, reasons, conflicts, needs)

    def due_needs(self):
        """The needs not yet met; of one notice's, the one that is due first."""
        first = {}
        for need in self.needs():
            if not self.held(need) and (need.key not in first or need.due < first[need.key].due):
                first[need.key] = need
        return list(first.values())

    def one_sided(self):
        """One side has no open case any more."""
        return any(self.mains[a] and not self.s.open_cases(self.family, a, self.now) for a in AGENCIES)

    def movers(self, m):
        """The organizer if still there (or never was in the family), else the lead or both leads."""
        if m.organizer and (self.assigned(m.organizer, self.now) or not self.ever_assigned(m.organizer)):
            return [(self.case_of(m.organizer, m, m.owner), m.organizer)]
        if m.kind in JOINT:
            return list(self.both_leads(self.s.cases[m.owner]))
        case = self.s.cases[m.owner] if m.owner[0] == m.agency else self.mains[m.agency]
        return [(case, self.lead(case))]

    def case_of(self, worker, m, about):
        """The worker's side's case; a stranger is of the side that said it."""
        side = next((case.agency for then in ("now", "ever") for agency in (m.agency, OTHER[m.agency])
                     for case in self.cases if case.agency == agency and self.served(case, worker, then)), m.agency)
        return self.s.cases[about] if about[0] == side else self.mains[side]

    def served(self, case, worker, then):
        held = [h["worker"] for hs in case.holders.values() for _, h in hs if h]
        return worker in held if then == "ever" else worker in [case.worker(r, self.now) for r in case.holders]

    def tell_reschedule(self, m, reasons, conflicts, needs):
        proposals = self.proposals(m, needs)
        for case, to in self.movers(m):
            about = {"meeting": m.id, "meeting_kind": m.kind, "start": written(m.start), "reasons": reasons}
            if proposals:
                about["proposals"] = proposals
            theirs = m.agency != case.agency
            level, foreign, other = OWN, (), None
            if conflicts:
                o = min(conflicts, key=lambda o: (o.start, o.id))
                if o.agency == case.agency:
                    about["with"] = o.id
                elif o.owner in self.family:
                    theirs = True
                    if self.live("meeting"):
                        about["with"], foreign = o.id, {"with"}
                elif not theirs:
                    level = SIGNAL
            if theirs:
                level = CONTENT if self.live("meeting") else SIGNAL
                other = m.owner if m.owner[0] != case.agency else self.others_main(case).key
                other = other if level == CONTENT else None
                foreign = set(about) if level == CONTENT and m.owner[0] != case.agency else foreign
            self.stand("meeting.reschedule", (m.owner, m.id), to, case, level, other=other, about=about,
                       topic="meeting",
                       foreign=foreign, crosses=self.meeting_pair(case, m) if level != OWN else None)

    def meeting_pair(self, case, m):
        return (case.key, m.owner) if m.owner[0] != case.agency else self.pair(case)

    def proposals(self, m, needs):
        """Up to three of the earliest free starts; what was proposed stays while it can be had."""
        told = self.proposed.get((m.owner, m.id))
        today = day_of(self.now)
        first = days_after(today, 1 if self.reached(morning(today)) else 0)
        self.reached(morning(days_after(today, 1)))
        dues = [n.due for n in needs if m.kind == n.kind and m in self.serving(n)]
        until = min((due for due in dues if due >= today), default=None)
        if until:
            self.reached(midnight(days_after(until, 1)))
        if told and all(self.free(m, instant_of(t), first, until) for t in told):
            return told
        out = []
        for n in range(LOOK_AHEAD):
            day = days_after(first, n)
            for half in range(18):
                start = morning(day) + half * HALF_HOUR
                if len(out) < 3 and self.free(m, start, first, until):
                    out.append(written(start))
        return out

    def free(self, m, start, first, until):
        end, day = start + m.end - m.start, day_of(start)
        if day < first or until and day > until or day.weekday() > 4 or end > morning(day) + 9 * 3600:
            return False
        return not any(self.collide(m, o, start, end) for o in self.meetings
                       if o.thing is not m.thing and (o.last is o.scheduled or o.missed) and self.concerned(m, o))

    # ---- Meetings as they are (HB IV.F) -----------------------------------------------------------------------------

    def meeting_changed(self):
        """Scheduled, moved or cancelled: every worker in required and optional."""
        for m in self.meetings_of(self.family):
            seen, before = False, None
            for e in m.thing.until(self.now):
                if e.type == "meeting.scheduled":
                    self.tell_changed(m, e, "moved" if seen else "scheduled")
                    seen = True
                elif e.type == "meeting.cancelled" and seen and before.type != "meeting.cancelled":
                    self.tell_changed(m, e, "cancelled")
                before = e

    def version(self, m, e):
        """The meeting as it was right after an event."""
        then = Meeting.__new__(Meeting)
        upto = [x for x in m.thing.events if x.at < e.at or x.at == e.at and
                m.thing.events.index(x) <= m.thing.events.index(e)]
        copy = type(m.thing)(m.thing.owner, m.thing.name)
        copy.events = upto
        then.__init__(copy, e.at)
        return then

    def tell_changed(self, m, e, change):
        then = self.version(m, e)
        about = dict(then.about(), change=change)
        for to in dict.fromkeys(then.required + then.optional):
            self.tell_meeting("meeting.changed", e, e.at, then, to, about, m.owner)

    def tell_meeting(self, kind, e, at, m, to, about, said, tell=True):
        case = self.case_of(to, m, said)
        own = case.agency == e.agency
        other = said if said[0] != case.agency else self.others_main(case) and self.others_main(case).key
        if tell:
            self.moment(kind, e.name, to, to, case, OWN if own else REGISTRY, at, about=about,
                        other=None if own else other, crosses=None if own else (case.key, other),
                        foreign=() if own else about, events=(e.name,))
        else:
            self.moment(kind, e.name, to, to, case, OWN, at, visible=False, about=about)

    def meeting_reminder(self):
        """08:00 on the day before the start, if it was on the calendar by then; not after the start."""
        for m in self.meetings_of(self.family):
            for e in m.thing.until(self.now):
                if e.type != "meeting.scheduled":
                    continue
                then = self.version(m, e)
                at = morning(days_after(day_of(then.start), -1))
                if e.at <= at and self.reached(at) and m.thing.last(
                        at, "meeting.scheduled", "meeting.held", "meeting.cancelled", "meeting.missed") is e:
                    for to in dict.fromkeys(then.required):
                        self.tell_meeting("meeting.reminder", e, at, then, to, then.about(), m.owner,
                                          tell=self.now < then.start and m.last is e)

    # ---- Visits (HB V.A.6) ------------------------------------------------------------------------------------------

    def visits(self):
        for case in self.cases:
            if case.agency == "cws":
                self.visit_due(case)
                self.visit_missed(case)

    def unvisited(self, case, first, at):
        """In a status that is visited, open since before the month began, no face-to-face contact in it."""
        last = last_of_month(first)
        return case.open(at) and case.status(at) in VISITED and case.opened(at) < midnight(first) and not any(
            kind == "face_to_face" and first <= day_of(when) <= last for when, kind in case.contacts)

    def visit_due(self, case):
        first = day_of(self.now).replace(day=1)
        last = last_of_month(first)
        key = (case.key, first)
        self.reached(midnight(days_after(last, 1)))
        if self.reached(morning(days_after(last, -7))) and self.unvisited(case, first, self.now) and \
                self.may_begin("visit.due", key, [case]):
            self.stand("visit.due", key, self.lead(case), case, OWN, due=last)

    def visit_missed(self, case):
        first = day_of(case.doors[0][0]).replace(day=1)
        while midnight(months_after(first, 1)) <= self.now:
            following = months_after(first, 1)
            key = (case.key, first)
            end, at = midnight(following), morning(following)
            if self.unvisited(case, first, end - 1):
                told = self.may_begin("visit.missed", key, [case])
                self.moment("visit.missed", key, "cws.lead", self.lead(case), case, OWN, at, visible=told)
                then, now = self.supervisor(case, at), self.supervisor(case)
                if then:  # it stays told where the place is empty since
                    self.moment("visit.missed", key, "cws.supervisor", now or then, case, OWN, at,
                                visible=told and bool(now))
            first = following

    # ---- Services and referrals -------------------------------------------------------------------------------------

    def service_duplicate(self):
        """The same category is running on both sides (HB III.C.3)."""
        running = {}
        for service in self.open_things("service"):
            last = service.last(self.now, "service.started", "service.ended")
            if last and last.type == "service.started":
                running.setdefault(last.data["category"], {}).setdefault(service.owner[0], []).append(
                    (last.at, service.owner))
        for category, sides in sorted(running.items()):
            if len(sides) == 2:
                for case, to in self.both_leads(None):
                    self.stand_content("service.duplicate", (self.episode_key, category), to, case,
                                       self.others_main(case), "services", about={"category": category})

    def service_credit(self):
        """CWS started a creditable service while a CalWORKs case is open (ACIN G12, G14)."""
        for e in self.s.events:
            if e.type == "service.started" and e.agency == "cws" and e.case in self.family and \
                    e.data["category"] in CREDITABLE and self.s.mutual_at(e.case, e.at):
                self.moment_content("service.credit", e, "services", self.s.cases[e.case], self.mains["calworks"],
                                    e.at, {"category": e.data["category"]})

    def referral_changed(self):
        """Made: to the receiving agency's lead. Updated: to the lead of the side that made it (WB)."""
        for referral in self.s.of("referral", self.family):
            made = None
            for e in referral.until(self.now):
                if e.type == "referral.made":
                    made = e
                if not made or not self.s.mutual_at(e.case, e.at):
                    continue
                about = {"referral": referral.name, "category": made.data["category"]}
                said, case = self.s.cases[e.case], None
                if e.type == "referral.updated":
                    about["status"] = e.data["status"]
                    case = self.s.cases[made.case]
                elif made.data["to"] in AGENCIES:
                    case = said if made.data["to"] == said.agency else self.mains[made.data["to"]]
                if case:
                    self.moment_content("referral.changed", e, "referral", said, case, e.at, about,
                                        urgency="urgent" if made.data.get("urgent") else None)

    def referral_overdue(self):
        """The day after `follow_up`, not declined or completed: own lead and supervisor (WB)."""
        for referral in self.s.of("referral", self.family):
            made = referral.last(self.now, "referral.made")
            if not made or "follow_up" not in made.data:
                continue
            answer = referral.last(self.now, "referral.made", "referral.updated")
            day = date.fromisoformat(made.data["follow_up"])
            key = (made.case, referral.name)
            if answer.data.get("status") not in ("declined", "completed") and \
                    self.reached(morning(days_after(day, 1))) and \
                    self.may_begin("referral.overdue", key, self.cases):
                case = self.s.cases[made.case]
                for to in {self.lead(case), self.supervisor(case)}:
                    self.stand("referral.overdue", key, to, case, OWN, due=day,
                               about={"referral": referral.name})

    # ---- Feeds ------------------------------------------------------------------------------------------------------

    def feed_silent(self, source):
        """A source has sent nothing for 24 hours: both liaisons."""
        for agency in AGENCIES:
            self.stand("feed.silent", source, LIAISON[agency], None, OWN, about={"source": source})
