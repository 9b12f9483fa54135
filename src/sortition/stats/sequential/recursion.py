"""Where a Brownian motion that is looked at a few times leaves its boundaries: exact, by recursive integration.

At information t the score B(t) is normal with mean drift·t and variance t, and Z = B/√t. The density of the scores that
have stayed inside is carried from look to look by quadrature (Armitage, McPherson, Rowe, JRSS A 132, 1969). It is
carried without drift only: a drift tilts it by exp(drift·b - drift²·t/2), so that one pass answers for all drifts.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from scipy import special

from sortition.errors import InvalidArgument
from sortition.stats.arrays import FloatArray, FloatLike, floats

__all__ = [
    "FURTHEST",
    "MOST_DRIFT",
    "MOST_LOOKS",
    "SMALLEST_STEP",
    "START",
    "Inside",
    "check_sides",
    "crossing_probability",
    "crossings",
    "insides",
    "looks",
    "step_inside",
]

MOST_LOOKS = 400
"""Looks of one experiment; the work is proportional to them."""
SMALLEST_STEP = 1e-3
"""The least information between two looks, in shares of the planned information: the grid's spacing follows from it."""
FURTHEST = 37.0
"""Standard errors; beyond them a normal tail is no 64-bit number."""
MOST_DRIFT = 28.0
"""With a larger one the tilted density would lie beyond `FURTHEST`."""
_LOWEST = 9.0
"""One-sided, scores that far below 0 never come back."""
# Sixteen nodes on three standard deviations of the smoothest factor integrate it to about 1e-15.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)
_PANEL = 3.0
_BRIDGE = 9.0
"""Standard deviations; beyond them is less than 1e-18 of a density."""


@dataclass(frozen=True)
class Inside:
    """The scores that are still inside at one look.

    Attributes:
        information: The information at that look; 0 before the first.
        score: Shape (nodes,).
        mass: Shape (nodes,): their probability without drift.
    """

    information: float
    score: FloatArray
    mass: FloatArray

    def tilted(self, drift: FloatArray) -> FloatArray:
        """Returns the mass under drifts, shape (..., nodes)."""
        tilt = drift[..., None]
        return np.asarray(self.mass * np.exp(tilt * self.score - tilt**2 * (self.information / 2)))

    def above(self, information: float, z: FloatLike, drift: FloatArray) -> FloatArray:
        """Returns the probability of being inside until here and above z at the next look.

        Args:
            information: Of the next look.
            z: Standardized; broadcasts against the drifts.
            drift: Of any shape.
        """
        step = information - self.information
        border = floats(z)[..., None] * np.sqrt(information)
        tail = special.ndtr((self.score + drift[..., None] * step - border) / np.sqrt(step))
        return np.asarray((self.tilted(drift) * tail).sum(axis=-1))

    def advance(self, information: float, low: float, high: float, next_step: float) -> Inside:
        """Returns the scores that are between low and high (standardized) at the next look.

        `next_step` is the information from there to the look after it: the grid has to resolve both steps.
        """
        root = np.sqrt(information)
        start, end = low * root, high * root
        step = information - self.information
        panels = max(int(np.ceil((end - start) / (_PANEL * np.sqrt(min(step, next_step))))), 1)
        half = (end - start) / (2 * panels)
        middles = start + half * (2 * np.arange(panels) + 1)
        score = (middles[:, None] + half * _NODES).ravel()
        weight = np.tile(half * _WEIGHTS, panels)
        return Inside(information, score, weight * self._density(information, score))

    def _density(self, information: float, score: FloatArray) -> FloatArray:
        """Returns the density of the next look's scores, panel after panel.

        Where a motion was, given where it is, is normal whatever its drift (the Brownian bridge), so that each panel
        needs only the scores within a few standard deviations of it.
        """
        step = information - self.information
        share = self.information / information
        reach = _BRIDGE * np.sqrt(share * step)
        panels = score.reshape(-1, len(_NODES))
        first = np.searchsorted(self.score, panels[:, 0] * share - reach)
        last = np.searchsorted(self.score, panels[:, -1] * share + reach, side="right")
        # Outside the boundaries there is nothing to come from: the nearest scores inside count.
        first = np.clip(first, 0, max(len(self.score) - len(_NODES), 0))
        last = np.maximum(last, np.minimum(first + len(_NODES), len(self.score)))
        density = np.empty_like(panels)
        for k, (start, end) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
            apart = panels[k][:, None] - self.score[start:end]
            density[k] = np.exp(-(apart**2) / (2 * step)) @ self.mass[start:end]
        return floats(density.ravel() / np.sqrt(2 * np.pi * step))


START = Inside(0.0, np.zeros(1), np.ones(1))
"""Before the first look."""


def looks(information: FloatLike | int) -> FloatArray:
    """Returns the information at each look, checked; a whole number means that many equal steps up to 1.

    Raises:
        InvalidArgument: It does not increase within (0, 1] by at least `SMALLEST_STEP`, or there are more than
            `MOST_LOOKS`.

    >>> looks(4).tolist()
    [0.25, 0.5, 0.75, 1.0]
    """
    if isinstance(information, (int, np.integer)):
        if not 1 <= information <= MOST_LOOKS:
            raise InvalidArgument.of([("information", f"must be from 1 to {MOST_LOOKS} looks, but is {information}")])
        return np.arange(1, information + 1) / float(information)
    t = np.atleast_1d(floats(information))
    if t.ndim != 1 or not 1 <= len(t) <= MOST_LOOKS:
        text = f"must be one row of 1 to {MOST_LOOKS} looks, but has shape {t.shape}"
        raise InvalidArgument.of([("information", text)])
    if not (np.all(np.diff(t, prepend=0.0) >= SMALLEST_STEP * (1 - 1e-9)) and t[-1] <= 1):
        text = f"must increase within (0, 1] by at least {SMALLEST_STEP:g}, but is {t.tolist()}"
        raise InvalidArgument.of([("information", text)])
    return t


def insides(information: FloatArray, z: FloatArray, sides: int) -> tuple[Inside, ...]:
    """Returns the scores still inside before each look, the start first.

    Args:
        information: Shape (looks,).
        z: Shape (looks,): boundaries, infinite where nothing leaves; the last is not needed.
        sides: 2 for -z and z, 1 for z alone.
    """
    return _insides(tuple(information.tolist()), tuple(z[: len(information) - 1].tolist()), sides)


@functools.lru_cache(maxsize=64)
def _insides(information: tuple[float, ...], z: tuple[float, ...], sides: int) -> tuple[Inside, ...]:
    found = [START]
    for at, border, following in zip(information, z, information[1:], strict=False):
        found.append(step_inside(found[-1], at, border, following - at, sides))
    return tuple(found)


def step_inside(inside: Inside, information: float, z: float, next_step: float, sides: int) -> Inside:
    """Returns what is inside after a look with the boundary z."""
    high = min(z, FURTHEST)
    return inside.advance(information, -high if sides == 2 else -_LOWEST, high, next_step)


def crossing_probability(
    information: FloatLike | int, z: FloatLike, drift: FloatLike = 0.0, *, sides: int = 2
) -> FloatArray:
    """Returns the probability that boundaries are crossed first at each look; its sum over the looks is the power.

    Source: Armitage, McPherson, Rowe, "Repeated significance tests on accumulating data", JRSS A 132, 1969; Jennison,
    Turnbull, "Group Sequential Methods with Applications to Clinical Trials", 2000, chapter 19.

    Args:
        information: Shape (looks,): shares of the planned information, increasing in (0, 1]; or that many equal steps.
        z: Shape (looks,) or a number: boundaries of the standardized statistic, infinite where nothing leaves.
        drift: The true difference beside its standard error at information 1, of any shape, within ±28.
        sides: 2 for leaving either way, 1 for leaving upward.

    Returns:
        Shape (..., looks).

    Raises:
        InvalidArgument: An argument is outside its range.

    Five looks at 5 % each (Armitage, McPherson and Rowe's table 2 has 0.142):

    >>> round(float(crossing_probability(5, 1.96).sum()), 3)
    0.142
    """
    t = looks(information)
    check_sides(sides)
    borders = np.broadcast_to(floats(z), t.shape)
    lowest = 0.0 if sides == 2 else -_LOWEST
    if not np.all(borders > lowest):
        raise InvalidArgument.of([("z", f"must be > {lowest:g}, but is {borders.tolist()}")])
    toward = floats(drift)
    if not np.all(np.abs(toward) <= MOST_DRIFT):
        raise InvalidArgument.of([("drift", f"must be within {MOST_DRIFT:g}, but is {toward.tolist()}")])
    return crossings(t, borders, toward, sides)


def crossings(t: FloatArray, z: FloatArray, drift: FloatArray, sides: int) -> FloatArray:
    """Returns what `crossing_probability` does, unchecked."""
    first = []
    for inside, at, border in zip(insides(t, z, sides), t, z, strict=True):
        upward = inside.above(float(at), border, drift)
        # The boundaries are symmetric: leaving downward is leaving upward under the opposite drift.
        first.append(upward + inside.above(float(at), border, -drift) if sides == 2 else upward)
    return np.stack(first, axis=-1)


def check_sides(sides: int) -> None:
    """Refuses what is neither 1 nor 2.

    Raises:
        InvalidArgument: Names the value.
    """
    if sides not in (1, 2):
        raise InvalidArgument.of([("sides", f"must be 1 or 2, but is {sides}")])
