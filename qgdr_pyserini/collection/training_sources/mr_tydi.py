"""Mr. TyDi: questions in eleven languages with passages in the same language.

Zhang et al. (2021). Layout: ``mrtydi-v1.1-LANGUAGE/train.jsonl.gz`` of ``castorini/mr-tydi`` on the hub,
in Tevatron's JSON Lines. The passages are not English, as those of all other sources are, so they are fetched
only where they are asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from qgdr_pyserini.collection.training_sources.base import OnHub, Row, register
from qgdr_pyserini.collection.training_sources.tevatron import read_positives
from qgdr_pyserini.collection.tydi_language import MR_TYDI
from qgdr_pyserini.errors import InputError

SOURCE = "mr-tydi"

_LANGUAGES = {name: code for code, name in MR_TYDI.items()}
_FOLDER = re.compile(r"mrtydi-v1\.\d-(\w+)")


def _same(lang: str) -> Callable[[str], str]:
    return lambda _: lang


@register(
    SOURCE,
    files=("mrtydi-*/train.jsonl", "mrtydi-*/train.jsonl.gz"),
    origin="https://huggingface.co/datasets/castorini/mr-tydi",
    hub=(OnHub("castorini/mr-tydi", ("mrtydi-*/train.jsonl.gz",)),),
    named_only=True,
)
def read_mr_tydi(files: Sequence[Path]) -> Iterator[Row]:
    """Read Mr. TyDi.

    Raises
    ------
    InputError
        If a folder's name says no language of Mr. TyDi, or a row is not in Tevatron's layout.
    """
    for file in files:
        named = _FOLDER.fullmatch(file.parent.name)
        if not named or named[1] not in _LANGUAGES:
            raise InputError(
                f"its folder is not called mrtydi-v1.1-LANGUAGE; one of {', '.join(_LANGUAGES)}", file
            )
        lang = _LANGUAGES[named[1]]
        # The ids of passages are those of Wikipedia in that language.
        yield from read_positives(file, SOURCE, _same(lang), f"{SOURCE}-{lang}")
