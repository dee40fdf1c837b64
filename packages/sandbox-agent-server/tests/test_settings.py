"""Settings from flags, variables and the file, in the forms that each of them has."""

from __future__ import annotations

from pathlib import Path

import pytest
from sandbox_agent_server.cli.arguments import parse_arguments
from sandbox_agent_server.settings import SettingsError, load_settings


@pytest.mark.parametrize(
    ("value", "expected"),
    [("false", False), ("1", True), ("GH_TOKEN, AWS_*", ("GH_TOKEN", "AWS_*"))],
)
def test_what_agents_inherit_can_be_a_variable(
    value: str, expected: bool | tuple[str, ...]
) -> None:
    settings = load_settings({}, {"SANDBOX_AGENT_INHERIT_ENV": value})
    assert settings.inherit_env == expected


def test_what_agents_inherit_can_be_a_flag_or_in_the_file(tmp_path: Path) -> None:
    config = tmp_path / "server.toml"
    config.write_text('inherit_env = ["FROM_FILE"]\n')

    def load(*arguments: str) -> bool | tuple[str, ...]:
        flags, _ = parse_arguments(list(arguments))
        return load_settings(flags, {}, config).inherit_env

    assert load() == ("FROM_FILE",)
    assert load("--no-inherit-env") is False
    assert load("--inherit-env", "GH_TOKEN", "--inherit-env", "AWS_*") == ("GH_TOKEN", "AWS_*")


def test_an_assignment_is_no_name_of_a_variable() -> None:
    with pytest.raises(SettingsError, match="GH_TOKEN=x"):
        load_settings({"inherit_env": ["GH_TOKEN=x"]}, {})


def test_the_root_is_a_flag_or_a_variable_and_has_to_be_there(tmp_path: Path) -> None:
    flags, _ = parse_arguments(["--root", str(tmp_path)])
    assert load_settings(flags, {}).root == tmp_path
    assert load_settings({}, {"SANDBOX_AGENT_ROOT": str(tmp_path)}).root == tmp_path
    with pytest.raises(SettingsError, match="no directory"):
        load_settings({"root": tmp_path / "nothing"}, {})
