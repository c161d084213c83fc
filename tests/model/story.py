"""Reads the lines of a story: what is an event, what is refused and why (domain.md 3, scenarios/README.md).

In: one line. Out: an event as a plain object, or a refusal with reason and field.
Promise: written from the documents alone; it shares nothing with the daemon.
"""
import json
import re
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("America/Los_Angeles")
AGENCY_OF = {"cws-cms": "cws", "cws-cares": "cws", "calsaws": "calworks"}
AGENCIES = ("cws", "calworks")
STATUSES = {
    "cws": {"referral", "er", "ifs", "fm", "fr", "pp", "st"},
    "calworks": {"applied", "active", "exempt", "good_cause", "noncompliance", "sanctioned", "timed_out",
                 "reunification"},
}
ROLES = {
    "cws": {"social_worker", "supervisor", "clerk"},
    "calworks": {"ais_worker", "employment_specialist", "eligibility_worker", "supervisor", "clerk"},
}
CATEGORIES = {"substance_use", "mental_health", "domestic_violence", "anger_management", "parenting_class", "housing",
              "transportation", "child_care", "food", "employment", "education", "clothing", "home_visiting",
              "assessment", "other"}
TOPICS = {"status", "closure", "milestone", "meeting", "services", "referral"}
MEETING_KINDS = {"pltm", "ltm", "tdm", "cft", "staffing", "disposition", "court", "visit", "appointment"}
PLAN_KINDS = {"ifs_agreement", "cws_case_plan", "wtw_plan", "lccp"}
CONCERN_KINDS = {"not_meeting_requirements", "deviation", "removal_considered", "plan_change", "other"}

# type -> member -> what it must be; "*" marks what may not be missing, "?" what may be null.
DATA = {
    "case.opened": {"status": "*status", "members": "list", "limited_access": "bool", "county": "text"},
    "case.status": {"status": "*status", "reason": "text", "until": "date"},
    "case.closing": {"date": "*?date", "reason": "text"},
    "case.closed": {"reason": "text"},
    "case.restricted": {"limited_access": "*bool"},
    "worker.assigned": {"role": "*role", "worker": "*worker", "name": "text", "phone": "text", "unit": "text"},
    "worker.unassigned": {"role": "*role"},
    "link.confirmed": {"other": "*other"},
    "link.refused": {"other": "*other"},
    "link.removed": {"other": "*other"},
    "consent.signed": {"consent": "*text", "expires": "date", "topics": "topics"},
    "consent.revoked": {"consent": "*text"},
    "consent.refused": {"consent": "text"},
    "plan.signed": {"plan": "*text", "kind": PLAN_KINDS, "court_ordered": "bool"},
    "plan.closing": {"plan": "*text", "date": "*?date", "reason": "text"},
    "plan.ended": {"plan": "*text", "date": "date", "reason": "text"},
    "service.started": {"service": "*text", "category": CATEGORIES, "person": "text", "court_ordered": "bool"},
    "service.ended": {"service": "*text", "outcome": {"completed", "stopped", "not_started"}},
    "meeting.scheduled": {"meeting": "*text", "kind": MEETING_KINDS, "start": "*instant", "end": "*instant",
                          "place": "text", "required": "list", "optional": "list", "family": "bool",
                          "organizer": "worker"},
    "meeting.held": {"meeting": "*text", "family": "bool", "signed": "bool"},
    "meeting.missed": {"meeting": "*text", "reason": "text"},
    "meeting.cancelled": {"meeting": "*text", "reason": "text"},
    "contact.made": {"kind": {"face_to_face", "phone", "written"}},
    "milestone.reached": {"milestone": "*text", "note": "text"},
    "concern.raised": {"concern": "*text", "kind": CONCERN_KINDS, "note": "text"},
    "concern.resolved": {"concern": "*text"},
    "referral.made": {"referral": "*text", "category": CATEGORIES, "to": "*text", "follow_up": "date",
                      "urgent": "bool"},
    "referral.updated": {"referral": "*text", "status": {"received", "accepted", "declined", "completed"}},
    "child.removed": {"person": "*text"},
    "child.returned": {"person": "*text"},
    "household.changed": {"what": "*text"},
    "clock.reported": {"clock": {"tanf60"}, "used": "*count"},
    "event.retracted": {},
}


class Refused(Exception):
    """An input that makes no sense: the reason, and the member it is about."""

    def __init__(self, reason, field=None):
        super().__init__(reason)
        self.reason, self.field = reason, field


# ---- Instants and days (domain.md 2, "Dates") -----------------------------------------------------------------------

@lru_cache(maxsize=None)
def instant_of(text):
    """RFC 3339 -> seconds since 1970."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", text):
        raise ValueError(text)
    return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp())


@lru_cache(maxsize=None)
def day_of(instant):
    """The local calendar day of an instant."""
    return datetime.fromtimestamp(instant, ZONE).date()


@lru_cache(maxsize=None)
def at_hour(day, hour, minute=0):
    """The instant of a local time of day."""
    return int(datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZONE).timestamp())


def midnight(day):
    return at_hour(day, 0)


def morning(day):
    """08:00: when that is told which begins by the passing of days."""
    return at_hour(day, 8)


def days_after(day, n):
    return day + timedelta(days=n)


def last_of_month(day):
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def months_after(day, n):
    """Calendar months; a day that the month does not have is its last."""
    year, month = divmod(day.year * 12 + day.month - 1 + n, 12)
    first = date(year, month + 1, 1)
    return first.replace(day=min(day.day, last_of_month(first).day))


@lru_cache(maxsize=None)
def written(instant):
    """RFC 3339 with the local offset."""
    return datetime.fromtimestamp(instant, ZONE).isoformat()


# ---- Input ----------------------------------------------------------------------------------------------------------

class Event:
    """What an agency says happened: the envelope's members by their names."""

    def __init__(self, raw, order):
        self.raw = raw
        self.id, self.source, self.type = raw["id"], raw["source"], raw["type"]
        self.agency = AGENCY_OF[self.source]
        self.case = (self.agency, raw["subject"])
        self.time = instant_of(raw["time"])
        self.sequence = int(raw["sequence"]) if "sequence" in raw else None
        self.supersedes = raw.get("supersedes")
        self.data = raw.get("data") or {}
        self.order = order  # the place in the file
        self.at = self.time  # from when it counts; later for what came before its case.opened
        self.name = f"{self.source}/{self.id}"

    def __repr__(self):
        return self.name


def check_value(kind, value, agency, field):
    """Refuses a wrong type, then an unknown code."""
    if isinstance(kind, set):
        kind, codes = "text", kind
    else:
        codes = {"status": STATUSES[agency], "role": ROLES[agency]}.get(kind)
    text = kind in ("text", "status", "role", "date", "instant", "worker")
    if text and not isinstance(value, str) or kind == "bool" and not isinstance(value, bool) \
            or kind in ("list", "topics") and not isinstance(value, list) \
            or kind == "other" and not isinstance(value, dict) \
            or kind == "count" and (not isinstance(value, int) or isinstance(value, bool)):
        raise Refused("bad_type", field)
    if codes and value not in codes:
        raise Refused("bad_value", field)
    if kind == "topics" and not set(value) <= TOPICS:
        raise Refused("bad_value", field)
    if kind == "worker" and not re.fullmatch(r"[A-Za-z0-9._@-]{1,64}", value):
        raise Refused("bad_value", field)
    if kind in ("date", "instant"):
        try:
            date.fromisoformat(value) if kind == "date" else instant_of(value)
        except ValueError:
            raise Refused("bad_value", field) from None
    if kind == "other":
        for member in ("agency", "case"):
            if member not in value:
                raise Refused("missing", f"{field}.{member}")
        if value["agency"] not in AGENCIES:
            raise Refused("bad_value", f"{field}.agency")


def check_data(raw, agency):
    data = raw.get("data", {})
    if not isinstance(data, dict):
        raise Refused("bad_type", "data")
    for member, kind in DATA[raw["type"]].items():
        field = "data." + member
        starred = isinstance(kind, set) or kind.startswith("*")
        plain = kind if isinstance(kind, set) else kind.lstrip("*?")
        if member not in data:
            if starred:
                raise Refused("missing", field)
        elif data[member] is None and not isinstance(kind, set) and "?" in kind:
            continue
        else:
            check_value(plain, data[member], agency, field)
    if raw["type"] == "meeting.scheduled" and instant_of(data["end"]) <= instant_of(data["start"]):
        raise Refused("bad_value", "data.end")
    if raw["type"] == "event.retracted" and "supersedes" not in raw:
        raise Refused("missing", "supersedes")


def read_event(raw, order):
    """The envelope and its data, checked (domain.md 3)."""
    for member in ("specversion", "id", "source", "type", "subject", "time"):
        if member not in raw:
            raise Refused("missing", member)
        if not isinstance(raw[member], str):
            raise Refused("bad_type", member)
    if raw["source"] not in AGENCY_OF:
        raise Refused("unknown_source", "source")
    if raw["type"] not in DATA:
        raise Refused("unknown_type", "type")
    try:
        instant_of(raw["time"])
    except ValueError:
        raise Refused("bad_value", "time") from None
    if not re.fullmatch(r"[A-Za-z0-9-]{1,32}", raw["subject"]):
        raise Refused("bad_value", "subject")
    check_data(raw, AGENCY_OF[raw["source"]])
    return Event(raw, order)


def read_line(text):
    """-> the line's JSON object."""
    try:
        line = json.loads(text)
    except ValueError:
        line = None
    if not isinstance(line, dict):
        raise Refused("malformed")
    return line
