"""Names of other SDKs: whoever types one is told ours."""

from __future__ import annotations

import re
from typing import Any, Final

__all__ = ["no_attribute", "snake_case"]

_OTHERS: Final = {
    "disconnect": "close",
    "dispose": "close",
    "destroy": "destroy_sandbox",
    "kill_sandbox": "destroy_sandbox",
    "on_permission_request": "on_permission",
    "on_session_event": "on_event",
    "prompt_async": "send",
    "send_prompt": "prompt",
    "session": "get_session",
    "sessions": "list_sessions",
    "start_session": "create_session",
    "stop": "close",
}
_HUMP: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def snake_case(name: str) -> str:
    return _HUMP.sub("_", name).lower()


def no_attribute(instance: Any, name: str) -> AttributeError:
    """What `__getattr__` is to raise."""
    kind = type(instance)
    snake = snake_case(name)
    for ours in (snake, _OTHERS.get(snake, "")):
        if ours and ours != name and hasattr(kind, ours):
            return AttributeError(f"{kind.__name__} has no `{name}`: here it is `{ours}`.")
    return AttributeError(
        f"{kind.__name__!r} object has no attribute {name!r}", name=name, obj=instance
    )
