"""Runs the demo and draws what it printed: docs/demo.svg.

python tools/picture.py
"""

from __future__ import annotations

import re
from pathlib import Path

from rich.console import Console

from sortition.demo.run import run_demo

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    console = Console(record=True, width=132, force_terminal=False, color_system="truecolor")
    run_demo(console)
    picture = console.export_svg(title="make demo", clear=False)
    # Where the checkout is says nothing to the reader, and a picture fetches nothing from elsewhere.
    picture = picture.replace(f"{ROOT}/", "")
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
    (ROOT / "docs" / "demo.svg").write_text(picture)


if __name__ == "__main__":
    main()
