"""sh tests/chaos/run.sh [--requests N] [--faults K | --kinds KIND,...] [--seed S]
                      [--without PROTECTION] [--long]

Three brokers, three workers, and what the seed says goes wrong with them (plan.py). The plan is
printed first and logged with what was done when in build/results/chaos/<seed>; the same seed gives
the same plan and the same requests, though not the same interleaving. The last line counts what was
broken. Exit status: 0 nothing was, and every planned fault took place; 1 one of those counts is not
0; 2 something else is wrong, and said.

--kinds names the faults instead of drawing them. --without switches a protection of the debug build
off (worker/test_controls.h) and aims the faults at where it shows; the run must then fail. --long:
the release build, more and longer faults (62, half of them kills).
"""

import argparse
import json
import os
import random
import resource
import shutil
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from chaos.faults import Faults, takeover_figures  # noqa: E402
from chaos.judge import COUNTS, Judge  # noqa: E402
from chaos.load import Load  # noqa: E402
from chaos.plan import AIMED, KILLS, OTHERS, draw  # noqa: E402
from chaos.world import Stalled, World  # noqa: E402
from support.process import ROOT  # noqa: E402

SHOWN = 5  # breaches of each sort that are printed; all are in the log


def arguments():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--requests", type=int, default=1500)
    parser.add_argument("--faults", type=int)
    parser.add_argument("--kinds", type=_kinds)
    parser.add_argument("--seed", type=int, default=random.randrange(1000000))
    parser.add_argument("--without", choices=AIMED)
    parser.add_argument("--long", action="store_true")
    options = parser.parse_args()
    options.faults = options.faults or (62 if options.long else 8)
    return options


def _kinds(text):
    unknown = set(kinds := text.split(",")) - {*KILLS, *OTHERS}
    if unknown:
        raise argparse.ArgumentTypeError(f"no such fault: {', '.join(unknown)}")
    return kinds


def run(world, faults, plan, requests):
    """Bursts with a fault in each."""
    size = len(requests) // len(plan)
    for i, fault in enumerate(plan):
        burst = requests[i * size:(i + 1) * size if i + 1 < len(plan) else None]
        world.say(json.dumps(fault))
        faults.strike(fault, burst)
        world.settle()
        world.wait(lambda: world.outstanding() < max(100, size // 2), 180,
                   "the last burst to be worked off", needs_outcomes=True)
        world.say(f"    done; {world.outstanding()} of {len(world.sender.sent)} are open")
    world.wait_for_all()


def report(world, judge, broken):
    for name, breaches in broken.items():
        for breach in breaches[:SHOWN]:
            print(f"{name}: {breach}")
        for breach in breaches:
            print(f"{name}: {breach}", file=world.log)
        if len(breaches) > SHOWN:
            print(f"{name}: and {len(breaches) - SHOWN} more")


def main():
    options = arguments()
    folder = os.path.join(ROOT, "build", "results", "chaos", options.without or str(options.seed))
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    load = Load(options.requests, options.seed)
    plan = draw(options.faults, options.seed, options.long, options.without, options.kinds)
    failed = 0
    counts, closing = dict.fromkeys(COUNTS, 0), ""
    with World(folder, load, options.without, "info" if options.long else "debug") as world:
        world.say(f"seed {options.seed}, {options.requests} requests, logs in {folder}; the plan:")
        for fault in plan:
            world.say(json.dumps(fault))
        began, faults = time.monotonic(), Faults(world)
        try:
            run(world, faults, plan, load.requests)
        except (AssertionError, Stalled) as fault:
            world.note(f"not all of the plan took place: {fault}")
        seconds = time.monotonic() - began
        world.drain()
        judge = Judge(world, world.sender.sent).judge()
        broken = {**judge.broken, "other": judge.others}
        report(world, judge, broken)
        counts = {name: len(judge.broken[name]) for name in COUNTS}
        failed = sum(map(len, broken.values()))
        world.say(f"judged {judge.n_outcomes} outcomes in "
                  f"{time.monotonic() - began - seconds:.0f} s, at most "
                  f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")
        closing = f"requests={len(world.sender.sent)} kills={world.kills} " + " ".join(
            f"{name}={n}" for name, n in counts.items()) + (
            f" seed={options.seed} faults={len(plan)} seconds={seconds:.0f} "
            f"{takeover_figures(faults.takeovers)}")
        world.say(closing)
        before = len(world.notes)
    failed += len(world.notes) - before
    print(closing)
    return 1 if any(counts.values()) else 2 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
