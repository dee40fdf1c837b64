"""Tasks as people write them: what is read, and where it is said that something is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sandbox_agent_client import errors
from sandbox_agent_client.batch import load_tasks
from sandbox_agent_client.batch.tasks_file import tasks_of


def problems(path: Path) -> list[str]:
    with pytest.raises(errors.InvalidRequest) as caught:
        load_tasks(path)
    return [line.removeprefix(str(path)) for line in caught.value.message.splitlines()]


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_task_is_a_prompt_and_what_else_is_said_of_it(tmp_path: Path) -> None:
    file = written(
        tmp_path / "tasks.yaml",
        """
defaults:
  timeout: 60
  env: [API_KEY]
tasks:
  - Say hello
  - id: fix
    prompt: [Fix it, Now test it]
    timeout: 5
    max_cost: 0.5
    workspace:
      repo: https://example.org/app
      credentials: {env: GIT_TOKEN}
      files: {data: {from: data.txt}}
    setup: [npm ci, [npm, run, build]]
    grade: {command: npm test, files: {test.js: {from: hidden.js}}, threshold: 0.5}
    metadata: {level: 3}
""",
    )
    hello, fix = load_tasks(file)
    assert (hello.id, hello.prompts, hello.timeout) == ("task-1", ("Say hello",), 60)
    assert (fix.prompts, fix.timeout, fix.max_cost) == (("Fix it", "Now test it"), 5, 0.5)
    assert fix.setup == ("npm ci", ("npm", "run", "build"))
    assert fix.variables == ("API_KEY", "GIT_TOKEN")
    assert fix.grade is not None
    assert fix.grade.files == {"test.js": {"from": str(tmp_path / "hidden.js")}}
    made = fix.made_workspace({"GIT_TOKEN": "secret"})
    assert (made.credentials, made.files) == ("secret", {"data": tmp_path / "data.txt"})
    assert "secret" not in fix.model_dump_json()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tasks.json", json.dumps([{"id": "a", "prompt": "x"}, {"prompt": "y"}])),
        ("tasks.jsonl", '{"id": "a", "prompt": "x"}\n\n{"prompt": "y"}\n'),
        ("tasks.toml", '[[tasks]]\nid = "a"\nprompt = "x"\n[[tasks]]\nprompt = "y"\n'),
        ("tasks.yml", "[{id: a, prompt: x}, y]"),
    ],
)
def test_every_format_reads_alike(tmp_path: Path, name: str, text: str) -> None:
    tasks = load_tasks(written(tmp_path / name, text))
    assert [(task.id, *task.prompts) for task in tasks] == [("a", "x"), ("task-2", "y")]


def test_a_workspace_may_be_a_manifest_beside_it(tmp_path: Path) -> None:
    (tmp_path / "box").mkdir()
    written(tmp_path / "box/workspace.toml", 'files = { data = { from = "data" } }')
    [task] = load_tasks(
        written(tmp_path / "tasks.yaml", "- {prompt: x, workspace: box/workspace.toml}")
    )
    assert task.made_workspace({}).files == {"data": tmp_path / "box/data"}


def test_what_is_wrong_is_named_by_its_line_and_field(tmp_path: Path) -> None:
    file = written(
        tmp_path / "tasks.yaml",
        """\
- id: a b
  prompt: x
- prompt: y
  timeout: -1
  colour: red
- workspace: {repository: x}
  prompt: z
- id: nothing
""",
    )
    assert problems(file) == [
        ", line 1: `[0].id` is 'a b', and may have letters, digits, `_`, `.` and `-`",
        ", line 4: `[1].timeout` Input should be greater than 0",
        ", line 5: `[1].colour` is no member of a task; there are: timeout, max_turns, max_cost, id, prompt, "
        "workspace, setup, grade, env, metadata",
        ", line 6: `[2].workspace` a workspace has no 'repository'; there are: credentials, depth, env, files, "
        "path, ref, repo, setup, setup_timeout, submodules",
        ", line 8: `[3].prompt` is missing",
    ]


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("t.yaml", "- prompt: [", ": line 1: "),
        ("t.jsonl", '{"prompt": "x"}\n{"prompt"\n', ": line 2 is no JSON: "),
        ("t.jsonl", '{"prompt": "x"}\n{"prompt": 3}\n', ", line 2: `[1].prompt` "),
        ("t.json", '[\n {"prompt": "x", "timeout": "soon"}\n]', ", line 2: `[0].timeout` "),
        ("t.csv", "prompt", ": tasks are a .yaml, .json, .jsonl or .toml file, not '.csv'"),
        ("t.yaml", "", "`the document` is a list of tasks"),
        ("t.yaml", "tasks: []", ", line 1: `tasks` is a list of tasks"),
        ("t.yaml", "tasks: [x]\nagents: [y]", ", line 2: `agents` there is no such member"),
        ("t.yaml", "- {prompt: x, workspace: {repo: y, credentials: s3cret}}", "would be written"),
    ],
)
def test_a_file_that_is_none_says_where(tmp_path: Path, name: str, text: str, problem: str) -> None:
    [told] = problems(written(tmp_path / name, text))
    assert problem in told
    assert "s3cret" not in told


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidRequest, match="cannot be read"):
        load_tasks(tmp_path / "none.yaml")


def test_a_program_gives_prompts_or_mappings() -> None:
    assert [task.id for task in tasks_of(["x", {"id": "b", "prompt": "y"}])] == ["task-1", "b"]
    with pytest.raises(errors.InvalidRequest, match=r"`\[0\]\.prompt` is missing"):
        tasks_of([{"id": "b"}])
