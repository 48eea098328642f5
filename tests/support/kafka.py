"""Real Apache Kafka (KRaft) on free loopback ports.

In Python: `with Kafka(nodes=3) as kafka: ... kafka.bootstrap`. From a shell:

    python3 tests/support/kafka.py fetch             the jars, once, into build/kafka
    python3 tests/support/kafka.py start DIR [N]     N nodes; prints the bootstrap address
    python3 tests/support/kafka.py stop DIR          ends them (DIR/<node>/pid) and keeps the data

Topics are never created by asking for them (auto.create.topics.enable=false).
"""

import base64
import hashlib
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import uuid

if __package__:
    from .process import ROOT, Process, tail, wait_for
else:
    from process import ROOT, Process, tail, wait_for

POM = os.path.join(ROOT, "tests", "kafka", "pom.xml")
READY_S = 90  # three nodes need 9 s on two idle cores

JAVA = (
    "java -Xms128m -Xmx320m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:MaxMetaspaceSize=160m"
    " -Xss512k -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Djava.net.preferIPv4Stack=true"
).split()

PROPERTIES = """\
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=CONTROLLER://127.0.0.1:{controller_port},{listeners}
advertised.listeners={advertised}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,{protocols}
log.dirs={data}
num.network.threads=2
num.io.threads=2
auto.create.topics.enable=false
default.replication.factor={nodes}
min.insync.replicas={in_sync}
offsets.topic.num.partitions=4
offsets.topic.replication.factor={nodes}
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor={nodes}
transaction.state.log.min.isr={in_sync}
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
log.segment.bytes=16777216
log.cleaner.dedupe.buffer.size=8388608
log.cleaner.threads=1
offset.metadata.max.bytes=4096
"""


def fetch():
    """The directory of Kafka's jars, fetched by Maven when it is not there. Its name carries the
    pom's digest, so another version of Kafka is another directory."""
    with open(POM, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()[:12]
    jars = os.path.join(ROOT, "build", "kafka", f"jars-{digest}")
    if not os.path.isdir(jars):
        partial = f"{jars}.{os.getpid()}"
        subprocess.run(
            ["mvn", "-q", "-B", "-f", POM, "dependency:copy-dependencies",
             "-DincludeScope=runtime", f"-DoutputDirectory={partial}"],
            check=True, timeout=600, stdin=subprocess.DEVNULL,
        )
        try:
            os.rename(partial, jars)
        except OSError:  # somebody else was faster
            shutil.rmtree(partial)
    return jars


def free_ports(n):
    """Ports that nobody uses now and no outgoing connection takes later: a broker that is down must
    find its port free when it comes back, so they lie below Linux's ephemeral range (32768)."""
    found = []
    while len(found) < n:
        port = random.randrange(20000, 32768)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in found:
            found.append(port)
    return found


def brokers_seen(port):
    """How many brokers the one at `port` knows (0: no answer), by a bare Metadata v1 request, so
    that a shell script needs nothing but Python here."""
    def exactly(sock, n):
        data = b""
        while len(data) < n:
            piece = sock.recv(n - len(data))
            if not piece:
                raise OSError("closed")
            data += piece
        return data

    # api 3, version 1, correlation id, no client id, an empty array: no topics
    request = struct.pack(">hhihi", 3, 1, 1, -1, 0)
    try:
        with socket.create_connection(("127.0.0.1", port), 2) as sock:
            sock.settimeout(2)
            sock.sendall(struct.pack(">i", len(request)) + request)
            answer = exactly(sock, struct.unpack(">i", exactly(sock, 4))[0])
            return struct.unpack(">i", answer[4:8])[0]
    except OSError:
        return 0


class Kafka:
    def __init__(self, nodes=1, directory=None, keep=False, ways=()):
        """`keep`: the nodes outlive this process and their data outlives stop(). `ways` names
        further listeners of every node: `.ways[name][node]` is (its port, the port it advertises).
        Somebody has to carry bytes from the second to the first, and may cease to."""
        self._directory = os.path.abspath(directory or tempfile.mkdtemp(prefix="restore-kafka-"))
        self._keep = keep
        self._classpath = os.path.join(fetch(), "*")
        ports = free_ports(2 * nodes * (1 + len(ways)))
        self._ports = dict(zip(range(1, nodes + 1), ports))
        self._controller_ports = dict(zip(self._ports, ports[nodes:]))
        pairs = iter(zip(ports[2 * nodes::2], ports[2 * nodes + 1::2]))
        self.ways = {name: {node: next(pairs) for node in self._ports} for name in ways}
        self._processes = {}
        self.bootstrap = ",".join(f"127.0.0.1:{port}" for port in self._ports.values())

    def __enter__(self):
        try:
            self._format()
            for node in self._ports:
                self._start(node)
            self._wait_ready(self._ports)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def kill(self, node=1):
        self._processes[node].kill9()

    def freeze(self, node=1):
        self._processes[node].freeze()

    def resume(self, node=1):
        self._processes[node].resume()

    def restart(self, node=1):
        """Kills the node if it runs; it comes back with its data and its address."""
        if self._processes[node].exit_code() is None:
            self.kill(node)
        self._start(node)
        self._wait_ready([node])

    def terminate(self, node=1):
        """SIGTERM, and waits: it hands its partitions over first."""
        self._processes[node].killed = True
        self._processes[node].signal(signal.SIGTERM)
        self._processes[node].wait(READY_S)

    def bootstrap_of(self, way):
        return ",".join(f"127.0.0.1:{advertised}" for _, advertised in self.ways[way].values())

    def brokers_seen_by(self, node):
        """How many brokers this one counts as alive; 0 when it does not answer."""
        return brokers_seen(self._ports[node])

    def pid(self, node=1):
        return self._processes[node].pid

    def stop(self):
        """Kills all nodes: a polite shutdown of a whole quorum waits for itself."""
        for process in self._processes.values():
            if process.exit_code() is None:
                process.kill9()
        if not self._keep:
            shutil.rmtree(self._directory, ignore_errors=True)

    def _path(self, node, name):
        return os.path.join(self._directory, str(node), name)

    def _java(self, node, main, *arguments, keep=False):
        with open(self._path(node, "log"), "ab") as log:
            return Process([*JAVA, "-cp", self._classpath, main, *arguments], log, keep=keep)

    def _format(self):
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        nodes = len(self._ports)
        voters = ",".join(f"{n}@127.0.0.1:{port}" for n, port in self._controller_ports.items())
        formats = []
        for node, port in self._ports.items():
            os.makedirs(self._path(node, "data"))
            with open(self._path(node, "server.properties"), "w") as file:
                file.write(PROPERTIES.format(
                    node=node, controller_port=self._controller_ports[node], voters=voters,
                    **self._listeners(node, port), data=self._path(node, "data"),
                    nodes=nodes, in_sync=1 if nodes == 1 else 2))
            formats.append(self._java(
                node, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}",
                "-c", self._path(node, "server.properties")))
        for node, process in zip(self._ports, formats):
            if process.wait(READY_S) != 0:
                raise RuntimeError(f"format failed:\n{tail(self._path(node, 'log'))}")

    def _listeners(self, node, port):
        doors = [("PLAINTEXT", port, port)] + [
            (f"WAY{i}", *way[node]) for i, way in enumerate(self.ways.values())]
        return {"listeners": ",".join(f"{name}://127.0.0.1:{own}" for name, own, _ in doors),
                "advertised": ",".join(f"{name}://127.0.0.1:{told}" for name, _, told in doors),
                "protocols": ",".join(f"{name}:PLAINTEXT" for name, _, _ in doors)}

    def _start(self, node):
        process = self._java(
            node, "kafka.Kafka", self._path(node, "server.properties"), keep=self._keep)
        with open(self._path(node, "pid"), "w") as file:
            file.write(f"{process.pid}\n")
        self._processes[node] = process

    def _wait_ready(self, nodes):
        """Each of `nodes` answers and knows every broker that runs. (Whether its replicas are back
        in sync is another question, and the topic's.)"""
        def ready(node):
            if self._processes[node].exit_code() is not None:
                raise RuntimeError(f"node {node} ended:\n{tail(self._path(node, 'log'))}")
            running = [p for p in self._processes.values()
                       if p.exit_code() is None and not p.is_frozen()]
            return self.brokers_seen_by(node) >= len(running)

        for node in nodes:
            wait_for(lambda node=node: ready(node), READY_S, f"Kafka node {node}")


def stop(directory):
    """Ends the nodes of `start DIR`; a pid that by now belongs to another program is left alone."""
    directory = os.path.abspath(directory)
    for node in sorted(os.listdir(directory)):
        try:
            with open(os.path.join(directory, node, "pid")) as file:
                pid = int(file.read())
            with open(f"/proc/{pid}/cmdline") as file:
                if directory not in file.read():
                    continue
            os.kill(pid, signal.SIGKILL)
        except (OSError, ValueError):
            continue
        wait_for(lambda pid=pid: not os.path.exists(f"/proc/{pid}/cmdline")
                 or not open(f"/proc/{pid}/cmdline").read(), 10, f"process {pid} to end")


def main(arguments):
    match arguments:
        case ["fetch"]:
            print(fetch())
        case ["start", directory, *nodes]:
            kafka = Kafka(int(nodes[0]) if nodes else 1, directory, keep=True).__enter__()
            print(kafka.bootstrap)
        case ["stop", directory]:
            stop(directory)
        case _:
            print(__doc__, file=sys.stderr)
            return 64
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
