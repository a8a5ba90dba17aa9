"""Seeds: every one that a study uses, derived from the study's own.

A label and numbers name a seed, so the same study issues the same seeds wherever and whenever it is resumed.
"""

import hashlib

POOL = 4
"""Seeds that calibration runs first and on which new trees are screened."""


def derive(seed: int, label: str, *numbers: int) -> int:
    """A seed in [1, 2**31 - 1]: the head of SHA-256 over the study's seed, the label and the numbers."""
    text = ":".join([str(seed), label, *map(str, numbers)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % (2**31 - 2) + 1


def pool_seed(seed: int, index: int) -> int:
    """A seed of the pool; `index` counts on beyond it cyclically."""
    return derive(seed, "pool", index % POOL)
