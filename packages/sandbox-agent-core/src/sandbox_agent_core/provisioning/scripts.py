"""The shell scripts that run in a sandbox: POSIX `sh`, no secret in them, and exit codes that say what failed."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from enum import IntEnum

from sandbox_agent_core.provisioning.layout import ServerLayout

__all__ = [
    "Exit",
    "environment_file",
    "free_port",
    "install",
    "install_agent",
    "memory",
    "prepare_start",
    "probe",
    "start",
    "tail",
    "token",
    "unpack_python",
    "wait_ready",
]

TRUST_VARIABLE = "SANDBOX_AGENT_TRUST_WORKSPACE"
"""On, unless the spec's environment says otherwise: around what a workspace starts is the sandbox."""
NPM_REGISTRY_VARIABLE = "SANDBOX_AGENT_NPM_REGISTRY"
"""The server's setting: it ranks below an npm configuration in the sandbox."""
TOKEN_VARIABLE = "SANDBOX_AGENT_TOKEN"  # noqa: S105 - the name of a variable
PYTHONS = ("python3", "python3.14", "python3.13", "python3.12", "python3.11")
SERVER = "sandbox-agent-server"
OUT_OF_MEMORY = (
    "The server does not run, and the kernel has killed in this sandbox because it was out of memory: give it more memory, or "
    "run less in it at once"
)
"""Told at the end of the log of such a server."""


class Exit(IntEnum):
    """What a script says by its exit code; clear of what shells and programs use themselves."""

    NO_STATE_DIRECTORY = 81
    NO_INSTALLER = 82
    NO_VENV = 83
    INSTALL_FAILED = 84
    NOT_PROVISIONED = 85
    ALREADY_RUNNING = 86
    SERVER_DIED = 87
    NOT_READY = 88
    NOT_UNPACKED = 89


def environment_file(env: Mapping[str, str]) -> bytes:
    """`export` lines for `sh`, whatever the values contain."""
    return "".join(f"export {name}={shlex.quote(env[name])}\n" for name in sorted(env)).encode()


def probe(layout: ServerLayout) -> str:
    """Makes the state directory and says what is there, as lines `server=`, `python=`, `uv=`."""
    pythons = " ".join([*map(shlex.quote, (f"{layout.python}/bin/python3",)), *PYTHONS])
    servers = " ".join(
        [shlex.quote(f"{layout.venv}/bin/{SERVER}"), SERVER, f'"$HOME/.local/bin/{SERVER}"']
    )
    return f"""
umask 077
mkdir -p {shlex.quote(layout.wheels)} {shlex.quote(layout.data)} || exit {Exit.NO_STATE_DIRECTORY}
chmod 700 {shlex.quote(layout.state)} || exit {Exit.NO_STATE_DIRECTORY}
# A snapshot with its memory brings along the server of the sandbox that it was made of.
pid=$(cat {shlex.quote(layout.pid)} 2>/dev/null)
if [ -n "$pid" ] && grep -qF {shlex.quote(layout.ready)} "/proc/$pid/cmdline" 2>/dev/null; then kill -9 "$pid"; fi
rm -f {shlex.quote(layout.pid)} {shlex.quote(layout.ready)}
for server in {servers}; do
  path=$(command -v "$server") || continue
  version=$("$path" --version 2>/dev/null) && echo "server=$version=$path"
done
for python in {pythons}; do
  path=$(command -v "$python") || continue
  if "$path" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    echo "python=$path"; break
  fi
done
if uv --version >/dev/null 2>&1; then echo uv=$(command -v uv); fi
exit 0
"""


def unpack_python(layout: ServerLayout, archive: str) -> str:
    """A standalone build of Python: a gzipped tar with one directory `python`."""
    return f"""
cd {shlex.quote(layout.state)} && rm -rf python && tar -xzf {shlex.quote(archive)} || exit {Exit.NOT_UNPACKED}
rm -f {shlex.quote(archive)}
python/bin/python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || exit {Exit.NOT_UNPACKED}
"""


def install(
    layout: ServerLayout,
    requirements: Sequence[str],
    *,
    optional: Sequence[str] = (),
    python: str | None,
    uv: bool,
    offline: bool,
    pip_wheel: str | None,
) -> str:
    """Makes the virtual environment anew and installs into it.

    `optional`: tried afterwards; without it the server is installed, too.
    Without uv the pip is, in this order: one that was uploaded, the system's, the venv module's own.
    Debian's Python may have neither of the last two.
    """
    venv = shlex.quote(layout.venv)
    source = f"--no-index --find-links {shlex.quote(layout.wheels)} " if offline else ""
    what = source + " ".join(map(shlex.quote, requirements))
    more = [shlex.quote(one) for one in optional]
    head = f"""
umask 077
[ -r {shlex.quote(layout.environment)} ] && . {shlex.quote(layout.environment)}
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
rm -rf {venv}
"""
    if uv:
        # What pip would read counts for uv too, unless uv has its own.
        mirror = 'if [ -n "${PIP_INDEX_URL:-}" ]; then export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$PIP_INDEX_URL}"; fi'
        wanted = shlex.quote(python or ">=3.11")
        return f"""{head}{mirror}
uv venv --quiet --python {wanted} {venv} || exit {Exit.NO_VENV}
uv pip install --quiet --python {venv}/bin/python {what} || exit {Exit.INSTALL_FAILED}
{_each(f"uv pip install --quiet --python {venv}/bin/python --no-deps", more)}
"""
    assert python is not None
    base = shlex.quote(python)
    uploaded = shlex.quote(pip_wheel) + "/pip" if pip_wheel else ""
    return f"""{head}python={base} uploaded={uploaded}
if [ -n "$uploaded" ]; then
  "$python" -m venv --without-pip {venv} || exit {Exit.NO_VENV}
  set -- {venv}/bin/python "$uploaded"
elif "$python" -m pip --python "$python" --version >/dev/null 2>&1; then
  "$python" -m venv --without-pip {venv} || exit {Exit.NO_VENV}
  set -- "$python" -m pip --python {venv}/bin/python
elif "$python" -m venv {venv} >/dev/null 2>&1; then
  set -- {venv}/bin/python -m pip
else
  exit {Exit.NO_INSTALLER}
fi
"$@" install --quiet --no-compile {what} || exit {Exit.INSTALL_FAILED}
{_each('"$@" install --quiet --no-compile --no-deps', more)}
"""


def _each(command: str, optional: Sequence[str]) -> str:
    return "\n".join(f"{command} {one} || echo {one} is not installed" for one in optional)


def free_port() -> str:
    """Prints a port of the loopback on which nothing listens."""
    ask = "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1])"
    return f"""
for python in {" ".join(PYTHONS)}; do
  "$python" -c "{ask}" 2>/dev/null && exit 0
done
exit 1
"""


def memory() -> str:
    """Says how much there is in MB: the machine's, or what its control group allows."""
    return """
kilobytes=$(sed -n 's/^MemTotal: *\\([0-9]*\\) kB$/\\1/p' /proc/meminfo) && [ -n "$kilobytes" ] || exit 1
total=$((kilobytes / 1024))
for file in /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes; do
  limit=$(cat "$file" 2>/dev/null) || continue
  # No limit is a word, or a number with more digits than memory has.
  case $limit in *[!0-9]* | "" | ????????????????*) continue ;; esac
  [ $((limit / 1048576)) -ge "$total" ] || total=$((limit / 1048576))
done
echo "$total"
"""


def token(layout: ServerLayout) -> str:
    """Prints it: from its file, or as the machine's environment has it."""
    return f"""cat {shlex.quote(layout.token)} 2>/dev/null || printf %s "${TOKEN_VARIABLE}"
"""


def tail(layout: ServerLayout, lines: int) -> str:
    """The end of the server's log; and of one that does not run, whether the kernel killed for want of memory here."""
    log, pid = shlex.quote(layout.log), shlex.quote(layout.pid)
    return f"""
{_ALIVE}
cat {log}.1 {log} 2>/dev/null | tail -n {lines}
pid=$(cat {pid} 2>/dev/null)
[ {lines} -gt 0 ] && [ -n "$pid" ] && ! alive "$pid" || exit 0
for file in /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control; do
  killed=$(sed -n 's/^oom_kill //p' "$file" 2>/dev/null)
  [ "${{killed:-0}}" -gt 0 ] || continue
  mb=$({memory()})
  echo "{OUT_OF_MEMORY} (processes killed: $killed${{mb:+; memory: $mb MB}})"
done
exit 0
"""


def install_agent(
    layout: ServerLayout, server: str, agent: str, *, npm_registry: str | None = None
) -> str:
    return f"""
umask 077
{_npm_registry(npm_registry)}. {shlex.quote(layout.environment)}
exec {shlex.quote(server)} install-agent {shlex.quote(agent)}
"""


def start(
    layout: ServerLayout,
    server: str,
    *,
    host: str,
    port: int,
    cwd: str | None,
    npm_registry: str | None = None,
) -> str:
    """The start script. Its process becomes the server, so that the pid it notes is the server's."""
    workspace = f"mkdir -p {shlex.quote(cwd)} && cd {shlex.quote(cwd)}" if cwd else "cd"
    return f"""#!/bin/sh
umask 077
echo $$ >{shlex.quote(layout.pid)}
exec >{shlex.quote(layout.log)} 2>&1 </dev/null
[ ! -r {shlex.quote(layout.token)} ] || {TOKEN_VARIABLE}=$(cat {shlex.quote(layout.token)})
if [ -z "${TOKEN_VARIABLE}" ]; then echo "There is no {TOKEN_VARIABLE}."; exit {Exit.NOT_PROVISIONED}; fi
{_npm_registry(npm_registry)}. {shlex.quote(layout.environment)}
export {TOKEN_VARIABLE} SANDBOX_AGENT_DATA_DIR={shlex.quote(layout.data)}
export {TRUST_VARIABLE}="${{{TRUST_VARIABLE}:-true}}"
umask 022
{workspace} || exit {Exit.NO_STATE_DIRECTORY}
exec {shlex.quote(server)} --host {shlex.quote(host)} --port {port} --ready-file {shlex.quote(layout.ready)}
"""


def _npm_registry(url: str | None) -> str:
    """A line in front of the environment of the sandbox, which may say otherwise."""
    return f"export {NPM_REGISTRY_VARIABLE}={shlex.quote(url)}\n" if url else ""


def prepare_start(layout: ServerLayout) -> str:
    """Says whether the server runs already; else makes room for a new life of it."""
    pid, log = shlex.quote(layout.pid), shlex.quote(layout.log)
    return f"""
[ -r {shlex.quote(layout.start_script)} ] || exit {Exit.NOT_PROVISIONED}
pid=$(cat {pid} 2>/dev/null)
{_ALIVE}
if alive "$pid"; then
  # After the sandbox was stopped the number may be another program's.
  if [ ! -r "/proc/$pid/cmdline" ] || grep -q {SERVER} "/proc/$pid/cmdline"; then exit {Exit.ALREADY_RUNNING}; fi
fi
rm -f {pid} {shlex.quote(layout.ready)}
[ ! -e {log} ] || mv -f {log} {log}.1
"""


def wait_ready(layout: ServerLayout, timeout_s: float) -> str:
    pid, ready = shlex.quote(layout.pid), shlex.quote(layout.ready)
    return f"""
{_ALIVE}
end=$(( $(date +%s) + {max(1, round(timeout_s))} ))
while :; do
  [ -s {ready} ] && exit 0
  pid=$(cat {pid} 2>/dev/null)
  if [ -n "$pid" ] && ! alive "$pid"; then exit {Exit.SERVER_DIED}; fi
  [ "$(date +%s)" -lt "$end" ] || exit {Exit.NOT_READY}
  sleep 0.05 2>/dev/null || sleep 1
done
"""


# A process that has ended but that nobody waits for (a container without an init) still takes signals.
_ALIVE = """\
alive() {
  [ -n "$1" ] && kill -0 "$1" 2>/dev/null || return 1
  ! grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null
}"""
