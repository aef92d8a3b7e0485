"""What is drawn at a step, by seed and number alone: a shuffled order, and a language."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from qgdr_pyserini.settings import Settings


class ShuffledOrder:
    """Place number i of an endless shuffled sequence, which depends on the seed and on i alone.

    Parameters
    ----------
    size
        How many things are shuffled.
    seed
        Of the order.

    Examples
    --------
    >>> order = ShuffledOrder(4, seed=0)
    >>> [order.place(i) for i in range(8)]
    [(0, 2), (0, 0), (0, 1), (0, 3), (1, 3), (1, 0), (1, 2), (1, 1)]
    """

    def __init__(self, size: int, seed: int) -> None:
        self._size = size
        self._seed = seed
        self._known = (-1, np.empty(0, dtype=np.int64))

    def place(self, i: int) -> tuple[int, int]:
        """Return which time round it is, and what comes at i."""
        epoch, step = divmod(i, self._size)
        if self._known[0] != epoch:
            self._known = (epoch, self._shuffled(np.random.default_rng([self._seed, epoch])))
        return epoch, int(self._known[1][step])

    def _shuffled(self, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        return rng.permutation(self._size)


class BlockedOrder(ShuffledOrder):
    """As `ShuffledOrder`, but things of one group come in blocks, one after the other.

    Parameters
    ----------
    groups
        The group of each thing.
    block
        The most of one group that come together.
    seed
        Of the order, of the blocks and within them.

    Examples
    --------
    >>> order = BlockedOrder("aabbb", block=2, seed=0)
    >>> ["aabbb"[order.place(i)[1]] for i in range(5)]
    ['b', 'b', 'b', 'a', 'a']
    """

    def __init__(self, groups: Sequence[str], block: int, seed: int) -> None:
        super().__init__(len(groups), seed)
        _, self._groups = np.unique(list(groups), return_inverse=True)
        self._block = block

    def _shuffled(self, rng: np.random.Generator) -> npt.NDArray[np.int64]:
        order = rng.permutation(self._size)
        order = order[np.argsort(self._groups[order], kind="stable")]
        groups = self._groups[order]
        first = np.searchsorted(groups, groups)
        starts = (np.arange(self._size) - first) % self._block == 0
        blocks = np.cumsum(starts) - 1
        places = rng.permutation(int(blocks[-1]) + 1)
        return order[np.argsort(places[blocks], kind="stable")]


class SamplerSettings(Settings):
    """The schedule, which the paper does not give; these choices are ours to set.

    Parameters
    ----------
    first_temperature, last_temperature
        T at the first and the last step. At 0.05 a language whose agreement is 0.1 higher is drawn
        7 times as often, at 1 hardly more often than any other.
    shape
        How T goes from the one to the other: ``geometric`` stays sharp for long, ``linear``
        becomes flat soon.
    """

    first_temperature: float = Field(default=0.05, gt=0)
    last_temperature: float = Field(default=1.0, gt=0)
    shape: Literal["geometric", "linear"] = "geometric"


class LanguageSampler:
    r"""Draws languages by the teacher's agreement: first the best aligned, in the end all alike.

    .. math:: w_b(k) = \mathrm{softmax}_b(a_b / T(k)), \qquad
        T(k) = T_0^{1 - k/K} T_1^{k/K} \;\text{ or }\; (1 - k/K) T_0 + (k/K) T_1

    What is drawn depends on the seed and the step alone, so a resumed run draws the same.

    Parameters
    ----------
    agreement
        a_b, the mean agreement of each language b.
    settings
        T_0, T_1 and the shape between them.
    steps
        K.
    seed
        Of the drawing.

    Examples
    --------
    >>> sampler = LanguageSampler({"de": 0.8, "zh": 0.7}, SamplerSettings(), steps=100, seed=0)
    >>> {lang: round(weight, 3) for lang, weight in sampler.weights(0).items()}
    {'de': 0.881, 'zh': 0.119}
    >>> {lang: round(weight, 3) for lang, weight in sampler.weights(100).items()}
    {'de': 0.525, 'zh': 0.475}
    """

    def __init__(
        self, agreement: Mapping[str, float], settings: SamplerSettings, steps: int, seed: int
    ) -> None:
        self._agreement = dict(sorted(agreement.items()))
        self._settings = settings
        self._steps = steps
        self._seed = seed

    def weights(self, step: int) -> dict[str, float]:
        """Give each language's probability at a step; they sum to 1."""
        scaled = np.array(list(self._agreement.values())) / self._temperature(step)
        weights = np.exp(scaled - scaled.max())
        return dict(zip(self._agreement, (weights / weights.sum()).tolist(), strict=True))

    def draw(self, step: int, row: int, languages: Collection[str]) -> str:
        """Draw one of ``languages``, those that the row-th query of this step has queries in."""
        among = {lang: weight for lang, weight in self.weights(step).items() if lang in languages}
        weights = np.array(list(among.values()))
        rng = np.random.default_rng([self._seed, step, row])
        return list(among)[int(rng.choice(len(among), p=weights / weights.sum()))]

    def _temperature(self, step: int) -> float:
        first, last = self._settings.first_temperature, self._settings.last_temperature
        share = min(step / self._steps, 1.0)
        if self._settings.shape == "linear":
            return (1 - share) * first + share * last
        return float(first ** (1 - share) * last**share)
