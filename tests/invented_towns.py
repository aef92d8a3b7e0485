"""A training folder about towns that do not exist: every file of a training set, in seven languages."""

import gzip
import itertools
import json
import random
import tomllib
from pathlib import Path

LANGUAGES = ("en", "de", "es", "it", "da", "ru", "sv")
_TOLD = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
_TOWNS, _SOURCE = _TOLD["towns"], _TOLD["source"]


def write_training_folder(target, towns=None):
    """Write a training folder: six passages a town, and a question about each in seven languages."""
    target.mkdir()
    chosen, passages, queries = _TOWNS[:towns], [], []
    for (place, town), (kind, told) in itertools.product(enumerate(chosen), _TOLD["paragraphs"].items()):
        docid = f"{town}-{kind}".lower()
        about = {"docid": docid, "source": _SOURCE}
        passages.append(_row(title=town, text=_text(told["text"], town, place), **about))
        queries += [
            _row(query_id=f"{docid}-{lang}", lang=lang, query=told[lang].format(town=town), **about)
            for lang in LANGUAGES
        ]
    _write(target / "passages.jsonl.gz", passages)
    _write(target / "queries.jsonl.gz", queries)
    _write(target / "question-translations.tsv.gz", _translations(_TOLD["questions"], chosen))
    _write(target / "sentences.tsv.gz", _translations(_TOLD["sentences"], chosen))
    _write(target / "lexicon.tsv.gz", _translations([*_TOLD["words"], *_TOLD["trades"]], [""]))
    _write(target / "names.tsv.gz", (_line("ru", *pair) for pair in _TOLD["names"].items()))
    return target


def all_texts():
    """List the texts that a tokenizer may learn from."""
    for place, town in enumerate(_TOWNS):
        for told in _TOLD["paragraphs"].values():
            yield from (_text(text, town, place) for text in told.values())
        for texts in (*_TOLD["questions"], *_TOLD["sentences"]):
            yield from (text.format(town=town) for text in texts.values())


def _text(text, town, place):
    """Fill in what is so of this town alone."""
    rng, rivers, trades = random.Random(town), _TOLD["rivers"], _TOLD["trades"]
    facts = {"river": rivers[place % len(rivers)], "trade": trades[place % len(trades)]["en"]}
    return text.format(town=town, number=rng.randint(12, 190), year=rng.randint(900, 1790), **facts)


def _translations(rows, towns):
    for row, town in itertools.product(rows, towns):
        for lang, text in row.items():
            if lang != "en":
                yield _line(lang, text.format(town=town), row["en"].format(town=town))


def _line(lang, text, english):
    return "\t".join((lang, text, english, _SOURCE))


def _row(**fields):
    return json.dumps(fields, ensure_ascii=False)


def _write(path, lines):
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=1) as file:
        file.writelines(line + "\n" for line in lines)
