"""Plants bugs into copies of the core, one at a time; the simulation of crashes has to find each within its plain run.

python tools/simulate_mutants.py                 every bug
python tools/simulate_mutants.py sync checksum   those whose names contain one of these words
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORE = Path("rust/core")
TEST = ["cargo", "test", "--locked", "--quiet", "--release", "--package", "sortition-core", "--test", "simulation"]
TIMEOUT_S = 1200


@dataclass(frozen=True)
class Bug:
    """A change that makes a right program wrong: `old` stands once in `file`."""

    name: str
    file: str
    old: str
    new: str


BUGS = (
    Bug(
        "a call is applied although appending it failed",
        "src/engine.rs",
        "log::encode_effects(body, day, claim, steps, room.exposures());\n            })?;",
        "log::encode_effects(body, day, claim, steps, room.exposures());\n            }).unwrap_or(0);",
    ),
    Bug(
        "the checksum of a record is not looked at",
        "src/log/format.rs",
        "if crc32c(body) != u32_at(header, 4) {",
        "if false {",
    ),
    Bug(
        "segments are cut before the database has their batch",
        "src/log/segments.rs",
        "let last = |segment: &&Closed| segment.batch <= batch;",
        "let last = |segment: &&Closed| segment.batch <= batch + 1;",
    ),
    Bug(
        "the windows of clients are not in a checkpoint",
        "src/log/checkpoint.rs",
        "log.note_part(|body| encode_clients(body, part))?;",
        "let _ = (part, encode_clients);",
    ),
    Bug(
        "keys are not in a checkpoint",
        "src/log/checkpoint.rs",
        "log.note_part(|body| encode_keys(body, part))?;",
        "let _ = (part, encode_keys);",
    ),
    Bug(
        "replaying does not remember which calls it saw",
        "src/log/replay.rs",
        "self.dedup.restore_call(&delivery, at_ms, &self.limits);",
        "let _ = (&delivery, at_ms);",
    ),
    Bug(
        "the numbers of batches begin anew with every process",
        "src/flush.rs",
        "flush.high_water = high_water;\n        flush.resumed = true;",
        "flush.resumed = true;",
    ),
    Bug(
        "the database does not check the number of a batch",
        "tests/simulation/database.rs",
        "if batch.number == self.rows.high_water + 1 {",
        "if batch.number > 0 {",
    ),
    Bug(
        "a call is acknowledged before it is synced",
        "src/log/writer.rs",
        "Ack::Fsynced => self.sync_up_to(lsn),",
        "Ack::Fsynced => Ok(()),",
    ),
    Bug(
        "a sync that failed is taken for one that did not",
        "src/log/sync.rs",
        "Err(error) => Err(self.fail(&error)),",
        "Err(_) => {\n                    self.reached(lsn);\n                    Ok(())\n                }",
    ),
    Bug(
        "the background sync does nothing",
        "src/log/writer.rs",
        "pub fn mark(&self) -> Result<()> {\n        self.sync()?;",
        "pub fn mark(&self) -> Result<()> {",
    ),
    Bug(
        "what a killed process left is not synced at the start",
        "src/log/replay.rs",
        "fs.open(name)?.sync()?;",
        "fs.open(name)?;",
    ),
    Bug(
        "segments are removed before it is synced that they may be",
        "src/log/writer.rs",
        "self.note(|body| effects::encode_commit(body, committed))?;\n        self.sync()?;\n"
        "        let mut writer = self.writer.lock();\n        writer.told",
        "self.note(|body| effects::encode_commit(body, committed))?;\n"
        "        let mut writer = self.writer.lock();\n        writer.told",
    ),
    Bug(
        "the name of a new segment is not synced",
        "src/log/writer.rs",
        "file.sync()?;\n        fs.sync_dir()?;\n        Ok(file)",
        "file.sync()?;\n        Ok(file)",
    ),
    Bug(
        "a record that was written in part is not cut off",
        "src/log/writer.rs",
        "self.dirty = self.file.truncate(self.bytes).is_err();",
        "self.dirty = false;",
    ),
    Bug(
        "exposures are not in the log",
        "src/engine.rs",
        "log::encode_effects(body, day, claim, steps, room.exposures());",
        "log::encode_effects(body, day, claim, steps, &[]);",
    ),
)


def plant(bug: Bug, copy: Path) -> None:
    """Puts a fresh core with the bug into a copy of the project."""
    shutil.rmtree(copy / CORE, ignore_errors=True)
    shutil.copytree(ROOT / CORE, copy / CORE)
    path = copy / CORE / bug.file
    text = path.read_text()
    if text.count(bug.old) != 1:
        sys.exit(
            f"{bug.name}: {bug.file} holds {text.count(bug.old)} times what is to be changed; change the bug along"
        )
    path.write_text(text.replace(bug.old, bug.new))


def hunt(copy: Path) -> str:
    """Runs the simulation; returns how it failed, or nothing."""
    environment = {
        **os.environ,
        "CARGO_TARGET_DIR": os.environ.get("CARGO_TARGET_DIR", str(ROOT / "target" / "mutants")),
    }
    done = subprocess.run(
        TEST, cwd=copy, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    if done.returncode == 0:
        return ""
    found = re.search(r"^seed (\d+): (.{0,100})", done.stdout, re.MULTILINE)
    # A bug that does not compile was not found.
    return found.group(0) if found else sys.exit(done.stdout[-2000:] + done.stderr[-4000:])


def main() -> None:
    words = sys.argv[1:]
    bugs = [bug for bug in BUGS if not words or any(word in bug.name for word in words)]
    missed = []
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch)
        for name in ("Cargo.toml", "Cargo.lock"):
            shutil.copy(ROOT / name, copy / name)
        shutil.copytree(ROOT / "rust", copy / "rust", ignore=shutil.ignore_patterns("target"))
        # Vectors that other tests of the core read; a crate has to compile as a whole.
        shutil.copytree(ROOT / "tests" / "vectors", copy / "tests" / "vectors")
        for bug in bugs:
            plant(bug, copy)
            began = time.monotonic()
            how = hunt(copy)
            print(f"{'found ' if how else 'MISSED'}  {bug.name}  ({time.monotonic() - began:.0f} s)  {how}", flush=True)
            if not how:
                missed.append(bug.name)
    if missed or not bugs:
        sys.exit(f"not found: {', '.join(missed)}" if missed else "there is no such bug")
    print(f"all {len(bugs)} bugs were found")


if __name__ == "__main__":
    main()
