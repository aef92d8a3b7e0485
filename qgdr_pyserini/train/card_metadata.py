"""The metadata of a model card, as the Hugging Face hub reads it: from `training.json`, and from reports."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import CardData, EvalResult, ModelCard, ModelCardData

from qgdr_pyserini.errors import InputError, QgdrError
from qgdr_pyserini.files import atomic_text, read_json

CARD = "README.md"
RECORD = "training.json"

FEWEST_QUERIES = 50
"""A score over fewer queries says little, and is left out."""

# Where a source of the training data has a data set on the hub; most have none.
_ON_HUB = {
    "afriqa": ("masakhane/afriqa",),
    "mkqa": ("apple/mkqa",),
    "squad-dev": ("rajpurkar/squad", "rajpurkar/squad_v2"),
}
_HUB_FILE = re.compile(r"hf://datasets/([^/]+/[^/]+)/")
_TAGS = ["cross-lingual-retrieval", "pyserini", "qgdr"]
_HELD_OUT = ("held-out", "Held-out queries of the training data")


def card_metadata(record: Mapping[str, Any]) -> ModelCardData:
    """Describe an encoder by what its training has recorded.

    Parameters
    ----------
    record
        The content of its ``training.json``.

    Returns
    -------
    ModelCardData
        Languages of the questions, licence, base model (unless that was a folder), data sets that are on the
        hub, and recall on held-out queries.

    Examples
    --------
    >>> recipe = {"name": "my-qgdr", "licence": "mit", "student": {"checkpoint": "owner/base"}, "data": {}}
    >>> data = {"queries": {"de": 900, "en": 800}, "sources": [["queries", "mkqa", 1700]]}
    >>> held_out = {"recall@10": {"de": 0.875, "en": 1.0}, "queries": {"de": 80, "en": 8}}
    >>> described = card_metadata({"recipe": recipe, "data": data, "held_out": held_out})
    >>> described.language, described.datasets, described.base_model
    (['de', 'en'], ['apple/mkqa'], 'owner/base')
    >>> [(result.dataset_config, result.metric_value) for result in described.eval_results]
    [('de', 0.875)]
    """
    recipe = record["recipe"]
    checkpoint = recipe["student"]["checkpoint"]
    return ModelCardData(
        language=sorted(record["data"]["queries"]),
        license=recipe["licence"],
        base_model=checkpoint if checkpoint and not Path(checkpoint).expanduser().exists() else None,
        datasets=_data_sets(record) or None,
        pipeline_tag="sentence-similarity",
        library_name="sentence-transformers",
        tags=[*_TAGS],
        model_name=recipe["name"],
        eval_results=held_out_results(record) or None,
    )


def _data_sets(record: Mapping[str, Any]) -> list[str]:
    data = record["recipe"]["data"]
    files = (_HUB_FILE.match(data.get(key, "")) for key in ("queries", "corpus"))
    names = [match[1] for match in files if match]
    for _, source, _ in record["data"]["sources"]:
        names += _ON_HUB.get(source, ())
    return sorted(set(names))


def held_out_results(record: Mapping[str, Any]) -> list[EvalResult]:
    """Give the recall on held-out queries, of the languages with at least `FEWEST_QUERIES` of them."""
    held_out = record["held_out"]
    counts = held_out["queries"]
    return [
        _result(*_HELD_OUT, lang, metric, value)
        for metric, values in held_out.items()
        if metric != "queries"
        for lang, value in values.items()
        if counts[lang] >= FEWEST_QUERIES
    ]


def report_results(path: Path, data_set: str, system: str) -> list[EvalResult]:
    """Read a system's scores by language from a ``report.json`` of ``qgdr compare``.

    Parameters
    ----------
    path
        The report.
    data_set
        What was searched, by its name on the hub where it has one, such as ``google/xquad``.
    system
        The encoder's name in the report.

    Raises
    ------
    InputError
        If the file is no report, or there is no such system in it.
    """
    report = read_json(path)
    results = report.get("results") if isinstance(report, dict) else None
    if not isinstance(results, dict):
        raise InputError("no report of qgdr compare; give its report.json", path)
    found = []
    for metric, systems in results.items():
        if system not in systems:
            raise InputError(f"has no system {system!r}, but {', '.join(systems)}", path)
        for lang, row in systems[system]["languages"].items():
            found.append(_result(data_set, data_set, lang, metric, row["score"]))
    return found


def _result(data_set: str, name: str, lang: str, metric: str, value: float) -> EvalResult:
    return EvalResult(
        task_type="information-retrieval",
        task_name="Information Retrieval",
        dataset_type=data_set,
        dataset_name=name,
        dataset_config=lang,
        # As the hub spells it: recall_at_10.
        metric_type=metric.replace("@", "_at_"),
        metric_name=metric,
        metric_value=round(value, 4),
    )


def with_metadata(data: ModelCardData, body: str) -> str:
    """Put metadata above a card's text."""
    return f"---\n{_yaml(data)}---\n\n{body.lstrip()}"


def renew_metadata(folder: Path, reports: Iterable[tuple[str, Path]] = ()) -> list[EvalResult]:
    """Write the metadata of an encoder's card anew; its text stays as it is, and so does what a person added.

    Parameters
    ----------
    folder
        An encoder with a ``README.md`` and a ``training.json``.
    reports
        Data sets, and reports in which the encoder is compared under its name.

    Returns
    -------
    list of EvalResult
        The results that the card has now: those of the training's held-out queries and of ``reports``.

    Raises
    ------
    QgdrError
        If one of the files is missing or cannot be read.
    """
    card = _read_card(folder / CARD)
    record = read_json(folder / RECORD)
    try:
        data = card_metadata(record)
    except (KeyError, TypeError) as error:
        raise InputError(
            f"no record of a training ({error!r}); qgdr train writes one", folder / RECORD
        ) from None
    results = [*held_out_results(record)]
    for data_set, path in reports:
        results += report_results(path, data_set, record["recipe"]["name"])
    for key, value in _values(card.data).items():
        if key != "model-index":
            data[key] = value
    data.eval_results = results or None
    with atomic_text(folder / CARD) as file:
        file.write(with_metadata(data, card.text))
    return results


def _read_card(path: Path) -> ModelCard:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise QgdrError(f"{path}: cannot be read ({error}); this encoder has no card") from None
    try:
        return ModelCard(text, ignore_metadata_errors=True)
    except (ValueError, yaml.YAMLError) as error:
        raise InputError(
            f"its metadata is not YAML ({' '.join(str(error).split())}); mend it", path
        ) from None


def _yaml(data: ModelCardData) -> str:
    text: str = yaml.safe_dump(_values(data), sort_keys=False, allow_unicode=True, default_flow_style=None)
    return text


def _values(data: CardData) -> dict[str, Any]:
    values: dict[str, Any] = data.to_dict()  # type: ignore[no-untyped-call]
    return values
