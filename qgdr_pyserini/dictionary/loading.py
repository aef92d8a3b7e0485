"""The dictionaries of the languages asked for, from files."""

from __future__ import annotations

import os
from collections.abc import Collection

from qgdr_pyserini.dictionary.dictionary import Dictionary
from qgdr_pyserini.dictionary.lexicon import read_lexicon


def base_language(language: str) -> str:
    """Give a language without script and region, as lexicons list it.

    Examples
    --------
    >>> base_language("zh-Hant"), base_language("pt_BR")
    ('zh', 'pt')
    """
    return language.replace("_", "-").split("-")[0].lower()


def read_dictionaries(
    lexicon: str | os.PathLike[str],
    names: str | os.PathLike[str] | None,
    languages: Collection[str],
) -> dict[str, Dictionary]:
    """Read dictionaries.

    Parameters
    ----------
    lexicon
        Words and phrases: language, word, translation a line (see `read_lexicon`).
    names
        Names and their spelling in Latin script, in the same format; or None.
    languages
        Which to read, as `topics_language` spells them.

    Returns
    -------
    dict of str to Dictionary
        By language; one that no file has entries for is left out.

    Raises
    ------
    InputError
        If a file cannot be read or a line is malformed.
    """
    wanted = {language: base_language(language) for language in languages}
    entries = read_lexicon(lexicon, set(wanted.values()))
    latin = read_lexicon(names, set(wanted.values())) if names is not None else {}
    by_base = {base: Dictionary(base, entries[base], latin.get(base, {})) for base in entries}
    return {language: by_base[base] for language, base in wanted.items() if len(by_base[base])}
