"""What the code may not do at all, and what the document on security promises."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from sortition.cli.app import app

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "sortition"
# They run what they read.
BANNED_MODULES = {"pickle", "cPickle", "dill", "marshal", "shelve", "yaml", "jsonpickle"}
BANNED_CALLS = {"eval", "exec", "compile", "__import__"}
# Their first argument is SQL.
SQL_CALLS = {"text", "execute", "exec_driver_sql", "executescript", "executemany", "DDL"}


def trees() -> list[tuple[Path, ast.Module]]:
    found = [(path, ast.parse(path.read_text())) for path in sorted(SOURCE.rglob("*.py")) if "rpc" not in path.parts]
    assert len(found) > 120
    return found


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", ""), node


def put_together(node: ast.AST) -> bool:
    """Returns whether a text is made of parts, of which one may come from a caller."""
    if isinstance(node, ast.JoinedStr):
        # A part that is written in capitals is a constant of the module.
        parts = [part.value for part in node.values if isinstance(part, ast.FormattedValue)]
        return any(not (isinstance(part, ast.Name) and part.id.strip("_").isupper()) for part in parts)
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Mod)):
        return True
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("format", "join")


def unbound_sql(tree: ast.AST) -> list[int]:
    return [node.lineno for name, node in calls(tree) if name in SQL_CALLS and node.args and put_together(node.args[0])]


def test_sql_has_bound_parameters_only() -> None:
    seen, found = 0, []
    for path, tree in trees():
        seen += sum(name in SQL_CALLS and bool(node.args) for name, node in calls(tree))
        found += [f"{path.relative_to(ROOT)}:{line}" for line in unbound_sql(tree)]
    assert seen > 40
    assert not found


@pytest.mark.parametrize(
    "planted",
    [
        'tx.execute(text(f"SELECT {name}"))',
        'text("SELECT " + name)',
        'text("SELECT %s" % name)',
        'connection.execute("SELECT {}".format(name))',
        'tx.exec_driver_sql(", ".join(names))',
    ],
)
def test_the_gate_sees_sql_that_is_put_together(planted: str) -> None:
    assert unbound_sql(ast.parse(planted))


def test_nothing_that_runs_what_it_reads() -> None:
    found, seen = [], 0
    for path, tree in trees():
        for node in ast.walk(tree):
            modules = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            seen += len(modules)
            found += [f"{path.name}: {name}" for name in modules if name.partition(".")[0] in BANNED_MODULES]
        for _, node in calls(tree):
            if isinstance(node.func, ast.Name) and node.func.id in BANNED_CALLS:
                found.append(f"{path.name}:{node.lineno}")
            found += [f"{path.name}:{node.lineno} shell" for word in node.keywords if word.arg == "shell"]
    assert seen > 500
    assert not found


def test_yaml_is_read_by_a_reader_that_makes_no_objects() -> None:
    seen = 0
    for path, tree in trees():
        for name, node in calls(tree):
            if name == "YAML":
                seen += 1
                kinds = [
                    word.value.value
                    for word in node.keywords
                    if word.arg == "typ" and isinstance(word.value, ast.Constant)
                ]
                assert kinds in ([], ["safe"], ["rt"]), f"{path.name}:{node.lineno}"
            assert name != "unsafe_load"
    assert seen


@pytest.mark.parametrize("module", ["api/tokens.py", "api/guard.py", "api/keyring.py"])
def test_secrets_come_from_the_generator_for_secrets(module: str) -> None:
    text = (SOURCE / module).read_text()
    assert not re.search(r"\b(import random|from random|uuid)\b", text)


REFERENCE = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")
CODE = re.compile(r"`(src/[\w/.]+|tools/[\w/.]+|rust/[\w/.]+)`")


def test_every_rule_of_the_document_names_code_and_a_test_that_exist() -> None:
    rows = [
        line
        for line in (ROOT / "docs" / "security.md").read_text().splitlines()
        if line.startswith("| ") and not line.startswith(("| rule", "|---", "| setting", "| role", "| threat"))
    ]
    table = [row for row in rows if "`tests/" in row]
    assert len(table) >= 20
    for row in table:
        references = REFERENCE.findall(row)
        assert references
        for file, name in references:
            assert (ROOT / file).is_file(), row
            assert not name or f"def {name}(" in (ROOT / file).read_text(), f"{file}::{name}"
        for path in CODE.findall(row):
            assert (ROOT / path).exists(), path
        assert CODE.findall(row), f"names no code: {row}"


def options() -> Iterator[tuple[str, str]]:
    """Yields every command with each of its options."""
    waiting: list[tuple[str, Any]] = [("sortition", typer.main.get_command(app))]
    while waiting:
        name, command = waiting.pop()
        waiting += [(f"{name} {each}", found) for each, found in getattr(command, "commands", {}).items()]
        for parameter in command.params:
            yield from ((name, option) for option in parameter.opts)


def test_no_command_takes_a_secret_where_other_users_see_it() -> None:
    found = list(options())
    assert len(found) > 150
    assert ("sortition list", "--token-file") in found
    # Where a page goes on is called a token, and is none.
    harmless = {"--alert-webhook-secret-file", "--token-file", "--tokens-file", "--page-token"}
    secret = re.compile("token|secret|password|passphrase|credential")
    assert not [each for each in found if secret.search(each[1]) and each[1] not in harmless]
