"""`sortition new` and `sortition generate`: experiments to begin with, and variants made by rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from commands import Run, run_command
from sortition.cli.generate.experiment import shares
from sortition.model.file import load_experiment, parse_experiment

PROMPT = "Summarize the text. Name its author! Who is meant?"


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    return run_command(capfd)


@pytest.mark.parametrize("kind", ["prompt", "workflow", "config"])
def test_a_template_is_an_experiment_with_comments(run: Run, kind: str) -> None:
    assert run("new", kind, "greeting") == (0, "", "")
    text = Path("greeting.yaml").read_text()
    spec = load_experiment(Path("greeting.yaml"))
    assert (spec.key, spec.subject.kind, spec.subject.id) == ("greeting", kind, "greeting")
    assert sum(line.lstrip().startswith("#") for line in text.splitlines()) >= 6
    assert "@" not in text
    # Both are recorded without a line of code, so a template that lacks them says more than is there.
    assert {"success", "duration"} <= {metric.name for metric in spec.metrics}
    assert spec.hypothesis


def test_a_template_goes_where_it_is_told(run: Run) -> None:
    shown = run("new", "prompt", "k", "--subject", "other", "-o", "-")
    assert parse_experiment(shown.out).subject.id == "other"
    assert run("new", "prompt", "k", "-o", "mine.yaml").code == 0
    Path("mine.yaml").write_text("precious")
    refused = run("new", "prompt", "k", "-o", "mine.yaml")
    assert refused.code == 6
    assert "mine.yaml" in refused.err
    assert Path("mine.yaml").read_text() == "precious"
    assert run("new", "prompt", "k", "-o", "mine.yaml", "--force").code == 0
    assert load_experiment(Path("mine.yaml")).key == "k"
    assert run("new", "prompt", "k", "-o", "nowhere/mine.yaml").code == 2
    assert not Path("k.yaml").exists()


def test_a_template_with_a_name_that_is_none(run: Run) -> None:
    ended = run("new", "prompt", "Not A Key", "--subject", "x y")
    assert ended.code == 2
    assert "KEY" in ended.err
    assert "--subject" in ended.err
    assert list(Path().iterdir()) == []


def test_prompts_by_rule(run: Run) -> None:
    Path("sum.md").write_text(PROMPT + "\n")
    first = run("generate", "prompt", "sum.md", "-o", "-").out
    assert first == run("generate", "prompt", "sum.md", "-o", "-").out, "the same base gives the same experiment"
    spec = parse_experiment(first)
    prompts = {variant.name: variant.config["prompt"] for variant in spec.variants}
    assert prompts.pop("base") == PROMPT == spec.control.config["prompt"]
    assert {name.partition("-")[0] for name in prompts} == {"specificity", "structure", "context", "tone"}
    # No two of them are the same, and none has lost anything of the base.
    assert len(set(prompts.values()) | {PROMPT}) == len(prompts) + 1
    for prompt in prompts.values():
        assert all(sentence in prompt for sentence in ("Summarize the text.", "Name its author!", "Who is meant?"))
    steps = [prompts[f"specificity-{step}"] for step in (1, 2, 3)]
    assert steps[1].startswith(steps[0])
    assert steps[2].startswith(steps[1])
    assert prompts["structure-list"] == "1. Summarize the text.\n2. Name its author!\n3. Who is meant?"
    for variant in spec.variants:
        if not variant.control:
            assert variant.description.startswith(f"Rule {variant.name.partition('-')[0]}: ")


def test_only_some_rules_and_a_prompt_in_a_configuration(run: Run) -> None:
    Path("c.yaml").write_text("model: m\ntext: Do it.\n")
    ended = run("generate", "prompt", "c.yaml", "--rule", "tone", "--field", "text", "--key", "k", "--subject", "s")
    assert ended.code == 0
    spec = load_experiment(Path("k.yaml"))
    assert (spec.subject.kind, spec.subject.id) == ("prompt", "s")
    assert [variant.name for variant in spec.variants] == ["base", "tone-concise", "tone-formal", "tone-friendly"]
    assert {variant.config["model"] for variant in spec.variants} == {"m"}
    assert all(variant.config["text"].startswith("Do it.") for variant in spec.variants)


def test_workflows_by_rule(run: Run) -> None:
    Path("w.yaml").write_text(
        "steps:\n  - fetch\n  - {name: rank, needs: [fetch]}\n  - {name: tag, needs: [fetch]}\n"
        "  - {name: write, needs: [rank, tag]}\nexecution: {mode: sequential, log: true}\n"
    )
    assert run("generate", "workflow", "w.yaml", "-o", "e.yaml").code == 0
    spec = load_experiment(Path("e.yaml"))
    by_name = {variant.name: variant.config for variant in spec.variants}
    assert len(by_name) == 10
    parallel = by_name["execution-parallel"]["execution"]
    assert parallel["stages"] == [["fetch"], ["rank", "tag"], ["write"]]
    assert parallel["log"] is True, "what the base says stays"
    assert by_name["coordination-supervisor"]["coordination"] == {"mode": "supervisor"}
    assert by_name["optimization-retry"]["optimization"] == {"retries": 2}
    assert all(config["steps"] == by_name["base"]["steps"] for config in by_name.values())


@pytest.mark.parametrize(
    "steps", ["[{name: a, needs: [b]}, {name: b, needs: [a]}]", "[{name: a, needs: [c]}]", "[a, a]", "[{needs: []}]"]
)
def test_workflows_that_make_no_sense(run: Run, steps: str) -> None:
    Path("w.yaml").write_text(f"steps: {steps}\n")
    ended = run("generate", "workflow", "w.yaml", "-o", "e.yaml")
    assert ended.code == 2
    assert "steps" in ended.err
    assert not Path("e.yaml").exists()


def test_a_grid(run: Run) -> None:
    Path("c.yaml").write_text("model: {name: small, temperature: 0.2}\nretries: 1\n")
    options = ["--grid", "model.temperature=0.2,0.7", "--grid", "model.name=small,large", "--grid", "retries=1,3"]
    assert run("generate", "config", "c.yaml", *options, "-o", "e.yaml").code == 0
    spec = load_experiment(Path("e.yaml"))
    # Two by two by two, of which one is the base itself.
    assert len(spec.variants) == 8
    found = [
        (variant.config["model"]["temperature"], variant.config["model"]["name"], variant.config["retries"])
        for variant in spec.variants
    ]
    assert len(set(found)) == 8
    assert found[0] == (0.2, "small", 1)
    assert spec.variants[-1].name == "temperature-0.7_name-large_retries-3"
    assert spec.variants[-1].description == (
        "Rule grid: model.temperature = 0.7, model.name = large, retries = 3"
    )  # fmt: skip


def test_profiles(run: Run) -> None:
    Path("c.yaml").write_text(
        "workers: 3\ntimeout_s: 10\nretries: 0\ncache: false\nstream: false\n"
        "model: {max_tokens: 501, temperature: 0.5, name: m}\nworkers_note: 4\n"
    )
    assert run("generate", "config", "c.yaml", "-o", "e.yaml").code == 0
    by_name = {variant.name: variant for variant in load_experiment(Path("e.yaml")).variants}
    assert list(by_name) == ["base", "performance", "quality", "experience"]
    fast = by_name["performance"].config
    assert (fast["workers"], fast["timeout_s"], fast["retries"], fast["cache"]) == (6, 5, 0, True)
    assert fast["model"] == {"max_tokens": 250, "temperature": 0.5, "name": "m"}
    assert fast["workers_note"] == 4
    good = by_name["quality"].config
    assert (good["timeout_s"], good["retries"], good["workers"]) == (20, 1, 3)
    assert good["model"] == {"max_tokens": 1002, "temperature": 0.25, "name": "m"}
    assert by_name["experience"].config["stream"] is True
    assert "workers doubled" in by_name["performance"].description


def test_what_cannot_be_generated(run: Run) -> None:
    Path("c.yaml").write_text("a: 1\n")
    Path("p.md").write_text(" \n")
    many = ",".join(map(str, range(9)))
    for arguments in (
        ["config", "c.yaml"],
        ["config", "c.yaml", "--rule", "quality"],
        ["config", "c.yaml", "--rule", "tone"],
        ["config", "c.yaml", "--grid", "a"],
        ["config", "c.yaml", "--grid", "a=1"],
        ["config", "c.yaml", "--grid", f"a={many}", "--grid", f"b={many}"],
        ["workflow", "c.yaml", "--grid", "a=1,2"],
        ["prompt", "c.yaml"],
        ["prompt", "p.md"],
        ["prompt", "nothing.md"],
    ):
        ended = run("generate", *arguments, "-o", "e.yaml")
        assert ended.code == 2, arguments
        assert ended.err.startswith("error: ")
    assert not Path("e.yaml").exists()


@pytest.mark.parametrize("count", range(2, 65))
def test_equal_shares_sum_to_100(count: int) -> None:
    points = [round(float(share) * 100) for share in shares(count)]
    assert sum(points) == 10_000
    assert max(points) - min(points) <= 1
