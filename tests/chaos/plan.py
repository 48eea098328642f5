"""What goes wrong in a run, drawn from its seed before it begins."""

import random

WORKERS = ("worker-1", "worker-2", "worker-3")
NODES = (1, 2, 3)

KILLS = ("kill-takeover", "kill-restart", "batch-kill", "held-kill", "late-password")
OTHERS = ("stop-worker", "terminate-worker", "broker-kill", "broker-stop", "broker-bounce",
          "cut-broker", "cut-brokers", "cut-directory", "latency", "throttle-user",
          "throttle-tenant", "unavailable", "lost-504", "reset-before", "reset-after", "lag",
          "tokens", "outage", "slow-user", "zombie-outcome", "zombie-password")
# What else is wrong when a worker is killed: nothing, or replies that are late or lost.
BESIDE = (None, "lost-504", "reset-after", "reset-before", "lag", "latency")

# Where a protection shows: the plan of `--without`.
AIMED = {"prereq": ("reset-after",), "proof": ("zombie-password",),
         "done-records": ("held-kill", "batch-kill"), "lanes": ("slow-user",),
         "generation": ("zombie-outcome",), "settling": ("late-password",),
         "retry-after": ("throttle-tenant", "throttle-user")}

# Every form a Retry-After may take (contract P6, RFC 9110 10.2.3): (header, value, whether the user
# is given up). `{date}` is an HTTP date 3 s ahead.
RETRY_AFTER = (("Retry-After", "2", False), ("retry-after", "1.5", False),
               ("RETRY-AFTER", "{date}", False), (None, None, False),
               ("Retry-After", "soon", False), ("Retry-After", "-5", False),
               ("Retry-After", "0", False), ("Retry-After", "86400", True),
               ("Retry-After", "99999999999999999999", True))


def draw(n, seed, long=False, without=None, kinds=None):
    """A list of dicts: `kind`, `n` from 1, how far the burst before it has got when it strikes
    (`at`, a share of it), and what the kind needs. `kinds` are those to come, in that order."""
    source = random.Random(f"plan {seed}")
    kinds = kinds or ([*_kinds(AIMED[without], n)] if without else
                      _mixed(source, n, 0.5 if long else 0.3))
    return [{"n": i, "kind": kind, "at": round(source.uniform(0.05, 0.8), 2),
             **_details(source, kind, i, long)} for i, kind in enumerate(kinds, 1)]


def _kinds(choice, n):
    return (choice[i % len(choice)] for i in range(n))


def _mixed(source, n, share):
    """This share are kills, two at least and one of them a takeover; every kind comes before one
    comes again."""
    kills = min(n, max(2, round(share * n)))
    mixed = [*_kinds((KILLS[0], *source.sample(KILLS[1:], len(KILLS) - 1)), kills),
             *_kinds(source.sample(OTHERS, len(OTHERS)), n - kills)]
    source.shuffle(mixed)
    return mixed


def _details(source, kind, n, long):
    who, node = source.choice(WORKERS), source.choice(NODES)
    lasts_s = round(source.uniform(5, 20 if long else 12), 1)
    how = source.choice(("refuse", "silence"))
    header, value, hopeless = RETRY_AFTER[(n + source.randrange(2)) % len(RETRY_AFTER)]
    beside = source.choice(BESIDE)
    details = {
        "kill-restart": {"who": who, "beside": beside},
        "kill-takeover": {"who": who, "beside": beside},
        "batch-kill": {"takeover": source.random() < 0.5},
        "stop-worker": {"who": who, "lasts_s": lasts_s},
        "terminate-worker": {"who": who, "beside": beside},
        "broker-kill": {"node": node, "lasts_s": lasts_s / 2},
        "broker-stop": {"node": node, "lasts_s": lasts_s},
        "broker-bounce": {"node": node},
        "cut-broker": {"who": who, "node": node, "how": how, "lasts_s": lasts_s},
        "cut-brokers": {"who": who, "how": how, "lasts_s": lasts_s},
        "cut-directory": {"who": who, "how": how, "lasts_s": lasts_s},
        "latency": {"ms": source.randrange(200, 1500), "lasts_s": lasts_s / 2},
        "throttle-user": {"header": header, "value": value, "hopeless": hopeless},
        "throttle-tenant": {"value": source.choice(("1", "2.5", "{date}")),
                            "status": source.choice((429, 503))},
        "unavailable": {"value": source.choice((None, "1")), "lasts_s": lasts_s / 3},
        "lag": {"visible_ms": source.randrange(500, 6000), "bin_ms": source.randrange(500, 6000)},
        "outage": {"lasts_s": 30 if long else 10},
    }
    return details.get(kind, {})
