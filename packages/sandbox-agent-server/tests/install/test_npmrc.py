"""The npm configuration is read as npm reads it."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from sandbox_agent_core.errors import InstallFailed
from sandbox_agent_server.install.npmrc import NpmConfig, load_npm_config

Load = Callable[..., NpmConfig]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """`load(user="…", machine="…", NAME="value")`."""

    def load(*, user: str = "", machine: str = "", **environ: str) -> NpmConfig:
        home, prefix = tmp_path / "home", tmp_path / "prefix"
        (prefix / "etc").mkdir(parents=True)
        home.mkdir()
        (home / ".npmrc").write_text(user, encoding="utf-8")
        (prefix / "etc" / "npmrc").write_text(machine, encoding="utf-8")
        base = {"HOME": str(home), "PATH": "/nowhere", "npm_config_prefix": str(prefix)}
        return load_npm_config(base | environ)

    return load


def test_the_environment_wins_over_the_user_and_the_user_over_the_machine(load: Load) -> None:
    config = load(
        machine="registry=http://machine.test/\ncafile=/machine.pem\nstrict-ssl=false",
        user="registry=http://user.test/\ncafile=/user.pem",
        NPM_CONFIG_REGISTRY="http://environment.test/npm",
    )
    assert config.registry_for("left") == "http://environment.test/npm/"
    assert config.cafile == "/user.pem"
    assert not config.verifies_tls


@pytest.mark.parametrize("name", ["npm_config_registry", "NPM_CONFIG_REGISTRY"])
def test_a_variable_counts_in_either_case(load: Load, name: str) -> None:
    assert load(**{name: "http://a.test"}).registry_for("left") == "http://a.test/"


def test_a_scope_has_its_own_registry(load: Load) -> None:
    config = load(user="registry=http://all.test/\n@ours:registry=http://ours.test/npm/")
    assert config.registry_for("@ours/agent") == "http://ours.test/npm/"
    assert config.registry_for("@others/agent") == "http://all.test/"
    assert config.registry_for("ours") == "http://all.test/"


def test_another_user_file_is_named_by_a_variable(load: Load, tmp_path: Path) -> None:
    other = tmp_path / "other-npmrc"
    other.write_text("registry=http://other.test/", encoding="utf-8")
    config = load(user="registry=http://user.test/", NPM_CONFIG_USERCONFIG=str(other))
    assert config.registry_for("left") == "http://other.test/"


def test_the_project_in_which_the_server_runs_has_no_say(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / ".npmrc").write_text("registry=http://evil.test/", encoding="utf-8")
    (project / "package.json").write_text("{}", encoding="utf-8")
    monkeypatch.chdir(project)
    config = load(user="registry=http://user.test/")
    assert config.registry_for("left") == "http://user.test/"


def test_variables_in_a_value_are_expanded(load: Load) -> None:
    user = (
        "registry=http://${HOST}/\n//a.test/:_authToken=${TOKEN}\ncafile=${GONE?}\nproxy=${GONE}\n"
    )
    config = load(user=user, HOST="b.test", TOKEN="secret")
    assert config.registry_for("left") == "http://b.test/"
    assert config.authorization_for("http://a.test/left") == "Bearer secret"
    assert config.cafile is None
    assert config.proxies["http://"] == "${GONE}"


def test_comments_quotes_and_lists_are_understood(load: Load) -> None:
    config = load(
        user='; one\n# two\nregistry = "http://a.test/"\nca[]="one"\nca[]="two\\nthree"\n[section]\n'
    )
    assert config.registry_for("left") == "http://a.test/"
    assert config.ca == "one\ntwo\nthree"


def test_a_token_goes_to_its_own_host_and_path_only(load: Load) -> None:
    config = load(user="//a.test/npm/:_authToken=secret\nregistry=http://a.test/npm/")
    assert config.authorization_for("http://a.test/npm/@x/y/-/y-1.tgz") == "Bearer secret"
    assert config.authorization_for("https://a.test/npm/left") == "Bearer secret"
    assert config.authorization_for("http://a.test/other/left") is None
    assert config.authorization_for("http://a.test:8080/npm/left") is None
    assert config.authorization_for("http://a.test.evil.test/npm/left") is None


def test_the_longest_path_decides_among_tokens(load: Load) -> None:
    config = load(user="//a.test/:_authToken=outer\n//a.test/npm/:_authToken=inner")
    assert config.authorization_for("http://a.test/npm/left") == "Bearer inner"
    assert config.authorization_for("http://a.test/left") == "Bearer outer"


def test_names_and_passwords_are_basic_authorization(load: Load) -> None:
    password = base64.b64encode(b"pass:word").decode()
    config = load(
        user=f"//a.test/:username=me\n//a.test/:_password={password}\n//b.test/:_auth=QUJD"
    )
    expected = base64.b64encode(b"me:pass:word").decode()
    assert config.authorization_for("http://a.test/x") == f"Basic {expected}"
    assert config.authorization_for("http://b.test/x") == "Basic QUJD"


def test_proxies_are_npms_own_settings(load: Load) -> None:
    config = load(user="https-proxy=http://s.test\nproxy=http://p.test\nnoproxy=.a.test, b.test")
    assert config.proxies == {"http://": "http://p.test", "https://": "http://s.test"}
    assert config.no_proxy == ["a.test", "b.test"]


def test_no_proxy_is_no_proxy(tmp_path: Path) -> None:
    assert load_npm_config({"HOME": str(tmp_path), "npm_config_proxy": "null"}).proxies == {}


def test_without_a_registry_and_without_npm_the_error_says_what_to_set(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox_agent_server.install.node.find_spec", lambda _name: None)
    with pytest.raises(InstallFailed, match="NPM_CONFIG_REGISTRY"):
        load().registry_for("left")


def test_a_registry_that_is_no_url_is_refused(load: Load) -> None:
    with pytest.raises(InstallFailed, match="http"):
        load(user="registry=/some/where").registry_for("left")


def test_npm_itself_tells_its_default(load: Load, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, says in (("npm", "http://default.test/"), ("node", "v22.0.0")):
        (programs / name).write_text(f"#!/bin/sh\necho {says}\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    config = load(PATH=f"{programs}:/usr/bin:/bin")
    assert config.registry_for("left") == "http://default.test/"


def test_tokens_do_not_show_in_a_representation(load: Load) -> None:
    assert "secret" not in repr(load(user="//a.test/:_authToken=secret"))
