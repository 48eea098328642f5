"""What an admin page costs the loop, idle and with unfinished requests.

    RESTORE_TEST_PRESET=release python tests/bench/pages.py [--pages N] [--unfinished N]
"""

import argparse
import os
import shutil
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from bench import cpu_s, produce  # noqa: E402
from support.directory import Directory, standard_load  # noqa: E402
from support.kafka import Kafka  # noqa: E402
from support.process import wait_for  # noqa: E402
from support.topics import Topics  # noqa: E402
from support.worker import Worker  # noqa: E402

PAGES = ("/livez", "/readyz", "/metrics", "/status")


def measure(worker, what, n):
    address = worker.admin_url()
    for page in PAGES:
        used, begun = sum(cpu_s(worker.pid())), time.monotonic()
        for _ in range(n):
            size = len(worker.get(page, address=address)[1])
        wall = time.monotonic() - begun
        print(f"{what:24} {page:10} {size:7} bytes  {(sum(cpu_s(worker.pid())) - used) * 1e3 / n:.2f}"
              f" ms CPU  {wall * 1e3 / n:.2f} ms")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--pages", type=int, default=2000)
    parser.add_argument("--unfinished", type=int, default=4000)
    arguments = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="restore-bench-")
    with Kafka() as kafka:
        topics = Topics(kafka.bootstrap)
        directory = Directory(folder, standard_load(arguments.unfinished))
        worker = Worker(folder, kafka, topics, directory.url,
                        settings={"log": {"level": "info"}})
        try:
            worker.start().wait_ready()
            measure(worker, "idle", arguments.pages)
            # Each request is told to come back in ten minutes: it sleeps.
            directory.fault(kind="answer", status=429, path="deletedItems", times=-1,
                            headers={"Retry-After": "600"})
            produce(kafka, topics, arguments.unfinished, "leave")
            name = "restore_worker_requests_in_flight"
            wait_for(lambda: worker.metrics()[name,] == arguments.unfinished, 120, "all of them")
            measure(worker, f"{arguments.unfinished} unfinished", arguments.pages)
        finally:
            worker.stop()
            directory.stop()
            topics.delete()
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
