"""How each kind of fault is done. Every one makes sure that it took place: AssertionError else."""

import time
from collections import Counter
from email.utils import formatdate

from support.process import wait_for

from .plan import WORKERS
from .world import LATENCY_MS, REQUEST_TIMEOUT_MS, SESSION_S

BOUND_S = 120  # for what takes seconds on a machine of its own


class Faults:
    """`strike(fault, burst)` sends the burst and does the fault in the middle of it. `takeovers`
    are the seconds from a kill until the others had the partitions, and of these the seconds until
    the group missed the dead one."""

    def __init__(self, world):
        self._world = world
        self.takeovers = []

    def strike(self, fault, burst):
        getattr(self, "_" + fault["kind"].replace("-", "_"))(fault, burst)
        self._world.directory.clear_faults()
        self._world.directory.release()
        self._world.directory.latency(LATENCY_MS)
        self._world.no_lag()

    def _send(self, fault, burst):
        """Sends it, and waits until a part of it is done."""
        before = self._world.done()
        self._world.send(burst)
        reached = before + int(fault["at"] * len(burst))
        self._world.wait(lambda: self._world.done() >= reached, BOUND_S,
                         f"{reached} outcomes", needs_outcomes=True)

    # ---- workers -----------------------------------------------------------------------------

    def _kill_restart(self, fault, burst):
        self._beside(fault)
        self._send(fault, burst)
        self._world.kill(fault["who"])
        self._world.start(fault["who"])

    def _kill_takeover(self, fault, burst):
        self._beside(fault)
        self._send(fault, burst)
        self._takeover(fault["who"], lambda: self._world.kill(fault["who"]))
        self._world.start(fault["who"])

    def _takeover(self, who, action):
        """Waits until the others have taken its partitions, and keeps the time."""
        others = {w: self._world.assignments(w) for w in WORKERS if w != who}
        began, began_at = time.monotonic(), time.time()
        action()
        self._world.wait(lambda: all(self._world.assignments(w) > n for w, n in others.items()),
                         BOUND_S, f"the others to take the partitions of {who}")
        took_s = time.monotonic() - began
        revoked = [at for w in others if (at := self._world.revoked_at(w, began_at)) is not None]
        missed_s = min(revoked) - began_at if revoked else took_s
        if self._world.workers[who].exit_code() is not None:
            self.takeovers.append((took_s, missed_s))
        self._world.say(f"    partitions of {who} taken over after {took_s:.2f} s, missed after "
                        f"{missed_s:.2f} s")

    def _stop_worker(self, fault, burst):
        self._send(fault, burst)
        worker = self._world.workers[fault["who"]]
        worker.freeze()
        self._world.pause(fault["lasts_s"])
        worker.resume()

    def _terminate_worker(self, fault, burst):
        self._beside(fault)
        self._send(fault, burst)
        worker = self._world.workers[fault["who"]]
        code = worker.terminate()
        assert code == 0, f"{fault['who']} ended with {code} after SIGTERM"
        self._world.start(fault["who"])

    # ---- brokers -----------------------------------------------------------------------------

    def _broker_kill(self, fault, burst):
        self._send(fault, burst)
        self._world.kafka.kill(fault["node"])
        self._world.pause(fault["lasts_s"])
        self._world.kafka.restart(fault["node"])

    def _broker_stop(self, fault, burst):
        self._send(fault, burst)
        self._world.kafka.freeze(fault["node"])
        self._world.pause(fault["lasts_s"])
        self._world.kafka.resume(fault["node"])

    def _broker_bounce(self, fault, burst):
        self._send(fault, burst)
        self._world.kafka.terminate(fault["node"])
        self._world.kafka.restart(fault["node"])

    # ---- the network -------------------------------------------------------------------------

    def _cut(self, fault, burst, *prefixes, how=None):
        self._send(fault, burst)
        for prefix in prefixes:
            self._world.proxy.cut(prefix, how or fault["how"])
        self._world.pause(fault["lasts_s"])
        hits = sum(self._world.proxy.mend(prefix) for prefix in prefixes)
        assert hits > 0, "the cut hit nothing"

    def _cut_broker(self, fault, burst):
        self._cut(fault, burst, f"{fault['who']}/broker-{fault['node']}")

    def _cut_brokers(self, fault, burst):
        self._cut(fault, burst, f"{fault['who']}/broker-")

    def _cut_directory(self, fault, burst):
        self._cut(fault, burst, f"{fault['who']}/directory")

    def _outage(self, fault, burst):
        self._cut(fault, burst, *(f"{who}/directory" for who in WORKERS), how="refuse")

    # ---- the directory -----------------------------------------------------------------------

    def _order(self, **order):
        self._world.directory.fault(**order)

    def _all_hit(self):
        def hit():
            return all(f["hits"] > 0 for f in self._world.directory.faults())

        self._world.wait(hit, BOUND_S, "the directory's faults to be met")

    def _send_into(self, burst):
        self._world.send(burst)
        self._all_hit()

    def _beside(self, fault):
        """A fault of the directory that goes on while something else happens."""
        if fault["beside"] is not None:
            self._set(fault["beside"])

    def _set(self, kind):
        """What needs no more than being set."""
        match kind:
            case "lost-504":
                for part in ("/restore", None):
                    self._order(kind="answer", status=504, when="after", times=8,
                                **({"path": part} if part else {"method": "PATCH"}))
            case "reset-before" | "reset-after":
                for part in ("/restore", None):
                    self._order(kind="reset", when=kind.partition("-")[2], times=8,
                                **({"path": part} if part else {"method": "PATCH"}))
            case "lag":
                self._world.lag(2000, 2000)
            case "latency":
                self._world.directory.latency(500)

    def _simple(self, fault, burst):
        self._set(fault["kind"])
        self._send_into(burst)

    _lost_504 = _reset_before = _reset_after = _simple

    def _latency(self, fault, burst):
        self._world.directory.latency(fault["ms"])
        self._world.send(burst)
        self._world.pause(fault["lasts_s"])

    def _lag(self, fault, burst):
        self._world.lag(fault["visible_ms"], fault["bin_ms"])
        self._send(fault, burst)

    def _unavailable(self, fault, burst):
        headers = {"Retry-After": fault["value"]} if fault["value"] else {}
        self._send(fault, burst[:len(burst) // 2])
        self._order(kind="answer", status=503, path="/v1.0/", headers=headers,
                    for_ms=int(fault["lasts_s"] * 1000))
        self._send_into(burst[len(burst) // 2:])

    def _tokens(self, fault, burst):
        self._send(fault, burst)
        before = self._world.mark()
        self._order(kind="reset", path="/oauth2/", times=3)
        self._world.directory._call("DELETE", "/admin/tokens")
        self._world.wait(lambda: self._world.calls(before, path="/oauth2/")
                         or self._world.outstanding() <= 0, BOUND_S, "new tokens to be asked for")

    def _throttle_user(self, fault, burst):
        header, value = fault["header"], fault["value"]
        if value == "{date}":
            value = formatdate(time.time() + 4, usegmt=True)
        order = {"kind": "answer", "status": 429, "headers": {header: value} if header else {}}
        if fault["hopeless"]:
            [user] = self._plain(burst, 1)
            next(r for r in burst if r.user == user).kind = "hopeless"
            self._order(path="/restore", user=user, **order)
        else:
            self._order(path="/restore", times=10, **order)
            self._order(method="PATCH", times=10, **order)
        self._send_into(burst)

    def _throttle_tenant(self, fault, burst):
        value = fault["value"]
        if value == "{date}":
            value = formatdate(time.time() + 6, usegmt=True)
        self._send(fault, burst[:len(burst) // 2])
        self._order(kind="answer", status=fault["status"], path="/v1.0/", times=3, headers={
            "Retry-After": value, "x-ms-throttle-scope": "Tenant/ReadWrite/app/contoso"})
        self._send_into(burst[len(burst) // 2:])

    # ---- aimed: where one protection shows ---------------------------------------------------

    def _slow_user(self, fault, burst):
        """One user's calls hang; all the others of his partition are done meanwhile (P3)."""
        slow = next(r for r in burst if r.kind == "id")
        others = [r for r in burst if r.key != slow.key]
        self._order(kind="hang", user=slow.user, times=-1)
        self._send_into(burst)
        try:
            self._world.wait(lambda: self._world.answered(others), BOUND_S / 4,
                             "those who have nothing to do with a slow user", needs_outcomes=True)
        except AssertionError:
            self._world.order_violations.append(f"everybody waits for {slow.user}")

    def _plain(self, burst, n):
        """Users of whom the run asks but once."""
        found = [r.user for r in burst if r.kind == "id" and not r.is_followed]
        return set(found[:n])

    def _held_kill(self, fault, burst):
        """Killed while some users hold back the offsets of their partitions, with others done."""
        held = self._plain(burst, 12)
        for user in held:
            self._order(kind="hang", user=user, times=-1)
        before = self._world.mark()
        self._world.send(burst)
        others = [r for r in burst if r.user not in held]
        self._world.wait(lambda: self._world.answered(others), BOUND_S, "the others' outcomes",
                         needs_outcomes=True)
        who = self._world.who_called(self._world.calls(before, users=held)[0]["client"])
        self._world.say(f"    {who} is killed with {len(held)} users held")
        self._world.kill(who)
        self._world.start(who)
        self._world.wait(lambda: self._world.assignments(who) > 0, BOUND_S, f"{who} to come back")
        self._world.pause(2)

    def _batch_kill(self, fault, burst):
        """Killed with one user of a batch left and the others done."""
        world = self._world
        batch = max((r for r in burst if r.kind == "batch"), key=lambda r: len(r.items))
        names = Counter(item.user for item in batch.items)
        last = next(i.user for i in batch.items if i.kind == "id" and names[i.user] == 1)
        self._order(kind="hang", user=last, times=-1)
        before = world.mark()
        world.send(burst)
        world.wait(lambda: world.items_done(batch) == len(batch.items) - 1, BOUND_S,
                   f"all but one of a batch of {len(batch.items)}", needs_outcomes=True)
        who = world.who_called(world.calls(before, users={last})[0]["client"])
        world.say(f"    {who} is killed with one left of a batch of {len(batch.items)}")
        if fault["takeover"]:
            self._takeover(who, lambda: world.kill(who))
        else:
            world.kill(who)
        world.start(who)

    def _late_password(self, fault, burst):
        """Killed while its PATCHes are on the way; their effect comes when its successor works."""
        late = self._plain(burst, 12)
        for user in late:
            self._order(kind="delay", method="PATCH", user=user,
                        delay_ms=REQUEST_TIMEOUT_MS - 500)
        before = self._world.mark()
        self._world.send(burst)

        def under_way():
            return self._world.calls(before, "PATCH", late)

        self._world.wait(lambda: len(under_way()) >= len(late) // 2, BOUND_S, "late PATCHes")
        who = self._world.who_called(under_way()[-1]["client"])
        self._world.say(f"    {who} is killed with PATCHes on the way")
        self._world.kill(who)
        self._world.start(who)
        self._world.directory.clear_faults()

    def _zombie_password(self, fault, burst):
        """Frozen while it waits to set passwords, replaced, and woken where no broker tells it."""
        told_to_wait = self._plain(burst, 40)
        for user in told_to_wait:
            self._order(kind="answer", method="PATCH", user=user, status=429,
                        headers={"Retry-After": "3"})
        before = self._world.mark()
        self._world.send(burst)

        def refused():
            return [c for c in self._world.calls(before, "PATCH", told_to_wait)
                    if c["status"] == 429]

        wait_for(lambda: len(refused()) >= min(10, len(told_to_wait) // 2), BOUND_S, "429")
        clients = [c["client"] for c in refused()]
        who = self._world.who_called(max(clients, key=clients.count))
        worker = self._world.workers[who]

        def freeze():
            worker.freeze()
            if self._world.is_ignorant:
                self._world.throw_out(who)

        self._takeover(who, freeze)
        self._world.proxy.cut(f"{who}/broker-", "silence")
        self._await_the_others(burst)
        self._world.say(f"    {who} wakes up")
        worker.resume()
        self._world.pause(2)
        self._world.proxy.mend(f"{who}/broker-")

    def _zombie_outcome(self, fault, burst):
        """Cut off from the brokers with outcomes to publish, of which the coordinator knows nothing
        yet; frozen, replaced, mended and woken."""
        world, held = self._world, self._plain(burst, 24)
        for user in held:  # the last call before the outcome
            self._order(kind="hang", method="GET", path=f"/v1.0/users/{user}", times=-1)
        before = world.mark()
        world.send(burst)
        world.wait(lambda: world.answered(r for r in burst if r.user not in held), BOUND_S,
                   "the others' outcomes", needs_outcomes=True)

        def hung():
            return world.calls(before, "GET", held, "/v1.0/users/")

        world.wait(lambda: {c["user"] for c in hung()} == held, BOUND_S, "the last calls")
        clients = [c["client"] for c in hung()]
        who = world.who_called(max(clients, key=clients.count))
        finished = world.workers[who].log_count("restore finished")
        world.proxy.cut(f"{who}/broker-", "silence")
        world.directory.clear_faults()
        world.directory.release()
        world.wait(lambda: world.workers[who].log_count("restore finished") > finished, BOUND_S,
                   f"outcomes of {who} that cannot be published")
        self._takeover(who, world.workers[who].freeze)
        self._await_the_others(burst)
        world.say(f"    {who} wakes up")
        world.proxy.mend(f"{who}/broker-")
        world.workers[who].resume()
        world.pause(3)

    def _await_the_others(self, burst):
        self._world.wait(lambda: self._world.answered(burst), BOUND_S,
                         "the others to do its work", needs_outcomes=True)


def takeover_figures(takeovers):
    """As they stand in the closing line."""
    if not takeovers:
        return "takeovers=0"
    took, missed = (sorted(part) for part in zip(*takeovers))
    share = sum(missed) / sum(took)
    return (f"takeovers={len(took)} takeover_min_s={took[0]:.1f} "
            f"takeover_median_s={took[len(took) // 2]:.1f} takeover_max_s={took[-1]:.1f} "
            f"session_timeout_s={SESSION_S} session_share={share:.0%}")
