"""The same actions in the words of each provider; sans I/O, `server.py` does the sending."""

from __future__ import annotations

from . import anthropic, chat, gemini, responses
from .reply import Encoder

ENCODERS: dict[str, Encoder] = {
    "anthropic": anthropic,
    "chat": chat,
    "gemini": gemini,
    "responses": responses,
}

__all__ = ["ENCODERS", "Encoder"]
