"""Certificates of the moment, for a simulated directory that speaks TLS."""

import os
import ssl
import subprocess
from typing import NamedTuple


class Certificate(NamedTuple):
    """PEM files; it is its own authority, so `cert` is also the CA file of whoever trusts it."""

    cert: str
    key: str

    def pinned(self):
        """Trusts this very certificate, whatever name it bears."""
        context = ssl.create_default_context(cafile=self.cert)
        context.check_hostname = False
        return context


def self_signed(folder, name="directory", alternative="IP:127.0.0.1"):
    """`alternative`: the subjectAltName, as openssl spells it."""
    made = Certificate(*(os.path.join(folder, f"{name}-{what}.pem") for what in ("cert", "key")))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-keyout", made.key, "-out", made.cert, "-days", "2", "-subj", f"/CN={name}",
         "-addext", f"subjectAltName={alternative}"], check=True, capture_output=True)
    return made
