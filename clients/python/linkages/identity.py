"""Identity tokens: who is who, without saying who (schemas/README.md, "Identity tokens").

In: a CIN, an SSN, or a name with a birth date, and the 32 bytes that the agencies share. Out: 32 hex digits, or None where
the value cannot be an identity: a token of nonsense would join strangers. Promise: no complaint repeats a value.
"""
import datetime
import functools
import hashlib
import pathlib
import re

from .wire import Refused

LETTERS = pathlib.Path(__file__).with_name("letters.tsv")


@functools.cache
def letters():
    rows = (line.split("\t") for line in LETTERS.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    return {ord(letter): plain for _, letter, plain in rows}


def plain_name(name):
    return "".join(letters().get(ord(letter), "") for letter in name)


def is_day(text):
    try:
        return datetime.date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


class Key:
    def __init__(self, secret):
        if len(secret) != 32:
            raise ValueError("an identity key has 32 bytes")
        self._secret = bytes(secret)

    def _token(self, kind, value):
        return hashlib.blake2b(kind.encode() + b"\x1f" + value.encode(), key=self._secret, digest_size=16).hexdigest()

    def cin(self, cin):
        value = "".join(c for c in cin if c.isascii() and c.isalnum()).upper()
        return self._token("cin", value) if value else None

    def ssn(self, ssn):
        value = "".join(c for c in ssn if c.isascii() and c.isdigit())
        given_out = re.fullmatch(r"(?!000)\d{3}(?!00)\d\d(?!0000)\d{4}", value)
        return self._token("ssn", value) if given_out else None

    def name_dob(self, last, first, birth):
        last, first = plain_name(last), plain_name(first)
        return self._token("name_dob", f"{last}|{first}|{birth}") if last and first and is_day(birth) else None

    def tokens(self, identity, path):
        """{kind: token} of an identity {cin, ssn, last, first, birth}, each of which may be absent."""
        wanted = (("cin", ("cin",), self.cin), ("ssn", ("ssn",), self.ssn),
                  ("name_dob", ("last", "first", "birth"), self.name_dob))
        made = {}
        for kind, members, make in wanted:
            given = [identity.get(member) for member in members]
            if all(value is None for value in given):
                continue
            token = make(*given) if all(isinstance(value, str) for value in given) else None
            if token is None:
                raise Refused("bad_value", f"{path}.{members[0]}", f"no {kind} token can be made of it")
            made[kind] = token
        return made


def seal(event, key):
    """The event with each member's `identity` replaced by `keys`; tokens that were there stay. Without a key an identity is
    refused: nothing identifying may leave the machine."""
    data = event.get("data")
    members = data.get("members") if isinstance(data, dict) else None
    if not isinstance(members, list):
        return event
    sealed = []
    for i, member in enumerate(members):
        if isinstance(member, dict) and "identity" in member:
            path = f"data.members[{i}].identity"
            if key is None:
                raise Refused("bad_value", path, "there is no identity key to make tokens with")
            identity = member["identity"]
            if not isinstance(identity, dict):
                raise Refused("bad_type", path, "not a map of cin, ssn, last, first, birth")
            member = {name: value for name, value in member.items() if name not in ("identity", "keys")} | {
                "keys": {**(member.get("keys") or {}), **key.tokens(identity, path)}}
        sealed.append(member)
    return {**event, "data": {**data, "members": sealed}}
