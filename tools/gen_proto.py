"""Generates the Python stubs and the Rust wire types from proto/.

python tools/gen_proto.py            write them
python tools/gen_proto.py --check    fail if what is committed differs
"""

from __future__ import annotations

import argparse
import difflib
import os
import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
PYTHON = Path("src/sortition/rpc/v1")
RUST = Path("rust/core/src/wire/v1.rs")
# Only these have services; the others would give empty stubs.
SERVICES = ("admin", "analysis", "assignment", "recording")


def generate_python(out: Path) -> list[Path]:
    """Writes the stubs below `out` and returns their paths relative to it."""
    well_known = resources.files("grpc_tools") / "_proto"
    files = sorted(str(path.relative_to(PROTO)) for path in PROTO.rglob("*.proto"))
    services = [f"sortition/rpc/v1/{name}.proto" for name in SERVICES]
    common = ["protoc", f"-I{PROTO}", f"-I{well_known}"]
    if protoc.main([*common, f"--python_out={out}", f"--pyi_out={out}", *files]) != 0:
        raise SystemExit("protoc failed")
    if protoc.main([*common, f"--grpc_python_out={out}", *services]) != 0:
        raise SystemExit("protoc failed on the services")
    return sorted(path.relative_to(out) for path in out.rglob("*.py*"))


def generate_rust(out: Path) -> None:
    """Writes the wire types of the core to `out`."""
    out.parent.mkdir(parents=True, exist_ok=True)
    command = ["cargo", "run", "--quiet", "--package", "sortition-codegen", "--", str(PROTO), str(out)]
    subprocess.run(command, cwd=ROOT, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="fail if what is committed differs")
    check = parser.parse_args().check
    with tempfile.TemporaryDirectory() as scratch:
        made = Path(scratch)
        generated = {Path("src") / path: (made / path).read_text() for path in generate_python(made)}
        generate_rust(made / "v1.rs")
        generated[RUST] = (made / "v1.rs").read_text()
    known = {path.relative_to(ROOT) for path in (ROOT / PYTHON).glob("*_pb2*")} | {RUST}
    if check:
        report(generated, known)
        return
    for path in known - generated.keys():
        (ROOT / path).unlink()
    for path, text in generated.items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(text)
    print(f"wrote {len(generated)} files")


def report(generated: dict[Path, str], known: set[Path]) -> None:
    """Prints how the committed files differ from the generated ones; exits with 1 when they do."""
    wrong = sorted(str(path) for path in known - generated.keys())
    for path, text in generated.items():
        old = (ROOT / path).read_text() if (ROOT / path).exists() else ""
        if old != text:
            wrong.append(str(path))
            diff = difflib.unified_diff(old.splitlines(), text.splitlines(), str(path), "generated", lineterm="")
            print(os.linesep.join(list(diff)[:20]))
    if wrong:
        sys.exit(f"differ from proto/: {', '.join(wrong)}; run: python tools/gen_proto.py")
    print(f"generated code: {len(generated)} files as committed")


if __name__ == "__main__":
    main()
