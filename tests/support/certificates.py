"""A certificate that nobody trusts unless told to, made when the tests run."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def make_certificate(folder: Path, *hosts: str) -> Path:
    """Return a PEM file: a key, and a certificate for `hosts` that is its own authority."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is not installed; it makes the certificate of the HTTPS registry")
    names = ",".join(f"{'IP' if host[0].isdigit() else 'DNS'}:{host}" for host in hosts)
    key, certificate, both = (folder / name for name in ("key.pem", "ca.pem", "server.pem"))
    options = {
        "-newkey": "ec",
        "-pkeyopt": "ec_paramgen_curve:P-256",
        "-subj": "/CN=A company",
        "-days": "2",
        "-keyout": str(key),
        "-out": str(certificate),
    }
    line = [openssl, "req", "-x509", "-nodes", *(word for pair in options.items() for word in pair)]
    for extension in (f"subjectAltName={names}", "keyUsage=critical,digitalSignature,keyCertSign"):
        line += ["-addext", extension]
    subprocess.run(line, check=True, capture_output=True)
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    return both
