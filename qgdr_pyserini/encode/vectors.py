"""Vectors and ids on disk, appended window by window, so that memory does not grow with the corpus."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
import numpy.typing as npt

from qgdr_pyserini.errors import QgdrError

Vectors = npt.NDArray[np.float32]


class VectorFile:
    """A file of raw float32 vectors, and beside it one of their ids, a line each.

    Parameters
    ----------
    vectors, ids
        The two files; made anew.
    dimension
        Number of components of a vector.
    """

    def __init__(self, vectors: Path, ids: Path, dimension: int) -> None:
        self.path = vectors
        self.dimension = dimension
        self.count = 0
        self._vectors = vectors.open("wb")
        self._ids = ids.open("w", encoding="utf-8", newline="\n")

    def __enter__(self) -> VectorFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._vectors.close()
        self._ids.close()

    def append(self, ids: Sequence[str], vectors: Vectors) -> None:
        """Add vectors ``(ids, dimension)`` and their ids.

        Raises
        ------
        QgdrError
            If a vector holds NaN or infinity, which no search would ever find.
        """
        broken = ~np.isfinite(vectors).all(axis=1)
        if broken.any():
            raise QgdrError(
                f"the encoder's vector for passage {ids[int(broken.argmax())]!r} is not finite; "
                "check the encoder's weights"
            )
        np.ascontiguousarray(vectors, dtype=np.float32).tofile(self._vectors)
        self._ids.writelines(f"{docid}\n" for docid in ids)
        self.count += len(ids)

    def mapped(self) -> Vectors:
        """View all vectors ``(count, dimension)``, read from disk as they are used."""
        self._vectors.flush()
        return np.memmap(self.path, dtype=np.float32, mode="r", shape=(self.count, self.dimension))
