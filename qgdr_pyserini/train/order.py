"""An order of chance in which everything comes once before anything comes again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


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
