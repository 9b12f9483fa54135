"""The native module, its stub and `sortition.core` name the same things."""

import ast
from importlib import import_module
from pathlib import Path

import sortition.core

STUB = Path(sortition.core.__file__).parent.parent / "_core.pyi"
BINARY = import_module("sortition._core")


def stub_exports() -> list[str]:
    for node in ast.parse(STUB.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]:
            names: list[str] = ast.literal_eval(node.value)
            return names
    raise AssertionError(f"{STUB} has no __all__")


def test_the_stub_the_binary_and_the_package_export_the_same() -> None:
    names = stub_exports()
    assert len(names) > 10
    assert sorted(sortition.core.__all__) == sorted(names)
    assert sorted(BINARY.__all__) == sorted(names)
    for name in names:
        assert getattr(sortition.core, name) is getattr(BINARY, name)


def test_every_export_is_described() -> None:
    for name in stub_exports():
        value = getattr(sortition.core, name)
        if callable(value):
            assert value.__doc__, name


def test_constants_are_those_of_the_contract() -> None:
    assert (sortition.core.BUCKETS, sortition.core.UNIT_BUCKETS, sortition.core.SUB_SKETCHES) == (10_000, 128, 16)
    assert sortition.core.LIMITS == {
        "unit_bytes": 512,
        "key_bytes": 128,
        "variants": 64,
        "metrics": 64,
        "config_bytes": 262_144,
        "batch_items": 10_000,
        "observations": 256,
        "dimensions": 16,
        "known_hashes": 64,
        "subjects": 64,
        "dedup_clients": 65_536,
        "idempotency_keys": 65_536,
        "pending_exposures": 1_000_000,
        "live_cells": 100_000,
        "outbound_items": 100_000,
        "outbound_bytes": 67_108_864,
    }
