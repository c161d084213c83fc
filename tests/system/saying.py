"""saying.py - what the two agencies say of one invented family on one morning, in a few words.

In: a number for the event's id, a type, a minute after nine, the event's members. Out: an event as a publisher sends it.
"""


def event(source, subject, number, type_, minute, **data):
    return {"specversion": "1.0", "id": f"e{number}", "source": source, "type": type_, "subject": subject,
            "time": f"2026-03-02T09:{minute:02d}:00-08:00", "data": data}


def cws(number, type_, minute, **data):
    return event("cws-cms", "0123-4567", number, type_, minute, **data)


def calsaws(number, type_, minute, **data):
    return event("calsaws", "1B2C3D4", number, type_, minute, **data)
