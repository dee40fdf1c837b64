"""A pull in words."""

from __future__ import annotations

from sandbox_agent_docker.image.progress import PullProgress


def downloading(layer: str, current: int, total: int) -> dict[str, object]:
    detail = {"current": current, "total": total}
    return {"status": "Downloading", "id": layer, "progressDetail": detail}


def test_something_is_said_every_tenth_and_at_the_end() -> None:
    progress = PullProgress("image:1")
    lines = [downloading("a", 100_000 * step, 10_000_000) for step in range(1, 100)]
    said = [words for line in lines if (words := progress.take(line)) is not None]
    assert len(said) == 9
    assert said[0] == "pulling image:1 (1.0 of 10.0 MB)"
    assert progress.take({"status": "Download complete", "id": "a", "progressDetail": {}}) == (
        "pulling image:1 (10.0 of 10.0 MB)"
    )


def test_layers_are_summed_up() -> None:
    progress = PullProgress("image:1")
    assert progress.take(downloading("a", 1_000_000, 4_000_000)) == (
        "pulling image:1 (1.0 of 4.0 MB)"
    )
    assert progress.take(downloading("b", 1_000_000, 6_000_000)) is None
    assert progress.take(downloading("b", 4_000_000, 6_000_000)) == (
        "pulling image:1 (5.0 of 10.0 MB)"
    )


def test_what_is_no_download_says_nothing() -> None:
    progress = PullProgress("image:1")
    for line in (
        {"status": "Pulling from library/image", "id": "1"},
        {"status": "Already exists", "id": "a", "progressDetail": {}},
        {"status": "Download complete", "id": "never-seen", "progressDetail": {}},
        {"status": "Extracting", "id": "a", "progressDetail": {"current": 1, "total": 2}},
        {"status": "Digest: sha256:0"},
    ):
        assert progress.take(line) is None
