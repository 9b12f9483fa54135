"""The JSON schema of the experiment file, for editors and other programs.

It is derived from the specification's own schema, so a field cannot be forgotten. What a schema cannot say, such as
that weights sum to 100, is left to `load_experiment`.
"""

from __future__ import annotations

import re
from typing import Any

from sortition.model.canonical import JsonObject
from sortition.model.decision import Decision
from sortition.model.dimension import MAX_DIMENSIONS, MAX_LEVELS, OTHER
from sortition.model.experiment import ExperimentSpec
from sortition.model.file import NAMED
from sortition.model.metric import MAX_QUANTILES, Metric, Prior
from sortition.model.names import KEY_BYTES, KIND_BYTES, MAX_METRICS, MAX_VARIANTS
from sortition.model.ramp import MAX_STEPS, RampStep
from sortition.model.subject import SubjectRef
from sortition.model.variant import Variant

__all__ = ["experiment_schema"]

_KEY = rf"^[a-z0-9._-]{{1,{KEY_BYTES}}}$"
_KIND = rf"^[a-z0-9._-]{{1,{KIND_BYTES}}}$"
_VARIANT = rf"^[A-Za-z0-9._-]{{1,{KEY_BYTES}}}$"
_PARTS = {
    **{"Decision": Decision, "Metric": Metric, "Prior": Prior},
    **{"RampStep": RampStep, "SubjectRef": SubjectRef, "Variant": Variant},
}
_ATTRIBUTE = re.compile(r"^ {4}(\w+): (.+)$", re.MULTILINE)


def experiment_schema() -> JsonObject:
    """Returns the JSON schema (draft 2020-12) of the experiment file."""
    schema: dict[str, Any] = ExperimentSpec.model_json_schema()
    definitions: dict[str, Any] = schema["$defs"]
    _describe(schema, ExperimentSpec)
    for name, part in _PARTS.items():
        _describe(definitions[name], part)
    for name in ("Metric", "Variant"):
        del definitions[name]["properties"]["name"]
        definitions[name]["required"].remove("name")
    fields = schema["properties"]
    named = {
        "metrics": {"minProperties": 1, "maxProperties": MAX_METRICS, "propertyNames": {"pattern": _KEY}},
        "variants": {"minProperties": 2, "maxProperties": MAX_VARIANTS, "propertyNames": {"pattern": _VARIANT}},
    }
    for name in NAMED:
        described = {"description": fields[name]["description"]}
        fields[name] = {"type": "object", "additionalProperties": fields[name]["items"], **named[name], **described}
    del definitions["Dimension"]
    fields["dimensions"] = {"type": "object", **_dimensions(), "description": fields["dimensions"]["description"]}
    schema["properties"] = {"experiment" if name == "key" else name: field for name, field in fields.items()}
    schema["required"] = ["experiment" if name == "key" else name for name in schema["required"]]
    _name_files(schema["properties"], definitions["Variant"]["properties"])
    _narrow(schema["properties"], definitions)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Experiment"}


def _dimensions() -> dict[str, Any]:
    level = {"type": "string", "pattern": _VARIANT, "not": {"const": OTHER}}
    levels = {"type": "array", "items": level, "minItems": 1, "maxItems": MAX_LEVELS, "uniqueItems": True}
    return {"maxProperties": MAX_DIMENSIONS, "propertyNames": {"pattern": _KEY}, "additionalProperties": levels}


def _name_files(fields: dict[str, Any], variant: dict[str, Any]) -> None:
    """Adds what only a file can say: that the subject is a file, and what is in its place."""
    path = {"type": "string", "minLength": 1, "maxLength": 512}
    what = "The path of the file that the subject is; then every treatment has file or set."
    fields["file"] = {**path, "description": what}
    variant["file"] = {**path, "description": "The path of the file that is in the place of the subject's."}
    variant["set"] = {
        "type": "object", "minProperties": 1, "maxProperties": 64, "additionalProperties": {"not": {"type": "object"}},
        "description": "Values by dotted path, such as model.temperature, that are laid over the subject's file.",
    }  # fmt: skip


def _narrow(fields: dict[str, Any], definitions: dict[str, Any]) -> None:
    """Adds the bounds that live in code and not in types."""
    for name in ("experiment", "organization"):
        fields[name]["pattern"] = _KEY
    fields["unit"]["pattern"] = _KIND
    definitions["SubjectRef"]["properties"]["kind"]["pattern"] = _KIND
    definitions["SubjectRef"]["properties"]["id"]["pattern"] = _KEY
    metric = definitions["Metric"]["properties"]
    metric["quantiles"] |= {"maxItems": MAX_QUANTILES, "uniqueItems": True}
    metric["quantiles"]["items"] |= {"exclusiveMinimum": 0, "exclusiveMaximum": 1}
    metric["margin"]["anyOf"][0] |= {"minimum": 0, "exclusiveMaximum": 1}
    # 33.33 is no multiple of 0.01 in binary, so validators disagree about it; the loader checks the decimals.
    definitions["Variant"]["properties"]["weight"].pop("multipleOf")
    fields["ramp"]["maxItems"] = MAX_STEPS
    step = definitions["RampStep"]["properties"]
    step["treatment"]["anyOf"][0].pop("multipleOf")
    step["weights"]["anyOf"][0] = {"type": "object", "additionalProperties": {"type": ["number", "string"]}}


def _describe(schema: dict[str, Any], part: type[Any]) -> None:
    """Moves the description of each attribute from the docstring to its field."""
    text = schema["description"]
    schema["description"] = text.split("\n", 1)[0]
    for name, description in _ATTRIBUTE.findall(text):
        if name in part.model_fields:
            field = schema["properties"][name]
            field.pop("title", None)
            field["description"] = description
    schema.pop("title", None)
