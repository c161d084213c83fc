"""Bodies on the wire: one MessagePack map that is exactly one JSON value (schemas/README.md, "Bodies").

In: values of Python (dict, list, str, int, bool, None), bytes, or one line of JSON. Out: bytes, or values.
Promise: what unpack() and from_json() return can be packed again; what they do not like raises Refused, whose text
repeats nothing of it; two values that are equal as JSON have equal canonical bytes and one digest.
"""
import collections
import hashlib
import json
import re

import msgpack

VERSION = 1
INTEGER_MAX = 2**53 - 1

Limits = collections.namedtuple("Limits", "size values depth")
EVENT = Limits(65_536, 512, 8)
MESSAGE = Limits(262_144, 8_192, 10)


class Refused(ValueError):
    """Something that makes no sense; `reason` and `field` (a path, "" the whole) as in the table of refusals."""

    def __init__(self, reason, field, detail):
        super().__init__(f"{reason}{' ' + field if field else ''}: {detail}")
        self.reason, self.field, self.detail = reason, field, detail


def malformed(detail):
    return Refused("malformed", "", detail)


# ---- What is allowed ---------------------------------------------------------------------------------------------------


def _pairs(pairs):
    value = dict(pairs)
    if len(value) != len(pairs):
        raise malformed("a member is there twice")
    return value


def _check_text(text):
    if "\0" in text:
        raise malformed("a text holds U+0000")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise malformed("a text holds half of a surrogate pair") from None


def _check(value, limits, path, depth, left):
    """Walks one value; returns how many values may still come."""
    if left == 0:
        raise Refused("too_large", "", f"more than {limits.values} values")
    left -= 1
    if isinstance(value, (dict, list)):
        if depth == 0:
            raise malformed(f"nested deeper than {limits.depth}")
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            if isinstance(value, dict):
                if not isinstance(key, str):
                    raise malformed("a name is not a text")
                _check_text(key)
                left = _check(item, limits, f"{path}.{key}" if path else key, depth - 1, left)
            else:
                left = _check(item, limits, f"{path}[{key}]", depth - 1, left)
    elif isinstance(value, str):
        _check_text(value)
    elif value is not None and not isinstance(value, bool):
        if not isinstance(value, int) or abs(value) > INTEGER_MAX:
            raise Refused("bad_type", path, "not an integer within 2^53-1")
    return left


def check(value, limits=EVENT):
    """Raises Refused unless the value is a map of the subset, within the limits (its bytes are not counted here)."""
    if not isinstance(value, dict):
        raise malformed("not a map")
    _check(value, limits, "", limits.depth, limits.values)
    return value


# ---- Bytes -------------------------------------------------------------------------------------------------------------


def pack(value):
    """Members in the order in which they are in the dict."""
    return msgpack.packb(value, use_bin_type=True)


def unpack(body, limits=MESSAGE):
    if len(body) > limits.size:
        raise Refused("too_large", "", f"more than {limits.size} bytes")
    try:
        value = msgpack.unpackb(body, raw=False, strict_map_key=True, object_pairs_hook=_pairs)
        return check(value, limits)
    except Refused as refused:
        # In MessagePack a number beyond the range is not of the subset at all.
        raise malformed(refused.detail) if refused.reason == "bad_type" else refused from None
    except (ValueError, msgpack.UnpackException) as broken:
        raise malformed("not one value of the subset") from broken


def _sorted(value):
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value, key=str.encode)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def canonical(value):
    """Names sorted by their bytes at every depth; msgpack writes the shortest forms by itself."""
    return pack(_sorted(value))


def digest(body):
    """Of canonical bytes."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()


# ---- JSON --------------------------------------------------------------------------------------------------------------


def _no_constant(_):
    raise malformed("NaN and Infinity are no JSON")


def from_json(text, limits=EVENT):
    """One JSON object, as a dict. Fractions and numbers beyond 2^53-1 are refused by their path, not rounded."""
    try:
        value = json.loads(text, object_pairs_hook=_pairs, parse_constant=_no_constant)
    except Refused:
        raise
    except (ValueError, RecursionError) as broken:
        raise malformed("not one JSON object") from broken
    check(value, limits)
    if len(pack(value)) > limits.size:
        raise Refused("too_large", "", f"more than {limits.size} bytes")
    return value


STEERING = re.compile("[\x7f-\x9f\u2028\u2029]")  # what could end a line or steer a terminal, and JSON leaves as it is


def to_json(value):
    """One line."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return STEERING.sub(lambda sign: f"\\u{ord(sign[0]):04x}", text)
