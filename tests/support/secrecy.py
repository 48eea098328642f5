"""P5 as an outsider would test it: everything that a worker wrote, searched for what is secret."""

import json
import urllib.parse
import urllib.request

from .directory import CLIENT_ID, CLIENT_SECRET, TENANT
from .events import Reader

PAGES = ("/livez", "/readyz", "/metrics", "/status", "/version")


def _token_head(directory):
    """What every token of the directory begins with; nothing else does, no JWE either."""
    form = {"grant_type": "client_credentials", "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET, "scope": f"{directory.url}/.default"}
    with urllib.request.urlopen(f"{directory.url}/{TENANT}/oauth2/v2.0/token",
                                urllib.parse.urlencode(form).encode(), 10) as reply:
        return json.load(reply)["access_token"].partition(".")[0]


def secrets(directory):
    """Every password that the directory was ever left with, the client's secret, and what all
    tokens begin with."""
    passwords = {effect["password"] for effect in directory.effects()["users"].values()
                 if "password" in effect}
    assert passwords
    return {*passwords, CLIENT_SECRET, _token_head(directory)}


def written(bootstrap, topics, worker):
    """Keys, headers and values of all topics, the journal and aborted records included, the log,
    and the admin pages of the running worker."""
    records = Reader(bootstrap, topics, "read_uncommitted", topics.names).all()
    texts = [part for record in records
             for part in (record.key or b"", record.value or b"",
                          *(text.encode() for pair in record.headers.items() for text in pair))]
    with open(worker.log_file, "rb") as log:
        texts.append(log.read())
    address = worker.admin_url()
    return texts + [worker.get(page, address=address)[1].encode() for page in PAGES]


def in_clear(secrets, texts):
    """Those of the secrets that stand somewhere as they are, or as JSON writes them."""
    return {secret for secret in secrets for text in texts
            if secret.encode() in text or json.dumps(secret)[1:-1].encode() in text}
