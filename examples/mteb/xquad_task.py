"""Cross-lingual XQuAD as a task of mteb: questions in six languages, English passages.

mteb's own ``XQuADRetrieval`` asks questions of passages in the question's language.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from datasets import Dataset
from mteb.abstasks import AbsTaskRetrieval
from mteb.abstasks.task_metadata import TaskMetadata

from qgdr_pyserini.collection.corpus import read_corpus
from qgdr_pyserini.collection.topics import read_topics
from qgdr_pyserini.collection.trec import read_qrels

SPLIT = "validation"

LANGUAGES = {
    "ar": ["ara-Arab", "eng-Latn"],
    "de": ["deu-Latn", "eng-Latn"],
    "en": ["eng-Latn"],
    "es": ["spa-Latn", "eng-Latn"],
    "ru": ["rus-Cyrl", "eng-Latn"],
    "zh": ["zho-Hans", "eng-Latn"],
}


class CrossLingualXQuAD(AbsTaskRetrieval):
    """What ``qgdr collection build xquad`` made, asked in each of its languages.

    Parameters
    ----------
    folder
        The collection.
    """

    metadata: ClassVar[TaskMetadata] = TaskMetadata(
        name="CrossLingualXQuAD",
        dataset={"path": "google/xquad", "revision": "local"},
        description="Find the English paragraph that answers a question in another language, "
        "among the 2,067 of SQuAD's development set.",
        reference="https://huggingface.co/datasets/google/xquad",
        type="Retrieval",
        category="t2t",
        modalities=["text"],
        eval_splits=[SPLIT],
        eval_langs=LANGUAGES,
        main_score="recall_at_10",
        date=("2019-05-21", "2019-11-21"),
        domains=["Encyclopaedic", "Written"],
        task_subtypes=["Question answering"],
        license="cc-by-sa-4.0",
        annotations_creators="human-annotated",
        dialect=[],
        sample_creation="human-translated",
        bibtex_citation="",
    )

    def __init__(self, folder: Path, **options: Any) -> None:
        super().__init__(**options)
        self._folder = folder

    def load_data(self, num_proc: int | None = None, **_: Any) -> None:
        """Read corpus, questions and judgements from the folder."""
        if self.data_loaded:
            return
        qrels = read_qrels(self._folder / "qrels.txt")
        corpus = Dataset.from_list(
            [
                {"id": p.docid, "title": p.title, "text": p.text}
                for p in read_corpus(self._folder / "corpus.jsonl")
            ]
        )
        self.dataset = {
            language: {SPLIT: self._split(language, corpus, qrels)} for language in self.hf_subsets
        }
        self.data_loaded = True

    def _split(self, language: str, corpus: Dataset, qrels: dict[str, dict[str, int]]) -> dict[str, Any]:
        topics = read_topics(self._folder / f"topics.{language}.tsv")
        return {
            "corpus": corpus,
            "queries": Dataset.from_list([{"id": qid, "text": text} for qid, text in topics.items()]),
            "relevant_docs": {qid: dict(qrels[qid]) for qid in topics},
            "top_ranked": None,
        }
