"""SQuAD's questions in Spanish, Danish, Italian and Swedish, asked about the English paragraphs.

All are translated by machine and keep SQuAD's layout, and its ids, by which a question finds its English
paragraph: TranslateAlignRetrieve (Carrino et al. 2020; es, da), SQuAD-it (Croce et al. 2018), SQuAD_v2_sv
(Okazawa 2021).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from qgdr_pyserini.collection.training_set import TrainingQuery
from qgdr_pyserini.collection.training_sources.base import Parallel, Row, register, split_of
from qgdr_pyserini.collection.training_sources.squad import FILES, read_rows

ORIGINS = {
    "da": "https://github.com/ccasimiro88/TranslateAlignRetrieve/tree/master/squads-tar/da",
    "es": "https://github.com/ccasimiro88/TranslateAlignRetrieve",
    "it": "https://github.com/crux82/squad-it",
    "sv": "https://github.com/susumu2357/SQuAD_v2_sv",
}


def read_translation(files: Sequence[Path], lang: str) -> Iterator[Row]:
    """Read SQuAD in another language; a question that several files have is taken from the first.

    The answers are left out: they are not English, as the paragraph is.

    Raises
    ------
    InputError
        If a file is not in SQuAD's layout.
    """
    asked: set[str] = set()
    for file in files:
        source = f"squad-{split_of(file)}-{lang}"
        for row in read_rows(file):
            if row.qid not in asked:
                asked.add(row.qid)
                query = TrainingQuery(
                    f"{row.qid}-{lang}", lang, row.question, "", source, unanswerable=not row.answers
                )
                yield Parallel(query, f"{row.qid}-en")


for _lang, _origin in ORIGINS.items():
    register(f"squad-{_lang}", files=FILES, origin=_origin, tag=f"squad-dev-{_lang}")(
        partial(read_translation, lang=_lang)
    )
