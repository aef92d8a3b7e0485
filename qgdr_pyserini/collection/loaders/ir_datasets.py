"""Any data set of `ir_datasets` as a collection."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from qgdr_pyserini.collection.collection import Collection, Contents, refuse_output, write_collection
from qgdr_pyserini.collection.corpus import Passage
from qgdr_pyserini.collection.loaders.base import BuildRequest, register
from qgdr_pyserini.collection.loaders.ir_library import (
    PREFIX,
    IrDataset,
    citations,
    find_dataset,
    licence_text,
    quiet_library,
    terms_of_use,
)
from qgdr_pyserini.collection.loaders.records import (
    JudgedQueries,
    PassageIds,
    field_language,
    make_passage,
    parse_fields,
    question_text,
)
from qgdr_pyserini.collection.trec import Qrels
from qgdr_pyserini.errors import QgdrError


@register(
    "ir_datasets",
    "any set of the library ir_datasets with documents, queries and qrels, which fetches it; "
    "what only its owner gives is named (https://ir-datasets.com; no --source)",
    options=("languages", "query_fields", "doc_fields", "accept_licence"),
    named=True,
)
def build_ir_dataset(request: BuildRequest) -> Collection:
    """Build a set of `ir_datasets`, its documents streamed.

    Parameters
    ----------
    request
        ``dataset`` is its name there; ``query_fields`` and ``doc_fields`` are what questions and passages are
        made of; one language, where the set says none; ``accept_licence`` once its terms are read.

    Raises
    ------
    QgdrError
        If there is no such set or field, it lacks documents, queries or judgements, its terms are not
        accepted, its files cannot be had, or something stands at ``output`` that may not be replaced.
    """
    refuse_output(request.output, overwrite=request.overwrite)
    if not request.dataset:
        raise QgdrError(f"name the data set: {PREFIX}NAME, such as {PREFIX}cranfield")
    if request.source is not None:
        raise QgdrError(f"{PREFIX}{request.dataset} is fetched by the library; leave out --source")
    with quiet_library():
        dataset = find_dataset(request.dataset)
        _refuse_terms(dataset, request)
        return write_collection(request.output, _contents(dataset, request), overwrite=request.overwrite)


def _refuse_terms(dataset: IrDataset, request: BuildRequest) -> None:
    terms = terms_of_use(dataset.handle, dataset.name)
    if terms and not request.accept_licence:
        raise QgdrError(
            f"{PREFIX}{dataset.name} has terms of use: {terms!r}; read them, then pass --accept-licence"
        )


def _contents(dataset: IrDataset, request: BuildRequest) -> Contents:
    doc_fields = parse_fields("--doc-fields", request.doc_fields or "", dataset.fields("docs"))
    choices = [
        parse_fields("--query-field", choice, dataset.fields("queries"))
        for choice in request.query_fields or ("",)
    ]
    ids, remarks = PassageIds(), list[str]()
    documents = _begun(dataset)
    qrels = _read_qrels(dataset, ids, remarks)
    queries = JudgedQueries(_prefix(dataset.name), qrels, remarks=remarks)
    for fields in choices:
        _add_queries(queries, dataset, fields, request)
    return Contents(
        name=f"{PREFIX}{dataset.name}",
        source=f"{PREFIX}{dataset.name} ({dataset.page})",
        licence=licence_text(dataset),
        passages=_passages(documents, doc_fields, ids),
        topics=queries.topics,
        judgements=queries.judgements,
        answers=(),
        details=lambda: {
            "citation": citations(dataset),
            "query_fields": [",".join(fields) or "default" for fields in choices],
            "doc_fields": list(doc_fields) or ["default"],
            "passage_language": dataset.language("docs"),
            "remarks": [*remarks, *ids.remarks()],
        },
    )


def _prefix(name: str) -> str:
    """Make one word of a name: behind it, and the next hyphen, a query's id has its language.

    Examples
    --------
    >>> _prefix("mr-tydi/ar/test")
    'mr_tydi_ar_test'
    """
    return "_".join(name.replace("-", "_").replace("/", "_").split())


def _begun(dataset: IrDataset) -> Iterator[Any]:
    """Start the stream of documents: what cannot be had is told before anything else is fetched."""
    documents = dataset.records("docs")
    first = next(documents, None)
    if first is None:
        raise QgdrError(f"{PREFIX}{dataset.name}: holds no documents; see {dataset.page}")
    return chain([first], documents)


def _read_qrels(dataset: IrDataset, ids: PassageIds, remarks: list[str]) -> Qrels:
    """Read the judgements; of several of one pair, as of subtopics, the highest counts."""
    qrels: Qrels = {}
    repeated = 0
    for record in dataset.records("qrels"):
        judged, docid = qrels.setdefault(record.query_id, {}), ids.of_judgement(record.doc_id)
        repeated += docid in judged
        grade = _grade(record)
        judged[docid] = max(judged.get(docid, grade), grade)
    if repeated:
        remarks.append(f"{repeated:,} judgements repeat a query and a document; the highest grade counts.")
    return qrels


def _grade(record: Any) -> int:
    if record.relevance != int(record.relevance):
        raise QgdrError(f"grade {record.relevance!r} of query {record.query_id!r} is not a whole number")
    return int(record.relevance)


def _add_queries(
    queries: JudgedQueries, dataset: IrDataset, fields: Sequence[str], request: BuildRequest
) -> None:
    records = list(dataset.records("queries"))
    if not records:
        raise QgdrError(f"{PREFIX}{dataset.name}: holds no queries; see {dataset.page}")
    language = _language(dataset, records[0], fields, request)
    queries.add(language, ((record.query_id, question_text(record, fields)) for record in records))


def _language(dataset: IrDataset, record: Any, fields: Sequence[str], request: BuildRequest) -> str:
    said = dataset.language("queries") or field_language(record, fields)
    asked = request.languages
    if len(asked) > 1 or (said and asked and asked[0] != said):
        raise QgdrError(f"{PREFIX}{dataset.name} has its queries in {said or 'one language'}, not in "
                        f"{' and '.join(asked)}; leave --language out")  # fmt: skip
    if not said and not asked:
        raise QgdrError(f"{PREFIX}{dataset.name} does not say which language its queries are in; "
                        "pass --language LANG")  # fmt: skip
    return said or asked[0]


def _passages(documents: Iterator[Any], fields: Sequence[str], ids: PassageIds) -> Iterator[Passage]:
    for document in documents:
        docid = ids.of_passage(document.doc_id)
        if docid is not None:
            yield make_passage(document, docid, fields)
