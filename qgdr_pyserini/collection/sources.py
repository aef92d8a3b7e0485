"""Where the parts of the training set come from, and under which licence."""

from __future__ import annotations

from typing import NamedTuple


class Source(NamedTuple):
    """A public data set."""

    name: str
    where: str
    licence: str


# By the `source` column of the training files, or its beginning.
SOURCES = {
    "squad-dev-es": Source("SQuAD dev in Spanish", "ccasimiro88/TranslateAlignRetrieve", "CC BY 4.0"),
    "squad-dev-da": Source("SQuAD dev in Danish", "ccasimiro88/TranslateAlignRetrieve", "CC BY 4.0"),
    "squad-dev-it": Source("SQuAD dev in Italian", "crux82/squad-it", "CC BY-SA 4.0"),
    "squad-dev-sv": Source("SQuAD dev in Swedish", "susumu2357/SQuAD_v2_sv", "Apache 2.0"),
    "squad-dev": Source("SQuAD 1.1 and 2.0 dev", "rajpurkar/SQuAD-explorer", "CC BY-SA 4.0"),
    "natural-questions": Source(
        "Natural Questions paragraphs", "google-research-datasets/QED", "CC BY-SA 3.0"
    ),
    "afriqa": Source("AfriQA train and dev", "masakhane-io/afriqa", "CC BY 4.0"),
    "mkqa": Source("MKQA", "apple/ml-mkqa", "CC BY-SA 3.0"),
    "xor-tydi": Source("XOR-TyDi QA questions", "AkariAsai/XORQA", "MIT / CC BY-SA 4.0"),
    "ntrex-128": Source("NTREX-128", "MicrosoftTranslator/NTREX", "CC BY-SA 4.0"),
    "tico-19": Source("TICO-19", "tico-19.github.io", "CC0"),
    "ro-sts": Source("RO-STS", "dumitrescustefan/RO-STS", "CC BY-SA 4.0"),
    "tatoeba": Source("Tatoeba", "tatoeba.org", "CC BY 2.0 FR"),
    "gnome-user-docs": Source("GNOME user documentation", "gnome.org", "CC BY 3.0"),
    "wiktionary": Source("Wiktionary translations", "open-dsl-dict/wiktionary-dict", "CC BY-SA 3.0"),
    "wikidata-names": Source("Wikidata name pairs", "steveash/NETransliteration-COLING2018", "CC0"),
}


def find_source(tag: str) -> Source | None:
    """Find the source with the longest name that ``tag`` begins with.

    Examples
    --------
    >>> find_source("squad-dev-it").licence
    'CC BY-SA 4.0'
    >>> find_source("my-own-data") is None
    True
    """
    matches = [name for name in SOURCES if tag.startswith(name)]
    return SOURCES[max(matches, key=len)] if matches else None
