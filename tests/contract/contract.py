"""contract.py - what the tests of the contract share: the published schemas, and a validator for them.

In: schemas/, as anybody has it. Out: complaints, one text each. Promise: a keyword or a format that is not checked is a
complaint of its own, so that a schema cannot promise what nobody holds it to.
"""
import datetime
import functools
import json
import pathlib
import re
import sys

import jsonschema

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCHEMAS = ROOT / "schemas"
sys.path.insert(0, str(ROOT / "clients" / "python"))


@functools.cache
def load(name):
    """The lines of one file of vectors."""
    text = (SCHEMAS / "vectors" / f"{name}.ndjson").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.split("\n") if line]


def schemas(folder):
    """{name: validator} of a folder; the schemas themselves are checked on the way."""
    return {path.stem: validator(json.loads(path.read_text(encoding="utf-8"))) for path in (SCHEMAS / folder).glob("*.json")}


def one(name):
    return validator(json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8")))


def notices():
    """Of a notice: what all say, and what its kind adds."""
    return one("notice"), schemas("notices")


FORMATS = jsonschema.FormatChecker(formats=())


@FORMATS.checks("date", ValueError)
def is_date(text):
    return not isinstance(text, str) or datetime.date.fromisoformat(text).isoformat() == text


@FORMATS.checks("date-time", ValueError)
def is_date_time(text):
    if not isinstance(text, str):
        return True
    parts = re.fullmatch(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.\d+)?([Zz]|[+-]\d\d:\d\d)", text)
    return bool(parts) and datetime.datetime.fromisoformat(
        f"{parts[1]}T{parts[2]}{parts[3].upper().replace('Z', '+00:00')}") is not None


def _pattern(_, pattern, instance, __):
    """`$` is the end, as in ECMA 262; Python's would let a newline pass."""
    if isinstance(instance, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), instance):
        yield jsonschema.ValidationError(f"does not match {pattern}")


Validator = jsonschema.validators.extend(jsonschema.Draft202012Validator, {"pattern": _pattern})
CHECKED = {"$schema", "$id", "title", "description", "type", "const", "enum", "minLength", "maxLength", "pattern", "format",
           "minimum", "maximum", "minItems", "maxItems", "items", "required", "properties", "anyOf", "additionalProperties",
           "$defs"}


def _unknown(schema):
    yield from set(schema) - CHECKED
    yield from {schema.get("format", "date")} - {"date", "date-time"}
    for child in [*schema.get("properties", {}).values(), *schema.get("anyOf", ()), *schema.get("$defs", {}).values(),
                  *filter(None, [schema.get("items"), schema.get("additionalProperties")])]:
        yield from _unknown(child)


def validator(schema):
    Validator.check_schema(schema)
    unknown = list(_unknown(schema))
    if unknown:
        raise AssertionError(f"{schema.get('title')}: nobody checks {unknown}")
    return Validator(schema, format_checker=FORMATS)


def complaints(schema, value):
    for error in schema.iter_errors(value):
        yield f"{error.json_path}: {error.message}"
