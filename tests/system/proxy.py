"""proxy.py - a network that breaks: between one client and one lane, as bytes, for CURVE lets nobody look inside.

In: the lane's address, and how many bytes each connection may carry in either direction. Out: an address for the client.
Promise: what it carries it carries in order and unchanged; when a budget is used up, that direction falls silent and then
the connection is cut, so that whatever was under way is lost; nothing of it is left after close().
"""
import selectors
import socket
import threading

FOREVER = 1 << 60


class Proxy:
    def __init__(self, address, budgets):
        """budgets: a (bytes up, bytes down) for each connection in turn; those after the last carry everything."""
        host, port = address.removeprefix("tcp://").rsplit(":", 1)
        self.target = (host, int(port))
        self.budgets = iter(budgets)
        self.cuts = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"tcp://127.0.0.1:{self.listener.getsockname()[1]}"
        self.selector = selectors.DefaultSelector()
        self.bell, bell = socket.socketpair()
        self.selector.register(bell, selectors.EVENT_READ, self.end)
        self.selector.register(self.listener, selectors.EVENT_READ, self.accept)
        self.running = True
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while self.running:
            for key, _ in self.selector.select():
                if self.running and key.fileobj.fileno() >= 0:
                    key.data(key.fileobj)
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()

    def end(self, _):
        self.running = False

    def accept(self, listener):
        client, _ = listener.accept()
        try:
            lane = socket.create_connection(self.target)
        except OSError:
            client.close()
            return
        up, down = next(self.budgets, (FOREVER, FOREVER))
        line = {"ends": (client, lane), "left": {client: up, lane: down}}
        for end, other in ((client, lane), (lane, client)):
            self.selector.register(end, selectors.EVENT_READ, lambda s, o=other: self.carry(line, s, o))

    def carry(self, line, source, sink):
        try:
            chunk = source.recv(65536)
            allowed = chunk[:line["left"][source]]
            line["left"][source] -= len(chunk)
            sink.sendall(allowed)
        except OSError:
            chunk = b""
        if not chunk or line["left"][source] < 0:
            self.cut(line, bool(chunk))

    def cut(self, line, counted):
        self.cuts += counted
        for end in line["ends"]:
            self.selector.unregister(end)
            end.close()

    def close(self):
        self.bell.send(b"x")
        self.thread.join()
        self.bell.close()
