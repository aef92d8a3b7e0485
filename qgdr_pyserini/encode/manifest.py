"""``qgdr.json``: what an index holds and which encoder made it."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
from pathlib import Path
from typing import Any, NamedTuple, Self

from qgdr_pyserini.encode.faiss_types import IndexParameters, IndexType
from qgdr_pyserini.encode.split import Split
from qgdr_pyserini.encode.truncation import Truncation
from qgdr_pyserini.errors import InputError
from qgdr_pyserini.files import atomic_text

MANIFEST = "qgdr.json"

UNKNOWN = "unknown"
"""What an index's manifest says of an encoder that is none of ours."""

_PREFIXES = ("query_prefix", "passage_prefix")
_OPTIONAL = (
    *_PREFIXES,
    "query_tower",
    "store",
    "index_parameters",
    "split",
    "truncated",
    "quantization",
)
PACKAGES = ("qgdr-pyserini", "faiss-cpu", "torch", "transformers")


class Maker(NamedTuple):
    """An encoder: its name, its fingerprint, and what is said of its settings."""

    encoder: str
    fingerprint: str
    settings: dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class IndexManifest:
    """What is written beside an index.

    Parameters
    ----------
    encoder, fingerprint
        Name and digest of the encoder; queries have to be encoded by the same.
    dimension
        Number of components of a vector.
    pooling, normalized
        How the encoder makes vectors.
    max_length
        Tokens beyond which passages were cut off.
    precision
        In which the vectors were computed.
    index_type
        The index type, as ``flat`` or ``IVF256,PQ16``. A shard is always flat; this is what merging makes of
        it.
    passages
        How many are in the index.
    window, batch_tokens
        How many passages were sorted by length together, and tokens computed at a time.
    shard
        Which part of the corpus it is; ``1/1`` for all.
    corpus_passages
        How many passages the corpus has.
    files
        Names and sizes in bytes of the corpus's files.
    contents
        Digest of the passages in the index.
    query_prefix, passage_prefix
        What is put before texts; None for an encoder of ours, whose own settings say it.
    query_tower
        Where another encoder is for queries: its name, fingerprint, pooling, normalisation and prefixes. Then
        ``encoder`` names both, and the rest is the passages'.
    store
        The file beside the index that holds its passages; None where there is none.
    index_parameters
        Those of the index type that were not left to us, by their names in `IndexParameters`.
    split
        Where the passages are segments of documents, how these were split: ``tokens`` and ``stride``.
    truncated
        What was cut off the passages, as `Truncation` has it; None where it was not counted.
    quantization
        For int8: bits of a weight, and the kinds of layers that were kept in fp32; see `Quantization`. None
        for other precisions, and for an index that was made before there was a choice.
    """

    encoder: str
    fingerprint: str
    dimension: int
    pooling: str
    normalized: bool
    max_length: int
    precision: str
    index_type: str
    passages: int
    window: int
    batch_tokens: int
    shard: str
    corpus_passages: int
    files: list[list[Any]]
    contents: str
    query_prefix: str | None = None
    passage_prefix: str | None = None
    store: str | None = None
    query_tower: dict[str, Any] | None = None
    index_parameters: dict[str, int] | None = None
    split: dict[str, int] | None = None
    truncated: dict[str, int] | None = None
    quantization: dict[str, Any] | None = None

    @property
    def maker_of_queries(self) -> Maker:
        """What has to encode the queries."""
        tower = self.query_tower
        if tower is None:
            return Maker(self.encoder, self.fingerprint, self.settings)
        settings = {key: value for key, value in tower.items() if key not in ("encoder", "fingerprint")}
        return Maker(tower["encoder"], tower["fingerprint"], settings)

    @property
    def settings(self) -> dict[str, Any]:
        """What it says of the encoder's settings, by the names that `EncoderConfig` has for them."""
        prefixes = {key: getattr(self, key) for key in _PREFIXES if getattr(self, key) is not None}
        return {"pooling": self.pooling, "normalize": self.normalized, **prefixes}

    @property
    def splitting(self) -> Split | None:
        """How documents were split into the passages; None where they were not."""
        return Split(**self.split) if self.split else None

    @property
    def truncation(self) -> Truncation | None:
        """What was cut off the passages; None where it was not counted."""
        return Truncation(**self.truncated) if self.truncated else None

    @property
    def kind(self) -> IndexType:
        """The index type with its parameters."""
        return IndexType(self.index_type, IndexParameters(**self.index_parameters or {}))

    def write(self, path: Path, versions: dict[str, str] | None = None) -> None:
        """Write it, with the versions of the packages that made the index; those at work when None."""
        content: dict[str, Any] = dataclasses.asdict(self) | {"versions": versions or _versions()}
        for key in _OPTIONAL:
            if content[key] is None:
                del content[key]
        with atomic_text(path) as file:
            json.dump(content, file, indent=2)
            file.write("\n")

    @classmethod
    def read(cls, index: Path) -> Self:
        """Read the manifest of the index in the directory ``index``.

        Raises
        ------
        InputError
            If there is none, or it is not one that `write` wrote.
        """
        path = index / MANIFEST
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            content.pop("versions", None)
            return cls(**content)
        except (FileNotFoundError, NotADirectoryError):
            raise InputError(
                f"no {MANIFEST} in it; name an index that 'qgdr encode-corpus' made", index
            ) from None
        except (ValueError, TypeError, AttributeError):
            raise InputError("not the manifest of an index; encode the corpus again", path) from None


def is_split(index: Path) -> bool:
    """Tell whether an index says that its passages are segments of documents."""
    return (index / MANIFEST).is_file() and IndexManifest.read(index).split is not None


def note_store(index: Path, store: str) -> None:
    """Note in an index's manifest that a file holds its passages."""
    content = json.loads((index / MANIFEST).read_text(encoding="utf-8"))
    dataclasses.replace(IndexManifest.read(index), store=store).write(
        index / MANIFEST, content.get("versions")
    )


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "unknown"  # a faiss built from source, say
    return found
