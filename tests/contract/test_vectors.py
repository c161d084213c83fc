#!/usr/bin/python3
"""Holds schemas/vectors/ against the JSON Schemas (python3-jsonschema) and against the Python client.

In: schemas/; clients/python/. Out: a line for each disagreement, exit status 1. Promise: whoever reads only schemas/ can
write a client; nothing here asks our C, which is held against the same vectors by the unit tests.

usage: test_vectors.py          check
       test_vectors.py --fill   write the bytes and digests of the lines that have none: for new vectors
"""
import json
import re
import sys

from contract import ROOT, SCHEMAS, complaints, load, schemas
from linkages import identity, wire

# What the schema of one type alone cannot say: which agency a source belongs to, and what members owe to each other.
BEYOND_SCHEMA = {"unknown_source", "too_large"}
BEYOND_SCHEMA_NOTES = {"a status of the other agency", "a role of the other agency", "a meeting ends after it starts",
                       "an integer of more than 64 bits"}
EVENTS, MESSAGES = schemas("events"), schemas("messages")


def refusal(read, *given):
    """What the client's reader says of it: (reason, field), or None."""
    try:
        read(*given)
    except wire.Refused as refused:
        return refused.reason, refused.field
    return None


def check_bytes(line, limits, packed):
    body = bytes.fromhex(line["msgpack"])
    if packed(line["json"]) != body:
        yield "the bytes are not those of the JSON"
    if wire.unpack(body, limits) != line["json"]:
        yield "the JSON is not that of the bytes"


# ---- events ------------------------------------------------------------------------------------------------------------


def check_event_schema(line):
    event, refused = line["json"], line.get("refused")
    schema = EVENTS.get(event.get("type"))
    if schema is None:
        if not refused:
            yield "there is no schema of its type"
        return
    found = list(complaints(schema, event))
    if refused is None:
        yield from found
    elif not found and refused["reason"] not in BEYOND_SCHEMA and line.get("note") not in BEYOND_SCHEMA_NOTES:
        yield f"the schema lets pass what is refused: {refused}"


def check_event(line):
    refused = line.get("refused", {})
    if "json" in line:
        yield from check_bytes(line, wire.EVENT, wire.canonical)
        yield from check_event_schema(line)
        if not refused and wire.digest(bytes.fromhex(line["msgpack"])) != line["digest"]:
            yield "the digest is another"
        return
    for what, read, given in (("text", wire.from_json, line.get("text")),
                              ("msgpack", lambda hex_: wire.unpack(bytes.fromhex(hex_), wire.EVENT), line.get("msgpack"))):
        if given is not None and refusal(read, given) != (refused["reason"], refused["field"]):
            yield f"as {what} the client says {refusal(read, given)}"


# ---- messages ----------------------------------------------------------------------------------------------------------


def takers():
    """(lane, to): the names of the messages that may come there, by what `m` says."""
    taken = {}
    for line in load("messages"):
        if "schema" in line and "json" in line:
            taken.setdefault((line["lane"], line["to"]), {})[line["json"]["m"]] = line["schema"]
    return taken


TAKEN = takers()


def check_message(line):
    if "schema" in line:
        if "json" in line:
            yield from complaints(MESSAGES[line["schema"]], line["json"])
            yield from check_bytes(line, wire.MESSAGE, wire.pack)
        return
    body = bytes.fromhex(line["msgpack"])
    if refusal(wire.unpack, body):
        return
    message = wire.unpack(body)
    schema = TAKEN[line["lane"], line["to"]].get(message.get("m")) if isinstance(message.get("m"), str) else None
    if schema is not None and not list(complaints(MESSAGES[schema], message)):
        yield "the schema lets pass what is refused"


# ---- canonical form, tokens --------------------------------------------------------------------------------------------


def check_canonical(line):
    value = line["json"] if "json" in line else wire.unpack(bytes.fromhex(line["msgpack"]))
    if wire.canonical(value).hex() != line["canonical"]:
        yield "the canonical form is another"
    if wire.digest(bytes.fromhex(line["canonical"])) != line["digest"]:
        yield "the digest is another"


def check_token(line):
    key, given = identity.Key(bytes.fromhex(line["key"])), line["given"]
    given = given if isinstance(given, dict) else {line["kind"]: given}
    token = getattr(key, line["kind"])(**given)
    if token != line["token"]:
        yield f"the token is another: {token}"


# ---- all of it ---------------------------------------------------------------------------------------------------------

CHECKS = {"events": check_event, "messages": check_message, "canonical": check_canonical, "tokens": check_token}


def check(name):
    for number, line in enumerate(load(name), 1):
        if set(line) != {"note"}:
            yield from (f"{name}.ndjson:{number}: {complaint}" for complaint in CHECKS[name](line))


def unshown():
    """Every event type and every message has a vector of its own."""
    for type_ in sorted(set(EVENTS) - {line["json"]["type"] for line in load("events") if "digest" in line}):
        yield f"{type_}: no vector shows it"
    for name in sorted(set(MESSAGES) - {line.get("schema") for line in load("messages")}):
        yield f"{name}: no vector shows it"


def versions():
    """The contract's version is that of Linkages: COMPATIBILITY.md."""
    said = re.search(r"^  version: (\S+)$", (SCHEMAS / "asyncapi.yaml").read_text(encoding="utf-8"), re.M)[1]
    project = re.search(r"^project\([^)]*VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text(encoding="utf-8"), re.M)[1]
    if said != project:
        yield f"asyncapi.yaml says version {said}, CMakeLists.txt {project}"


def planted():
    """The test of the test: a planted change in each kind of promise is found."""
    event = next(line for line in load("events") if "digest" in line)
    message = next(line for line in load("messages") if "schema" in line)
    refused = next(line for line in load("messages") if "refused" in line)
    broken = next(line for line in load("events") if "text" in line)
    token = next(line for line in load("tokens") if line["token"])
    canonical = load("canonical")[0]
    changed = (
        (check_event, {**event, "digest": "00" * 16}), (check_event, {**event, "msgpack": "80"}),
        (check_event, {**event, "json": {**event["json"], "time": 5}}), (check_event, {**broken, "text": "{}"}),
        (check_message, {**message, "json": {**message["json"], "last": "1"}}),
        (check_message, {**refused, "msgpack": message["msgpack"]}),
        (check_canonical, {**canonical, "canonical": "80"}), (check_canonical, {**canonical, "digest": "00" * 16}),
        (check_token, {**token, "token": None}),
    )
    return [f"not found: {line}" for check_one, line in changed if not list(check_one(line))]


def fill():
    for name, packed in (("events", wire.canonical), ("messages", wire.pack), ("canonical", wire.canonical)):
        lines = load(name)
        for line in lines:
            refused = line.pop("refused", None)
            if name == "canonical":
                value = line["json"] if "json" in line else wire.unpack(bytes.fromhex(line["msgpack"]))
                line["canonical"] = packed(value).hex()
                line["digest"] = wire.digest(packed(value))
            elif "json" in line:
                line["msgpack"] = packed(line["json"]).hex()
                if name == "events" and refused is None:
                    line["digest"] = wire.digest(packed(line["json"]))
            if refused is not None:
                line["refused"] = refused
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (SCHEMAS / "vectors" / f"{name}.ndjson").write_text(text, encoding="utf-8")


def main():
    if sys.argv[1:] == ["--fill"]:
        return fill()
    wrong = [*(complaint for name in CHECKS for complaint in check(name)), *unshown(), *versions(), *planted()]
    for complaint in wrong:
        print(complaint)
    print(f"{sum(len(load(name)) for name in CHECKS)} vectors, {len(wrong)} disagreements")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
