"""Keys and addresses: who we are, and whom we believe (schemas/README.md, "Connecting").

In: files of keys. Out: a Peer, which every lane takes. Promise: a secret that others may read is refused, with the command
that mends it; no complaint repeats a key.
"""
import collections
import os
import stat

import zmq
import zmq.utils.z85

from . import identity


class BadKey(ValueError):
    """A file that does not hold what it should."""


def _lines(path, n, what):
    try:
        with open(path, encoding="ascii") as file:
            lines = file.read().splitlines()
    except UnicodeDecodeError:
        raise BadKey(f"{path}: not {what}") from None
    if len(lines) != n:
        raise BadKey(f"{path}: {what} has {n} line{'s' * (n > 1)}")
    return lines


def _secret_lines(path, n, what):
    if stat.S_IMODE(os.stat(path).st_mode) & stat.S_IRWXO:
        raise BadKey(f"{path}: others may read this secret; run: chmod 600 {path}")
    return _lines(path, n, what)


def _z85(path, line):
    try:
        if len(line) == 40 and len(zmq.utils.z85.decode(line.encode())) == 32:
            return line.encode()
    except (KeyError, ValueError):
        pass
    raise BadKey(f"{path}: a key is 40 characters of Z85")


def read_pair(path):
    """(public, secret) of a client's key file."""
    public, secret = (_z85(path, line) for line in _secret_lines(path, 2, "a key file (public key, secret key)"))
    if zmq.curve_public(secret) != public:
        raise BadKey(f"{path}: its two lines are not one pair")
    return public, secret


def read_server_key(path):
    lines = _lines(path, 1, "a server's public key (server.pub)")
    return _z85(path, lines[0])


def read_identity_key(path):
    try:
        return identity.Key(bytes.fromhex(_secret_lines(path, 1, "an identity key")[0]))
    except BadKey:
        raise
    except ValueError:
        raise BadKey(f"{path}: an identity key is one line of 64 hex digits") from None


def make_pair(name):
    """NAME.key (0600) and NAME.pub in this folder; returns the public key. Never writes over a file."""
    public, secret = (key.decode() for key in zmq.curve_keypair())
    for path, mode, text in ((name + ".key", 0o600, f"{public}\n{secret}\n"), (name + ".pub", 0o644, public + "\n")):
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="ascii") as file:
            file.write(text)
    return public


# Where a lane is, the server's public key, and our own pair (public, secret), all as bytes of Z85.
Peer = collections.namedtuple("Peer", "address server_key pair")


def read_peer(address, server_key_file, key_file):
    return Peer(address, read_server_key(server_key_file), read_pair(key_file))
