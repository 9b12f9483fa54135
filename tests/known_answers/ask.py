"""Asks the engines that are installed, and compares what they say with what is recorded.

python tests/known_answers/ask.py [--write]
"""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import shutil
import subprocess
import sys
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from known_answers.inputs import INPUTS  # noqa: E402
from known_answers.recorded import ANSWERS, read  # noqa: E402

PYTHON_ENGINES = ("statsmodels", "gbstats", "tea_tasting", "confseq", "savvi", "mpmath")
LICENCES = {
    "statsmodels": "BSD-3-Clause",
    "gbstats": "MIT",
    "tea-tasting": "MIT",
    "confseq": "MIT",
    "savvi": "MIT",
    "mpmath": "BSD-3-Clause",
    "R": "GPL-2 or later; rpact LGPL-3, survey GPL-2 or GPL-3, effectsize MIT",
}
SAME = 1e-9
"""Two runs of the same version agree to it; engines that search for their answer stop at different places."""


def ask_python(engine: str) -> dict[str, Any] | None:
    """Returns an engine's answers, or None where it is not installed."""
    try:
        module = importlib.import_module(f"known_answers.engines.{engine}_answers")
        found = version(module.PACKAGE)
    except (ImportError, PackageNotFoundError):
        return None
    answers = {}
    for method, answer in module.ANSWERS.items():
        for name, question in INPUTS[method].items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                figures = answer(question)
            answers.update({f"{method}/{name}/{figure}": float(value) for figure, value in figures.items()})
    return _sheet(module.PACKAGE, found, {"numpy": version("numpy"), "scipy": version("scipy")}, answers)


def ask_r() -> dict[str, Any] | None:
    """Returns R's answers, or None where R or one of the packages is not installed."""
    if shutil.which("Rscript") is None:
        return None
    program = f"inputs <- {_r(INPUTS)}\n" + (HERE / "engines" / "answers.R").read_text()
    run = subprocess.run(["Rscript", "-"], input=program, capture_output=True, text=True, check=False, timeout=300)
    if run.returncode != 0:
        print(f"R: {run.stderr.strip().splitlines()[-1:]}")
        return None
    rows = [line.split("\t") for line in run.stdout.splitlines()]
    versions = {row[0][1:]: row[1] for row in rows if row[0].startswith("#")}
    answers = {row[0]: float(row[1]) for row in rows if not row[0].startswith("#")}
    return _sheet("R", versions.pop("R"), versions, answers)


def _r(value: Any) -> str:
    """Returns a value as R writes it."""
    if isinstance(value, dict):
        return "list(" + ", ".join(f"`{key}` = {_r(each)}" for key, each in value.items()) + ")"
    if isinstance(value, (list, tuple)):
        return "c(" + ", ".join(_r(each) for each in value) + ")"
    if isinstance(value, bool):
        return str(value).upper()
    return json.dumps(value)


def _sheet(engine: str, found: str, beside: dict[str, str], answers: dict[str, float]) -> dict[str, Any]:
    return {
        "engine": engine,
        "version": found,
        "licence": LICENCES[engine],
        "beside": beside,
        "python": platform.python_version() if engine != "R" else "",
        "answers": answers,
    }


def differences(now: dict[str, float], before: dict[str, float]) -> list[str]:
    """Returns what an engine says otherwise than it is recorded."""
    lines = [f"  new: {name}" for name in now.keys() - before.keys()]
    lines += [f"  gone: {name}" for name in before.keys() - now.keys()]
    for name in sorted(now.keys() & before.keys()):
        a, b = now[name], before[name]
        if abs(a - b) > SAME * max(abs(a), abs(b)):
            lines.append(f"  {name}: recorded {b!r}, now {a!r}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="record what the engines say now")
    arguments = parser.parse_args()
    changed = False
    for engine in (*PYTHON_ENGINES, "r"):
        sheet = ask_r() if engine == "r" else ask_python(engine)
        if sheet is None:
            print(f"{engine}: not installed")
            continue
        file = ANSWERS / f"{engine}.json"
        if arguments.write:
            file.write_text(json.dumps(sheet, indent=1) + "\n")
        lines = differences(sheet["answers"], read(file).answers if file.exists() else {})
        changed |= bool(lines)
        print(
            f"{sheet['engine']} {sheet['version']}: {len(sheet['answers'])} answers, {len(lines)} other than recorded"
        )
        print("\n".join(lines), end="\n" if lines else "")
    sys.exit(1 if changed else 0)


if __name__ == "__main__":
    main()
