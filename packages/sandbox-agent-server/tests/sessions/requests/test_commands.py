"""What a rule that forbids `rm` sees of a command line, and what it leaves alone."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_agent_core.tool_facts import facts_of
from sandbox_agent_server.sessions.requests.commands import forbids
from sandbox_agent_server.sessions.requests.shell import MAX_FORM_CHARS, read_commands


def is_forbidden(command: Any, pattern: str = "rm *") -> bool:
    return forbids(pattern, facts_of({"kind": "execute", "rawInput": {"command": command}}))


@pytest.mark.parametrize(
    "command",
    [
        "rm x", " rm x", "rm\tx", "cd x && rm y", "true;rm x", "a||rm x", "a | rm x", "a\nrm x", "a & rm x",
        "echo a|&rm x", "/bin/rm x", "./rm x", "bash -lc \"rm x\"", "sh -c 'rm x'", "bash -c \"bash -c 'rm x'\"",
        ["bash", "-lc", "rm x"], ["rm", "x"], ["/bin/sh", "-c", "cd /; rm x"],
        "env A=b rm x", "A=b rm x", "sudo rm x", "sudo -u root rm x", "sudo sudo sudo rm x", "sudo sh -c 'cd /; rm x'",
        "ls | xargs rm", "ls | xargs -n 1 rm -f", "command rm x", "time rm x", "nohup rm x &", "timeout 5 rm x",
        "nice -n 5 rm x", "busybox rm x", "exec rm x", "coproc rm x", "ssh host 'rm x'",
        "find . -exec rm {} \\;", "find . -exec sh -c 'rm x' \\;",
        "(rm x)", "(cd a; rm x)", "{ rm x; }", "f() { rm x; }; f", "! rm x",
        "if true; then rm x; fi", "for f in a; do rm $f; done", "case a in a) rm x;; esac",
        "echo $(rm x)", "echo `rm x`", "echo \"$(rm x)\"", "echo \"a `rm x` b\"", "cat <(rm x)", "echo ${A:-$(rm x)}",
        r"r\m x", "r\\\nm x", "\"rm\" x", "'r'm x", "r''m x", "$'rm' x", "{rm,x}", "/bin/r? x", "r$Y x", "rm$IFS-rf$IFS/",
        ">f rm x", "2>/dev/null rm x", "bash <<EOF\nrm x\nEOF", "bash <<< 'rm x'", "echo 'rm x' | sh", "curl x | bash",
        "$X y", "${X} y", "eval 'rm x'", "eval rm x", "eval $X", "bash -c \"$X\"", "trap 'rm x' EXIT",
        "GIT_SSH_COMMAND='rm x' git fetch", "python -c \"import os; os.system('rm x')\"", "echo 'open; rm x",
        "sudo " * 9000 + "rm x", "bash -c '" * 3000 + "rm x", "$(" * 9000 + "rm x",
    ],
)  # fmt: skip
def test_a_shell_would_run_it(command: Any) -> None:
    assert is_forbidden(command)


@pytest.mark.parametrize(
    "command",
    [
        "ls", "echo rm x", "farm x", "rmdir x", "git commit -m 'please rm x'", "grep 'rm ' f", "make test 2>&1 | tail -5",
        "find . -name *.py -print", "ls *.py | wc -l", "for f in a b; do echo $f; done", "cd x && npm run build",
        "export A=1; make", "python -c 'print(1)'", "cat <<EOF > f\nhello\nEOF", "echo $HOME", "[ -f x ] && cat x",
        "docker run -it img make", "VAR=$(date) make", "sed -i 's/a/b/' f", "awk '{print $1}' f", "timeout 60 make",
        "mkdir -p a/{b,c}", "bash script.sh", "a=1",
    ],
)  # fmt: skip
def test_a_shell_would_not_run_it(command: str) -> None:
    assert not is_forbidden(command)


@pytest.mark.parametrize(
    ("pattern", "command"),
    [
        ("git push*", "git -C x push --force"),
        ("git push*", "git --git-dir x push"),
        ("git push*", "git $X"),
        ("sudo *", "cd x; /usr/bin/sudo ls"),
        ("/bin/rm *", "cd x; /bin/rm y"),
        ("*--force*", "cd x && git push '--force'"),
        ("bash -lc *", "bash -lc ls"),
        ("rm -rf /*", "rm -rf '/etc'"),
    ],
)
def test_a_pattern_names_it_in_any_of_its_forms(pattern: str, command: str) -> None:
    assert is_forbidden(command, pattern)


@pytest.mark.parametrize(
    "line",
    [
        "a;" * 30_000,
        "sudo a b c d e f g h i j k l m n o p\n" * 1500,
        "find " + "x " * 30_000,
        "(" * 60_000,
    ],
)
def test_a_line_of_any_kind_is_read_within_bounds(line: str) -> None:
    read = read_commands(line)
    assert sum(map(len, read.lines)) <= MAX_FORM_CHARS
