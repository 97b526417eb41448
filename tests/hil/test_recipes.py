"""The CI recipes: YAML as the two services take it, and commands that run as they are."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from fwgen.cli.main import run

ROOT = Path(__file__).parents[2]
RECIPES = ROOT / "hil" / "recipes"
GITHUB = sorted(RECIPES.glob("github-*.yml"))
GITLAB = RECIPES / "gitlab.yml"
INSTALLS = {
    "python3 -m pip install uv", "python3 -m pip install --user uv", "uv sync --locked",
    "python3 -m uv sync --locked",
}  # fmt: skip
OURS = re.compile(r"(?:python3 -m )?uv run --no-sync fwgen (.+)")

# Source: docs.github.com, "Workflow syntax for GitHub Actions".
WORKFLOW = {"name", "run-name", "on", "permissions", "env", "defaults", "concurrency", "jobs"}
JOB = {
    "name", "permissions", "needs", "if", "runs-on", "environment", "concurrency", "outputs",
    "env", "defaults", "steps", "timeout-minutes", "strategy", "continue-on-error", "container",
    "services", "uses", "with", "secrets",
}  # fmt: skip
STEP = {
    "id", "if", "name", "uses", "run", "working-directory", "shell", "with", "env",
    "continue-on-error", "timeout-minutes",
}  # fmt: skip
# Source: docs.gitlab.com, "CI/CD YAML syntax reference".
GITLAB_JOB = {
    "stage", "image", "before_script", "script", "after_script", "artifacts", "extends", "tags",
    "rules", "resource_group", "interruptible", "variables", "cache", "needs", "timeout", "retry",
    "allow_failure", "services", "environment", "when",
}  # fmt: skip


def read(path: Path) -> dict[Any, Any]:
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(data, dict)
    return data


@pytest.mark.parametrize("path", GITHUB, ids=lambda path: path.stem)
def test_a_github_recipe_is_a_workflow(path: Path) -> None:
    data = read(path)
    # "on" is a truth value in YAML 1.1, which GitHub does not read it as.
    data = {"on" if key is True else key: value for key, value in data.items()}
    assert {"on", "jobs"} <= set(data) <= WORKFLOW
    for job in data["jobs"].values():
        assert {"runs-on", "steps", "timeout-minutes"} <= set(job) <= JOB
        for step in job["steps"]:
            assert set(step) <= STEP
            assert ("uses" in step) != ("run" in step)
            if "uses" in step:
                assert re.fullmatch(r"actions/[\w-]+@v\d+", step["uses"])
        always = [step for step in job["steps"] if step.get("if") == "always()"]
        assert [step["uses"].partition("@")[0] for step in always] == ["actions/upload-artifact"]


def test_the_gitlab_recipe_is_a_pipeline() -> None:
    data = read(GITLAB)
    stages = data.pop("stages")
    for job in data.values():
        assert set(job) <= GITLAB_JOB
    for name, job in data.items():
        if name.startswith("."):
            continue
        whole = data[job["extends"]] | job
        assert whole["stage"] in stages
        assert whole["script"]
        assert whole["artifacts"]["reports"]["junit"] in junits(commands(job))


def test_a_board_has_one_job_at_a_time_and_no_job_is_tried_again() -> None:
    board = read(RECIPES / "github-board.yml")
    assert board["concurrency"]["cancel-in-progress"] is False
    assert "pull_request" not in str(board[True])
    job = read(GITLAB)["hil-board"]
    assert job["resource_group"]
    assert job["interruptible"] is False
    for path in (*GITHUB, GITLAB):
        assert not re.search(r"\bretry\b|reruns", path.read_text(encoding="utf-8"))


def commands(job: dict[str, Any]) -> list[str]:
    """The command lines of a job of either service."""
    if "steps" in job:
        return [line for step in job["steps"] for line in step.get("run", "").splitlines()]
    return [*job.get("before_script", ()), *job.get("script", ())]


def junits(lines: list[str]) -> list[str]:
    return [words[words.index("--junit") + 1] for words in map(shlex.split, lines)
            if "--junit" in words]  # fmt: skip


def all_commands() -> list[str]:
    jobs = [job for path in GITHUB for job in read(path)["jobs"].values()]
    jobs += [job for job in read(GITLAB).values() if isinstance(job, dict)]
    return list(dict.fromkeys(line for job in jobs for line in commands(job)))


def test_the_commands_of_every_recipe_run_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    ours: dict[str, None] = {}
    for line in all_commands():
        match = OURS.fullmatch(line)
        assert match or line in INSTALLS, line
        if match:
            ours[match[1]] = None
    assert len(ours) >= 4
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    shutil.copytree(ROOT / "hil", tmp_path / "hil", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path)
    ran = set()
    for line in ours:
        # There is no board here, and of the tests one of each kind is enough.
        arguments = shlex.split(line.replace("--rig nucleo-f401", "--rig virtual"))
        arguments += ["--rig", "virtual"] if arguments[0] == "doctor" else []
        arguments += ["-k", "blink"] if arguments[:2] == ["hil", "run"] else []
        if tuple(arguments) in ran:
            continue
        ran.add(tuple(arguments))
        code = run(arguments)
        said = capfd.readouterr()
        assert code == 0, (line, said.out, said.err)
        for junit in junits([shlex.join(arguments)]):
            told = Path(junit).read_text(encoding="utf-8")
            assert 'name="fwgen.case" value="blink"' in told
            assert Path(junit).with_name("report.html").is_file()
