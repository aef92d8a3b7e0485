"""Question-answering sets in SQuAD's format: from the original files, or from the hub."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from qgdr_pyserini.collection.tables import read_table
from qgdr_pyserini.errors import InputError, QgdrError, first_line
from qgdr_pyserini.files import read_lines

HubLoader = Callable[[str, str | None], Iterable[Mapping[str, Any]]]
"""Takes a data set's name and configuration, gives the rows of its validation split."""


class Row(NamedTuple):
    """A question about a paragraph.

    Whitespace in every text is normalised: single spaces, none at the ends. Editions of the same
    set differ in nothing else.
    """

    qid: str
    title: str
    context: str
    question: str
    answers: tuple[str, ...]


def read_squad_file(path: Path) -> list[Row]:
    """Read a file in SQuAD's JSON format, v1.1 or v2.0, gzipped or not.

    Questions of v2.0 that the paragraph does not answer are rows without answers.

    Raises
    ------
    InputError
        If it is missing, is not JSON, is not in that format, or repeats a question's id.
    """
    try:
        document = json.loads("\n".join(line for _, line in read_lines(path)))
        return _unique(_walk(document), path)
    except json.JSONDecodeError as error:
        raise InputError(f"malformed JSON ({error.msg}); fetch it again", path, error.lineno) from None
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"not in SQuAD's format ({type(error).__name__}: {error}); fetch it again", path
        ) from None


def read_squad_table(path: Path) -> list[Row]:
    """Read a Parquet file in the hub's form of SQuAD: one row a question.

    Raises
    ------
    InputError
        If it is missing, no Parquet file, or in another form.
    """
    try:
        return _unique((_hub_row(row) for _, row in read_table(path)), path)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"not in SQuAD's form ({type(error).__name__}: {error}); fetch it again", path
        ) from None


def load_squad_from_hub(name: str, configuration: str | None, load: HubLoader) -> list[Row]:
    """Read a set in the hub's form of SQuAD: one row a question.

    Parameters
    ----------
    name
        Of the data set, as ``rajpurkar/squad``.
    configuration
        Its part, as ``xquad.de``; None where there is only one.
    load
        What fetches it; `validation_split` for the real hub.

    Raises
    ------
    QgdrError
        If it cannot be fetched or is in another form.
    """
    label = f"{name} ({configuration})" if configuration else name
    try:
        return _unique((_hub_row(row) for row in load(name, configuration)), Path(label))
    except QgdrError:
        raise
    except (KeyError, TypeError, AttributeError) as error:
        raise QgdrError(f"{label}: not in SQuAD's form ({type(error).__name__}: {error})") from None
    except Exception as error:
        # `datasets` and what it fetches with raise a dozen unrelated types when the network is absent.
        raise QgdrError(
            f"{label}: cannot be loaded from the Hugging Face hub ({first_line(error)}); "
            "check the network, or give --source DIR with the original files"
        ) from error


def validation_split(name: str, configuration: str | None) -> Iterable[Mapping[str, Any]]:
    """Load the validation split of a data set through `datasets`."""
    import datasets

    rows: Iterable[Mapping[str, Any]] = datasets.load_dataset(name, configuration, split="validation")
    return rows


def _walk(document: Any) -> Iterator[Row]:
    for article in document["data"]:
        for paragraph in article["paragraphs"]:
            for item in paragraph["qas"]:
                answers = [answer["text"] for answer in item["answers"]]
                yield _row(
                    item["id"], article.get("title", ""), paragraph["context"], item["question"], answers
                )


def _hub_row(row: Mapping[str, Any]) -> Row:
    return _row(row["id"], row.get("title", ""), row["context"], row["question"], row["answers"]["text"])


def _row(qid: str, title: str, context: str, question: str, answers: Iterable[str]) -> Row:
    found = tuple(dict.fromkeys(_normalised(answer) for answer in answers))
    return Row(qid, title, _normalised(context), _normalised(question), found)


def _normalised(text: str) -> str:
    return " ".join(text.split())


def _unique(rows: Iterable[Row], source: Path) -> list[Row]:
    found: dict[str, Row] = {}
    for row in rows:
        if row.qid in found:
            raise InputError(f"question id {row.qid!r} twice; fetch the data again", source)
        found[row.qid] = row
    if not found:
        raise InputError("holds no questions; fetch the data again", source)
    return list(found.values())
