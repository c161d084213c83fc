"""verbs.py - holds what the control lane is asked, and what it says, against schemas/verbs/ and schemas/refusal.json.

In: a verb, its arguments, its replies. Out: nothing, or an AssertionError that names each disagreement; which members have
been seen with a value. Promise: a member that no schema lists is a disagreement, and so is one that is missing.
"""
import os
import sys

import harness

sys.path.insert(0, os.path.join(harness.ROOT, "tests", "contract"))

import contract  # noqa: E402

VERBS = contract.schemas("verbs")
ARGS = {verb: contract.validator(schema.schema["$defs"]["args"]) for verb, schema in VERBS.items()}
WORKING = {verb: contract.validator(schema.schema["$defs"]["working"]) for verb, schema in VERBS.items()
           if "working" in schema.schema["$defs"]}
REFUSAL = contract.one("refusal")
EVENTS = contract.schemas("events")
NOTICE, KINDS = contract.notices()
SEEN = set()


def _notice(notice):
    yield from contract.complaints(NOTICE, notice)
    yield from contract.complaints(KINDS[notice["kind"]], notice)


def _body(verb, reply):
    body = reply.get("body")
    if not reply["ok"]:
        yield from contract.complaints(REFUSAL, body)
    elif reply["more"] and verb in WORKING:
        yield from contract.complaints(WORKING[verb], body)
    else:
        yield from contract.complaints(VERBS[verb], body)
        SEEN.update(_seen(VERBS[verb].schema, body, verb))
        if verb == "why":
            yield from _notice(body["notice"])


def disagreements(verb, args, replies):
    """Arguments that make no sense are asked on purpose: they are looked at where the answer is none of a refusal."""
    if verb in VERBS and replies[-1]["ok"]:
        yield from contract.complaints(ARGS[verb], args)
        if "event" in args and verb == "dead-letter-resubmit":
            yield from contract.complaints(EVENTS[args["event"]["type"]], args["event"])
    for reply in replies:
        if verb in VERBS or reply["ok"]:
            yield from _body(verb, reply)


def check(verb, args, replies):
    found = [f"{verb}: {complaint}" for complaint in disagreements(verb, args, replies)]
    assert not found, found


# ---- Which members have been seen ---------------------------------------------------------------------------------------

# Told of elsewhere: what a notice may name in `about` by tests/contract/test_stories.py; every word of an alarm is a member.
CLOSED = {"about", "alarms", "counters", "notice"}


def _children(schema, path):
    yield from ((f"{path}.{word}", child) for word, child in schema.get("properties", {}).items())
    for inner in ("items", "additionalProperties"):
        if isinstance(schema.get(inner), dict):
            yield f"{path}[]", schema[inner]


def _seen(schema, value, path):
    if value is None:
        return
    yield path
    inner = {} if path.rpartition(".")[2] in CLOSED else dict(_children(schema, path))
    values = value.items() if isinstance(value, dict) else ((None, v) for v in value) if isinstance(value, list) else ()
    for word, one in values:
        child = f"{path}.{word}" if f"{path}.{word}" in inner else f"{path}[]"
        if child in inner:
            yield from _seen(inner[child], one, child)


def _listed(schema, path):
    yield path
    if path.rpartition(".")[2] not in CLOSED:
        for child, inner in _children(schema, path):
            yield from _listed(inner, child)


def unseen():
    """Members that no answer has shown with a value. A verb that answers nothing is one that was refused only."""
    return sorted(path for verb, schema in VERBS.items() if schema.schema["type"] != "null"
                  for path in _listed(schema.schema, verb) if path not in SEEN)
