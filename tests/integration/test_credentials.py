"""Each type of credential restores a user, again after the directory forgot its token, and shows up
in no log."""

import datetime
import os
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from support.directory import CLIENT_SECRET, deleted_id
from support.process import wait_for

TOKEN = "eyJmZWRlcmF0ZWQ.dG9rZW4.cGxhbnRlZA"


def write(path, text, mode):
    with open(path, "wb") as file:
        file.write(text)
    os.chmod(path, mode)
    return str(path)


def certificate(folder):
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "worker")])
    now = datetime.datetime.fromtimestamp(time.time(), datetime.timezone.utc)
    signed = (x509.CertificateBuilder().subject_name(name).issuer_name(name)
              .public_key(key.public_key()).serial_number(1).not_valid_before(now)
              .not_valid_after(now + datetime.timedelta(days=1)).sign(key, hashes.SHA256()))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                            serialization.NoEncryption())
    secrets = [line for line in pem.decode().splitlines() if "-" not in line]
    return {"type": "certificate",
            "certificate_file": write(folder / "crt", signed.public_bytes(
                serialization.Encoding.PEM), 0o444),
            "key_file": write(folder / "key", pem, 0o400)}, secrets


def settings_of(kind, folder, url):
    """The credential's settings, and what of it must stay unseen."""
    if kind == "secret":
        return {"type": kind, "file": write(folder / "secret", CLIENT_SECRET.encode(), 0o400)}, [
            CLIENT_SECRET]
    if kind == "certificate":
        return certificate(folder)
    if kind == "federated":
        return {"type": kind, "token_file": write(folder / "token", f"{TOKEN}\n".encode(), 0o644)}, [
            TOKEN]
    return {"type": kind, "endpoint": f"{url}/metadata/identity/oauth2/token"}, []


@pytest.mark.parametrize("kind", ["secret", "certificate", "federated", "managed-identity"])
def test_a_credential_of_each_type_restores_and_is_never_logged(
        kind, worker, directory, requests, reader, tmp_path):
    credential, unseen = settings_of(kind, tmp_path, directory.url)
    # Configured anew rather than merged: each type has settings of its own.
    running = worker(settings={"tenants": [{
        "name": "contoso", "id": "contoso.onmicrosoft.com", "graph_url": directory.url,
        "login_url": directory.url, "client_id": "22222222-0000-4000-8000-000000000001",
        "credential": credential}]})
    running.wait_ready()
    for n in range(2):
        id = requests.restore(deleted_id(n))
        [outcome] = reader.outcomes_of(id)[id]
        assert outcome.topic == "succeeded"
        directory._call("DELETE", "/admin/tokens")
    wait_for(lambda: len(tokens(directory)) >= 2, 60, "a second token")
    assert running.terminate() == 0
    with open(running.log_file) as file:
        log = file.read()
    assert "directory answered" in log and "token received" in log  # everything is logged
    for text in [*unseen, "eyJ", "Bearer", "client_assertion", "PRIVATE"]:  # eyJ: any JWT begins so
        assert text not in log


def tokens(directory):
    return [call for call in directory.calls()["calls"]
            if "/oauth2/" in call["path"] and call["status"] == 200]


def test_a_refused_credential_says_why_and_fails_the_request(worker, directory, requests, reader,
                                                             tmp_path):
    running = worker()
    running.wait_ready()
    directory._call("DELETE", "/admin/tokens")
    directory.fault(kind="answer", status=401, path="/oauth2/", times=-1,
                    body={"error": "invalid_client", "error_codes": [7000222]})
    id = requests.restore(deleted_id(1))
    [outcome] = reader.outcomes_of(id)[id]
    assert outcome.data["code"] == "directory_denied"
    assert "HTTP 401 invalid_client AADSTS7000222" in running.wait_log("no token")["raw"]
