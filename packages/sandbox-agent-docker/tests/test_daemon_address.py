"""Which daemon: the order is that of the `docker` program."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from sandbox_agent_core.errors import ProviderError
from sandbox_agent_docker.daemon_address import DaemonAddress, find_daemon


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Docker's configuration with a context `far` (TLS) and a context `near`, of which none is current."""
    for name, host in {"far": "tcp://far.example:2376", "near": "unix:///run/near.sock"}.items():
        add_context(tmp_path, name, host)
    tls = tmp_path / "contexts" / "tls" / digest("far") / "docker"
    tls.mkdir(parents=True)
    for file in ("ca.pem", "cert.pem", "key.pem"):
        (tls / file).touch()
    return tmp_path


def digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


def add_context(config: Path, name: str, host: str) -> None:
    meta = config / "contexts" / "meta" / digest(name) / "meta.json"
    meta.parent.mkdir(parents=True)
    endpoint = {"Host": host, "SkipTLSVerify": False}
    meta.write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": {"docker": endpoint}}))


def choose_current(config: Path, name: str) -> None:
    (config / "config.json").write_text(json.dumps({"currentContext": name, "auths": {}}))


def test_without_any_configuration_it_is_the_default_socket(tmp_path: Path) -> None:
    found = find_daemon(environ={"DOCKER_CONFIG": str(tmp_path)})
    assert found.url is None
    assert found.is_local


def test_the_first_of_option_environment_and_context_wins(config: Path) -> None:
    environ = {"DOCKER_CONFIG": str(config)}
    choose_current(config, "near")
    assert find_daemon(environ=environ).url == "unix:///run/near.sock"
    environ["DOCKER_CONTEXT"] = "far"
    assert find_daemon(environ=environ).url == "tcp://far.example:2376"
    environ["DOCKER_HOST"] = "unix:///run/host.sock"
    assert find_daemon(environ=environ).url == "unix:///run/host.sock"
    assert find_daemon(environ=environ, context="near").url == "unix:///run/near.sock"
    assert find_daemon(environ=environ, docker_host="ssh://me@it").url == "ssh://me@it"
    assert find_daemon(environ=environ, context="default").url is None


def test_a_context_brings_its_certificates(config: Path) -> None:
    found = find_daemon(environ={"DOCKER_CONFIG": str(config)}, context="far")
    assert found.tls is not None
    assert found.tls.verify
    assert found.tls.ca is not None
    assert found.tls.client_certificate is not None


def test_tls_of_the_environment(config: Path) -> None:
    certificates = config / "contexts" / "tls" / digest("far") / "docker"
    environ = {"DOCKER_HOST": "tcp://a:2376", "DOCKER_CERT_PATH": str(certificates)}
    unverified = find_daemon(environ=environ).tls
    assert unverified is not None
    assert not unverified.verify
    verified = find_daemon(environ=environ | {"DOCKER_TLS_VERIFY": "1"}).tls
    assert verified is not None
    assert verified.verify
    assert verified.client_certificate is not None


def test_a_context_that_does_not_exist_is_an_error(config: Path) -> None:
    with pytest.raises(ProviderError, match="no-such"):
        find_daemon(environ={"DOCKER_CONFIG": str(config)}, context="no-such")


def test_a_configuration_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ProviderError, match=r"config\.json"):
        find_daemon(environ={"DOCKER_CONFIG": str(tmp_path)})


@pytest.mark.parametrize(
    ("url", "machine"),
    [
        (None, "127.0.0.1"),
        ("unix:///var/run/docker.sock", "127.0.0.1"),
        ("npipe:////./pipe/docker_engine", "127.0.0.1"),
        ("tcp://localhost:2375", "127.0.0.1"),
        ("tcp://[::1]:2375", "127.0.0.1"),
        ("tcp://docker:2375", "docker"),
        ("tcp://10.1.2.3:2376", "10.1.2.3"),
        ("ssh://me@build.example", "build.example"),
        ("ssh://me@localhost:2222", "127.0.0.1"),
    ],
)
def test_the_machine_that_ports_are_published_on(url: str | None, machine: str) -> None:
    address = DaemonAddress(url=url)
    assert address.machine == machine
    assert address.is_local == (machine == "127.0.0.1" and not address.is_ssh)
