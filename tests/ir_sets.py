"""Small data sets of our own, registered in `ir_datasets` and read by its readers."""

import json
from pathlib import Path

import ir_datasets
from ir_datasets.datasets.base import Dataset
from ir_datasets.formats import ExctractedCCDocs, ExctractedCCQueries, TrecQrels, TsvDocs, TsvQueries
from ir_datasets.util import LocalDownload


def local(path: Path, text: str) -> LocalDownload:
    """Write a file, and give what the library reads it by."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return LocalDownload(path)


def register(name: str, *parts) -> str:
    """Put a set into the library's registry, in place of an earlier one."""
    ir_datasets.registry._registered.pop(name, None)
    ir_datasets.registry.register(name, Dataset(*parts))
    return f"ir_datasets:{name}"


def tsv_set(
    folder: Path,
    name: str,
    docs: str = "d1\tOulu is a city.\nd2\tTea.\n",
    queries: str = "1\tWhich city?\n",
    qrels: str = "1 0 d1 2\n",
) -> str:
    """Register a set of tables, in English."""
    return register(
        name,
        TsvDocs(local(folder / "docs.tsv", docs), lang="en"),
        TsvQueries(local(folder / "queries.tsv", queries), lang="en"),
        TrecQrels(local(folder / "qrels.txt", qrels), {}),
    )


def news_set(folder: Path, name: str) -> str:
    """Register a set as HC4 is: Chinese news, graded, topics in English with their translations."""
    docs = [
        {"id": "news one", "title": "茶", "text": "茶是一种饮料。", "url": "u", "time": "t", "cc_file": "c"},
        {"id": "news2", "title": "北京", "text": "北京是首都。", "url": "u", "time": "t", "cc_file": "c"},
        {"id": "news3", "title": "米", "text": "大米。", "url": "u", "time": "t", "cc_file": "c"},
    ]
    qrels = "101 0 news2 3\n101 0 news3 0\n102 0 gone 1\n102 0 news3 0\n103 0 news2 1\n"
    return register(
        name,
        ExctractedCCDocs(local(folder / "docs.jsonl", _lines(docs)), subset_lang="zh"),
        ExctractedCCQueries(
            local(folder / "topics.jsonl", _lines([_topic("101", "capital"), _topic("102", "tea")])),
            subset_lang="zh",
        ),
        TrecQrels(local(folder / "qrels.txt", qrels), {}),
    )


def _topic(number: str, title: str) -> dict:
    def text(lang: str, source: str, word: str) -> dict:
        return {"lang": lang, "source": source, "topic_title": word, "topic_description": f"About {word}."}

    return {
        "topic_id": number,
        "languages_with_qrels": ["zho"],
        "topics": [
            text("eng", "original", title),
            text("zho", "human translation", f"人{title}"),
            text("zho", "google translation", f"机{title}"),
        ],
        "narratives": {"zho": {}},
        "report": {"text": "", "url": "", "date": ""},
    }


def _lines(rows: list[dict]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
