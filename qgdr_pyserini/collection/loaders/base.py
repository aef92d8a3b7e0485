"""The public sets that can be built as collections: one row each."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable
from typing import NamedTuple

from qgdr_pyserini.collection.collection import Collection
from qgdr_pyserini.collection.loaders.folders import build_beir, build_tevatron
from qgdr_pyserini.collection.loaders.ir_datasets import build_ir_dataset
from qgdr_pyserini.collection.loaders.ir_library import PREFIX
from qgdr_pyserini.collection.loaders.mkqa import build_mkqa
from qgdr_pyserini.collection.loaders.monolingual import build_miracl, build_mr_tydi
from qgdr_pyserini.collection.loaders.sample import build_sample
from qgdr_pyserini.collection.loaders.trec import build_trec
from qgdr_pyserini.collection.loaders.xor_tydi import build_xor_tydi
from qgdr_pyserini.collection.loaders.xquad import build_xquad
from qgdr_pyserini.collection.request import BuildRequest
from qgdr_pyserini.errors import QgdrError


class Builder(NamedTuple):
    """How a set is built.

    Attributes
    ----------
    build
        Does it.
    about
        What it is, in one line.
    options
        Fields of the request that it uses beside source, output and overwrite.
    """

    build: Callable[[BuildRequest], Collection]
    about: str
    options: frozenset[str] = frozenset()


BUILDERS: dict[str, Builder] = {
    "sample": Builder(
        lambda request: build_sample(request.source, request.output, overwrite=request.overwrite),
        "the small collection that ships with the package",
    ),
    "xquad": Builder(
        lambda request: build_xquad(request.source, request.output, overwrite=request.overwrite),
        "XQuAD's questions over the paragraphs of SQuAD's development set",
    ),
    "xor-tydi": Builder(
        build_xor_tydi,
        "XOR-TyDi retrieve: questions in seven languages, answers in English",
        frozenset(("corpus", "languages", "split")),
    ),
    "mkqa": Builder(
        build_mkqa,
        "MKQA: questions in 26 languages, answers in English",
        frozenset(("corpus", "languages")),
    ),
    "mr-tydi": Builder(build_mr_tydi, "one language of Mr. TyDi", frozenset(("languages", "split"))),
    "miracl": Builder(build_miracl, "one language of MIRACL", frozenset(("languages", "split"))),
    "beir": Builder(build_beir, "a folder in BEIR's layout", frozenset(("languages", "split"))),
    "tevatron": Builder(
        build_tevatron, "a folder in Tevatron's layout", frozenset(("corpus", "languages", "split"))
    ),
    "trec": Builder(
        build_trec,
        "documents, topics and judgements in TREC's formats",
        frozenset(("corpus", "topics", "qrels", "query_fields", "encoding")),
    ),
    "ir_datasets": Builder(
        build_ir_dataset,
        "any set of the library ir_datasets, ir_datasets:NAME",
        frozenset(("languages", "query_fields", "doc_fields", "accept_licence")),
    ),
}

_OPTIONS = {
    "corpus": "--corpus",
    "languages": "--language",
    "split": "--split",
    "query_fields": "--query-field",
    "doc_fields": "--doc-fields",
    "topics": "--topics",
    "qrels": "--qrels",
    "encoding": "--encoding",
    "accept_licence": "--accept-licence",
}


def build_collection(name: str, request: BuildRequest) -> Collection:
    """Build the collection ``name``.

    Raises
    ------
    QgdrError
        If there is none of that name, it has no use for an option, or building it fails.
    """
    if name.startswith(PREFIX):
        request = dataclasses.replace(request, dataset=name.removeprefix(PREFIX))
    builder = find_builder(name)
    for field, option in _OPTIONS.items():
        if getattr(request, field) and field not in builder.options:
            raise QgdrError(f"{name} takes no {option}; leave it out")
    return builder.build(request)


def find_builder(name: str) -> Builder:
    """Look up how the collection ``name``, or ``ir_datasets:NAME``, is built.

    Raises
    ------
    QgdrError
        If there is none of that name; says which there are.
    """
    kind = PREFIX[:-1] if name.startswith(PREFIX) else name
    if kind in BUILDERS:
        return BUILDERS[kind]
    nearest = difflib.get_close_matches(name, BUILDERS, n=1)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"known: {', '.join(BUILDERS)}"
    raise QgdrError(f"unknown collection {name!r}; {hint}")
