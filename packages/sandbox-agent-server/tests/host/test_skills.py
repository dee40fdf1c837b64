"""Skills: where they come from, what of them is taken, and what is left out."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.api.config import SkillsConfig
from sandbox_agent_core.errors import InvalidRequest
from sandbox_agent_server.host.config import checkouts
from sandbox_agent_server.host.config.checkouts import Checkouts, github_place
from sandbox_agent_server.host.config.skills import GatheredSkills, SkillSources
from sandbox_agent_server.host.config.store import Found
from sandbox_agent_server.host.files.paths import Paths

Gather = Callable[..., GatheredSkills]


def skill(folder: Path, text: str | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "SKILL.md").write_text(
        text or f"---\nname: {folder.name}\ndescription: About.\n---\nDo it.\n"
    )
    return folder


def git(at: Path, *arguments: str) -> str:
    env = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    done = subprocess.run(
        ["git", *identity, *arguments],
        cwd=at,
        env=env,
        check=True,
        capture_output=True,
        text=True,
        timeout=30,
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    path = tmp_path / "repository"
    path.mkdir()
    git(path, "init", "-q", "-b", "main")
    skill(path / "skills" / "one")
    skill(path / "skills" / "two")
    (path / "skills" / "one" / "out").symlink_to("/etc/passwd")
    git(path, "add", "-A")
    git(path, "commit", "-qm", "first")
    git(path, "tag", "v1")
    skill(path / "skills" / "three")
    git(path, "add", "-A")
    git(path, "commit", "-qm", "second")
    return path


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "equipment"


@pytest.fixture
def gather(tmp_path: Path, to: Path) -> Gather:
    def gather(
        *sources: dict[str, Any],
        root: Path | None = None,
        environ: dict[str, str] | None = None,
        timeout_s: float = 30,
        fetched_bytes: int = 1 << 20,
        **limits: int,
    ) -> GatheredSkills:
        made = Checkouts(
            tmp_path / "kept", timeout_s=timeout_s, max_bytes=fetched_bytes,
            environ={**os.environ, **(environ or {})},
        )  # fmt: skip
        bounds = {"max_skills": 10, "max_bytes": 1 << 20, "max_files": 100} | limits
        config = SkillsConfig.model_validate({"sources": sources})
        return SkillSources(made, paths=Paths(root), **bounds).gather(
            [Found("s", tmp_path, config, True)], to
        )

    return gather


def names(gathered: GatheredSkills) -> list[str]:
    return [skill.name for skill in gathered.skills]


def test_a_folder_is_a_skill_or_has_some(gather: Gather, tmp_path: Path, to: Path) -> None:
    skill(tmp_path / "a" / "deep" / "one")
    skill(tmp_path / "a" / "two")
    skill(tmp_path / "a" / "node_modules" / "not")
    assert names(gather({"type": "local", "source": "a"})) == ["one", "two"]
    assert names(gather({"type": "local", "source": "a/two"})) == ["two"]
    assert names(gather({"type": "local", "source": "a", "subpath": "deep"})) == ["one"]
    one = gather({"type": "local", "source": str(tmp_path / "a"), "skills": ["two", "none"]})
    assert names(one) == ["two"]
    assert "'none'" in one.warnings[0]
    assert "one, two" in one.warnings[0]
    assert (to / ".claude-plugin" / "plugin.json").exists()
    assert [path.name for path in (to / "skills").iterdir()] == ["two"]


def test_its_front_matter_gives_its_agent_no_rights(
    gather: Gather, tmp_path: Path, to: Path
) -> None:
    text = '---\nname: "Not A Name"\ndescription: >\n  Two\n  lines.\n"allowed-tools": Bash\nhooks:\n  Stop: [evil]\n---\nBody\n'
    skill(tmp_path / "My Skill", text)
    gathered = gather({"type": "local", "source": "My Skill"})
    assert names(gathered) == ["My-Skill"]
    copy = (to / "skills" / "My-Skill" / "SKILL.md").read_text()
    assert copy == '---\nname: "My-Skill"\ndescription: "Two lines."\n---\nBody\n'


def test_links_devices_and_what_is_outside_are_not_copied(
    gather: Gather, tmp_path: Path, to: Path
) -> None:
    folder = skill(tmp_path / "a")
    (folder / "passwd").symlink_to("/etc/passwd")
    (folder / "etc").symlink_to("/etc")
    os.mkfifo(folder / "pipe")
    (folder / "run.sh").write_text("x")
    (folder / "run.sh").chmod(0o755)
    gather({"type": "local", "source": "a"})
    copied = to / "skills" / "a"
    assert sorted(path.name for path in copied.iterdir()) == ["SKILL.md", "run.sh"]
    assert os.access(copied / "run.sh", os.X_OK)
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "SKILL.md").symlink_to("/etc/passwd")
    assert gather({"type": "local", "source": "linked"}).skills == []


def test_what_is_too_much_is_left_out_and_the_rest_is_there(
    gather: Gather, tmp_path: Path, to: Path
) -> None:
    skill(tmp_path / "a" / "small")
    big = skill(tmp_path / "b" / "big")
    (big / "data").write_bytes(b"x" * 5000)
    sources = [{"type": "local", "source": name} for name in ("a", "b", "none")]
    gathered = gather(*sources, max_bytes=4000)
    assert names(gathered) == ["small"]
    assert "max_skill_bytes" in gathered.warnings[0]
    assert "'none'" in gathered.warnings[1]
    assert [path.name for path in (to / "skills").iterdir()] == ["small"]
    assert "max_skill_files" in gather(*sources, max_files=2).warnings[0]
    assert "max_skills" in gather(*sources, max_skills=1).warnings[0]


def test_a_repository_is_fetched_at_a_ref_and_kept(
    gather: Gather, repository: Path, to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = {"type": "git", "source": f"file://{repository}"}
    assert names(gather(source)) == ["one", "three", "two"]
    assert names(gather({**source, "ref": "v1"})) == ["one", "two"]
    # A link of theirs is a file with the name of what it leads to.
    assert (to / "skills" / "one" / "out").read_text() == "/etc/passwd"
    repository.rename(repository.with_name("gone"))
    assert gather(source) == gather(source)
    monkeypatch.setattr(checkouts, "_REFRESH_AFTER_S", -1.0)
    gathered = gather(source)
    assert names(gathered) == ["one", "three", "two"]
    assert "fetched before" in gathered.warnings[0]


def test_places_on_github_are_read_as_people_write_them(gather: Gather, repository: Path) -> None:
    url = "https://github.com/acme/tools.git"
    for given, expected in (
        ("acme/tools", (url, None, None)),
        ("https://github.com/acme/tools", (url, None, None)),
        ("acme/tools.git", (url, None, None)),
        ("acme/tools/a/b@v1", (url, "a/b", "v1")),
        ("acme/tools@feature/x", (url, None, "feature/x")),
        ("https://github.com/acme/tools/tree/main/skills", (url, "skills", "main")),
    ):
        assert github_place(given) == expected
    for wrong in ("acme", "../tools", "https://gitlab.com/a/b", "a b/c"):
        with pytest.raises(InvalidRequest):
            github_place(wrong)
    instead = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{repository}.insteadOf",
        "GIT_CONFIG_VALUE_0": url,
    }
    gathered = gather({"type": "github", "source": "acme/tools/skills@v1"}, environ=instead)
    assert names(gathered) == ["one", "two"]


@pytest.mark.parametrize(
    "source",
    [
        {"type": "git", "source": "--upload-pack=touch evil"},
        {"type": "git", "source": "ext::sh -c touch% evil"},
        {"type": "git", "source": "/etc"},
        {"type": "git", "source": "https://x.test/a", "ref": "--upload-pack=touch evil"},
        {"type": "git", "source": "https://x.test/a", "ref": "a..b"},
        {"type": "local", "source": "a", "subpath": "../.."},
        {"type": "local", "source": "a", "subpath": "/etc"},
    ],
)
def test_no_source_leads_elsewhere_or_runs_anything(
    gather: Gather, tmp_path: Path, source: dict[str, Any]
) -> None:
    skill(tmp_path / "a")
    gathered = gather(source)
    assert gathered.skills == []
    assert len(gathered.warnings) == 1
    assert not list(tmp_path.rglob("evil"))


def test_a_server_with_a_root_takes_nothing_from_outside(
    gather: Gather, tmp_path: Path, repository: Path
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    skill(tmp_path / "a")
    for source in (
        {"type": "local", "source": str(tmp_path / "a")},
        {"type": "git", "source": f"file://{repository}"},
    ):
        gathered = gather(source, root=root)
        assert gathered.skills == []
        assert "root" in gathered.warnings[0]


def test_a_fetch_ends(gather: Gather, repository: Path, tmp_path: Path) -> None:
    # A server that takes the connection and says nothing is a git that never ends.
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nsleep 60\n")
    slow.chmod(0o755)
    environ = {"PATH": f"{slow.parent}:{os.environ['PATH']}"}
    gathered = gather(
        {"type": "git", "source": "https://x.test/a"}, environ=environ, timeout_s=0.01
    )
    assert "was not fetched" in gathered.warnings[0]
    slow.write_text("#!/bin/sh\nhead -c 100000 /dev/zero > big; sleep 60\n")
    gathered = gather(
        {"type": "git", "source": "https://x.test/a"}, environ=environ, fetched_bytes=1000
    )
    assert "max_skill_bytes" in gathered.warnings[0]
    assert not list((tmp_path / "kept").iterdir())
