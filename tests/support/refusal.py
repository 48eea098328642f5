"""Failures as contract section 4 has them: who may mend them, and that nothing was changed."""

import time

from .contract import TEXT, TIME, Number, check_event, event_id, later
from .events import SOURCE

TRACE = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
         "tracestate": "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"}

OWNERS = {  # code -> owner, retryable (contract 4: three codes alone are)
    "malformed": ("requester", False), "request_id_reused": ("requester", False),
    "unknown_tenant": ("requester", False), "too_old": ("requester", False),
    "retention_expired": ("administrator", False), "not_found": ("requester", False),
    "ambiguous_user": ("requester", False), "duplicate_user": ("requester", False),
    "requester_unknown": ("requester", False), "requester_not_authorized": ("requester", False),
    "privileged_target": ("administrator", False), "synced_user": ("administrator", False),
    "policy_not_allowed": ("operator", False), "recipient_not_allowed": ("operator", False),
    "over_limit": ("operator", True), "plan_stale": ("requester", False),
    "deadline_exceeded": ("directory", True), "directory_unavailable": ("directory", True),
    "directory_denied": ("operator", False), "directory_rejected": ("administrator", False),
    "needs_hands": ("administrator", False)}
FINAL = {  # never sent again as they are
    "malformed", "request_id_reused", "retention_expired", "not_found", "ambiguous_user",
    "duplicate_user", "plan_stale", "needs_hands"}


def hours_ago(hours):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - hours * 3600))


def refused(scene, code, user, found=False, **more):
    """Sends a request for `user` (a dict, or a text as it stands) that fails with `code`, and
    checks all of it. `found`: the user was seen in the bin. Fields beside the common ones of a
    failure are the caller's: returns (event, them)."""
    named = user if isinstance(user, str) else user["id"]
    with scene.untouched():
        id = scene.requests.restore(named, **more)
        outcome = scene.outcome(id)
    assert outcome.topic == "failed" and outcome.data.get("code") == code, outcome
    by_name = "@" in named
    who = {"userPrincipalName" if by_name else "id": named}
    if found:
        who = {name: user[name] for name in ("id", "userPrincipalName", "displayName")}
    headers = more.get("headers") or {}
    check_event(outcome, scene.topics.group, id, event_id(SOURCE, id, named, "failed"),
                who.get("id", id), headers.get("ce_correlationid"),
                {name: headers[f"ce_{name}"] for name in TRACE if f"ce_{name}" in headers})
    owner, retryable = OWNERS[code]
    seconds_left = 0 if code == "retention_expired" else Number(1, 30 * 86400)
    sent = scene.requests.sent[id][1]
    data = dict(outcome.data)
    common = {
        "requestId": id, "tenant": sent.get("tenant", "contoso"), "user": who,
        "requestedBy": sent["requestedBy"], "startedAt": TIME,
        "finishedAt": outcome.headers["ce_time"], "replayed": False, "code": code,
        "message": TEXT, "retryable": retryable, "owner": owner, "hint": TEXT}
    if found:
        deleted_at = scene.deleted_at(user)
        common |= {"deletedAt": deleted_at, "restorableUntil": later(deleted_at, days=30),
                   "secondsLeft": seconds_left}
    rest = {name: value for name, value in data.items() if name not in common}
    assert {name: value for name, value in data.items() if name in common} == common
    assert ("resend" in rest) == (code not in FINAL)
    if not retryable:
        rest.pop("resend", None)
    assert scene.everything(id) == [outcome]  # no second outcome, and nobody is mailed
    if rest.get("directory") == []:
        del rest["directory"]
    return outcome, rest
