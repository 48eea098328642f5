"""The simulated directory (tests/directory_sim) and its admin API, for tests in Python."""

import json
import os
import re
import urllib.error
import urllib.parse
import urllib.request

from .process import Process, binary, tail, wait_for

REQUESTER = "11111111-0000-4000-8000-000000000001"
MANAGER = "11111111-0000-4000-8000-000000000002"
CLIENT_ID = "22222222-0000-4000-8000-000000000001"
CLIENT_SECRET = "simulated-secret-never-logged"
TENANT = "contoso.onmicrosoft.com"
DOMAIN = "contoso.com"
USER_ADMINISTRATOR = "fe930be7-5e62-47db-91af-98c3a49a38b1"  # role template id, the same everywhere


def deleted_id(n):
    """The object id of the n-th generated deleted user."""
    return f"00000000-0000-4000-8000-{n:012x}"


def standard_load(deleted=100, users=(), latency_ms=0):
    """One tenant with a User Administrator who asks, a manager, `users` (each a dict with at least
    `id`) and `deleted` generated users in the bin."""
    return {
        "tenants": [{
            "id": TENANT, "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET,
            "domains": [DOMAIN, TENANT],
            "users": [
                {"id": REQUESTER, "userPrincipalName": f"admin@{DOMAIN}", "displayName": "Admin",
                 "mail": f"admin@{DOMAIN}", "roles": [USER_ADMINISTRATOR]},
                {"id": MANAGER, "userPrincipalName": f"manager@{DOMAIN}", "displayName": "Manager",
                 "mail": f"manager@{DOMAIN}"},
                *users,
            ],
            "generate": {"deleted": deleted, "prefix": "user", "domain": DOMAIN,
                         "manager": MANAGER},
        }],
        "latency_ms": latency_ms,
    }


class Directory:
    """One running simulator: `.url` serves login and Graph, the rest is its admin API. `tls` is a
    Certificate; `record` names the file that Graph's traffic goes to."""

    def __init__(self, folder, load=None, tls=None, record=None):
        load_file = os.path.join(folder, "directory.json")
        self._log = os.path.join(folder, "directory.log")
        with open(load_file, "w") as file:
            json.dump(load or standard_load(), file)
        with open(self._log, "wb") as log:
            self._process = Process(
                [binary("tests/directory_sim/directory-sim"), "--listen", "127.0.0.1:0",
                 "--load", load_file, *(["--tls", *tls] if tls else []),
                 *(["--record", record] if record else [])], log)
        self.context = tls and tls.pinned()
        self.url = ("https://" if tls else "http://") + wait_for(
            self._address, 60, "directory-sim to listen")

    def _address(self):
        said = tail(self._log)
        if self._process.exit_code() is not None:
            raise RuntimeError(f"directory-sim ended:\n{said}")
        match = re.search(r"listening on (\S+:\d+)$", said, re.MULTILINE)
        return match and match.group(1)

    def effects(self, user=None):
        """What was changed, counted per object id and in total; of one object id when given."""
        return self._call("GET", "/admin/effects" + (f"/{user}" if user else ""))

    def calls(self, since=0):
        return self._call("GET", f"/admin/calls?since={since}")

    def call_counts(self):
        return self._call("GET", "/admin/calls/counts")

    def state(self):
        return self._call("GET", "/admin/state")

    def fault(self, **fault):
        """method, path (a part of it), target (a part of path and query as sent), user,
        when (before|after), kind (answer|reset|hang|delay), status, code, headers, body, fill_bytes,
        delay_ms, times, for_ms."""
        return self._call("POST", "/admin/faults", fault)

    def faults(self):
        """Those that were added, with their `hits`, also when they are over."""
        return self._call("GET", "/admin/faults")["faults"]

    def clear_faults(self):
        return self._call("DELETE", "/admin/faults")

    def release(self):
        """Lets hanging calls go on."""
        return self._call("POST", "/admin/release", {})

    def latency(self, ms):
        return self._call("PUT", "/admin/latency", {"ms": ms})

    def options(self, **options):
        return self._call("PUT", "/admin/options", options)

    def expire_tokens(self):
        return self._call("DELETE", "/admin/tokens")

    def add_users(self, *users):
        """Each a dict as in the load file."""
        return self.add(users=users)

    def add(self, **objects):
        """users, groups, contacts, servicePrincipals, each a list as in the load file."""
        return self._call("POST", "/admin/users", objects)

    def rename(self, user, name):
        """As an administrator would, in Graph's own words."""
        self._graph("PATCH", f"/v1.0/users/{user}", {"userPrincipalName": name})

    def delete(self, user):
        """Into the bin, as an administrator would."""
        self._graph("DELETE", f"/v1.0/users/{user}")

    def _graph(self, method, path, body=None):
        form = {"grant_type": "client_credentials", "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET, "scope": f"{self.url}/.default"}
        with urllib.request.urlopen(f"{self.url}/{TENANT}/oauth2/v2.0/token",
                                    urllib.parse.urlencode(form).encode(), 10) as reply:
            token = json.load(reply)["access_token"]
        return self._call(method, path, body, {"Authorization": f"Bearer {token}"})

    def object(self, id):
        """One object of state()."""
        [found] = [object for tenant in self.state()["tenants"] for object in tenant["objects"]
                   if object["id"] == id]
        return found

    def freeze(self):
        self._process.freeze()

    def resume(self):
        self._process.resume()

    def stop(self):
        """Ends it; AssertionError when it had died by itself."""
        code = self._process.exit_code()
        if code is None:
            self._process.kill9()
        elif not self._process.killed:
            raise AssertionError(f"directory-sim ended with {code}:\n{tail(self._log)}")

    def _call(self, method, path, body=None, headers=None):
        request = urllib.request.Request(
            self.url + path, method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **(headers or {})})
        try:
            with urllib.request.urlopen(request, timeout=60, context=self.context) as reply:
                text = reply.read()
        except urllib.error.HTTPError as error:
            raise AssertionError(
                f"{method} {path}: {error.code} {error.read().decode(errors='replace')}") from None
        return json.loads(text) if text else None
