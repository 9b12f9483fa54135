"""What the package offers, and what it does not load."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import sortition.stats


def test_all_is_what_the_modules_offer() -> None:
    assert sortition.stats.__all__ == sorted(sortition.stats.__all__)
    assert [name for name in sortition.stats.__all__ if not hasattr(sortition.stats, name)] == []


def test_every_method_is_found_and_cites_its_source() -> None:
    modules = [
        importlib.import_module(one.name) for one in pkgutil.walk_packages(sortition.stats.__path__, "sortition.stats.")
    ]
    assert len(modules) >= 12
    methods = [
        getattr(module, name)
        for module in modules
        for name in module.__all__
        if callable(getattr(module, name)) and name in sortition.stats.__all__ and name.islower()
    ]
    assert len(methods) >= 18
    assert [method.__name__ for method in methods if ">>>" not in (method.__doc__ or "")] == []
    formulas = {"mde_from_error", "needed_error", "power_from_error"}
    uncited = [method.__name__ for method in methods if "Source:" not in (method.__doc__ or "")]
    assert set(uncited) <= formulas


def test_importing_sortition_does_not_load_scipy() -> None:
    code = "import sys, sortition; sys.exit('scipy' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], check=False, timeout=60, env={"PYTHONPATH": "src"}).returncode == 0
    )
