"""How long a person waits for `sortition --help`; it should be below 150 ms on an idle machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest


def run(*arguments: str) -> Callable[[], object]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return lambda: subprocess.run(
        [sys.executable, *arguments], env=environment, stdout=subprocess.DEVNULL, check=True, timeout=60
    )


@pytest.mark.parametrize(
    "arguments",
    [("-c", "pass"), ("-m", "sortition", "--help"), ("-m", "sortition", "import", "--help")],
    ids=["bare interpreter", "sortition --help", "sortition import --help"],
)
def test_start(benchmark: Any, arguments: tuple[str, ...]) -> None:
    benchmark.pedantic(run(*arguments), rounds=10, warmup_rounds=2)
