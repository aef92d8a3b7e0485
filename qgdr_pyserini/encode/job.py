"""The job of an index: what is being made, as far as it decides what comes out; no other is gone on with."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qgdr_pyserini.collection.passage_store import PASSAGES
from qgdr_pyserini.encode.faiss_types import IndexParameters, IndexType
from qgdr_pyserini.encode.journal import FILES, STORE
from qgdr_pyserini.encode.options import EncodingOptions
from qgdr_pyserini.encode.split import Split
from qgdr_pyserini.encode.windows import describe_files
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.registry import is_ours
from qgdr_pyserini.model.towers import Towers

REPLACE = "replace"
SPLIT = "split"
TYPE = "index_type"
PARAMETERS = "index_parameters"
QUANTIZATION = "quantization"

# Keys that are not simply to be the same when it is resumed.
_APART = (REPLACE, STORE, SPLIT, TYPE, PARAMETERS)


def describe_job(
    corpus: str | os.PathLike[str],
    towers: Towers,
    model: DualEncoder,
    options: EncodingOptions,
    tell: Callable[[str], object],
) -> dict[str, Any]:
    """Say what is being made, as far as it decides what comes out."""
    prefixes = {"query_prefix": model.config.query_prefix, "passage_prefix": model.config.passage_prefix}
    return {
        "encoder": towers.name,
        "fingerprint": model.fingerprint,
        "dimension": model.dimension,
        "pooling": model.config.pooling,
        "normalized": model.config.normalize,
        "max_length": options.max_length or model.config.passage_max_length,
        "precision": options.precision,
        TYPE: options.index_type,
        PARAMETERS: options.index_parameters.given() or None,
        "window": options.window,
        "batch_tokens": options.batch_tokens,
        "shard": str(options.shard),
        FILES: describe_files(corpus),
        STORE: PASSAGES if options.store else None,
        SPLIT: dataclasses.asdict(options.split) if options.split else None,
        **({} if is_ours(towers.passage.folder) else prefixes),
        **({} if towers.shared else {"query_tower": _query_tower(towers, model.dimension, options, tell)}),
    }


def index_type_of(job: dict[str, Any]) -> IndexType:
    """Return the index type of a job that was begun."""
    return IndexType(job[TYPE], IndexParameters(**job.get(PARAMETERS) or {}))


def asked_index_type(job: dict[str, Any], before: IndexType) -> IndexType:
    """Return the index type that a job asks for, where it was another before."""
    return before.otherwise(job[TYPE], IndexParameters(**(job[PARAMETERS] or {})))


def _query_tower(
    towers: Towers, dimension: int, options: EncodingOptions, tell: Callable[[str], object]
) -> dict[str, Any]:
    """Say which encoder is for the queries."""
    model = DualEncoder.from_tower(towers.query, options=options.settings)
    if model.dimension != dimension:
        raise QgdrError(
            f"{towers.name}: the first gives vectors of {model.dimension} components, the second of "
            f"{dimension}; they do not belong together"
        )
    for guess in model.guesses:
        tell(guess)
    names = ("pooling", "normalize", "query_prefix", "passage_prefix")
    settings = {name: getattr(model.config, name) for name in names}
    return {"encoder": towers.query_name, "fingerprint": model.fingerprint, **settings}


def refuse_earlier_int8(partial: Path, begun: dict[str, Any]) -> None:
    """Raise `QgdrError` for work in the int8 of before `Quantization`, which was less exact."""
    if begun["precision"] == "int8" and not begun.get(QUANTIZATION):
        raise QgdrError(
            f"{partial}: it was begun in the int8 of an earlier version, which was less exact; start again "
            "with --overwrite"
        )


def refuse_other_job(folder: Path, begun: dict[str, Any], job: dict[str, Any]) -> None:
    """Raise `QgdrError` if something else would come out than what is there."""
    _refuse_other_split(folder, begun.get(SPLIT), job[SPLIT])
    # A setting that differs says more than the fingerprint that differs with it.
    for key, wanted in sorted(job.items(), key=lambda item: item[0] == "fingerprint"):
        was = begun.get(key)
        # The user left these open; what was chosen then is taken again.
        if was == wanted or wanted in (None, "auto") or was is None or key in _APART:
            continue
        if key != FILES:
            raise begun_otherwise(folder, key.replace("_", " "), was, wanted)
        raise QgdrError(
            f"{folder}: the corpus changed: its files have other names or sizes; put that right, or start "
            "again with --overwrite"
        )
    if begun.get(STORE) != job[STORE]:
        with_store, other = ("with", "without") if begun.get(STORE) else ("without", "with")
        raise QgdrError(
            f"{folder}: it was begun {with_store} the passages themselves; "
            f"go on {other} --no-store, or start again with --overwrite"
        )


def _refuse_other_split(folder: Path, was: dict[str, int] | None, wanted: dict[str, int] | None) -> None:
    """Raise `QgdrError` if documents are to be split otherwise than they were."""
    if was != wanted:
        before, now = (f"with {Split(**split)}" if split else "without --split" for split in (was, wanted))
        raise QgdrError(
            f"{folder}: it was begun {before}, not {now}; put that right, or start again with --overwrite"
        )


def begun_otherwise(folder: Path, what: str, was: object, wanted: object) -> QgdrError:
    """Return the error for something that was begun with one setting and is asked for with another."""
    return QgdrError(
        f"{folder}: it was begun with {what} {was}, not {wanted}; put that right, or start again with "
        "--overwrite"
    )
