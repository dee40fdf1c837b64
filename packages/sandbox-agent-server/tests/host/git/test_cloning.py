"""A repository brought in: over HTTP and from a directory, whole or not at all, its credentials nowhere."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sandbox_agent_core.api.git import GitCloneProgress, GitCloneRequest, GitCredentials
from sandbox_agent_core.errors import (
    GitAuthRequired,
    GitFailed,
    GitNotInstalled,
    InvalidRequest,
    NotADirectory,
    PathExists,
    PathForbidden,
    PathNotFound,
    Timeout,
)
from sandbox_agent_server.host.git.remote import remote_of
from sandbox_agent_server.host.git.service import GitService
from support.git_http import GitHttpServer

SECRET = "s3cret-of-the-repository"


@pytest.fixture
def locked(repo: Any, tmp_path: Path) -> Iterator[GitHttpServer]:
    """Serves `repo` to who has the password."""
    with GitHttpServer(tmp_path, user="ada", password=SECRET) as server:
        yield server


@pytest.fixture
def served(repo: Any, tmp_path: Path) -> Iterator[GitHttpServer]:
    with GitHttpServer(tmp_path) as server:
        yield server


def credentials(word: str = SECRET) -> GitCredentials:
    return GitCredentials.model_validate({"username": "ada", "password": word})


def request(url: str, path: Path, **more: Any) -> GitCloneRequest:
    return GitCloneRequest.model_validate({"url": url, "path": str(path), **more})


def everything_in(place: Path) -> bytes:
    return b"".join(file.read_bytes() for file in place.rglob("*") if file.is_file())


async def test_credentials_open_the_door_and_are_kept_nowhere(
    service: GitService, locked: GitHttpServer, repo: Any, tmp_path: Path
) -> None:
    target = tmp_path / "new/clone"

    done = await service.clone(
        request(f"{locked.url}/repo/.git", target, credentials=credentials())
    )

    assert (done.path, done.branch) == (str(target), "main")
    assert done.head == repo.git("rev-parse", "HEAD")
    assert (target / "a.txt").read_text() == "one\ntwo\nthree\n"
    config = (target / ".git/config").read_text()
    assert f"url = {locked.url}/repo/.git" in config
    for word in (SECRET, "ada:", "Basic", "extraHeader"):
        assert word.encode() not in everything_in(target / ".git")


async def test_credentials_of_the_address_are_taken_out_of_it(
    service: GitService, locked: GitHttpServer, tmp_path: Path
) -> None:
    url = locked.url.replace("http://", f"http://ada:{SECRET}@") + "/repo/.git"
    done = await service.clone(request(url, tmp_path / "clone"))
    assert done.url == f"{locked.url}/repo/.git"
    assert SECRET.encode() not in everything_in(tmp_path / "clone")


async def test_no_argument_of_a_process_has_the_secret(
    service: GitService, locked: GitHttpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []
    run = service.git.run

    async def watched(*args: str, **options: Any) -> Any:
        def look(_data: bytes) -> None:
            for process in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.append(process.read_bytes().decode(errors="replace").split("\0"))
                except OSError:
                    continue

        told = options.get("on_stderr", lambda _data: None)
        options["on_stderr"] = lambda data: (look(data), told(data))
        return await run(*args, **options)

    monkeypatch.setattr(service.git, "run", watched)
    await service.clone(
        request(f"{locked.url}/repo/.git", tmp_path / "clone", credentials=credentials())
    )

    assert any("clone" in argv and "git" in argv[0] for argv in seen)
    assert not any(SECRET in word or "Basic " in word for argv in seen for word in argv)


@pytest.mark.parametrize("given", [None, "wrong-password-entirely"])
async def test_a_closed_door_says_what_it_wants_and_leaves_nothing(
    service: GitService, locked: GitHttpServer, tmp_path: Path, given: str | None
) -> None:
    target = tmp_path / "deep/er/clone"
    more = {} if given is None else {"credentials": credentials(given)}

    with pytest.raises(GitAuthRequired) as caught:
        await service.clone(request(f"{locked.url}/repo/.git", target, **more))

    assert not (tmp_path / "deep").exists()
    told = caught.value.message + str(caught.value.details)
    assert "credentials" in told
    assert str(given) not in told


async def test_the_phases_are_told(
    service: GitService, served: GitHttpServer, repo: Any, tmp_path: Path
) -> None:
    repo.write("more.txt", "x\n" * 1000)
    repo.commit()
    told: list[GitCloneProgress] = []

    await service.clone(
        request(f"{served.url}/repo/.git", tmp_path / "clone"), on_progress=told.append
    )

    phases = list(dict.fromkeys(one.phase for one in told))
    assert phases[0] == "connecting"
    assert "receiving" in phases
    last = [one for one in told if one.phase == "receiving"][-1]
    assert (last.percent, last.done) == (100, last.total)


async def test_a_branch_a_tag_a_commit_and_a_reference_of_its_own(
    service: GitService, served: GitHttpServer, repo: Any, tmp_path: Path
) -> None:
    first = repo.git("rev-parse", "HEAD")
    repo.git("tag", "v1")
    repo.git("update-ref", "refs/pull/7/head", first)
    repo.git("checkout", "-q", "-b", "topic/it")
    repo.write("work.txt", "w\n")
    second = repo.commit()
    url = f"{served.url}/repo/.git"
    wanted = {
        "topic/it": (second, "topic/it"), "refs/heads/topic/it": (second, "topic/it"), "v1": (first, None),
        first: (first, None), "refs/pull/7/head": (first, None),
    }  # fmt: skip

    found = {}
    for number, ref in enumerate(wanted):
        done = await service.clone(request(url, tmp_path / f"clone{number}", ref=ref, depth=1))
        found[ref] = (done.head, done.branch)

    assert found == wanted
    with pytest.raises(GitFailed, match="no such branch"):
        await service.clone(request(url, tmp_path / "clone-x", ref="nothing"))
    assert not (tmp_path / "clone-x").exists()


async def test_shallow_partial_and_sparse(
    service: GitService, served: GitHttpServer, repo: Any, tmp_path: Path
) -> None:
    repo.write("other/o.txt", "o\n")
    repo.commit()
    target = tmp_path / "clone"

    await service.clone(
        request(f"{served.url}/repo/.git", target, depth=1, filter="blob:none", sparse=["dir"])
    )

    assert repo.git("rev-list", "--count", "HEAD", cwd=target) == "1"
    assert (target / "dir/b.txt").exists()
    assert not (target / "other").exists()
    # What is not checked out is no change, and looking for changes fetches nothing.
    served.seen.clear()
    found = await service.status(str(target), base="HEAD")
    assert (found.files, served.seen) == ([], [])


async def test_submodules_come_along_and_may_not_be_directories_of_the_machine(
    service: GitService, served: GitHttpServer, repo: Any, make_repo: Any, tmp_path: Path
) -> None:
    inner = make_repo("inner")
    inner.write("i.txt", "i\n")
    inner.commit()
    repo.git("submodule", "--quiet", "add", f"{served.url}/inner/.git", "sub")
    repo.commit()
    await service.clone(
        request(f"{served.url}/repo/.git", tmp_path / "clone", submodules=True, depth=1)
    )
    assert (tmp_path / "clone/sub/i.txt").read_text() == "i\n"

    repo.git("config", "--file", ".gitmodules", "submodule.sub.url", f"file://{inner.path}")
    repo.commit()
    with pytest.raises(GitFailed, match="not allowed"):
        await service.clone(request(str(repo.path), tmp_path / "clone2", submodules=True))
    assert not (tmp_path / "clone2").exists()


async def test_hooks_of_a_template_and_traps_of_a_source_are_not_run(
    service: GitService, repo: Any, home: Path, tmp_path: Path
) -> None:
    hook = home / "template/hooks/post-checkout"
    hook.parent.mkdir(parents=True)
    hook.write_text(f"#!/bin/sh\ntouch {tmp_path}/sprung\n")
    hook.chmod(0o755)
    (home / ".gitconfig").write_text(f"[init]\n\ttemplateDir = {home}/template\n")
    repo.git("config", "uploadpack.packObjectsHook", str(hook))

    await service.clone(request(f"file://{repo.path}", tmp_path / "clone"))

    assert not (tmp_path / "sprung").exists()


async def test_an_empty_repository_is_one(
    service: GitService, make_repo: Any, tmp_path: Path
) -> None:
    make_repo("empty")
    done = await service.clone(request(str(tmp_path / "empty"), tmp_path / "clone"))
    assert done.head is None


async def test_the_target_is_new_or_empty(service: GitService, repo: Any, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("mine\n")
    with pytest.raises(PathExists):
        await service.clone(request(str(repo.path), full))
    assert (full / "mine.txt").read_text() == "mine\n"
    with pytest.raises(NotADirectory):
        await service.clone(request(str(repo.path), full / "mine.txt"))
    with pytest.raises(NotADirectory):
        await service.clone(request(str(repo.path), full / "mine.txt/below"))

    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(GitFailed):
        await service.clone(request(str(repo.path), empty, ref="nothing"))
    assert list(empty.iterdir()) == []
    await service.clone(request(str(repo.path), empty))
    assert (empty / "a.txt").exists()


async def test_who_leaves_leaves_nothing(service: GitService, repo: Any, tmp_path: Path) -> None:
    # The remote never answers: a FIFO in place of its HEAD.
    (repo.path / ".git/packed-refs").unlink(missing_ok=True)
    os.mkfifo(repo.path / ".git/packed-refs")
    target = tmp_path / "clone"
    begun = asyncio.Event()
    task = asyncio.ensure_future(
        service.clone(request(str(repo.path), target), on_progress=lambda _progress: begun.set())
    )
    await begun.wait()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not target.exists()


async def test_a_clone_that_takes_too_long_is_stopped(
    make_service: Any, repo: Any, tmp_path: Path
) -> None:
    os.mkfifo(repo.path / ".git/packed-refs")
    with pytest.raises(Timeout):
        await make_service(git_clone_timeout_s=0.3).clone(
            request(str(repo.path), tmp_path / "clone")
        )
    assert not (tmp_path / "clone").exists()


async def test_beneath_a_root(make_service: Any, repo: Any, tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "out").symlink_to(tmp_path)
    service = make_service(root=root)
    for path in (tmp_path / "clone", root / "../clone", root / "out/clone"):
        with pytest.raises(PathForbidden):
            await service.clone(request("https://example.invalid/r.git", path))
    for url in (str(repo.path), f"file://{repo.path}", "out/repo"):
        with pytest.raises((PathForbidden, PathNotFound)):
            await service.clone(request(url, root / "clone"))
    assert sorted(path.name for path in root.iterdir()) == ["out"]


@pytest.mark.parametrize(
    "url",
    ["ext::sh -c x", "--upload-pack=x", "ftp://h/x", "helper::https://h/x", "http://", "https://h:port/x",
     "https://h/x\nHost: y"],
)  # fmt: skip
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequest):
        remote_of(url, None)


def test_a_token_needs_no_user_and_goes_to_one_host_alone() -> None:
    remote = remote_of(
        "https://git.example.org:8443/a/b.git",
        GitCredentials.model_validate({"token": "tok-12345"}),
    )
    assert remote.env["GIT_CONFIG_KEY_1"] == "http.https://git.example.org:8443/.extraHeader"
    assert "tok-12345" not in repr(remote)
    assert remote.name == "b"


@pytest.mark.parametrize(
    ("url", "name"),
    [("https://h/a/b.git", "b"), ("git@h:a/b.git", "b"), ("git@h:b", "b"), ("/srv/r/.git", "r"), ("https://h/b/", "b")],
)  # fmt: skip
def test_the_directory_is_named_as_git_would_name_it(url: str, name: str) -> None:
    assert remote_of(url, None).name == name


async def test_without_git_it_says_what_to_install(
    make_service: Any, repo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GitNotInstalled, match="install"):
        await make_service().status(str(repo.path), base="HEAD")
