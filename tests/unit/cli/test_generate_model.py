"""`sortition generate --model`: variants by a model behind a real HTTP server, which also fails, hangs and lies."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat_server import Chat, completion, serving_chat
from commands import Ended, Run, run_command
from sortition.cli.generate.model.checks import placeholders, violations
from sortition.cli.generate.model.endpoint import endpoint_from
from sortition.errors import InvalidArgument
from sortition.model.file import load_experiment

KEY = "sk-very-secret-0123456789"
PROMPT = "Greet {name}. Use <html> and ${style}."
BETTER = "Greet {name} warmly. Use <html> and ${style}."
CONFIG: dict[str, Any] = {"workers": 2, "model": {"temperature": 0.5, "stop": ["a", "b"]}, "cache": False, "note": None}


@pytest.fixture
def chat() -> Iterator[Chat]:
    with serving_chat() as found:
        yield found


@pytest.fixture
def run(chat: Chat, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    for name in ("SORTITION_MODEL_KEY_FILE", "OPENAI_BASE_URL", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SORTITION_MODEL_URL", chat.url)
    monkeypatch.setenv("SORTITION_MODEL_KEY", KEY)
    # Nobody who is asked for a model here goes through it.
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.chdir(tmp_path)
    Path("greet.md").write_text(PROMPT)
    Path("search.json").write_text(json.dumps(CONFIG))
    return run_command(capfd)


def generate(run: Run, *options: object, rule: str = "tone") -> Ended:
    return run("generate", "prompt", "greet.md", "--model", "m1", "--rule", rule, *options)


def test_a_prompt(run: Run, chat: Chat) -> None:
    chat.says({"config": {"prompt": BETTER}})
    ended = generate(run)
    assert ended == (0, "", "")
    spec = load_experiment(Path("greet.yaml"))
    base, tone = spec.variants
    assert (base.control, base.config, tone.name, tone.config) == (True, {"prompt": PROMPT}, "tone", {"prompt": BETTER})
    assert tone.description.startswith("Rule tone: change the tone")
    assert tone.description.endswith("(written by m1 with seed 1)")
    assert Path("greet.yaml").read_text().startswith("# Made by m1 of greet.md: tone.")
    (asked,) = chat.asked
    assert (asked["model"], asked["seed"], asked["n"], asked["stream"]) == ("m1", 1, 1, False)
    assert PROMPT in json.loads(asked["messages"][1]["content"].partition("as JSON:\n")[2])["prompt"]
    assert chat.paths == ["/v1/chat/completions"]
    assert chat.headers[0]["Authorization"] == f"Bearer {KEY}"


def test_all_rules_of_a_kind_with_several_of_each(run: Run, chat: Chat) -> None:
    made = [{"config": {**CONFIG, "workers": number}} for number in range(3, 9)]
    chat.says(*made)
    ended = run("generate", "config", "search.json", "--model", "m1", "--variants", "2", "--seed", "7", "-o", "e.yaml")
    assert ended.code == 0
    names = [each.name for each in load_experiment(Path("e.yaml")).variants]
    assert names == ["base", *(f"{rule}-{n}" for rule in ("performance", "quality", "experience") for n in (1, 2))]
    assert [each["seed"] for each in chat.asked] == [7, 8] * 3


def test_an_instruction_of_ones_own(run: Run, chat: Chat) -> None:
    chat.says({"config": {"prompt": BETTER}})
    ended = run("generate", "prompt", "greet.md", "--model", "m1", "--instruction", "be warm")
    assert ended.code == 0
    (variant,) = load_experiment(Path("greet.yaml")).variants[1:]
    assert (variant.name, variant.description) == (
        "instruction-1",
        "Rule instruction: be warm (written by m1 with seed 1)",
    )
    assert chat.asked[0]["messages"][1]["content"].startswith("Instruction: be warm\n")


def test_the_same_answers_make_the_same_file(run: Run, chat: Chat) -> None:
    chat.says("```json\n" + json.dumps({"config": {"prompt": BETTER}}) + "\n```")
    first, second = generate(run, "-o", "-"), generate(run, "-o", "-")
    assert first.code == 0
    assert first == second


def test_what_is_wrong_is_told_to_the_model_once(run: Run, chat: Chat) -> None:
    chat.says({"config": {"prompt": "Greet them {warmly}."}}, {"config": {"prompt": BETTER}})
    assert generate(run).code == 0
    first, second = chat.asked
    assert second["messages"][:2] == first["messages"]
    said = second["messages"][3]["content"]
    for each in ("lacks the placeholder {name}", "lacks the placeholder ${style}", "has the placeholder {warmly}"):
        assert each in said


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("Sure! Here it is.", "is not JSON"),
        ('{"prompt": "x"}', 'must be a JSON object with the field "config"'),
        ('{"config": "x"}', "answer.config: must be a mapping as in the base, but is a text"),
        ('{"config": {}}', "answer.config.prompt: is missing"),
        ('{"config": {"prompt": " "}}', "is empty"),
        ('{"config": {"prompt": 7}}', "must be a text as in the base, but is a whole number"),
        (json.dumps({"config": {"prompt": BETTER, "more": 1}}), "answer.config.more: is not in the base"),
        (json.dumps({"config": {"prompt": PROMPT}}), "is the base as it was"),
        ('{"config": {"prompt": NaN}}', "NaN is no JSON"),
        ("[" * 100_000, "answer"),
        (json.dumps({"config": {"prompt": BETTER + "x" * 300_000}}), "the limit is 262144"),
    ],
)
def test_what_cannot_be_used_changes_nothing(run: Run, chat: Chat, answer: str, said: str) -> None:
    chat.says(answer)
    ended = generate(run)
    assert ended.code == 2
    assert said in ended.err
    assert "what m1 wrote for tone cannot be used, twice" in ended.err
    assert not Path("greet.yaml").exists()
    assert len(chat.asked) == 2


def test_two_variants_that_are_the_same(run: Run, chat: Chat) -> None:
    chat.says({"config": {"prompt": BETTER}})
    ended = generate(run, "--variants", "2")
    assert ended.code == 2
    assert "is the same as tone-1" in ended.err


@pytest.mark.parametrize(
    ("behaviour", "code", "said"),
    [
        (Chat.fails(401, f"Incorrect API key provided: {KEY}"), 8, "set SORTITION_MODEL_KEY"),
        (Chat.fails(403), 8, "set SORTITION_MODEL_KEY"),
        (Chat.fails(404, "model not found"), 3, "is 'm1' one of its models"),
        (Chat.fails(400, "bad request"), 2, "answers 400 (bad request)"),
        (Chat.fails(429, "slow down", Retry_After="0"), 7, "ask for fewer variants"),
        (Chat.fails(503, "overloaded", Retry_After="0"), 5, "try again later"),
        (Chat.fails(302, Location="http://127.0.0.1:9/"), 2, "answers 302"),
        (Chat.sends(b"<html>" + KEY.encode()), 2, "is no chat completion"),
        (Chat.sends(b'{"choices": []}'), 2, "is no chat completion"),
        (Chat.sends(b"\xff\xfe"), 2, "is no chat completion"),
        (Chat.sends(b" " * (4 * 1024 * 1024 + 1)), 7, "more than 4194304 bytes"),
        (completion(""), 2, "is empty"),
        (completion("{", finish_reason="length"), 2, "was cut off"),
        (completion("", message={"refusal": "I will not"}), 2, "declined: 'I will not'"),
    ],
)
def test_failures_say_what_to_do_and_never_the_key(run: Run, chat: Chat, behaviour: Any, code: int, said: str) -> None:
    chat.does(behaviour)
    ended = generate(run)
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.err
    assert KEY not in ended.err
    assert not Path("greet.yaml").exists()


def test_a_busy_endpoint_is_asked_again(run: Run, chat: Chat) -> None:
    busy = Chat.fails(503, Retry_After="0")
    chat.does(busy, busy, completion({"config": {"prompt": BETTER}}))
    assert generate(run).code == 0
    assert len(chat.asked) == 3


def test_an_endpoint_that_is_busy_for_longer_than_there_is_time(run: Run, chat: Chat) -> None:
    chat.does(Chat.fails(429, Retry_After="3600"))
    assert generate(run).code == 7
    assert len(chat.asked) == 1


def test_what_an_endpoint_does_not_know_is_left_out_and_told(run: Run, chat: Chat) -> None:
    chat.does(Chat.fails(400, "unknown parameter: seed"), completion({"config": {"prompt": BETTER}}))
    ended = generate(run)
    assert (ended.code, ended.err) == (0, "the endpoint does not know seed: it is left out\n")
    assert [sorted(each) for each in chat.asked][1] == [
        "messages", "model", "n", "response_format", "stream", "temperature",
    ]  # fmt: skip
    assert load_experiment(Path("greet.yaml")).variants[1].description.endswith("(written by m1)")


@pytest.mark.parametrize("behaviour", ["hangs", "drips"])
def test_slowness_ends(run: Run, chat: Chat, behaviour: str) -> None:
    chat.does(getattr(chat, behaviour))
    ended = generate(run, "--model-timeout", "1")
    assert ended.code == 5
    assert "gave no answer within 1 s; see --model-timeout" in ended.err


def test_nobody_there(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SORTITION_MODEL_URL", "http://127.0.0.1:9/v1")
    ended = generate(run)
    assert ended.code == 5
    assert "cannot be reached" in ended.err


def test_no_endpoint(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SORTITION_MODEL_URL")
    ended = generate(run)
    assert ended.code == 2
    assert "set SORTITION_MODEL_URL" in ended.err


def test_the_usual_key_goes_to_the_usual_endpoint_only(chat: Chat) -> None:
    usual = {"OPENAI_BASE_URL": "https://usual.example/v1/", "OPENAI_API_KEY": KEY}
    assert endpoint_from("m", 1, environment=usual).url == "https://usual.example/v1"
    assert endpoint_from("m", 1, environment=usual).key == KEY
    assert endpoint_from("m", 1, environment={**usual, "SORTITION_MODEL_URL": chat.url}).key == ""
    assert endpoint_from("m", 1, chat.url, environment=usual).key == ""
    assert KEY not in repr(endpoint_from("m", 1, environment=usual))


def test_a_key_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY + "\n")
    given_ = {"SORTITION_MODEL_URL": "https://h/v1", "SORTITION_MODEL_KEY_FILE": str(tmp_path / "key")}
    assert endpoint_from("m", 1, environment=given_).key == KEY
    with pytest.raises(InvalidArgument, match="cannot be read"):
        endpoint_from("m", 1, environment={**given_, "SORTITION_MODEL_KEY_FILE": str(tmp_path / "none")})


@pytest.mark.parametrize(
    "url",
    ["ftp://h/v1", "h/v1", "http://", "https://h/v1?x=1", "https://u:p@h/v1", "http://far.example/v1", "http://h:x/v1"],
)
def test_endpoints_that_are_refused(url: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        endpoint_from("m", 1, environment={"SORTITION_MODEL_URL": url, "SORTITION_MODEL_KEY": KEY})
    assert KEY not in str(caught.value)


def test_plain_http_without_a_key_is_the_users_business() -> None:
    assert endpoint_from("m", 1, environment={"SORTITION_MODEL_URL": "http://far.example/v1"}).key == ""


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--variants", "8", "--instruction", "a", "--instruction", "b"], "a model is asked for 16 at most"),
        (["--instruction", " "], "must have 1 to 2000 letters"),
        (["--rule", "shine"], "must be one of specificity"),
    ],
)
def test_what_is_asked_too_much_is_refused_before_anybody_is_asked(
    run: Run, chat: Chat, options: list[str], said: str
) -> None:
    ended = generate(run, *options)
    assert (ended.code, chat.asked) == (2, [])
    assert said in ended.err


def test_a_file_that_is_there_is_not_paid_for(run: Run, chat: Chat) -> None:
    Path("greet.yaml").write_text("precious")
    assert (generate(run).code, chat.asked) == (6, [])
    assert Path("greet.yaml").read_text() == "precious"


def test_an_instruction_needs_a_model(run: Run) -> None:
    assert run("generate", "prompt", "greet.md", "--instruction", "x").code == 2
    assert run("generate", "config", "search.json", "--model", "m", "--grid", "workers=1,2").code == 2


def test_nothing_but_the_environment_shows_the_key(run: Run, chat: Chat) -> None:
    """Not the list of processes, and nothing that is written."""
    chat.says({"config": {"prompt": BETTER}})
    command = [sys.executable, "-m", "sortition", "generate", "prompt", "greet.md", "--model", "m1", "--rule", "tone"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=environment)
    assert KEY not in done.stdout + done.stderr + Path("greet.yaml").read_text()


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({**CONFIG, "workers": 2.5}, "config.workers: must be a whole number"),
        ({**CONFIG, "workers": True}, "config.workers: must be a whole number"),
        ({**CONFIG, "cache": 1}, "config.cache: must be true or false"),
        ({**CONFIG, "note": "x"}, "config.note: must be null"),
        ({**CONFIG, "model": {"temperature": 1, "stop": ["a", 1]}}, "config.model.stop[1]: must be a text"),
        ({**CONFIG, "model": {"temperature": 1, "stop": ["a"] * 5}}, "has 5 items; the base has 2, so 4 is the limit"),
        ({**CONFIG, "model": {"temperature": 1}}, "config.model.stop: is missing"),
    ],
)
def test_keys_and_types_are_those_of_the_base(made: Any, said: str) -> None:
    assert said in str(next(iter(violations(CONFIG, made))))


def test_what_may_differ() -> None:
    made = {**CONFIG, "workers": 8, "cache": True, "model": {"temperature": 1, "stop": ["c"]}}
    assert violations(CONFIG, made) == []
    assert len(violations(CONFIG, {"workers": "x"})) == 4, "all of it at once"


def test_placeholders() -> None:
    text = "{a} {{ b.c }} ${d} $e %(f)s <g> {not one} 5 < 6 > 4 {} { } 100%"
    assert placeholders(text) == {"{a}", "{{ b.c }}", "${d}", "$e", "%(f)s", "<g>"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text("ab{}x ", max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("pqr"), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from("pqr"), JSON, max_size=3), JSON)
def test_whatever_is_answered_is_judged_and_the_base_alone_is_as_it_was(base: Any, made: Any) -> None:
    assert [each.description for each in violations(base, base)] == ["is the base as it was; change something"]
    if not violations(base, made):
        assert isinstance(made, dict)
        assert base.keys() == made.keys()
