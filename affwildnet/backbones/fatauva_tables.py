"""FATAUVA-Net's tables: attributes by branch, action units by branch and block, and what valence and arousal read.

From the paper (Chang, Hsu and Chien 2017) as SPEC.md, "Background systems", gives it. Labels are columns of records:
CelebA's attributes in small letters, action units as ``au01``. Branches, blocks and dimensions are feature points of
the backbone, and parts of it: the layers of a part have names that begin with the part's and a slash.
"""

from __future__ import annotations

import dataclasses

# Branch -> CelebA's attributes that its head tells.
ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "face": ("attractive", "male", "no_beard", "young"),
    "eye": ("eyeglasses", "narrow_eyes"),
    "eyebrow": ("arched_eyebrows", "bushy_eyebrows"),
    "mouth": ("mouth_slightly_open", "smiling"),
}


@dataclasses.dataclass(frozen=True)
class Block:
    """A block of action units: the part whose maps it reads, its labels (none: only others read it), and its units."""

    reads: str
    action_units: tuple[str, ...] = ()
    units: int = 2


# The face branch has none. The lip's two blocks share their first unit.
BLOCKS: dict[str, Block] = {
    "au_6_7": Block("eye", ("au06", "au07")),
    "au_45": Block("eye", ("au45",)),
    "au_1": Block("eyebrow", ("au01",)),
    "au_2": Block("eyebrow", ("au02",)),
    "au_4": Block("eyebrow", ("au04",)),
    "au_chin": Block("mouth", ("au17", "au26")),
    "au_lip": Block("mouth", units=1),
    "au_lip_c": Block("au_lip", ("au12", "au15"), units=1),
    "au_lip_u": Block("au_lip", ("au10",), units=1),
    "au_mouth": Block("mouth", ("au23", "au24", "au25")),
}

# Dimension -> blocks whose maps it reads, joined in this order; the upper lip feeds neither.
DIMENSIONS: dict[str, tuple[str, ...]] = {
    "valence": ("au_6_7", "au_45", "au_4", "au_lip_c", "au_mouth"),
    "arousal": ("au_45", "au_1", "au_2", "au_4", "au_chin"),
}

# Beside the paper's: what a recurrent block on top of this network reads, all blocks of `DIMENSIONS`.
FEATURES: tuple[str, ...] = tuple(dict.fromkeys(block for blocks in DIMENSIONS.values() for block in blocks))

POINTS: tuple[str, ...] = (
    *ATTRIBUTES,
    *(name for name, block in BLOCKS.items() if block.action_units),
    *DIMENSIONS,
    "features",
)
