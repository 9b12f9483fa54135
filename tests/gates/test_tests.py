"""The tests keep their own rules."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).parents[1]


def calls_of_sleep(tree: ast.AST) -> list[int]:
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        # asyncio.sleep(0) lets others run and takes no time.
        and not (node.args and isinstance(node.args[0], ast.Constant) and node.args[0].value == 0)
        and (
            (isinstance(node.func, ast.Attribute) and node.func.attr == "sleep")
            or (isinstance(node.func, ast.Name) and node.func.id == "sleep")
        )
    ]


def test_only_the_helper_that_waits_for_a_condition_sleeps() -> None:
    sleeping, seen = [], 0
    for path in sorted(TESTS.rglob("*.py")):
        seen += 1
        if path.name == "waiting.py":
            continue
        sleeping += [f"{path.relative_to(TESTS)}:{line}" for line in calls_of_sleep(ast.parse(path.read_text()))]
    assert seen > 40
    assert not sleeping


def test_every_test_function_asserts_something() -> None:
    silent, seen = [], 0
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) or not node.name.startswith("test_"):
                continue
            seen += 1
            if not any(_asserts(inner) for inner in ast.walk(node)):
                silent.append(f"{path.relative_to(TESTS)}: {node.name}")
    assert seen > 200
    assert not silent


def _asserts(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert):
        return True
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    # numpy's assert_allclose, pytest.raises, and helpers that say what they do.
    return name.startswith(("assert_", "check_", "expect_", "wait_for", "run_state_machine")) or name in {
        "raises",
        "fail",
    }
