"""A certificate authority of the cluster's own: for the server, and for users who come with a certificate."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme

__all__ = ["Certificates"]


class Certificates:
    """Files in `folder`: `ca.pem`, and per user `NAME.pem` and `NAME.key`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._authority = trustme.CA()
        self.authority = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(self.authority)

    def server_context(self) -> ssl.SSLContext:
        """For a server on 127.0.0.1 that asks for a certificate and does without."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
        self._authority.configure_trust(context)
        context.verify_mode = ssl.CERT_OPTIONAL
        return context

    def issue(self, user: str) -> tuple[Path, Path]:
        """The files of a user's certificate and key."""
        issued = self._authority.issue_cert(common_name=user)
        certificate, key = self._folder / f"{user}.pem", self._folder / f"{user}.key"
        issued.cert_chain_pems[0].write_to_path(certificate)
        key.touch(mode=0o600)
        issued.private_key_pem.write_to_path(key)
        return certificate, key
