"""The vectors in an index, with their ids, for other systems."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch  # noqa: F401  before faiss, see flat_index

# isort: split
import faiss

from qgdr_pyserini.encode.embedding_files import Block
from qgdr_pyserini.encode.manifest import IndexManifest
from qgdr_pyserini.encode.opening import open_index
from qgdr_pyserini.encode.samples import BLOCK
from qgdr_pyserini.errors import InputError
from qgdr_pyserini.files import read_lines


class StoredVectors:
    """What an index holds, in the order of the corpus.

    Indexes that keep codes (fp16, sq8, pq, ivfpq) give what these stand for: the vectors they search.

    Parameters
    ----------
    index
        The directory of an index that this package made.

    Raises
    ------
    InputError
        If it is none, or it is damaged.
    """

    def __init__(self, index: str | os.PathLike[str]) -> None:
        self._place = Path(index)
        self.manifest = IndexManifest.read(self._place)
        self._index = self._open()

    def blocks(self, size: int = BLOCK) -> Iterator[Block]:
        """Yield ids and their vectors ``(ids, dimension)``, up to ``size`` at a time.

        Raises
        ------
        InputError
            If there are not as many ids as vectors.
        """
        docids = (line for _, line in read_lines(self._place / "docid"))
        for start in range(0, self._index.ntotal, size):
            rows = np.arange(start, min(start + size, self._index.ntotal))
            ids = list(islice(docids, len(rows)))
            if len(ids) != len(rows):
                raise InputError("has fewer ids than vectors; encode the corpus again", self._place)
            yield ids, self._index.reconstruct_batch(rows)
        if next(docids, None) is not None:
            raise InputError("has more ids than vectors; encode the corpus again", self._place)

    def _open(self) -> Any:
        index = open_index(self._place)
        if (index.ntotal, index.d) != (self.manifest.passages, self.manifest.dimension):
            raise InputError("its vectors are not those of qgdr.json; encode the corpus again", self._place)
        if isinstance(index, faiss.IndexIVF):
            index.make_direct_map()
        return index
