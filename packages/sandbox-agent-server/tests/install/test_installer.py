"""Installing for real, from a registry on loopback: whole or not at all, whoever else is at it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sandbox_agent_core.api.agents import InstallProgress
from sandbox_agent_core.errors import (
    AgentNotInstallable,
    InstallFailed,
    InstallForbidden,
    IntegrityMismatch,
    PlatformNotSupported,
)
from sandbox_agent_server.install.installer import Installed, Installer
from sandbox_agent_server.install.pins import find_pin, installable
from sandbox_agent_server.runtime.platforms import this_platform
from support.npm_registry import NpmRegistry
from support.server import until

Publish = Callable[..., None]
MakeInstaller = Callable[..., Installer]

PROGRAM = Path(sys.executable).with_name("sandbox-agent-server")
DEADLINE_S = 30


def says(installer: Installer) -> str:
    done = subprocess.run(
        [installer.agents_dir.bin / "claude"],
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    return done.stdout.strip()


def left_over(installer: Installer) -> list[Path]:
    return list((installer.agents_dir.root / ".staging").glob("*/*"))


class Command:
    """`install-agent claude` in a process of its own."""

    def __init__(self, root: Path, environ: Mapping[str, str], *arguments: str) -> None:
        self.process = subprocess.Popen(
            [PROGRAM, "install-agent", "claude", "--agents-dir", root, *arguments],
            env={**environ, "LANG": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode, out, err


def test_an_agent_is_installed_in_the_tested_version(
    installer: Installer, publish_claude: Publish
) -> None:
    publish_claude()
    done = installer.install("claude")
    version = find_pin("claude").version
    assert not done.already
    assert done.version.version == version
    assert done.version.directory == installer.agents_dir.root / "claude" / version
    assert done.version.source == "registry"
    assert says(installer) == f"claude {version}"
    assert left_over(installer) == []


def test_what_is_there_is_not_downloaded_again(
    installer: Installer, publish_claude: Publish, registry: NpmRegistry
) -> None:
    publish_claude()
    installer.install("claude")
    before = len(registry.requests)
    assert installer.install("claude").already
    assert len(registry.requests) == before


def test_versions_stay_side_by_side_and_the_last_one_is_used(
    installer: Installer, publish_claude: Publish
) -> None:
    publish_claude("1.0.0")
    publish_claude("2.0.0")
    installer.install("claude", version="1.0.0")
    installer.install("claude", version="latest")
    assert says(installer) == "claude 2.0.0"
    assert [each.version for each in installer.agents_dir.versions("claude")] == ["1.0.0", "2.0.0"]
    back = installer.install("claude", version="1.0.0")
    assert back.already
    assert says(installer) == "claude 1.0.0"


def test_a_directory_with_its_agents_can_be_moved(
    installer: Installer, publish_claude: Publish, tmp_path: Path
) -> None:
    publish_claude("1.0.0")
    installer.install("claude", version="1.0.0")
    moved = installer.agents_dir.root.rename(tmp_path / "moved")
    done = subprocess.run([moved / "bin/claude"], capture_output=True, text=True, timeout=10)
    assert done.stdout == "claude 1.0.0\n"


def test_installing_again_replaces_what_was_damaged(
    installer: Installer, publish_claude: Publish
) -> None:
    publish_claude("1.0.0")
    first = installer.install("claude", version="1.0.0")
    first.version.program.write_text("#!/bin/sh\necho damaged\n", encoding="utf-8")
    assert installer.install("claude", version="1.0.0").already
    again = installer.install("claude", version="1.0.0", reinstall=True)
    assert not again.already
    assert says(installer) == "claude 1.0.0"
    assert [each.directory for each in installer.agents_dir.versions("claude")] == [
        again.version.directory
    ]
    assert installer.install("claude", version="1.0.0").already


def test_a_failed_second_installation_leaves_the_first_in_use(
    installer: Installer, publish_claude: Publish
) -> None:
    publish_claude("1.0.0")
    publish_claude("2.0.0", integrity="sha512-" + "A" * 86 + "==")
    installer.install("claude", version="1.0.0")
    with pytest.raises(IntegrityMismatch):
        installer.install("claude", version="2.0.0")
    with pytest.raises(AgentNotInstallable):
        installer.install("claude", version="3.0.0")
    assert says(installer) == "claude 1.0.0"
    assert left_over(installer) == []
    assert len(installer.agents_dir.versions("claude")) == 1


def test_latest_is_the_newest_that_there_is_a_program_for(
    installer: Installer, publish_claude: Publish, registry: NpmRegistry
) -> None:
    publish_claude("2.0.0-beta.1")
    publish_claude("2.0.0")
    publish_claude("1.9.0")
    pin = find_pin("claude")
    # The package that people speak of is there; that of this platform follows later.
    registry.publish(pin.package, "2.1.0", {})
    platform = pin.package_for(this_platform(), "3.0.0-beta.1")
    registry.publish(platform.name, "3.0.0-beta.1", {"claude*": b"#!/bin/sh\n"})
    assert installer.newest("claude").version == "2.0.0"
    assert installer.install("claude", version="latest").version.version == "2.0.0"
    with pytest.raises(AgentNotInstallable, match=r"newest that has one is 2\.0\.0"):
        installer.install("claude", version="2.1.0")


def test_latest_is_not_older_than_what_was_tested(
    installer: Installer, publish_claude: Publish, registry: NpmRegistry
) -> None:
    pin = find_pin("claude")
    publish_claude("1.0.0")
    publish_claude(pin.version)
    # The tag of the package that people speak of lags behind.
    registry.publish(pin.package, "1.0.1", {})
    assert installer.newest("claude").version == pin.version


def test_a_version_that_only_the_platform_has_is_installed(
    installer: Installer, registry: NpmRegistry
) -> None:
    pin = find_pin("claude")
    platform = pin.package_for(this_platform(), "2.0.1")
    registry.publish(platform.name, "2.0.1", {"claude*": b"#!/bin/sh\n"})
    registry.publish(pin.package, "2.0.0", {})
    assert installer.install("claude", version="2.0.1").version.version == "2.0.1"


def test_a_program_that_does_not_start_is_not_installed(
    installer: Installer, publish_claude: Publish, registry: NpmRegistry
) -> None:
    publish_claude("1.0.0")
    installer.install("claude", version="1.0.0")
    package = find_pin("claude").package_for(this_platform(), "2.0.0")
    broken = b"#!/bin/sh\necho GLIBC_9.9 not found >&2; exit 127\n"
    registry.publish(package.name, package.version, {"claude*": broken})
    with pytest.raises(InstallFailed, match=r"does not start.*GLIBC_9\.9") as caught:
        installer.install("claude", version="2.0.0")
    assert "GLIBC_9.9" in caught.value.details["stderr"]
    assert says(installer) == "claude 1.0.0"
    assert [each.version for each in installer.agents_dir.versions("claude")] == ["1.0.0"]
    assert left_over(installer) == []


def test_a_version_that_no_longer_starts_is_installed_again_when_it_is_wanted_back(
    installer: Installer, publish_claude: Publish
) -> None:
    publish_claude("1.0.0")
    publish_claude("2.0.0")
    first = installer.install("claude", version="1.0.0")
    installer.install("claude", version="2.0.0")
    first.version.program.write_text("#!/bin/sh\nexit 127\n", encoding="utf-8")
    back = installer.install("claude", version="1.0.0")
    assert not back.already
    assert says(installer) == "claude 1.0.0"


def test_the_first_start_touches_nothing_of_the_user(
    installer: Installer, environ: dict[str, str], registry: NpmRegistry
) -> None:
    package = find_pin("claude").package_for(this_platform(), "2.0.0")
    program = b'#!/bin/sh\ntouch "$HOME/started" && echo 2.0.0\n'
    registry.publish(package.name, package.version, {"claude*": program})
    installer.install("claude", version="2.0.0")
    assert not Path(environ["HOME"], "started").exists()


def test_a_package_without_the_program_is_refused(
    installer: Installer, registry: NpmRegistry
) -> None:
    package = find_pin("claude").package_for(this_platform(), find_pin("claude").version)
    registry.publish(package.name, package.version, {"something": b"else"})
    with pytest.raises(InstallFailed, match="built differently"):
        installer.install("claude")
    assert installer.agents_dir.versions("claude") == []


def test_a_program_for_another_processor_is_refused(
    installer: Installer, registry: NpmRegistry
) -> None:
    package = find_pin("claude").package_for(this_platform(), find_pin("claude").version)
    # An ELF header, as far as it is looked at, of a machine that is not here: IBM Z.
    program = b"\x7fELF\x02\x02\x01" + bytes(9) + b"\x00\x02\x00\x16" + bytes(44)
    registry.publish(package.name, package.version, {"claude*": program})
    with pytest.raises(PlatformNotSupported) as caught:
        installer.install("claude")
    assert this_platform() in caught.value.message


def test_the_steps_are_told_in_order(installer: Installer, publish_claude: Publish) -> None:
    publish_claude()
    told: list[InstallProgress] = []
    installer.install("claude", on_progress=told.append)
    steps = list(dict.fromkeys(progress.step for progress in told))
    assert steps == ["resolving", "downloading", "unpacking", "starting", "finishing"]
    (last,) = [each for each in told if each.step == "downloading"][-1:]
    assert last.done_bytes == last.total_bytes


def test_what_a_listener_raises_ends_the_installation_cleanly(
    installer: Installer, publish_claude: Publish
) -> None:
    publish_claude()

    def stop(progress: InstallProgress) -> None:
        if progress.step == "downloading":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        installer.install("claude", on_progress=stop)
    assert left_over(installer) == []
    assert not installer.install("claude").already


def test_nothing_comes_from_the_network_when_that_is_forbidden(
    make_installer: MakeInstaller, publish_claude: Publish, registry: NpmRegistry
) -> None:
    publish_claude()
    with pytest.raises(InstallForbidden):
        make_installer(may_use_network=False).install("claude")
    assert registry.requests == []
    make_installer().install("claude")
    assert make_installer(may_use_network=False).install("claude").already


@pytest.mark.parametrize("agent", ["cursor", "nosuch"])
def test_an_agent_that_no_package_holds_is_refused_with_what_to_do(
    installer: Installer, agent: str
) -> None:
    with pytest.raises(AgentNotInstallable, match="install"):
        installer.install(agent)


def test_a_package_larger_than_the_limit_is_refused(
    make_installer: MakeInstaller, publish_claude: Publish
) -> None:
    publish_claude()
    with pytest.raises(InstallFailed, match="max_install_bytes"):
        make_installer(max_bytes=100).install("claude")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_directory_that_cannot_be_written_is_named(
    installer: Installer, publish_claude: Publish
) -> None:
    publish_claude()
    installer.agents_dir.root.mkdir(mode=0o555)
    with pytest.raises(InstallFailed, match="--agents-dir"):
        installer.install("claude")


def test_a_file_in_the_place_of_the_directory_is_an_error_not_a_crash(
    installer: Installer, publish_claude: Publish
) -> None:
    publish_claude()
    installer.agents_dir.root.write_text("in the way", encoding="utf-8")
    with pytest.raises(InstallFailed, match="cannot be written"):
        installer.install("claude")


def test_many_at_once_download_once(
    make_installer: MakeInstaller, publish_claude: Publish, registry: NpmRegistry
) -> None:
    publish_claude()
    barrier = threading.Barrier(6)

    def install(_number: int) -> Installed:
        barrier.wait(DEADLINE_S)
        return make_installer().install("claude")

    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(install, range(6)))
    assert registry.count(".tgz") == 1
    assert sorted(each.already for each in done) == [False] + [True] * 5
    assert len({each.version.directory for each in done}) == 1


def test_a_second_process_waits_for_the_first_and_reuses_its_work(
    installer: Installer, environ: dict[str, str], publish_claude: Publish, registry: NpmRegistry
) -> None:
    publish_claude()
    registry.stalls = True
    first = Command(installer.agents_dir.root, environ)
    assert registry.is_stalled.wait(DEADLINE_S)
    second = Command(installer.agents_dir.root, environ)
    assert second.process.stderr is not None
    line = second.process.stderr.readline()
    assert "waiting" in line
    registry.go_on()
    code, out, _ = first.finish()
    assert (code, "installed" in out) == (0, True)
    code, out, _ = second.finish()
    assert (code, "already" in out) == (0, True)
    assert registry.count(".tgz") == 1


def test_an_installation_that_is_killed_leaves_what_was_there_and_the_next_one_sweeps(
    installer: Installer, environ: dict[str, str], publish_claude: Publish, registry: NpmRegistry
) -> None:
    publish_claude("1.0.0")
    publish_claude("2.0.0")
    installer.install("claude", version="1.0.0")
    registry.stalls = True
    command = Command(installer.agents_dir.root, environ, "--version", "2.0.0")
    assert registry.is_stalled.wait(DEADLINE_S)
    until(lambda: left_over(installer))
    command.process.send_signal(signal.SIGKILL)
    command.finish()
    assert says(installer) == "claude 1.0.0"
    assert [each.version for each in installer.agents_dir.versions("claude")] == ["1.0.0"]
    assert left_over(installer) != []
    registry.stalls = False
    installer.install("claude", version="2.0.0")
    assert says(installer) == "claude 2.0.0"
    assert left_over(installer) == []


@pytest.mark.fault(
    "an installation is killed at any moment", "the agent is the old or the new one, whole"
)
def test_killed_at_any_moment_of_the_disk_work_it_is_the_old_or_the_new(
    installer: Installer, publish_claude: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every rename is a moment at which a process can die: die at each, in turn."""
    publish_claude("1.0.0")
    installer.install("claude", version="1.0.0")

    class Died(BaseException):
        pass

    real = {"rename": Path.rename, "replace": Path.replace, "symlink_to": Path.symlink_to}
    calls = 0
    die_at = 0

    def dying(name: str) -> Callable[..., object]:
        def call(self: Path, *args: object) -> object:
            nonlocal calls
            calls += 1
            if calls == die_at:
                raise Died
            return real[name](self, *args)  # type: ignore[arg-type]

        return call

    for name in real:
        monkeypatch.setattr(Path, name, dying(name))
    outcomes = []
    while True:
        calls, die_at = 0, die_at + 1
        try:
            installer.install("claude", version="1.0.0", reinstall=True)
        except Died:
            outcomes.append(says(installer))
            continue
        break
    assert die_at > 3
    assert set(outcomes) == {"claude 1.0.0"}
    assert says(installer) == "claude 1.0.0"


def test_the_command_says_what_failed_and_fails(
    installer: Installer, environ: dict[str, str], publish_claude: Publish
) -> None:
    publish_claude("1.0.0")
    code, out, err = Command(installer.agents_dir.root, environ, "--version", "7.0.0").finish()
    assert (code, out) == (1, "")
    assert "7.0.0" in err
    assert "Traceback" not in err


def test_the_command_notes_a_program_that_comes_first_on_the_path(
    installer: Installer, environ: dict[str, str], publish_claude: Publish, tmp_path: Path
) -> None:
    publish_claude("1.0.0")
    own = tmp_path / "own"
    own.mkdir()
    (own / "claude").write_text("#!/bin/sh\n", encoding="utf-8")
    (own / "claude").chmod(0o755)
    environ = environ | {"PATH": f"{own}:{environ['PATH']}"}
    code, _, err = Command(installer.agents_dir.root, environ, "--version", "1.0.0").finish()
    assert code == 0
    assert str(own / "claude") in err


def run(environ: Mapping[str, str], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *arguments], env=dict(environ), capture_output=True, text=True, timeout=DEADLINE_S
    )


def test_versions_are_listed_beside_those_of_the_registry(
    installer: Installer, environ: dict[str, str], publish_claude: Publish
) -> None:
    publish_claude("1.0.0")
    installer.install("claude", version="1.0.0")
    publish_claude("99.0.0")
    listed = run(environ, "agent-versions", "--agents-dir", installer.agents_dir.root)
    rows = {row.split()[0]: row.split()[1:] for row in listed.stdout.splitlines()}
    assert rows["claude"] == [find_pin("claude").version, "1.0.0*", "99.0.0", "-"]
    assert rows["codex"] == [find_pin("codex").version, "-", "?", "?"]
    assert listed.returncode == 1  # this registry has no codex, and that is said
    assert "codex" in listed.stderr
    offline = run(environ, "agent-versions", "--offline")
    assert offline.returncode == 0
    assert len(offline.stdout.splitlines()) == len(installable()) + 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["install-agent"],
        ["install-agent", "all", "--version", "1"],
        ["install-agent", "claude", "--version", "../x"],
    ],
    ids=["no-agent", "all-in-one-version", "a-path"],
)
def test_wrong_usage_is_told_apart(environ: dict[str, str], arguments: list[str]) -> None:
    assert run(environ, *arguments).returncode == 2


def test_all_installs_what_it_can_and_names_what_it_cannot(
    installer: Installer, environ: dict[str, str], publish_claude: Publish
) -> None:
    publish_claude()
    done = run(environ, "install-agent", "all", "--agents-dir", installer.agents_dir.root)
    assert done.returncode == 1
    assert says(installer) == f"claude {find_pin('claude').version}"
    failed = {line.partition(":")[0] for line in done.stderr.splitlines()}
    assert {"codex", "opencode", "kilo"} <= failed
