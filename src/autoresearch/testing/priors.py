"""Named priors for simulated studies: what share of proposals gains, harms or does nothing, and how much.

Frozen data that draws from a `random.Random` it is given; effects are in units of the noise's s.d.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

Prior = Callable[[random.Random], float]
"""Draws the true effect (in units of the noise's s.d.) of one proposed change on its parent."""


class Shape(StrEnum):
    """How effects of one kind are spread."""

    FIXED = "fixed"
    """All of the same size."""
    EXPONENTIAL = "exponential"
    """Exponential; the size is the mean."""
    HALF_NORMAL = "half-normal"
    """Absolute values of a normal; the size is that normal's s.d."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A kind of proposal."""

    share: float
    """Of all proposals, in [0, 1]."""
    size: float
    """Negative: harm."""
    shape: Shape = Shape.FIXED

    def draw(self, chance: random.Random) -> float:
        """One effect, with the sign of `size`."""
        match self.shape:
            case Shape.FIXED:
                return self.size
            case Shape.EXPONENTIAL:
                return self.size * chance.expovariate(1.0)
            case Shape.HALF_NORMAL:
                return self.size * abs(chance.gauss(0.0, 1.0))


@dataclass(frozen=True, slots=True)
class Mixture:
    """A prior of several parts; what their shares leave has no effect."""

    parts: tuple[Part, ...]

    def __call__(self, chance: random.Random) -> float:
        """Draw a part, then an effect of it."""
        at = chance.random()
        for part in self.parts:
            at -= part.share
            if at < 0:
                return part.draw(chance)
        return 0.0

    @property
    def has_gains(self) -> bool:
        """Whether anything is there to be found."""
        return any(part.share > 0 and part.size > 0 for part in self.parts)


def mixture(*parts: tuple[float, float]) -> Mixture:
    """Effects `size` with probability `share`, for each (share, size); what is left has no effect."""
    return Mixture(tuple(Part(share=share, size=size) for share, size in parts))


PRIORS: dict[str, Mixture] = {
    "design": Mixture(
        (
            Part(share=0.16, size=0.55, shape=Shape.EXPONENTIAL),
            Part(share=0.25, size=-2.0, shape=Shape.EXPONENTIAL),
        )
    ),
    "half-normal": Mixture(
        (
            Part(share=0.10, size=1.0, shape=Shape.HALF_NORMAL),
            Part(share=0.45, size=-2.0, shape=Shape.HALF_NORMAL),
        )
    ),
    "p5g2": mixture((0.05, 2.0), (0.45, -1.0)),
    "p5g1": mixture((0.05, 1.0), (0.45, -1.0)),
    "no-harm": mixture((0.05, 1.0)),
    "null": mixture((0.45, -1.0)),
    "null-no-harm": mixture(),
}
"""The priors of decision page 0003 by name."""
