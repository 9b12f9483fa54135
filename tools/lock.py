"""Writes constraints.txt: the exact versions that `make` installs, for every supported Python.

    python tools/lock.py python3.10 python3.11 python3.12 python3.13

Each interpreter resolves for itself, because environment markers are judged by the one that runs. Needs the package
index. Builds from source are left out on purpose: whatever is pinned has a wheel.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent


def requirements() -> list[str]:
    """Returns what the project and its groups ask for."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = pyproject["dependency-groups"]
    extras = pyproject["project"]["optional-dependencies"]
    return [
        *pyproject["project"]["dependencies"],
        *(line for group in groups.values() for line in group),
        *(line for extra in extras.values() for line in extra),
    ]


def resolve(python: str) -> dict[str, str]:
    """Returns the version of every package for one interpreter."""
    with tempfile.TemporaryDirectory() as scratch:
        report = Path(scratch) / "report.json"
        command = [
            *(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--dry-run"),
            *("--ignore-installed", "--report", str(report), "--only-binary=:all:"),
            *requirements(),
        ]
        subprocess.run(command, check=True)
        found = json.loads(report.read_text())["install"]
    return {item["metadata"]["name"].lower().replace("_", "-"): item["metadata"]["version"] for item in found}


def version_of(python: str) -> str:
    """Returns an interpreter's version as a marker names it, such as "3.10"."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def lines(by_python: dict[str, dict[str, str]]) -> list[str]:
    """Returns one line per package and version, with a marker where Pythons differ."""
    out = []
    newest = list(by_python)[-1]
    for name in sorted({name for packages in by_python.values() for name in packages}):
        versions = {python: packages[name] for python, packages in by_python.items() if name in packages}
        if len(versions) == len(by_python) and len(set(versions.values())) == 1:
            out.append(f"{name}=={next(iter(versions.values()))}")
            continue
        for version in sorted(set(versions.values())):
            pythons = [python for python, other in versions.items() if other == version]
            # The newest known Python stands for those to come.
            wanted = [f"python_version >= '{p}'" if p == newest else f"python_version == '{p}'" for p in pythons]
            out.append(f"{name}=={version} ; {' or '.join(wanted)}")
    return out


def main() -> None:
    pythons = sys.argv[1:]
    if not pythons:
        sys.exit(__doc__)
    by_python = {}
    for version, python in sorted(
        ((version_of(python), python) for python in pythons), key=lambda pair: int(pair[0][2:])
    ):
        by_python[version] = resolve(python)
        print(f"Python {version}: {len(by_python[version])} packages")
    text = "# Written by tools/lock.py; `make` installs exactly these.\n" + "\n".join(lines(by_python)) + "\n"
    (ROOT / "constraints.txt").write_text(text)


if __name__ == "__main__":
    main()
