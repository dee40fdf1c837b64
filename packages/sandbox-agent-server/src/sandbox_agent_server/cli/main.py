"""`sandbox-agent-server`: read the settings, open the log, say where it is, serve."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import secrets
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from sandbox_agent_core.errors import ConfinementUnavailable, InvalidRequest, StorageError
from sandbox_agent_core.inspector import find_inspector, inspector_link

from sandbox_agent_server import __version__
from sandbox_agent_server.cli.arguments import SWEEP, parse_arguments
from sandbox_agent_server.cli.own_environment import deny_inspection, forget_variable
from sandbox_agent_server.settings import ENV_PREFIX, Settings, SettingsError, load_settings

__all__ = ["main"]

_COMMANDS = ("install-agent", "agent-versions")
_FAILED = 1
_WRONG_SETTINGS = 2
_CANNOT_CONFINE = 3


def main(argv: list[str] | None = None) -> int:
    """The exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments and arguments[0] in _COMMANDS:
        from sandbox_agent_server.cli.installing import run_command  # noqa: PLC0415 - as below

        return run_command(arguments)
    if arguments and arguments[0] == "agents":
        from sandbox_agent_server.cli.adding import run_agents_command  # noqa: PLC0415 - as below

        return run_agents_command(arguments[1:])
    if arguments and arguments[0] == SWEEP:
        from sandbox_agent_server.cli.sweeping import run_sweep  # noqa: PLC0415 - as below

        return run_sweep(arguments[1:])
    flags, config = parse_arguments(argv)
    try:
        settings = load_settings(flags, os.environ, config)
    except SettingsError as exc:
        print(f"sandbox-agent-server: {exc}", file=sys.stderr)
        return _WRONG_SETTINGS
    # What agents could read of this process, in /proc.
    forget_variable(f"{ENV_PREFIX}TOKEN")
    forget_variable(f"{ENV_PREFIX}STORE")
    deny_inspection()
    return _run(settings)


def _run(settings: Settings) -> int:
    # Imported late: `--help` and wrong settings answer at once.
    from sandbox_agent_server.app import create_app  # noqa: PLC0415
    from sandbox_agent_server.cli.logs import configure_logging  # noqa: PLC0415
    from sandbox_agent_server.cli.serving import bind, raise_file_limit, serve  # noqa: PLC0415
    from sandbox_agent_server.store.index import SessionIndex  # noqa: PLC0415

    configure_logging(settings.log_level, settings.log_format)
    raise_file_limit()
    if settings.confine is not None:
        from sandbox_agent_server.agents.runner.confinement import (  # noqa: PLC0415 - as below
            check_confinement,
        )

        try:
            check_confinement()
        except ConfinementUnavailable as exc:
            print(f"sandbox-agent-server: {exc.message}", file=sys.stderr)
            return _CANNOT_CONFINE
    try:
        listener = bind(settings.host, settings.port)
    except OSError as exc:
        print(
            f"sandbox-agent-server: cannot listen on {settings.host}:{settings.port}: {exc.strerror}. "
            "Choose another --port (0 takes a free one).",
            file=sys.stderr,
        )
        return _FAILED
    try:
        index = SessionIndex(settings.data_dir)
    except StorageError as exc:
        listener.close()
        print(f"sandbox-agent-server: {exc.message}", file=sys.stderr)
        return _FAILED
    token = _token(settings)
    host, port = listener.getsockname()[:2]
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def on_ready() -> None:
        _announce(url, settings, None if settings.token else token)
        if settings.ready_file is not None:
            _write_ready_file(settings.ready_file, url)

    try:
        _run_loop(serve(create_app(settings, index, token=token), settings, listener, on_ready))
    except (InvalidRequest, StorageError) as exc:
        print(f"sandbox-agent-server: {exc.message}", file=sys.stderr)
        return _FAILED if isinstance(exc, StorageError) else _WRONG_SETTINGS
    finally:
        index.close()
        listener.close()
    return 0


def _run_loop(work: Coroutine[Any, Any, None]) -> None:
    _calm_garbage_collection()
    try:
        import uvloop  # noqa: PLC0415 - not on every platform
    except ImportError:
        asyncio.run(work)
    else:
        uvloop.run(work)


def _calm_garbage_collection() -> None:
    """A burst makes millions of short-lived dictionaries and no cycles: looking for those costs a third
    of the server's time at the default thresholds (benchmarks, row burst)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _token(settings: Settings) -> str | None:
    if settings.no_token:
        return None
    if settings.token is not None:
        return settings.token.get_secret_value()
    return secrets.token_urlsafe(24)


def _announce(url: str, settings: Settings, generated: str | None) -> None:
    """A token that was given is not repeated: who starts a server in a sandbox keeps its output where agents can read."""
    rows = [("url", url)]
    if generated is not None:
        rows.append(("token", f"{generated}   (generated; shown only this once)"))
    elif settings.no_token:
        rows.append(("token", "none: whoever reaches this address can run programs here"))
    if find_inspector() is not None:
        asks = "   (asks for your token)" if settings.token else ""
        rows.append(("inspector", f"{inspector_link(url, generated)}{asks}"))
    rows += [("api", f"{url}/openapi.json"), ("logs", str(settings.data_dir / "sessions"))]
    lines = [f"sandbox-agent-server {__version__}"]
    lines += [f"  {name:<9}  {value}" for name, value in rows]
    print("\n".join(lines), flush=True)


def _write_ready_file(path: Path, url: str) -> None:
    part = path.with_name(path.name + ".part")
    part.touch(mode=0o600)
    ready = {"url": url, "pid": os.getpid(), "version": __version__}
    part.write_text(json.dumps(ready), encoding="utf-8")
    part.replace(path)
