"""A network that can be cut: TCP connections by named routes, in a process of its own.

    with Proxy({"worker-1/directory": (listen_port, to_port)}) as proxy:
        proxy.cut("worker-1/", "silence")
        proxy.mend("worker-1/")

A route that refuses resets what is open and what comes. A silent one lets nothing through and says
nothing; what was held back goes on when it is mended, unless an end has gone meanwhile: like TCP,
which delivers late but not for those who have hung up.
"""

import asyncio
import json
import socket
import struct
import subprocess
import sys

OPEN, REFUSE, SILENCE = "open", "refuse", "silence"


class Route:
    def __init__(self, to_port):
        self.to_port = to_port
        self.source = None  # the address that the other side sees
        self.state = OPEN
        self.ends = set()
        self.hits = 0  # connections cut, bytes withheld


class End(asyncio.Protocol):
    """One side of a carried connection; `peer` is the other, None until it is connected."""

    def __init__(self, route, peer=None):
        self.route, self.peer = route, peer
        self.transport = None
        self.held = []

    def connection_made(self, transport):
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.route.ends.add(self)
        if self.route.state == REFUSE:
            self.route.hits += 1
            self.reset()
        elif self.peer is None and self.route.state == OPEN:
            self.connect()

    def connect(self):
        asyncio.ensure_future(self._connect())

    async def _connect(self):
        source = (self.route.source, 0) if self.route.source else None
        try:
            _, self.peer = await asyncio.get_running_loop().create_connection(
                lambda: End(self.route, self), "127.0.0.1", self.route.to_port, local_addr=source)
        except OSError:
            self.reset()
            return
        if self.transport.is_closing():
            self.peer.reset()
        self.flush()

    def data_received(self, data):
        self.held.append(data)
        if self.route.state == OPEN:
            self.flush()
        else:
            self.route.hits += len(data)

    def flush(self):
        if self.peer is None or self.peer.transport.is_closing():
            return
        for data in self.held:
            self.peer.transport.write(data)
        self.held = []

    def pause_writing(self):
        self.peer.transport.pause_reading()

    def resume_writing(self):
        if not self.peer.transport.is_closing():
            self.peer.transport.resume_reading()

    def reset(self):
        if not self.transport.is_closing():
            self.transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()

    def connection_lost(self, error):
        self.route.ends.discard(self)
        if self.peer is None:
            return
        if error is None and self.route.state == OPEN:
            self.peer.transport.close()
        else:
            self.peer.reset()


def order(routes, words):
    """cut PREFIX STATE | mend PREFIX | source NAME ADDRESS; how much was hit so far."""
    command, prefix, *argument = words
    hits = 0
    for name, route in routes.items():
        if not name.startswith(prefix):
            continue
        if command == "source":
            route.source = argument[0]
            continue
        route.state = argument[0] if command == "cut" else OPEN
        for end in list(route.ends):
            if route.state == REFUSE:
                route.hits += 1
                end.reset()
            elif route.state == OPEN and end.peer is None:
                end.connect()
            elif route.state == OPEN:
                end.flush()
        hits += route.hits
        if command == "mend":
            route.hits = 0
    return hits


async def serve():
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    routes = {}
    for name, (listen, to_port) in json.loads(await orders.readline()).items():
        route = routes[name] = Route(to_port)
        await loop.create_server(lambda route=route: End(route), "127.0.0.1", listen)
    print("ready", flush=True)
    while line := await orders.readline():
        print(order(routes, line.decode().split()), flush=True)


class Proxy:
    """`routes`: name -> (port to listen at, port to carry to), on loopback. It ends with its
    parent, whose end closes its standard input."""

    def __init__(self, routes):
        self._process = subprocess.Popen([sys.executable, __file__], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True, start_new_session=True)
        answer = self._ask(json.dumps(routes))
        assert answer == "ready", answer

    def cut(self, prefix, state=REFUSE):
        """Of all routes whose name begins so."""
        self._ask(f"cut {prefix} {state}")

    def mend(self, prefix):
        """How much the cut hit: connections reset or bytes held back."""
        return int(self._ask(f"mend {prefix}"))

    def source(self, name, address):
        """The address that new connections of the route come from."""
        self._ask(f"source {name} {address}")

    def _ask(self, line):
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline().strip()

    def pid(self):
        return self._process.pid

    def close(self):
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


if __name__ == "__main__":
    asyncio.run(serve())
