"""Which SDKs of vendors are used, told of, or refused."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError

import pytest
from sandbox_agent_core.errors import ProviderNotInstalled
from sandbox_agent_core.provisioning import sdk
from sandbox_agent_core.provisioning.sdk import check_sdk
from sandbox_agent_core.spi.provider import Check


def check(here: str | None, monkeypatch: pytest.MonkeyPatch, *, module: str = "json") -> Check:
    """A package that wants `>=1.5,<2` and was tested with 1.9.3."""

    def version(_name: str) -> str:
        if here is None:
            raise PackageNotFoundError(_name)
        return here

    wanted = ["sandbox-agent-core~=0.1.0", "their-sdk<2,>=1.5.2"]
    monkeypatch.setattr(sdk, "requires", lambda _package: wanted)
    monkeypatch.setattr(sdk, "version", version)
    return check_sdk("Vendor", module, package="sandbox-agent-vendor", tested="1.9.3")


@pytest.mark.parametrize(
    ("here", "state"),
    [
        ("1.5.1", "no"),
        ("1.5.2", "ok"),
        ("1.5.10", "ok"),
        ("1.9.3", "ok"),
        ("1.10", "ok"),
        ("1.99.0rc1", "ok"),
        ("2.0.0a3", "note"),
        ("3", "note"),
    ],
)
def test_newer_ones_are_used_and_older_ones_refused(
    here: str, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = check(here, monkeypatch)
    assert answer.state == state
    assert f"their-sdk {here}" in answer.message
    if state == "no":
        assert answer.error is ProviderNotInstalled


@pytest.mark.parametrize("here", ["1.10.0", "2.1.0"])
def test_what_was_tested_is_said_beside_a_newer_one(
    here: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "1.9.3" in check(here, monkeypatch).message


def test_one_that_is_missing_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("no_such_module", "no_such_package.module"):
        answer = check("1.9.3", monkeypatch, module=module)
        assert not answer.ok
        assert "pip install sandbox-agent-vendor" in answer.message


def test_one_that_is_not_of_an_index_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check(None, monkeypatch).ok
