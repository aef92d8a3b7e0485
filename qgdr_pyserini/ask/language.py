"""Which language a question is in."""

from __future__ import annotations

from qgdr_pyserini.dictionary.language_id import identify_language


def question_language(question: str) -> str:
    """Tell the language of a question, by its letters alone; short ones may be mistaken.

    Examples
    --------
    >>> question_language("Wo entspringt die Donau?"), question_language("多瑙河发源于哪里？")
    ('de', 'zh')
    """
    return identify_language(question)
