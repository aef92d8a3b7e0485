"""Queries: encoded by the encoder that encoded an index's passages, and written for ``--encoded-queries``."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from qgdr_pyserini.collection.topics import read_topics
from qgdr_pyserini.encode.manifest import MANIFEST, UNKNOWN, IndexManifest, Maker
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.files import atomic_directory
from qgdr_pyserini.model.config import NOTHING, EncoderOptions
from qgdr_pyserini.model.dual_encoder import DualEncoder, Vectors
from qgdr_pyserini.model.inference.precision import lay_out
from qgdr_pyserini.model.registry import DEFAULT_ENCODER, named_encoders
from qgdr_pyserini.model.towers import AND, Towers, find_towers

FILE = "embedding.pkl"


def encode_queries(
    topics: str | os.PathLike[str],
    output: str | os.PathLike[str],
    encoder: str = DEFAULT_ENCODER,
    *,
    index: str | os.PathLike[str] | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    settings: EncoderOptions = NOTHING,
    tell: Callable[[str], object] = lambda message: None,
) -> int:
    """Encode topics for ``pyserini.search.faiss --encoded-queries``.

    Parameters
    ----------
    topics
        What `read_topics` reads.
    output
        The directory to write: ``embedding.pkl``, a pandas table of ``id``, ``text`` and ``embedding``.
    encoder
        Name or path, as `find_towers` takes it; of two encoders, the first.
    index
        An index that the queries are meant for, to see to it that the same encoder made it. What neither the
        encoder's folder nor ``settings`` says is taken from it.
    device
        ``cpu``, ``cuda``, …
    overwrite
        Replace what stands at ``output``.
    settings
        What the encoder's folder says nothing about.
    tell
        Called with what was decided on the user's behalf, a line each.

    Returns
    -------
    int
        Number of queries.

    Raises
    ------
    QgdrError
        If topics or encoder cannot be used, the index is another encoder's, or something stands at
        ``output``.
    """
    queries = read_topics(topics)
    model = load_query_encoder(encoder, index=index, device=device, settings=settings, tell=tell)
    vectors = lay_out(model).encode_queries(list(queries.values()))
    write_queries(output, queries, vectors, overwrite=overwrite)
    return len(queries)


def load_query_encoder(
    encoder: str,
    *,
    index: str | os.PathLike[str] | None = None,
    device: str = "cpu",
    settings: EncoderOptions = NOTHING,
    tell: Callable[[str], object] = lambda message: None,
) -> DualEncoder:
    """Load an encoder for queries, which may be meant for an index; parameters as in `encode_queries`."""
    towers = find_towers(encoder)
    model = DualEncoder.from_tower(towers.query, device, settings)
    if index is not None:
        agree_with_index(index, towers.name, model)
        refuse_other_passage_tower(index, towers)
    for guess in model.guesses:
        tell(guess)
    return model


def encoder_of_index(
    index: str | os.PathLike[str], encoder: str | None = None, device: str = "cpu"
) -> DualEncoder:
    """Load the encoder for the questions that are put to an index.

    Parameters
    ----------
    index
        The index's folder. One without a manifest, not made by this package, takes any encoder of its
        dimension.
    encoder
        Name or path, as `find_towers` takes it; the one that the index names if None.
    device
        ``cpu``, ``cuda``, …

    Raises
    ------
    QgdrError
        If the index names none, the encoder is not to be found, or another than the one that made the index.
    """
    place = Path(index)
    if encoder is not None and not (place / MANIFEST).is_file():
        return load_query_encoder(encoder, device=device)
    manifest = IndexManifest.read(place)
    model = load_query_encoder(encoder or maker(place, manifest), index=place, device=device)
    if model.dimension != manifest.dimension:
        name = encoder or manifest.encoder
        raise QgdrError(f"{place}: dimension {manifest.dimension}, but {name} has {model.dimension}")
    return model


def write_queries(
    output: str | os.PathLike[str], queries: Mapping[str, str], vectors: Vectors, *, overwrite: bool
) -> None:
    """Write encoded queries, ``(queries, dimension)``, for ``--encoded-queries``; see `encode_queries`."""
    import pandas as pd  # not needed for vectors alone

    # Pyserini looks a query's vector up by its text.
    table = pd.DataFrame({"id": list(queries), "text": list(queries.values()), "embedding": list(vectors)})
    with atomic_directory(output, overwrite=overwrite) as work:
        table.to_pickle(Path(work) / FILE)


def maker(place: Path, manifest: IndexManifest) -> str:
    """Name the encoder that made an index, as `find_encoder` takes it.

    Raises
    ------
    QgdrError
        If the index does not say it, or there is none of that name: what was a folder's name there is no name
        on the hub.
    """
    name = manifest.encoder
    if name == UNKNOWN:
        raise QgdrError(f"{place}: does not say which encoder made it; name it with --encoder")
    for part in name.split(AND):
        if "/" not in part and not Path(part).is_dir() and part not in named_encoders():
            raise QgdrError(
                f"{place}: made by {name!r}, not to be found by this name; name it with --encoder"
            )
    return name


def refuse_other_encoder(index: str | os.PathLike[str], encoder: str) -> None:
    """Raise `QgdrError` if an index was made by another encoder than the one named.

    An index without a manifest, not made by this package, is let pass.
    """
    if (Path(index) / MANIFEST).is_file():
        towers = find_towers(encoder)
        agree_with_index(index, towers.name, DualEncoder.from_tower(towers.query))
        refuse_other_passage_tower(index, towers)


def agree_with_index(index: str | os.PathLike[str], name: str, encoder: DualEncoder) -> None:
    """Have an encoder make vectors as those in an index are made.

    What the encoder's own folder leaves open, such as pooling, is taken from the index. Of imported vectors,
    nothing but their dimension may be known; they are let pass.

    Parameters
    ----------
    index
        The index's folder, with its manifest.
    name
        The encoder's, for the message.
    encoder
        What encodes the queries.

    Raises
    ------
    QgdrError
        If another encoder made the index, or the same with other settings.
    """
    manifest = IndexManifest.read(Path(index))
    made = manifest.maker_of_queries
    if made.fingerprint == UNKNOWN:
        return
    if made.fingerprint == encoder.fingerprint:
        encoder.settle(encoder.config)
        return
    said = {key: value for key, value in made.settings.items() if key in encoder.left_open}
    config = encoder.config.model_copy(update=said)
    if encoder.fingerprint_with(config) == made.fingerprint:
        encoder.settle(config)
        return
    remedy = "use one encoder for both" if manifest.query_tower is None else "use the encoder for queries"
    how = "encoded by" if manifest.query_tower is None else f"encoded by {manifest.encoder}, for queries of"
    raise QgdrError(
        f"{index}: {how} {made.encoder} ({made.fingerprint}{_differences(made, encoder)}), "
        f"the queries by {name} ({encoder.fingerprint}): scores would mean nothing; {remedy}"
    )


def refuse_other_passage_tower(index: str | os.PathLike[str], towers: Towers) -> None:
    """Raise `QgdrError` where two towers are named, and another one than the second encoded the passages.

    Where both are called as the index says, nothing is loaded to find that out.
    """
    made = IndexManifest.read(Path(index))
    if towers.shared or made.fingerprint == UNKNOWN or towers.name == made.encoder:
        return
    passages = DualEncoder.from_tower(towers.passage)
    said = {key: value for key, value in made.settings.items() if key in passages.left_open}
    fingerprint = passages.fingerprint_with(passages.config.model_copy(update=said))
    if fingerprint != made.fingerprint:
        raise QgdrError(
            f"{index}: its passages were encoded by {made.encoder} ({made.fingerprint}), not by the second "
            f"encoder of {towers.name} ({fingerprint}); name what made it, or the encoder of queries alone"
        )


def _differences(made: Maker, encoder: DualEncoder) -> str:
    """Name the settings in which an index differs from an encoder."""
    ours = encoder.config.model_dump()
    return "".join(f", {key} {value!r}" for key, value in made.settings.items() if value != ours[key])
