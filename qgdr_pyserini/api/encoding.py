"""Encoders, and what they encode: corpora into indexes, questions into vectors."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypedDict, Unpack

from qgdr_pyserini.api.frames import AnyCorpus, AnyPath, AnyTopics, corpus_on_disk, to_topics, topics_frame
from qgdr_pyserini.api.telling import bar, tell
from qgdr_pyserini.encode.encode_corpus import EncodedCorpus
from qgdr_pyserini.encode.encode_corpus import encode_corpus as write_index_of
from qgdr_pyserini.encode.faiss_types import IndexParameters
from qgdr_pyserini.encode.options import EncodingOptions
from qgdr_pyserini.encode.queries import agree_with_index, load_query_encoder, write_queries
from qgdr_pyserini.encode.split import split_of
from qgdr_pyserini.model.config import EncoderOptions, Pooling
from qgdr_pyserini.model.dual_encoder import DualEncoder
from qgdr_pyserini.model.inference.devices import device_names
from qgdr_pyserini.model.registry import DEFAULT_ENCODER
from qgdr_pyserini.model.towers import Role

if TYPE_CHECKING:
    import pandas as pd


class EncoderSettings(TypedDict, total=False):
    """What an encoder's folder may leave open; see `EncoderOptions`."""

    pooling: Pooling | None
    normalize: bool | None
    query_prefix: str | None
    passage_prefix: str | None


def load_encoder(
    name: AnyPath = DEFAULT_ENCODER,
    *,
    device: str | None = None,
    role: Role | None = None,
    **settings: Unpack[EncoderSettings],
) -> DualEncoder:
    """Load an encoder by its name, its folder or its name on the Hugging Face hub.

    Parameters
    ----------
    name
        ``qgdr`` or another name under ``encoders/``; a folder, one that sentence-transformers saved too; or a
        name on the hub, such as ``intfloat/multilingual-e5-small``.
    device
        ``cpu``, ``cuda``, ``cuda:1``, …; a GPU where there is one when None.
    role
        ``query`` or ``passage``: which of two encoders, where ``name`` names two, as ``A+B`` does.
    **settings
        ``pooling``, ``normalize``, ``query_prefix`` and ``passage_prefix``, where the folder does not say;
        what had to be guessed is told on standard error.

    Returns
    -------
    DualEncoder
        With ``encode_queries(texts)`` and ``encode_passages(texts, titles)``.

    Raises
    ------
    QgdrError
        If there is no such encoder, it cannot be used here, or a setting is against what its folder says.

    Examples
    --------
    >>> encoder = load_encoder("qgdr", device="cpu")
    >>> encoder.encode_queries(["Wo entspringt die Donau?", "多瑙河发源于哪里？"]).shape
    (2, 384)
    """
    chosen = device or device_names(None)[0]
    encoder = DualEncoder.from_pretrained(os.fspath(name), chosen, EncoderOptions(**settings), role)
    for guess in encoder.guesses:
        tell(guess)
    return encoder


def encode_corpus(
    corpus: AnyCorpus,
    index: AnyPath,
    encoder: AnyPath = DEFAULT_ENCODER,
    *,
    index_type: str | None = None,
    index_parameters: Mapping[str, int] | None = None,
    precision: str = "auto",
    device: str | None = None,
    max_length: int | None = None,
    batch_tokens: int | None = None,
    split: int | None = None,
    stride: int | None = None,
    store: bool = True,
    resume: bool = False,
    overwrite: bool = False,
    progress: bool = True,
    **settings: Unpack[EncoderSettings],
) -> EncodedCorpus:
    """Encode a corpus into a FAISS index that Pyserini searches, as ``qgdr encode-corpus`` does.

    Parameters
    ----------
    corpus
        A file or folder (see `qgdr_pyserini.collection.corpus.read_corpus`), ``hub:NAME``, a collection, or a
        DataFrame with ``docid``, ``text`` and, if there are any, ``title``.
    index
        The index's folder, which appears only when it is whole.
    encoder
        Name, folder or name on the hub, as for `load_encoder`.
    index_type
        ``flat``, ``fp16``, ``sq8``, ``pq``, ``hnsw``, ``ivf`` or ``ivfpq``, or a FAISS factory string such as
        ``OPQ16,IVF256,PQ16``; ``flat`` when None.
    index_parameters
        Of the index type, by their names in `qgdr_pyserini.encode.faiss_types.IndexParameters`, such as
        ``{"nprobe": 16}``.
    precision
        ``auto``, ``fp32``, ``bf16``, ``fp16`` or ``int8``.
    device
        ``cpu``, ``cuda``, or several: ``cuda:0,cuda:1``; a GPU where there is one when None.
    max_length
        Tokens at which passages are cut; the encoder's own length when None.
    batch_tokens
        Tokens computed at a time; chosen for the device when None.
    split, stride
        Most tokens of the segments that documents are split into; no split when None. Tokens from one's
        beginning to the next's; as many when None.
    store
        Whether to put the passages beside the index, for `Searcher` and ``qgdr ask`` to show.
    resume
        Go on where an earlier call stopped; begin where none did.
    overwrite
        Replace an index that stands there.
    progress
        Whether to show how far it has come.
    **settings
        As for `load_encoder`.

    Returns
    -------
    EncodedCorpus
        Counts and time; it stands for the index's path wherever one is taken.

    Raises
    ------
    QgdrError
        If corpus, encoder or a setting cannot be used, or something stands at ``index``.

    Examples
    --------
    >>> import pandas as pd, qgdr_pyserini as qgdr
    >>> corpus = pd.DataFrame({"docid": ["1"], "title": ["Danube"], "text": ["It rises in …"]})
    >>> qgdr.encode_corpus(corpus, "indexes/rivers")  # doctest: +SKIP
    """
    options = EncodingOptions(
        device,
        max_length,
        batch_tokens,
        index_type=index_type,
        index_parameters=IndexParameters(**index_parameters or {}),
        precision=precision,
        settings=EncoderOptions(**settings),
        store=store,
        split=split_of(split, stride),
    )
    with corpus_on_disk(corpus) as path, bar("passages", progress) as advance:
        return write_index_of(
            path,
            index,
            os.fspath(encoder),
            resume=resume,
            overwrite=overwrite,
            options=options,
            advance=advance,
            tell=tell,
        )


def encode_queries(
    topics: AnyTopics,
    encoder: AnyPath | DualEncoder = DEFAULT_ENCODER,
    *,
    index: AnyPath | None = None,
    output: AnyPath | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    **settings: Unpack[EncoderSettings],
) -> pd.DataFrame:
    """Encode questions.

    Parameters
    ----------
    topics
        A topics file or a pattern of them, a collection, questions by qid, or a DataFrame with ``qid`` and
        ``query``.
    encoder
        Name, folder or name on the hub, or an encoder that is loaded already.
    index
        An index that the questions are meant for, to see to it that the same encoder made it.
    output
        A folder to write them to, for Pyserini's ``--encoded-queries``.
    device
        ``cpu``, ``cuda``, …; that of an encoder that is loaded stays.
    overwrite
        Replace what stands at ``output``.
    **settings
        As for `load_encoder`.

    Returns
    -------
    pandas.DataFrame
        ``qid``, ``lang``, ``query``, and ``embedding``: float32 arrays ``(dimension,)``.

    Raises
    ------
    QgdrError
        If topics or encoder cannot be used, another encoder made the index, or something stands at
        ``output``.
    """
    found = to_topics(topics)
    if isinstance(encoder, DualEncoder):
        model = encoder
        if index is not None:
            agree_with_index(index, str(encoder.folder or "an encoder in memory"), encoder)
    else:
        options = EncoderOptions(**settings)
        model = load_query_encoder(
            os.fspath(encoder), index=index, device=device, settings=options, tell=tell
        )
    vectors = model.encode_queries(list(found.questions.values()))
    if output is not None:
        write_queries(output, found.questions, vectors, overwrite=overwrite)
    return topics_frame(found).assign(embedding=list(vectors))
