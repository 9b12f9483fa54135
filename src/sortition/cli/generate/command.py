"""``generate``: reads the base, applies the rules, writes the experiment."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sortition.cli.new.kinds import ExperimentKind
from sortition.errors import InvalidArgument

if TYPE_CHECKING:
    from sortition.cli.generate.configs import Axis
    from sortition.cli.generate.variation import Variation
    from sortition.model.canonical import JsonObject

__all__ = ["register"]

_TEXTS = (".md", ".txt", ".prompt")
_MAX_TEXT = 256 * 1024


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("generate")(generate)


def generate(
    kind: Annotated[ExperimentKind, typer.Argument(metavar="prompt|workflow|config", help="What BASE is.")],
    base: Annotated[
        Path,
        typer.Argument(metavar="BASE", help="A configuration in YAML or JSON; or a prompt in .md, .txt or .prompt."),
    ],
    key: Annotated[
        str, typer.Option(metavar="KEY", help="The key of the experiment.", show_default="BASE's name")
    ] = "",
    subject: Annotated[
        str, typer.Option(metavar="ID", help="The subject's id within its kind.", show_default="BASE's name")
    ] = "",
    rule: Annotated[
        list[str] | None,
        typer.Option(metavar="RULE", help="Only this rule; several times for several.", show_default="all of the kind"),
    ] = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH=V,V", help="For config: values of a parameter; several times for all combinations."),
    ] = None,
    field: Annotated[str, typer.Option(metavar="NAME", help="For prompt: the field that holds it.")] = "prompt",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Where to; - is stdout.", show_default="KEY.yaml"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    model: Annotated[
        str,
        typer.Option(metavar="NAME", help="Let this model write the variants; its endpoint is in SORTITION_MODEL_URL."),
    ] = "",
    instruction: Annotated[
        list[str] | None,
        typer.Option(metavar="TEXT", help="With --model: follow this besides, or instead of, rules; repeatable."),
    ] = None,
    variants: Annotated[int, typer.Option(min=1, max=8, help="With --model: how many of each rule.")] = 1,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="With --model: where its chance begins.")] = 1,
    model_url: Annotated[
        str, typer.Option(metavar="URL", help="With --model: the base URL of its endpoint, such as https://host/v1.")
    ] = "",
    model_timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=1, max=600, help="With --model: how long one answer may take.")
    ] = 60.0,
) -> None:
    """Write an experiment whose variants are made of BASE by rules, always the same ones; or by a model.

    Rules for prompts: specificity, structure, context, tone. For workflows: execution, coordination, optimization. For
    configs: the profiles performance, quality and experience; --grid makes combinations of values instead.

    Each variant's description says the rule that made it, and the model that followed it.
    """
    from sortition.cli.files import check_new, write_new
    from sortition.cli.generate.experiment import experiment
    from sortition.model.file import dump_experiment

    name = base.stem.lower()
    config, prompt = _base(kind, base, field)
    own = instruction or []
    # Whoever gives an instruction of their own means that, unless they name rules too.
    chosen = _chosen(kind, rule or [], grid or []) if rule or not own else []
    target = output or Path(f"{key or name}.yaml")
    made: Iterable[Variation]
    if model:
        from sortition.cli.generate.by_model import Request, written

        if grid:
            raise InvalidArgument.of([("--grid", "makes variants without a model; leave it or --model out")])
        check_new(target, force=force)
        request = Request(model, model_url, model_timeout, variants, seed, tuple(chosen), tuple(own))
        made, by = written(kind.value, config, request), f"by {model}"
    else:
        if own:
            raise InvalidArgument.of([("--instruction", "is for a model; name it with --model")])
        made, by = _variations(kind, config, prompt, field, chosen, grid or [], asked=bool(rule)), "by rules"
    variations = [each for each in made if each.config != config]
    spec = experiment(kind, key or name, subject or name, config, variations)
    rules = ", ".join([*chosen, *(["instruction"] if own else [])]) or "grid"
    text = f"# Made {by} of {base.name}: {rules}. Declare what decides, then start it.\n"
    write_new(target, text + dump_experiment(spec), force=force)


def _base(kind: ExperimentKind, path: Path, field: str) -> tuple[JsonObject, str]:
    """Reads the base: its configuration, and the prompt in it."""
    from sortition.model.file import load_config

    if kind is not ExperimentKind.PROMPT or path.suffix.lower() not in _TEXTS:
        config = load_config(path)
        prompt = config.get(field, "")
        if kind is ExperimentKind.PROMPT and (not isinstance(prompt, str) or not prompt.strip()):
            raise InvalidArgument.of([("--field", f"{path} has no text in the field {field!r}; name the one it is in")])
        return config, prompt if isinstance(prompt, str) else ""
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_TEXT + 1)
        prompt = content.decode("utf-8-sig").strip()
    except OSError as error:
        raise InvalidArgument.of([("BASE", f"{path} cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError:
        raise InvalidArgument.of([("BASE", f"{path} is not UTF-8")]) from None
    if not prompt or len(content) > _MAX_TEXT:
        raise InvalidArgument.of([("BASE", f"{path} has {len(content)} bytes; a prompt has 1 to {_MAX_TEXT}")])
    return {field: prompt}, prompt


def _chosen(kind: ExperimentKind, rules: list[str], axes: list[str]) -> list[str]:
    """Returns the rules to apply, in the order of the kind."""
    from sortition.cli.generate.configs import PROFILES
    from sortition.cli.generate.prompts import PROMPT_RULES
    from sortition.cli.generate.workflows import WORKFLOW_RULES

    known = {
        ExperimentKind.PROMPT: list(PROMPT_RULES),
        ExperimentKind.WORKFLOW: list(WORKFLOW_RULES),
        ExperimentKind.CONFIG: list(PROFILES),
    }[kind]
    wrong = [each for each in rules if each not in known]
    if wrong:
        raise InvalidArgument.of(
            ("--rule", f"must be one of {', '.join(known)} for a {kind.value}, but is {each!r}") for each in wrong
        )
    if axes and kind is not ExperimentKind.CONFIG:
        raise InvalidArgument.of([("--grid", f"is for config, and not for a {kind.value}; leave it out")])
    return [each for each in known if each in rules or not (rules or axes)]


def _variations(
    kind: ExperimentKind,
    config: JsonObject,
    prompt: str,
    field: str,
    chosen: list[str],
    axes: list[str],
    *,
    asked: bool,
) -> Iterator[Variation]:
    from sortition.cli.generate.configs import grid, profile, read_axis
    from sortition.cli.generate.prompts import PROMPT_RULES
    from sortition.cli.generate.variation import Variation
    from sortition.cli.generate.workflows import WORKFLOW_RULES

    if axes:
        found = [read_axis(axis) for axis in axes]
        _bound(found)
        yield from (Variation(*made) for made in grid(config, found))
    for name in chosen:
        if kind is ExperimentKind.PROMPT:
            for variant, rule, text in PROMPT_RULES[name](prompt):
                yield Variation(variant, f"{name}: {rule}", {**config, field: text})
        elif kind is ExperimentKind.WORKFLOW:
            for variant, rule, made in WORKFLOW_RULES[name](config):
                yield Variation(variant, f"{name}: {rule}", made)
        else:
            yield from (Variation(*made) for made in profile(config, name, demanded=asked))


def _bound(axes: list[Axis]) -> None:
    """Refuses a grid that no experiment holds, before it is spread out."""
    import math

    from sortition.model.names import MAX_VARIANTS

    size = math.prod(len(values) for _, values in axes)
    if size > MAX_VARIANTS:
        raise InvalidArgument.of(
            [("--grid", f"has {size} combinations; an experiment has {MAX_VARIANTS} variants at most")]
        )
