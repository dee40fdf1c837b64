"""Which credentials an agent would find on a machine. Pure: the environment and a file reader come in."""

from .discovery import Discovery, ReadText, discover, discover_all
from .model import Credential, CredentialKind, Problem
from .sources import CREDENTIAL_SOURCES, AgentSources

__all__ = [
    "CREDENTIAL_SOURCES",
    "AgentSources",
    "Credential",
    "CredentialKind",
    "Discovery",
    "Problem",
    "ReadText",
    "discover",
    "discover_all",
]
