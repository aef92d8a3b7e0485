"""An index of the vectors' dimension, not of the default's."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

import numpy as np

from qgdr_pyserini.pyserini_plugin.running import Shim

VERSIONS = ">=1.6"


def size_index_by_vectors(module: ModuleType) -> Shim:
    """Give a still empty FAISS index the dimension of the first vectors written to it.

    Upstream: ``python -m pyserini.encode`` makes the index for ``--dimension``, 768 by default,
    before it has seen a vector, and ends in an ``AssertionError`` without a message for an encoder
    of any other dimension (1.6.0 to 2.4.0).
    https://github.com/castorini/pyserini/blob/master/pyserini/encode/optional/_faiss.py
    """
    yield
    writer = module.FaissRepresentationWriter
    write = writer.write

    @functools.wraps(write)
    def resize_then_write(self: Any, batch_info: dict[str, Any], fields: Any = None) -> None:
        dimension = np.shape(batch_info["vector"])[-1]
        if self.index.ntotal == 0 and self.index.d != dimension:
            self.index = module.faiss.IndexFlatIP(dimension)
            self.dimension = dimension
        write(self, batch_info, fields)

    writer.write = resize_then_write
    return "an empty index takes the dimension of its first vectors"
