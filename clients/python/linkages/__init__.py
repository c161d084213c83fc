"""linkages: a client of linkagesd in plain Python, written from schemas/ alone.

In: pyzmq, msgpack, sqlite3. Publishers (Outbox, Publisher, FeedPublisher), worker's clients (Store, Inbox), the control
lane (Control), identity tokens (identity.Key, identity.seal). Nothing here is a thread: whoever owns an object calls its
step() or one of the calls that wait.

Promise: what an Outbox took is published, however often either side dies; the effect of a notice happens once.
"""
try:
    import msgpack
    import zmq
except ImportError:
    raise ImportError("linkages needs pyzmq and msgpack: apt-get install python3-zmq python3-msgpack; Debian's /usr/bin/python3 "
                      "finds them there") from None

from .control import Control
from .feed import FeedPublisher
from .files import DamagedFile
from .inbox import Inbox
from .keys import Peer
from .outbox import Outbox
from .publisher import Publisher
from .session import Forbidden, SessionError
from .store import Store
from .wire import Refused

__all__ = ["Control", "DamagedFile", "FeedPublisher", "Forbidden", "Inbox", "Outbox", "Peer", "Publisher", "Refused",
           "SessionError", "Store"]
