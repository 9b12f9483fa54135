"""What an assignment takes with other SDKs, in the environment of `make bench`: each with an even split and no network.

Prints a line for each that is there: its name, its version, and nanoseconds of a call in each round.

    .venv/peers/bin/python benches/peers_loop.py CALLS ROUNDS
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

UNITS = [f"user-{index}" for index in range(1000)]

Assign = Callable[[str], object]


def growthbook() -> Assign:
    """Returns an assignment by a client that is kept, its user replaced for each call as an agent would."""
    from growthbook import Experiment, GrowthBook

    experiment = Experiment(key="bench", variations=["control", "treatment"], weights=[0.5, 0.5])
    client = GrowthBook(attributes={"id": "nobody"})

    def assign(unit: str) -> object:
        client.set_attributes({"id": unit})
        return client.run(experiment).value

    return assign


def statsig() -> Assign:
    from statsig_python_core import DataStore, DataStoreResponse, Statsig, StatsigOptions, StatsigUser

    specs = json.dumps(_statsig_specs())

    class Specs(DataStore):  # type: ignore[misc]
        def initialize(self) -> None:
            """Has everything already."""

        def shutdown(self) -> None:
            """Has nothing open."""

        def get(self, _key: str) -> Any:
            return DataStoreResponse(result=specs, time=1)

        def set(self, _key: str, _value: str, _time: Any = None) -> None:
            """Keeps nothing."""

        def support_polling_updates_for(self, _key: str) -> bool:
            return False

    options = StatsigOptions(
        disable_network=True, disable_all_logging=True, disable_disk_access=True, data_store=Specs()
    )
    client = Statsig("secret-none", options)
    client.initialize().wait()

    def assign(unit: str) -> object:
        return client.get_experiment(StatsigUser(unit), "bench").get_string("variant", "none")

    return assign


def _statsig_specs() -> dict[str, Any]:
    """Returns what Statsig's service would send: one experiment with two groups of one half."""
    groups = [("control", 500), ("treatment", 1000)]
    conditions = {
        f"below-{end}": {
            "type": "user_bucket",
            "targetValue": end,
            "operator": "lt",
            "field": None,
            "additionalValues": {"salt": "bench"},
            "isDeviceBased": False,
            "idType": "userID",
        }
        for _, end in groups
    }
    rules = [
        {
            "name": name,
            "id": name,
            "groupName": name,
            "salt": name,
            "passPercentage": 100,
            "conditions": [f"below-{end}"],
            "returnValue": {"variant": name},
            "isDeviceBased": False,
            "idType": "userID",
            "isExperimentGroup": True,
        }
        for name, end in groups
    ]
    experiment = {
        "name": "bench",
        "type": "dynamic_config",
        "salt": "bench",
        "enabled": True,
        "defaultValue": {},
        "rules": rules,
        "isDeviceBased": False,
        "idType": "userID",
        "entity": "experiment",
        "isActive": True,
        "explicitParameters": ["variant"],
    }
    return {
        "has_updates": True,
        "time": 1,
        "feature_gates": {},
        "dynamic_configs": {"bench": experiment},
        "layer_configs": {},
        "condition_map": conditions,
        "experiment_to_layer": {},
    }


def per_call_ns(assign: Assign, calls: int) -> float:
    begin = time.perf_counter_ns()
    for _ in range(calls // len(UNITS)):
        for unit in UNITS:
            assign(unit)
    return (time.perf_counter_ns() - begin) / calls


def main() -> None:
    calls, rounds = int(sys.argv[1]), int(sys.argv[2])
    for name, make in (("statsig-python-core", statsig), ("growthbook", growthbook)):
        try:
            found = version(name)
        except PackageNotFoundError:
            continue
        assign = make()
        variants = {assign(unit) for unit in UNITS}
        assert variants == {"control", "treatment"}, f"{name} gives {variants}"
        print(json.dumps({"name": name, "version": found, "ns": [per_call_ns(assign, calls) for _ in range(rounds)]}))


if __name__ == "__main__":
    main()
