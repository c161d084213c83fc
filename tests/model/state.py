"""Folds all known events into what was true when (domain.md 1-3).

In: the events known so far. Out: a State that answers for any instant up to now.
Promise: always folded anew from the whole list; nothing is carried over from an earlier fold.
"""
from datetime import date

from story import AGENCIES, TOPICS, day_of, days_after, midnight

LEAD_ROLES = {"cws": ("social_worker",), "calworks": ("ais_worker", "employment_specialist", "eligibility_worker")}
LIAISON = {"cws": "cws.liaison", "calworks": "calworks.liaison"}
OTHER = {"cws": "calworks", "calworks": "cws"}
NOES = ("link.refused", "link.removed")
AUTOMATIC = ("cin",)  # kinds of token that link by themselves


def last_until(history, at):
    """The last entry of [(instant, …), …] that is not later; None if there is none."""
    found = None
    for entry in history:
        if entry[0] <= at:
            found = entry
    return found


class Case:
    def __init__(self, key):
        self.key = key
        self.agency, self.number = key
        self.doors = []  # (at, open, event)
        self.statuses = []  # (at, code, from, event, until)
        self.limits = []  # (at, limited)
        self.holders = {}  # role -> [(at, holder or None)]
        self.closings = []  # (at, date or None, event)
        self.contacts = []  # (at, kind)
        self.clocks = []  # (at, used, event)
        self.children = {}  # person -> [(at, away, event)]

    def open(self, at):
        entry = last_until(self.doors, at)
        return bool(entry and entry[1])

    def door(self, at):
        """When it was last opened or closed."""
        return last_until(self.doors, at)

    def opened(self, at):
        """When the case was opened that is open or was last."""
        opening = self.opening(at)
        return opening.at if opening else None

    def opening(self, at):
        """The event that did."""
        found = None
        was_open = False
        for entry in self.doors:
            if entry[0] <= at:
                if entry[1] and not was_open:
                    found = entry[2]
                was_open = entry[1]
        return found

    def closing_rank(self, at):
        """Where among all events the case was closed last."""
        closed = [e.rank for was, is_open, e in self.doors if was <= at and not is_open]
        return max(closed, default=-1)

    def status(self, at):
        entry = last_until(self.statuses, at)
        return entry[1] if entry else None

    def limited(self, at):
        entry = last_until(self.limits, at)
        return bool(entry and entry[1])

    def holder(self, role, at):
        entry = last_until(self.holders.get(role, []), at)
        return entry[1] if entry else None

    def worker(self, role, at):
        holder = self.holder(role, at)
        return holder["worker"] if holder else None

    def assigned_lead(self, at):
        for role in LEAD_ROLES[self.agency]:
            if self.worker(role, at):
                return self.worker(role, at)
        return None

    def contacts_of(self, at):
        out = []
        for role in sorted(self.holders):
            holder = self.holder(role, at)
            if holder:
                entry = {"agency": self.agency, "role": role, "worker": holder["worker"]}
                entry.update({k: holder[k] for k in ("name", "phone") if holder.get(k)})
                out.append(entry)
        return out

    def closing(self, at):
        """The planned end of the open case: (at of the first saying, date, event), or None."""
        found = None
        for entry in self.closings:
            if entry[0] > at or entry[0] < (self.opened(at) or 0):
                continue
            if entry[1] is None:
                found = None
            else:
                found = (found[0] if found else entry[0], entry[1], entry[2])
        return found


class Thing:
    """A plan, service, meeting, concern, referral or consent: it belongs to the case that first named it."""

    def __init__(self, owner, name):
        self.owner, self.name = owner, name
        self.events = []  # in order

    def until(self, at):
        return [e for e in self.events if e.at <= at]

    def last(self, at, *types):
        found = None
        for e in self.until(at):
            if e.type in types:
                found = e
        return found


class State:
    KINDS = ("consent", "plan", "service", "meeting", "concern", "referral")

    def __init__(self, known):
        self.cases = {}
        self.things = {kind: {} for kind in self.KINDS}
        self.events, self.counted_from = in_order(known)
        for rank, e in enumerate(self.events):
            e.rank = rank
        self.tokens = tokens_of(self.events)  # case -> {(kind, token): since}
        self.links = current_links(self.events, self.tokens)  # (at, case, case, event)
        for e in self.events:
            self.fold(e)

    # ---- The fold ---------------------------------------------------------------------------------------------------

    def fold(self, e):
        case = self.cases.setdefault(e.case, Case(e.case))
        step = getattr(self, "fold_" + e.type.replace(".", "_"), None)
        if step:
            step(case, e)
        for kind in self.KINDS:
            if e.type.startswith(kind + ".") and kind in e.data:
                self.thing(kind, e).events.append(e)

    def thing(self, kind, e):
        """The case's own, else its agency's in the family, else the other agency's (domain.md 3)."""
        table, name = self.things[kind], e.data[kind]
        family = sorted(self.family(e.case, e.at))
        for owner in [e.case] + [c for c in family if c[0] == e.agency] + [c for c in family if c[0] != e.agency]:
            if (owner, name) in table:
                return table[owner, name]
        if e.type in ("consent.revoked", "consent.refused"):  # default is no: neither names one that nobody signed
            return Thing(e.case, name)
        return table.setdefault((e.case, name), Thing(e.case, name))

    def add_status(self, case, e):
        before = case.statuses[-1][1] if case.statuses else None
        case.statuses.append((e.at, e.data["status"], before, e, e.data.get("until")))

    def fold_case_opened(self, case, e):
        case.doors.append((e.at, True, e))
        if "limited_access" in e.data:
            case.limits.append((e.at, e.data["limited_access"]))
        self.add_status(case, e)

    def fold_case_status(self, case, e):
        self.add_status(case, e)

    def fold_case_closing(self, case, e):
        day = e.data["date"]
        case.closings.append((e.at, date.fromisoformat(day) if day else None, e))

    def fold_case_closed(self, case, e):
        case.doors.append((e.at, False, e))

    def fold_case_restricted(self, case, e):
        case.limits.append((e.at, e.data["limited_access"]))

    def fold_worker_assigned(self, case, e):
        case.holders.setdefault(e.data["role"], []).append((e.at, e.data))

    def fold_worker_unassigned(self, case, e):
        case.holders.setdefault(e.data["role"], []).append((e.at, None))

    def fold_contact_made(self, case, e):
        case.contacts.append((e.at, e.data["kind"]))

    def fold_clock_reported(self, case, e):
        case.clocks.append((e.at, e.data["used"], e))

    def fold_child_removed(self, case, e):
        case.children.setdefault(e.data["person"], []).append((e.at, True, e))

    def fold_child_returned(self, case, e):
        case.children.setdefault(e.data["person"], []).append((e.at, False, e))

    # ---- Families ---------------------------------------------------------------------------------------------------

    def family(self, key, at):
        """The cases joined to this one by links at an instant."""
        members, grew = {key}, True
        while grew:
            grew = False
            for since, a, b, _ in self.links:
                if since <= at and (a in members) != (b in members):
                    members |= {a, b}
                    grew = True
        return frozenset(members)

    def families(self, at):
        return sorted({self.family(key, at) for key in self.cases if self.cases[key].door(at)},
                      key=lambda f: sorted(f))

    def side(self, family, agency, at):
        return [self.cases[k] for k in sorted(family)
                if k[0] == agency and k in self.cases and self.cases[k].door(at)]

    def open_cases(self, family, agency, at):
        return [c for c in self.side(family, agency, at) if c.open(at)]

    def main(self, family, agency, at):
        """The side's case: the earliest opened that is open, else the last closed (domain.md 5)."""
        opened = self.open_cases(family, agency, at)
        if opened:
            return min(opened, key=lambda c: c.opening(at).rank)
        closed = self.side(family, agency, at)
        return max(closed, key=lambda c: c.closing_rank(at)) if closed else None

    def supervisor(self, case, family, at):
        """The case's, else that side's."""
        return next((c.worker("supervisor", at) for c in self.answering(case, family, at)
                     if c.worker("supervisor", at)), None)

    def answering(self, case, family, at):
        """The case, then the open ones of its side."""
        return [case] + sorted(self.open_cases(family, case.agency, at), key=lambda c: c.opening(at).rank)

    def lead(self, case, family, at):
        """The worker answering for the case's side (domain.md 1)."""
        assigned = next((c.assigned_lead(at) for c in self.answering(case, family, at) if c.assigned_lead(at)), None)
        return assigned or self.supervisor(case, family, at) or LIAISON[case.agency]

    def mutual(self, family, at):
        return all(self.open_cases(family, agency, at) for agency in AGENCIES)

    def mutual_at(self, key, at):
        return self.mutual(self.family(key, at), at)

    def instants(self, family):
        """Every instant at which something may have changed for the family, in order."""
        out = {e.at for e in self.events if e.case in family}
        out |= {since for since, a, b, _ in self.links if a in family or b in family}
        for consent in self.of("consent", family):
            out |= {midnight(days_after(day, 1)) for day in consent_days(consent)}
        return sorted(out)

    def episode(self, family, now):
        """When the family, mutual now, became so, and the episode's name; None if it is not mutual."""
        if not self.mutual(family, now):
            return None, None
        first = min(sorted(family), key=lambda key: self.mutual_since(key, now))
        start = self.mutual_since(first, now)
        return start, self.name_of_episode(self.family(first, start), start)

    def mutual_since(self, key, now):
        """From when on the case has been in a mutual family, now's, without a gap: what joins it brings no past of its own
        that was over by then."""
        start = now
        for at in reversed([i for i in self.instants(self.family(key, now)) if i <= now]):
            if not self.mutual_at(key, at):
                break
            start = at
        return start

    def first_open(self, family, at):
        """The lowest case number of each side that is open."""
        return tuple(min(c.number for c in self.open_cases(family, agency, at)) for agency in AGENCIES)

    def name_of_episode(self, then, start):
        """The cases that were first open at its start, and how many episodes the CWS case has named by then: another event
        that turns out to have begun it, or a correction of that event, changes nothing."""
        cws, calworks = self.first_open(then, start)
        return cws, calworks, sum(self.begins(("cws", cws), at) for at in self.instants(then) if at <= start)

    def begins(self, key, at):
        """An episode that this case names."""
        family = self.family(key, at)
        return self.mutual(family, at) and self.first_open(family, at)[0] == key[1] and \
            not any(self.mutual_at(k, at - 1) for k in family)

    # ---- Consents (domain.md 4) -------------------------------------------------------------------------------------

    def of(self, kind, family):
        return [t for (owner, _), t in sorted(self.things[kind].items()) if owner in family]

    def consents_in_force(self, family, at):
        return [c for c in self.of("consent", family) if in_force(c, at)]

    def live(self, topic, family, at):
        """A link leads to the other side, a consent in force covers the topic, and no open case is limited."""
        if not all(self.side(family, agency, at) for agency in AGENCIES):
            return False  # no link leads to the other side
        if any(c.limited(at) for agency in AGENCIES for c in self.open_cases(family, agency, at)):
            return False
        return any(topic in signed_topics(c, at) for c in self.consents_in_force(family, at))

    def live_throughout(self, topic, key, since, now):
        """From an instant until now without a gap (HB III.C.4: past is past)."""
        family = self.family(key, now)
        between = [i for i in self.instants(family) if since < i <= now]
        return all(self.live(topic, self.family(key, at), at) for at in [since] + between)


def consent_days(consent):
    return [date.fromisoformat(e.data["expires"]) for e in consent.events
            if e.type == "consent.signed" and "expires" in e.data]


def in_force(consent, at):
    """Signed, not revoked since, and its last day not passed."""
    said = consent.last(at, "consent.signed", "consent.revoked")
    if not said or said.type != "consent.signed":
        return False
    return "expires" not in said.data or day_of(at) <= date.fromisoformat(said.data["expires"])


def last_day(consent, at):
    said = consent.last(at, "consent.signed")
    return date.fromisoformat(said.data["expires"]) if "expires" in said.data else None


def signed_topics(consent, at):
    return set(consent.last(at, "consent.signed").data.get("topics") or TOPICS)


def within_an_instant(e):
    return (e.source, float("inf") if e.sequence is None else e.sequence, e.order)


def in_order(known):
    """Superseded out, then by (time, source, sequence); a case's events count from its opening, which says its own status
    (domain.md 2, 3): then also from when on each event counts, by name."""
    out = {(e.source, e.supersedes) for e in known if e.supersedes}
    left = [e for e in known if (e.source, e.id) not in out and e.type != "event.retracted"]
    opening = {}
    for e in sorted((e for e in left if e.type == "case.opened"), key=lambda e: (e.time, *within_an_instant(e))):
        opening.setdefault(e.case, e)
    left = [e for e in left if e.case in opening or e.type in NOES]  # a person's no needs no opening
    waits = {e for e in left if e.case in opening and
             (e.time, *within_an_instant(e)) < (opening[e.case].time, *within_an_instant(opening[e.case]))}
    for e in left:  # what waited stands behind the opening
        waited = e in waits
        behind = opening[e.case] if waited else e
        e.at = behind.time
        e.key = (e.at, within_an_instant(behind), waited, e.time, within_an_instant(e))
    told = [e for e in left if e not in waits or e.type not in ("case.status", "case.closed")]
    return sorted(told, key=lambda e: e.key), {e.name: e.at for e in left}


def pair_of(e):
    other = e.data["other"]
    return tuple(sorted((e.case, (other["agency"], other["case"]))))


def tokens_of(events):
    """What the openings say of who is in a case, each since its first saying."""
    out = {}
    for e in events:
        for member in e.data.get("members") or [] if e.type == "case.opened" else []:
            for key in (member.get("keys") or {}).items():
                out.setdefault(e.case, {}).setdefault(key, e.at)
    return out


def alike(a, b, kinds):
    """Since when two cases share a token of these kinds; None."""
    both = [max(a[key], b[key]) for key in set(a) & set(b) if key[0] in kinds]
    return min(both, default=None)


def answered(events):
    """The pairs of which a person has said yes or no."""
    return {pair_of(e) for e in events if e.type.startswith("link.")}


def current_links(events, tokens):
    """The last no of a pair makes all before it as if it had never been, and beats equal tokens; before it is what was said
    before it, whichever opening that waits for (domain.md 3)."""
    said, refused = {}, set()
    for e in sorted(events, key=lambda e: (e.time, *within_an_instant(e))):
        if e.type in NOES:
            said[pair_of(e)] = []
            refused.add(pair_of(e))
        elif e.type == "link.confirmed":
            said.setdefault(pair_of(e), []).append(e)
    first = {pair: min(yeses, key=lambda e: e.key) for pair, yeses in said.items() if yeses}
    out = {pair: (e.at, pair[0], pair[1], e) for pair, e in first.items()}
    for a in tokens:
        for b in tokens:
            since = alike(tokens[a], tokens[b], AUTOMATIC) if a < b and a[0] != b[0] else None
            if since is not None and (a, b) not in refused and ((a, b) not in out or since < out[a, b][0]):
                out[a, b] = (since, a, b, None)
    return [link for _, link in sorted(out.items())]
