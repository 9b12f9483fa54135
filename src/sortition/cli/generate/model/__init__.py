"""Variants made by a model, at an endpoint that speaks OpenAI's chat completions."""

from __future__ import annotations

from sortition.cli.generate.model.endpoint import Endpoint, endpoint_from
from sortition.cli.generate.model.variants import Wanted, model_variations

__all__ = ["Endpoint", "Wanted", "endpoint_from", "model_variations"]
