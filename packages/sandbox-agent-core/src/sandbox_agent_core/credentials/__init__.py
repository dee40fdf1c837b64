"""Which credentials an agent would find on a machine. Pure: the environment and a file reader come in."""

from .discovery import Discovery, ReadText, discover, discover_all
from .login_files import LoginFileError, Stored
from .model import Credential, CredentialKind, Problem
from .sources import CREDENTIAL_SOURCES, AgentSources, FileSource, Folder, Variable

__all__ = [
    "CREDENTIAL_SOURCES",
    "AgentSources",
    "Credential",
    "CredentialKind",
    "Discovery",
    "FileSource",
    "Folder",
    "LoginFileError",
    "Problem",
    "ReadText",
    "Stored",
    "Variable",
    "discover",
    "discover_all",
]
