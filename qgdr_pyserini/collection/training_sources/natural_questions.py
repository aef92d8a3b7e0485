"""Natural Questions with the paragraph that answers each, as QED has them.

Kwiatkowski et al. (2019); Lamm et al. (2021). Layout: ``qed-train.jsonlines`` and ``qed-dev.jsonlines``,
whose rows have ``example_id``, ``title_text``, ``question_text`` and ``paragraph_text``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from qgdr_pyserini.collection.jsonl import read_objects
from qgdr_pyserini.collection.training_set import TrainingPassage, TrainingQuery
from qgdr_pyserini.collection.training_sources.base import Row, clean, register
from qgdr_pyserini.errors import InputError

SOURCE = "natural-questions"

_TEXTS = ("title_text", "question_text", "paragraph_text")


@register(SOURCE, files=("*.jsonlines",), origin="https://github.com/google-research-datasets/QED")
def read_natural_questions(files: Sequence[Path]) -> Iterator[Row]:
    """Read QED's files; a paragraph is ``nq-N`` in their order, a question ``nq-EXAMPLE_ID``.

    Raises
    ------
    InputError
        If a row lacks one of the four fields.
    """
    docids: dict[str, str] = {}
    for file in files:
        for line, row in read_objects(file):
            if not all(isinstance(row.get(field), str) for field in _TEXTS) or "example_id" not in row:
                raise InputError(f"needs 'example_id', and as text {', '.join(_TEXTS)}", file, line)
            title, question, text = (clean(row[field]) for field in _TEXTS)
            if text not in docids:
                docids[text] = f"nq-{len(docids)}"
                yield TrainingPassage(docids[text], title, text, SOURCE)
            yield TrainingQuery(f"nq-{row['example_id']}", "en", question, docids[text], SOURCE)
