"""An experiment file that names files becomes an ordinary experiment, or says all that is wrong with it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sortition.errors import DataLoss, SpecError
from sortition.model import merge
from sortition.subjectfiles.declare import declared_experiment
from sortition.subjectfiles.held import held_file
from sortition.subjectfiles.overrides import read_values
from sortition.subjectfiles.place import digest

HEAD = """\
experiment: e
subject: {kind: file, id: agent}
metrics: {success: {kind: binary, goal: maximize, role: primary}}
"""
AGENT = "# a\nmodel: {name: m, temperature: 0.7}\nsteps:\n- {timeout: 1.5}\n- {timeout: 2}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "agent.yaml").write_text(AGENT)
    (tmp_path / "a.md").write_text("Be brief.\n")
    (tmp_path / "b.md").write_text("Be kind.\r\n")
    (tmp_path / "binary").write_bytes(b"\0")
    return tmp_path


def experiment(root: Path, text: str) -> Path:
    path = root / "e.yaml"
    path.write_text(HEAD + text)
    return path


def test_files_in_the_place_of_a_file(root: Path) -> None:
    file = experiment(
        root, "file: a.md\nvariants: {now: {weight: 50, control: true}, kind: {weight: 50, file: b.md}}\n"
    )
    declared = declared_experiment(file, root)
    assert declared.base == {"file": {"path": "a.md", "sha256": digest(b"Be brief.\n")}, "content": "Be brief.\n"}
    control, treatment = declared.spec.variants
    assert control.config == {}
    assert treatment.description == "b.md in the place of a.md"
    shipped = held_file(merge(declared.base, treatment.config))
    assert shipped is not None
    assert (shipped.path, shipped.content) == ("a.md", "Be kind.\r\n")
    assert (shipped.sha256, shipped.base) == (digest(b"Be kind.\r\n"), digest(b"Be brief.\n"))


def test_values_laid_over_a_file(root: Path) -> None:
    file = experiment(
        root,
        "file: agent.yaml\nvariants:\n  now: {weight: 50, control: true}\n"
        "  cool: {weight: 50, set: {model.temperature: 0.2, steps.1.timeout: 4}}\n",
    )
    declared = declared_experiment(file, root)
    assert declared.base is not None
    assert declared.base["values"] == read_values(AGENT, "agent.yaml")
    treatment = declared.spec.variants[1]
    assert treatment.description == "agent.yaml with model.temperature = 0.2, steps.1.timeout = 4"
    # Only what differs is the variant's own; a list is replaced whole, as configurations are merged.
    assert treatment.config["values"] == {"model": {"temperature": 0.2}, "steps": [{"timeout": 1.5}, {"timeout": 4}]}
    merged = merge(declared.base, treatment.config)
    assert merged["content"] == AGENT.replace("0.7", "0.2").replace("timeout: 2}", "timeout: 4}")
    assert merged["values"] == read_values(str(merged["content"]), "agent.yaml")


def test_with_a_whole_file_among_the_variants_nobody_gets_values(root: Path) -> None:
    (root / "other.yaml").write_text("model: {}\n")
    file = experiment(
        root,
        "file: agent.yaml\nvariants:\n  now: {weight: 40, control: true}\n  cool: {weight: 30, set: {model.name: n}}\n"
        "  other: {weight: 30, file: other.yaml}\n",
    )
    declared = declared_experiment(file, root)
    assert declared.base is not None
    assert all("values" not in config for config in (declared.base, *(each.config for each in declared.spec.variants)))


def test_an_experiment_about_no_file_is_what_it_was(root: Path) -> None:
    text = HEAD.replace("kind: file", "kind: agent")
    (root / "e.yaml").write_text(text + "variants: {a: {weight: 50, control: true}, b: {weight: 50, config: {x: 1}}}\n")
    declared = declared_experiment(root / "e.yaml", root)
    assert declared.base is None
    assert declared.spec.variants[1].config == {"x": 1}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("variants: {n: {weight: 50, control: true}, k: {weight: 50, file: b.md}}", "line 1.*file: is required"),
        ("file: no.md\nvariants: {n: {weight: 50, control: true}, k: {weight: 50, file: b.md}}", "line 4.*no.md"),
        ("file: ../a\nvariants: {n: {weight: 50, control: true}, k: {weight: 50, file: b.md}}", "line 4.*out of the"),
        ("file: a.md\nvariants: {n: {weight: 50, control: true}, k: {weight: 50, file: binary}}", "line 5.*binary"),
        ("file: a.md\nvariants: {n: {weight: 50, control: true}, k: {weight: 50, file: [b]}}", "must be a path"),
        ("file: a.md\nvariants: {n: {weight: 50, control: true}, k: {weight: 50}}", "k: must have either"),
        ("file: a.md\nvariants: {n: {weight: 50, control: true}, k: {weight: 50, set: {a: 1}}}", "is none; use file"),
        ("file: agent.yaml\nvariants: {n: {weight: 50, control: true}, k: {weight: 50, set: 1}}", "must be a mapping"),
        (
            "file: agent.yaml\nvariants: {n: {weight: 50, control: true}, k: {weight: 50, set: {x: 1}}}",
            "k.set.x: is not",
        ),
        ("file: a.md\nvariants: {n: {weight: 50, control: true, file: b.md}, k: {weight: 50, file: b.md}}", "control"),
        ("file: a.md\nvariants: {n: {weight: 50, control: true}, k: {weight: 50, file: b.md, config: {}}}", "config"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(root: Path, text: str, said: str) -> None:
    with pytest.raises(SpecError) as caught:
        declared_experiment(experiment(root, text + "\n"), root)
    found = [str(each) for each in caught.value.violations]
    assert any(re.search(said, each) for each in found), found
    assert all(each.line is not None for each in caught.value.violations)


def test_faults_of_the_file_and_of_the_experiment_come_together(root: Path) -> None:
    text = "file: no.md\nvariants: {n: {weight: 50, control: true}, k: {weight: 40, file: nor.md}}\nunknown: 1\n"
    file = experiment(root, text)
    file.write_text(file.read_text().replace("kind: file", "kind: agent"))
    with pytest.raises(SpecError) as caught:
        declared_experiment(file, root)
    fields = {each.field for each in caught.value.violations}
    assert {"file", "subject.kind", "variants.k.file", "variants", "unknown"} <= fields


def test_a_yaml_file_that_cannot_be_read_is_named_once(root: Path) -> None:
    (root / "agent.yaml").write_text("a: !x 1\n")
    file = experiment(
        root,
        "file: agent.yaml\nvariants: {n: {weight: 40, control: true}, k: {weight: 30, set: {a: 1}},"
        " l: {weight: 30, set: {a: 2}}}\n",
    )
    with pytest.raises(SpecError) as caught:
        declared_experiment(file, root)
    assert len(caught.value.violations) == 1
    assert "has the tag" in str(caught.value.violations[0])


def test_content_that_is_not_what_its_hash_says_is_no_file() -> None:
    config = {"file": {"path": "a", "sha256": "0" * 64}, "content": "x"}
    with pytest.raises(DataLoss):
        held_file(config)
    for other in ({}, {"file": "a"}, {"content": "x"}, {"file": {"path": "a", "sha256": "0"}, "content": "x"}):
        assert held_file(other) is None
