"""A registry that fails: tried again while that can help, and named in a typed error when it does not."""

from __future__ import annotations

import base64
import hashlib
import socket
from pathlib import Path

import pytest
from sandbox_agent_core.errors import (
    AgentNotInstallable,
    InstallFailed,
    IntegrityMismatch,
    RegistryAuthRequired,
    RegistryUnavailable,
    SandboxAgentError,
)
from sandbox_agent_server.install.npmrc import NpmConfig, load_npm_config
from sandbox_agent_server.install.registry import ATTEMPTS, Registry
from support.npm_registry import NpmRegistry

ROOM = 1024 * 1024


def connect(registry: NpmRegistry, **more: str) -> Registry:
    return Registry(NpmConfig({"registry": registry.url, **more}, {}), first_pause_s=0)


def fetch(registry: Registry, target: Path, package: str = "left", *, room: int = ROOM) -> bytes:
    registry.download(
        registry.dist(package, "1.0.0"), target, max_bytes=room, on_progress=lambda *_: None
    )
    return target.read_bytes()


def test_an_archive_is_downloaded_and_its_progress_told(
    registry: NpmRegistry, tmp_path: Path
) -> None:
    registry.publish("@a/left", "1.0.0", archive=bytes(ROOM))
    told: list[tuple[int, int | None]] = []
    with connect(registry) as client:
        client.download(
            client.dist("@a/left", "1.0.0"),
            tmp_path / "a.tgz",
            max_bytes=ROOM,
            on_progress=lambda done, total: told.append((done, total)),
        )
    assert (tmp_path / "a.tgz").read_bytes() == bytes(ROOM)
    assert told == sorted(told)
    assert told[-1] == (ROOM, ROOM)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_registry_is_asked_again(registry: NpmRegistry, tmp_path: Path, status: int) -> None:
    registry.publish("left", "1.0.0")
    registry.failures = [status] * (ATTEMPTS - 1)
    with connect(registry) as client:
        assert fetch(client, tmp_path / "a.tgz")


def test_a_registry_that_stays_busy_is_given_up(registry: NpmRegistry) -> None:
    registry.failures = [503] * 100
    with connect(registry) as client, pytest.raises(RegistryUnavailable) as caught:
        client.dist("left", "1.0.0")
    assert caught.value.retryable
    assert caught.value.details["registry"] == registry.host
    assert registry.count("left") == ATTEMPTS


def test_nobody_there_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    config = NpmConfig({"registry": f"http://127.0.0.1:{port}/"}, {})
    with Registry(config, first_pause_s=0) as client, pytest.raises(RegistryUnavailable):
        client.version("left", "latest")


def test_an_archive_that_breaks_off_is_fetched_again(registry: NpmRegistry, tmp_path: Path) -> None:
    registry.publish("left", "1.0.0", {"a": b"x" * 5000})
    registry.truncations = 1
    with connect(registry) as client:
        assert fetch(client, tmp_path / "a.tgz")
    assert registry.count(".tgz") == 2


def test_an_archive_that_always_breaks_off_leaves_nothing(
    registry: NpmRegistry, tmp_path: Path
) -> None:
    registry.publish("left", "1.0.0", {"a": b"x" * 5000})
    registry.truncations = 100
    with connect(registry) as client, pytest.raises(RegistryUnavailable):
        fetch(client, tmp_path / "a.tgz")
    assert list(tmp_path.glob("*.tgz")) == []


@pytest.mark.parametrize(
    "integrity",
    [
        "sha512-" + base64.b64encode(hashlib.sha512(b"other").digest()).decode(),
        "sha1-" + base64.b64encode(hashlib.sha1(b"other").digest()).decode(),
        "sha512-not base64",
        "sha512-QUJD",
        "",
    ],
    ids=["other", "only-sha1", "garbage", "short", "none"],
)
def test_what_is_not_what_was_announced_is_thrown_away(
    registry: NpmRegistry, tmp_path: Path, integrity: str
) -> None:
    registry.publish("left", "1.0.0", integrity=integrity)
    with connect(registry) as client, pytest.raises(IntegrityMismatch):
        fetch(client, tmp_path / "a.tgz")
    assert list(tmp_path.glob("*.tgz")) == []


def test_one_good_checksum_among_others_is_enough(registry: NpmRegistry, tmp_path: Path) -> None:
    good = base64.b64encode(hashlib.sha512(b"content").digest()).decode()
    registry.publish(
        "left", "1.0.0", archive=b"content", integrity=f"sha1-QUJD sha512-{good}?option"
    )
    with connect(registry) as client:
        assert fetch(client, tmp_path / "a.tgz") == b"content"


def test_a_missing_token_is_an_error_that_says_where_to_put_it(registry: NpmRegistry) -> None:
    registry.token = "secret"
    with connect(registry) as client, pytest.raises(RegistryAuthRequired) as caught:
        client.version("left", "latest")
    assert f"//{registry.host}/:_authToken" in caught.value.message


def test_a_token_of_the_user_opens_the_registry(registry: NpmRegistry, tmp_path: Path) -> None:
    registry.token = "secret"
    registry.publish("left", "1.0.0")
    (tmp_path / ".npmrc").write_text(
        f"registry={registry.url}\n//{registry.host}/:_authToken=${{TOKEN}}", encoding="utf-8"
    )
    config = load_npm_config({"HOME": str(tmp_path), "TOKEN": "secret", "PATH": "/nowhere"})
    with Registry(config) as client:
        assert fetch(client, tmp_path / "a.tgz")


@pytest.mark.parametrize(("package", "version"), [("gone", "1.0.0"), ("left", "9.9.9")])
def test_what_the_registry_does_not_have_is_not_installable(
    registry: NpmRegistry, package: str, version: str
) -> None:
    registry.publish("left", "1.0.0")
    with connect(registry) as client, pytest.raises(AgentNotInstallable):
        client.dist(package, version)


def test_a_tag_is_the_version_it_points_to(registry: NpmRegistry) -> None:
    registry.publish("left", "1.0.0")
    registry.publish("left", "2.0.0-rc.1", tags=("next",))
    with connect(registry) as client:
        assert client.version("left", "latest") == "1.0.0"
        assert client.version("left", "next") == "2.0.0-rc.1"
        assert client.version("left", "1.0.0") == "1.0.0"
        with pytest.raises(AgentNotInstallable, match="latest, next"):
            client.version("left", "stable")


def test_a_tag_that_is_a_path_is_not_followed(registry: NpmRegistry) -> None:
    registry.publish("left", "../../evil")
    with connect(registry) as client, pytest.raises(AgentNotInstallable):
        client.version("left", "latest")


def test_an_archive_larger_than_the_limit_is_refused(registry: NpmRegistry, tmp_path: Path) -> None:
    registry.publish("left", "1.0.0", archive=bytes(2000))
    with connect(registry) as client, pytest.raises(InstallFailed) as caught:
        fetch(client, tmp_path / "a.tgz", room=1999)
    assert caught.value.details["limit"] == "max_install_bytes"
    assert list(tmp_path.glob("*.tgz")) == []


def test_a_page_instead_of_json_is_no_registry(registry: NpmRegistry) -> None:
    registry.publish("left", "1.0.0", archive=b"<html>")
    with connect(registry) as client, pytest.raises(SandboxAgentError, match="npm registry"):
        client.version("left/-/left-1.0.0.tgz", "latest")


def test_a_mirror_that_announces_foreign_addresses_can_be_asked_itself(
    registry: NpmRegistry, tmp_path: Path
) -> None:
    with NpmRegistry() as upstream:
        registry.publish("left", "1.0.0")
        registry.announced_host = upstream.host
        with connect(registry, **{"replace-registry-host": "always"}) as client:
            assert fetch(client, tmp_path / "a.tgz")
        assert upstream.requests == []
        with connect(registry) as client, pytest.raises(AgentNotInstallable):
            fetch(client, tmp_path / "b.tgz")
        assert upstream.count(".tgz") == 1
