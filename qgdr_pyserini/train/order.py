"""An order of chance in which everything comes once before anything comes again."""

from __future__ import annotations

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
            order: npt.NDArray[np.int64] = np.random.default_rng([self._seed, epoch]).permutation(self._size)
            self._known = (epoch, order)
        return epoch, int(self._known[1][step])
