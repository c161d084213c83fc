#!/usr/bin/python3
"""Holds schemas/vectors/ and the JSON Schemas against each other with another implementation of everything.

In: schemas/vectors/events.ndjson, schemas/events/*.json; Python's json, msgpack and hashlib. Out: a line for each
disagreement, exit status 1. Promise: whoever reads only schemas/ can write a client; nothing here asks our C.

usage: test_vectors.py          check
       test_vectors.py --fill   write the bytes and digests of the lines that have none: for new vectors
"""
import datetime
import hashlib
import json
import pathlib
import re
import sys

import msgpack

SCHEMAS = pathlib.Path(__file__).resolve().parents[2] / "schemas"
VECTORS = SCHEMAS / "vectors" / "events.ndjson"
# What the schema of one type alone cannot say: which agency a source belongs to, and what members owe to each other.
BEYOND_SCHEMA = {"unknown_source", "too_large"}
BEYOND_SCHEMA_NOTES = {"a status of the other agency", "a role of the other agency", "a meeting ends after it starts",
                       "an integer of more than 64 bits"}


def canonical(value):
    """Members sorted by the bytes of their names; msgpack writes the shortest forms by itself."""
    if isinstance(value, dict):
        return {k: canonical(value[k]) for k in sorted(value, key=lambda name: name.encode())}
    if isinstance(value, list):
        return [canonical(item) for item in value]
    return value


def packed(value):
    return msgpack.packb(canonical(value), use_bin_type=True)


def digest(body):
    return hashlib.blake2b(body, digest_size=16).hexdigest()


TYPES = {
    "object": lambda v: isinstance(v, dict), "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str), "null": lambda v: v is None, "boolean": lambda v: isinstance(v, bool),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
}


def is_date(text):
    try:
        return len(text) == 10 and datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def is_date_time(text):
    parts = re.fullmatch(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.\d+)?([Zz]|[+-]\d\d:\d\d)", text)
    try:
        return bool(parts) and datetime.datetime.fromisoformat(
            f"{parts[1]}T{parts[2]}{parts[3].upper().replace('Z', '+00:00')}") is not None
    except ValueError:
        return False


FORMATS = {"date": is_date, "date-time": is_date_time}


def complaints(schema, value, path="$"):
    """As much of draft 2020-12 as our schemas use; a keyword that is not known here is a complaint of its own."""
    for word, rule in schema.items():
        if word in ("$schema", "$id", "title", "description", "$comment"):
            continue
        if word == "type":
            names = rule if isinstance(rule, list) else [rule]
            if not any(TYPES[name](value) for name in names):
                yield f"{path}: not {rule}"
                return
        elif word == "const":
            if value != rule:
                yield f"{path}: not {rule!r}"
        elif word == "enum":
            if value not in rule:
                yield f"{path}: not in the list"
        elif word in ("minLength", "maxLength", "pattern", "format"):
            if isinstance(value, str):
                yield from text_complaints(word, rule, value, path)
        elif word in ("minimum", "maximum"):
            if TYPES["integer"](value) and (value < rule if word == "minimum" else value > rule):
                yield f"{path}: {word} {rule}"
        elif word in ("minItems", "maxItems", "items"):
            if isinstance(value, list):
                yield from list_complaints(word, rule, value, path)
        elif word in ("required", "properties"):
            if isinstance(value, dict):
                yield from map_complaints(word, rule, value, path)
        else:
            yield f"{path}: the schema says '{word}', which nobody checks"


def text_complaints(word, rule, value, path):
    wrong = {
        "minLength": lambda: len(value) < rule, "maxLength": lambda: len(value) > rule,
        "pattern": lambda: not re.search(re.sub(r"\$$", r"\\Z", rule), value), "format": lambda: not FORMATS[rule](value),
    }
    if wrong[word]():
        yield f"{path}: {word} {rule}"


def list_complaints(word, rule, value, path):
    if word == "items":
        for i, item in enumerate(value):
            yield from complaints(rule, item, f"{path}[{i}]")
    elif len(value) < rule if word == "minItems" else len(value) > rule:
        yield f"{path}: {word} {rule}"


def map_complaints(word, rule, value, path):
    for name in rule:
        if word == "required" and name not in value:
            yield f"{path}.{name}: missing"
        elif word == "properties" and name in value:
            yield from complaints(rule[name], value[name], f"{path}.{name}")


def check_bytes(line):
    body = bytes.fromhex(line["msgpack"])
    if packed(line["json"]) != body:
        yield "the bytes are not those of the JSON"
    if msgpack.unpackb(body, strict_map_key=True) != line["json"]:
        yield "the JSON is not that of the bytes"
    if "refused" not in line and digest(body) != line["digest"]:
        yield "the digest is another"


def check_schema(line, schemas):
    event, refused = line["json"], line.get("refused")
    schema = schemas.get(event.get("type"))
    if schema is None:
        if not refused:
            yield "there is no schema of its type"
        return
    found = list(complaints(schema, event))
    if refused is None:
        yield from found
    elif not found and refused["reason"] not in BEYOND_SCHEMA and line.get("note") not in BEYOND_SCHEMA_NOTES:
        yield f"the schema lets pass what is refused: {refused}"


def check(lines, schemas):
    for number, line in lines:
        if "json" not in line:
            continue
        for complaint in [*check_bytes(line), *check_schema(line, schemas)]:
            yield f"{VECTORS.name}:{number}: {complaint}"
    shown = {line["json"]["type"] for _, line in lines if "json" in line and "refused" not in line}
    for type_ in sorted(set(schemas) - shown):
        yield f"{type_}: no vector shows it"


def fill(lines):
    for _, line in lines:
        if "json" in line:
            refused = line.pop("refused", None)
            body = packed(line["json"])
            line["msgpack"] = body.hex()
            if refused is None:
                line["digest"] = digest(body)
            else:
                line["refused"] = refused
    VECTORS.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for _, line in lines), encoding="utf-8")


def main():
    lines = [(n, json.loads(text)) for n, text in enumerate(VECTORS.read_text(encoding="utf-8").split("\n"), 1) if text]
    if sys.argv[1:] == ["--fill"]:
        return fill(lines)
    schemas = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (SCHEMAS / "events").glob("*.json")}
    wrong = list(check(lines, schemas))
    # The test of the test: a planted change in each kind of promise is found.
    line = next(dict(line) for _, line in lines if "digest" in line)
    assert list(check_bytes({**line, "digest": "00" * 16})) and list(check_bytes({**line, "msgpack": "80"}))
    assert list(check_schema({**line, "json": {**line["json"], "time": 5}}, schemas))
    for complaint in wrong:
        print(complaint)
    print(f"{len(lines)} lines, {len(schemas)} schemas, {len(wrong)} disagreements")
    return 1 if wrong or not schemas else 0


if __name__ == "__main__":
    sys.exit(main())
