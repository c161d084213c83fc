"""lane_end.py - a daemon's end of a lane, turned by hand: what a test of the library's clients speaks with.

In: a folder for the server's public key. Out: a ROUTER socket under CURVE on a port that stays its own. One client at a
time; without a ZAP handler a CURVE server lets every key in.
"""
import os

import msgpack
import zmq

import harness

LIMIT_MS = 20_000


class LaneEnd:
    def __init__(self, folder):
        self.public, self.secret = zmq.curve_keypair()
        with open(os.path.join(folder, "server.pub"), "wb") as f:
            f.write(self.public + b"\n")
        self.address, self.peer = f"tcp://{harness.HOST}:*", None
        self.start()

    def start(self):
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.CURVE_SERVER, 1)
        self.socket.setsockopt(zmq.CURVE_SECRETKEY, self.secret)
        self.socket.bind(self.address)
        self.address = self.socket.getsockopt_string(zmq.LAST_ENDPOINT)

    def stop(self):
        self.socket.close()
        self.context.term()  # only now is the port free

    def send(self, m, **members):
        self.socket.send_multipart([self.peer, msgpack.packb({"m": m, **members})])

    def take(self, limit_ms=LIMIT_MS):
        """The next message, whatever it is."""
        if not self.socket.poll(limit_ms):
            raise AssertionError("the client said nothing")
        self.peer, body = self.socket.recv_multipart()
        return msgpack.unpackb(body, raw=False)
