"""``qgdr collection build training-set``: published sets in their own layouts, written here by hand."""

import gzip
import json

import pytest
from click.testing import CliRunner

from qgdr_pyserini.cli.main import main
from qgdr_pyserini.collection.loaders.base import BuildRequest
from qgdr_pyserini.collection.loaders.training_set import build_training_set
from qgdr_pyserini.collection.training_set import SOURCES, read_training_set
from qgdr_pyserini.collection.training_sources.base import all_sources, choose_sources, split_of
from qgdr_pyserini.errors import QgdrError


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str):
        data = content
    elif isinstance(content, dict):
        data = json.dumps(content, ensure_ascii=False)
    else:
        data = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in content)
    path.write_bytes(gzip.compress(data.encode()) if path.suffix == ".gz" else data.encode())


def squad(*articles):
    """Write articles, each its title and paragraphs: a text, and questions with an answer or None."""
    return {
        "version": "1.1",
        "data": [
            {
                "title": title,
                "paragraphs": [
                    {
                        "context": text,
                        "qas": [
                            {
                                "id": qid,
                                "question": question,
                                "is_impossible": answer is None,
                                "answers": [{"text": answer, "answer_start": 0}] if answer else [],
                            }
                            for qid, question, answer in questions
                        ],
                    }
                    for text, questions in paragraphs
                ],
            }
            for title, paragraphs in articles
        ],
    }


ENGLISH = squad(
    (
        "Rhine_River",
        [("The Rhine  is long.", [("r1", "Is it  long?", "long"), ("r2", "Is it short?", None)])],
    ),
    (
        "Danube",
        [("It rises here.", [("d1", "Where?", "here")]), ("It ends there.", [("d2", "Who?", "there")])],
    ),
)
ITALIAN = (("Reno", [("Il Reno.", [("r1", "È lungo?", "lungo"), ("zz", "Chi?", "io")])]),)


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "published"
    write(folder / "squad" / "dev-v1.1.json", ENGLISH)
    return folder


def build(source, output, **options):
    return build_training_set(BuildRequest(source=source, output=output, **options))


def lines(file):
    return gzip.decompress(file.read_bytes()).decode().splitlines()


def pairs(source, tmp_path, name):
    build(source, tmp_path / "out")
    return lines(tmp_path / "out" / name)


def test_squad_has_passages_by_title_and_questions_with_answers(source, tmp_path):
    build(source, tmp_path / "out")
    passages = [json.loads(line) for line in lines(tmp_path / "out" / "passages.jsonl.gz")]
    assert [(row["docid"], row["title"], row["text"]) for row in passages] == [
        ("squad-0", "Danube", "It rises here."),
        ("squad-1", "Danube", "It ends there."),
        ("squad-2", "Rhine River", "The Rhine is long."),
    ]
    assert {row["source"] for row in passages} == {"squad-dev"}
    assert [json.loads(line) for line in lines(tmp_path / "out" / "queries.jsonl.gz")][-2:] == [
        {"query_id": "r1-en", "lang": "en", "query": "Is it long?", "docid": "squad-2",
         "source": "squad-dev", "answers": ["long"]},
        {"query_id": "r2-en", "lang": "en", "query": "Is it short?", "docid": "squad-2",
         "source": "squad-dev", "unanswerable": True},
    ]  # fmt: skip


def test_train_and_dev_of_squad_are_told_apart_and_v2_adds_to_v1(source, tmp_path):
    write(source / "squad" / "train-v2.0.json", squad(("Elbe", [("The Elbe.", [("e1", "What?", "Elbe")])])))
    more = squad(("Danube", [("It rises here.", [("d1", "Where?", "here"), ("d9", "When?", None)])]))
    write(source / "squad" / "dev-v2.0.json", more)
    data = read_training_set(build(source, tmp_path / "out").directory)
    assert data.passages["squad-train-0"].source == "squad-train"
    assert [q.docid for q in data.queries if q.query_id == "d9-en"] == ["squad-0"]
    assert len(data.queries) == 6


def test_a_translation_of_squad_asks_about_the_english_paragraph(source, tmp_path):
    write(source / "squad-it" / "SQuAD_it-test.json.gz", squad(*ITALIAN))
    built = build(source, tmp_path / "out")
    query = next(q for q in read_training_set(built.directory).queries if q.lang == "it")
    assert query[:5] == ("r1-it", "it", "È lungo?", "squad-2", "squad-dev-it")
    assert query.answers == ()
    assert built.manifest["sources"]["squad-it"]["left out"] == {"queries.jsonl.gz": {"without a passage": 1}}


def test_squad_of_the_hub_is_read_from_parquet(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    def fetch(name, patterns):
        folder = tmp_path / "hub" / name
        rows = {
            "rajpurkar/squad": [
                ("h1", "Po", "The Po.", "What?", ["Po"]),
                ("x1", "Po", "In it.", "Which?", []),
            ],
            "google/xquad": [("x1", "", "In it.", "Which?", ["It"])],
        }.get(name)
        if rows:
            columns = zip(*rows, strict=True)
            table = dict(
                zip(("id", "title", "context", "question", "answers"), map(list, columns), strict=True)
            )
            table["answers"] = [{"text": text, "answer_start": [0]} for text in table["answers"]]
            folder.mkdir(parents=True, exist_ok=True)
            pq.write_table(pa.table(table), folder / "validation-00000-of-00001.parquet")
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    built = build_training_set(BuildRequest(source="hub", output=tmp_path / "out"), fetch)
    assert [q.query_id for q in read_training_set(built.directory).queries] == ["h1-en"]
    assert [*built.manifest["sources"]["squad"]["checksums"]] == [
        "rajpurkar/squad/validation-00000-of-00001.parquet"
    ]


def test_the_hub_fills_what_a_folder_lacks(source, tmp_path):
    fetched = []

    def fetch(name, patterns):
        fetched.append(name)
        return tmp_path

    write(source / "xquad" / "xquad.en.json", squad(("", [("Another.", [("x", "Which?", "One")])])))
    build_training_set(BuildRequest(source=f"hub:{source}", output=tmp_path / "out"), fetch)
    assert "apple/mkqa" in fetched
    assert "rajpurkar/squad" not in fetched
    # Its passages are not English: only by its name.
    assert "castorini/mr-tydi" not in fetched


def test_xquad_is_left_out_with_its_paragraphs_and_translations(source, tmp_path):
    xquad = squad(("", [("The  Rhine is\nlong.", [("r1", "Is it long?", "long")])]))
    write(source / "xquad" / "xquad.en.json", xquad)
    write(source / "squad-it" / "SQuAD_it-test.json", squad(*ITALIAN))
    write(
        source / "mkqa" / "mkqa.jsonl",
        [{"example_id": "7", "query": "Is it long?", "queries": {"de": "Lang?"}}],
    )
    built = build(source, tmp_path / "out")
    data = read_training_set(built.directory)
    assert sorted(data.passages) == ["squad-0", "squad-1"]
    assert [q.query_id for q in data.queries] == ["d1-en", "d2-en"]
    assert data.questions == []
    assert built.manifest["sources"]["squad"]["left out"] == {
        "passages.jsonl.gz": {"excluded": 1}, "queries.jsonl.gz": {"excluded": 2},
    }  # fmt: skip
    assert [*built.manifest["excluded"]] == ["xquad.en.json"]
    elsewhere = (source / "xquad").rename(tmp_path / "elsewhere")
    again = build(source, tmp_path / "again", exclude=elsewhere)
    assert again.manifest["checksums"] == built.manifest["checksums"]


def test_mkqa_is_about_the_paragraphs_of_natural_questions(source, tmp_path):
    question = {"example_id": -7, "title_text": "Nile", "question_text": "how long is the nile",
                "paragraph_text": "The Nile is 6,650 km long .", "sentence_starts": [0]}  # fmt: skip
    write(source / "natural-questions" / "qed-dev.jsonlines", [question])
    queries = {
        "en": "how long is the nile",
        "de": "Wie lang  ist der Nil?",
        "zh_cn": "尼罗河多长",
        "zh_tw": "尼羅河",
    }
    rows = [
        {"example_id": number, "query": "how long is the nile", "queries": queries, "answers": {}}
        for number in ("-7", "8")
    ]
    write(source / "mkqa" / "mkqa.jsonl.gz", rows)
    data = read_training_set(build(source, tmp_path / "out").directory)
    assert [(q.query_id, q.lang, q.docid, q.source) for q in data.queries if q.query_id.startswith("nq")] == [
        ("nq--7", "en", "nq-0", "natural-questions"),
        ("nq--7-de", "de", "nq-0", "mkqa"),
        ("nq--7-zh_cn", "zh", "nq-0", "mkqa"),
    ]
    assert [row[:3] for row in data.questions] == [
        ("de", "Wie lang ist der Nil?", "how long is the nile"),
        ("zh", "尼罗河多长", "how long is the nile"),
    ]


def test_afriqa_has_passages_questions_and_their_english(source, tmp_path):
    gold = {
        "id": "0",
        "title": "Liberia",
        "context": "Sirleaf was the first.",
        "question_lang": "Kedụ obodo?",
        "question_translated": "Which country?",
        "answer_pivot": {"answer_start": [0], "text": ["Liberia"]},
        "answer_lang": "Liberia",
    }
    asked = {"id": 0, "question": "Kedụ obodo?", "translated_question": "Which country?", "answers": "['x']"}
    folder = source / "afriqa" / "data"
    write(folder / "gold_passages" / "ibo" / "gold_span_passages.afriqa.ibo.en.train.json", [gold])
    write(folder / "queries" / "ibo" / "queries.afriqa.ibo.en.train.json", [asked])
    write(folder / "queries" / "swa" / "queries.afriqa.swa.en.dev.json", [asked | {"question": "Nchi gani?"}])
    write(folder / "queries" / "swa" / "queries.afriqa.swa.en.test.json", [asked | {"question": "Nini?"}])
    data = read_training_set(build(source, tmp_path / "out").directory)
    assert data.passages["afriqa-0"].title == "Liberia"
    assert [(q.query_id, q.lang, q.answers) for q in data.queries if q.source == "afriqa"] == [
        ("afriqa-train-ibo-0", "ig", ("Liberia",)),
        ("afriqa-train-ibo-0-en", "en", ("Liberia",)),
    ]
    assert [row[:2] for row in data.questions] == [("ig", "Kedụ obodo?"), ("sw", "Nchi gani?")]


def test_xor_tydi_has_english_passages_and_translated_questions(source, tmp_path):
    passage = {"docid": "12", "title": "Volga", "text": "The Volga is in Russia."}
    row = {"query_id": "3", "query": "Где Волга?", "answers": ["Russia"], "positive_passages": [passage],
           "negative_passages": [passage | {"docid": "13"}]}  # fmt: skip
    write(source / "xor-tydi" / "eng_span" / "train.jsonl.gz", [row])
    write(source / "xor-tydi" / "fi-en" / "train.fi", "Missä Volga on?\nKuka?\n")
    write(source / "xor-tydi" / "fi-en" / "train.en", "Where is the Volga?\nWho?\n")
    write(source / "xor-tydi" / "xor_dev_retrieve_eng_span_v1_1.jsonl", [{"id": "d", "question": "Q"}])
    data = read_training_set(build(source, tmp_path / "out").directory)
    query = next(q for q in data.queries if q.source == "xor-tydi")
    assert query[:4] == ("xor-tydi-ru-3", "ru", "Где Волга?", "xor-tydi-12")
    assert [row[:3] for row in data.questions] == [
        ("fi", "Missä Volga on?", "Where is the Volga?"), ("fi", "Kuka?", "Who?"),
    ]  # fmt: skip


def test_mr_tydi_has_its_languages_passages(source, tmp_path):
    passage = {"docid": "1#0", "title": "Mji", "text": "Maandishi."}
    row = {"query_id": "3", "query": "Nani?", "positive_passages": [passage], "negative_passages": []}
    write(source / "mr-tydi" / "mrtydi-v1.1-swahili" / "train.jsonl.gz", [row])
    data = read_training_set(build(source, tmp_path / "out", only=("mr-tydi",)).directory)
    assert data.queries[0][:4] == ("mr-tydi-sw-3", "sw", "Nani?", "mr-tydi-sw-1#0")


def test_ntrex_is_parallel_line_by_line(source, tmp_path):
    folder = source / "ntrex-128" / "NTREX-128"
    for name in ("src.eng", "ref.deu", "ref.zho-CN", "ref.zho-TW", "ref.srp-Latn", "ref.eng-GB"):
        write(folder / f"newstest2019-{name}.txt", f"one {name}\ntwo {name}\n")
    found = pairs(source, tmp_path, "sentences.tsv.gz")
    assert found[0] == "de\tone ref.deu\tone src.eng\tntrex-128"
    assert [line.split("\t")[0] for line in found] == ["de", "de", "sr", "sr", "zh", "zh"]


def test_tico_has_eight_columns(source, tmp_path):
    row = ("en", "es-LA", 'a "dry" cough', "una tos seca", "CMU_1:1", "https://x", "public", "t1")
    header = "sourceLang\ttargetLang\tsourceString\ttargetString\tstringID\turl\tlicense\ttranslatorId\n"
    write(source / "tico-19" / "test" / "test.en-es-LA.tsv", header + "\t".join(row) + "\n")
    assert pairs(source, tmp_path, "sentences.tsv.gz") == ['es\tuna tos seca\ta "dry" cough\ttico-19']


def test_tatoeba_comes_in_two_kinds_of_columns(source, tmp_path):
    write(
        source / "tatoeba" / "spa-eng" / "spa.txt",
        "Go.\tVe.\tCC-BY 2.0 (France) Attribution: #1\nGo.\tVe.\tx\n",
    )
    write(source / "tatoeba" / "spa-eng" / "_about.txt", "** Info **\n")
    write(source / "tatoeba" / "vie.tsv", "1276\tLet's go!\t77\tĐi nào!\n")
    assert pairs(source, tmp_path, "sentences.tsv.gz") == [
        "es\tVe.\tGo.\ttatoeba", "vi\tĐi nào!\tLet's go!\ttatoeba",
    ]  # fmt: skip


def test_tatoeba_of_the_hub_is_a_table(source, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = source / "tatoeba" / "en-de"
    folder.mkdir(parents=True)
    table = pa.table({"english": ["Go."], "non_english": ["Geh."]})
    pq.write_table(table, folder / "train-00000-of-00001.parquet")
    assert pairs(source, tmp_path, "sentences.tsv.gz") == ["de\tGeh.\tGo.\ttatoeba"]


def test_words_and_names_are_read(source, tmp_path):
    write(source / "wiktionary" / "de.tsv", "Fluss\triver\n")
    names = source / "wikidata-names" / "data" / "wd_chinese.normalized.aligned.tokens"
    write(names, "Gupta\t古 普 塔\t4\n")
    assert pairs(source, tmp_path, "lexicon.tsv.gz") == ["de\tFluss\triver\twiktionary"]
    assert lines(tmp_path / "out" / "names.tsv.gz") == ["zh\t古普塔\tgupta\twikidata-names"]


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("squad/dev-v2.0.json", '{\n"data": [', "dev-v2.0.json:2: malformed JSON"),
        ("squad/mine.json", ENGLISH, "mine.json: its name says neither 'train' nor 'dev'"),
        ("squad-es/dev-es.json", "[]", "dev-es.json: not in SQuAD's format"),
        ("natural-questions/qed-dev.jsonlines", '{"example_id": 1}\n', "dev.jsonlines:1: needs 'example_id'"),
        ("mkqa/mkqa.jsonl", '{"query": "who"}\n', "mkqa.jsonl:1: needs 'example_id', 'query' and 'queries'"),
        ("afriqa/queries.afriqa.ibo.en.dev.json", '{"id": 1}\n', "en.dev.json:1: needs 'question' as text"),
        ("xor-tydi/train.jsonl", '{"query": "x"}\n', "train.jsonl:1: needs 'query_id' as text"),
        ("xor-tydi/fi-en/one", "Kuka?\n", "fi-en: needs two files, whose names end in fi and en"),
        ("mr-tydi/mrtydi-v1.1-klingon/train.jsonl", "{}\n", "is not called mrtydi-v1.1-LANGUAGE"),
        ("ntrex-128/newstest2019-ref.deu.txt", "eins\n", "newstest2019-src.eng.txt is missing"),
        ("tico-19/dev.en-ar.tsv", "en\tar\tcough\n", "en-ar.tsv:1: has 3 columns with tabs between; needs 8"),
        ("tatoeba/spa.txt", "Go.\n", "spa.txt:1: has 1 columns"),
        ("wiktionary/de.tsv", "Fluss\n", "de.tsv:1: has 1 columns"),
        ("wikidata-names/wd_hebrew.normalized.aligned.tokens", "x\ty\n", "tokens:1: has 2 columns"),
    ],
)  # fmt: skip
def test_what_is_malformed_is_one_line_with_the_place(source, tmp_path, file, content, message):
    write(source / file, content)
    command = ["collection", "build", "training-set", "--source", source, "--output", tmp_path / "out"]
    result = CliRunner().invoke(main, [str(word) for word in command])
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert message in result.stderr
    assert not (tmp_path / "out").exists()


def test_files_that_are_not_parallel_are_refused(source, tmp_path):
    write(source / "ntrex-128" / "newstest2019-src.eng.txt", "one\n")
    write(source / "ntrex-128" / "newstest2019-ref.deu.txt", "eins\nzwei\n")
    with pytest.raises(QgdrError, match=r"ref\.deu\.txt:2: has more lines than newstest2019-src\.eng\.txt"):
        build(source, tmp_path / "out")


def test_the_command_says_what_it_found_and_what_not(source, tmp_path):
    command = ["collection", "build", "training-set", "--source", source, "--output", tmp_path / "out"]
    result = CliRunner().invoke(main, [str(word) for word in command])
    assert result.exit_code == 0, result.stderr
    assert "squad: 3 passages, 4 queries (CC BY-SA 4.0)" in result.stdout
    assert "not found: tico-19/*.en-*.tsv; from https://tico-19.github.io" in result.stdout
    assert "XQuAD was not given" in result.stdout
    assert "3 passages, 4 queries, 0 question-translations" in result.stdout.splitlines()[-1]
    again = CliRunner().invoke(main, [str(word) for word in [*command, "--overwrite"]])
    assert again.exit_code == 0, again.stderr


def test_equal_files_give_equal_bytes(source, tmp_path):
    write(source / "wiktionary" / "de.tsv", "Fluss\triver\n")
    one, other = (build(source, tmp_path / name).directory for name in ("one", "other"))
    for file in one.iterdir():
        assert file.read_bytes() == (other / file.name).read_bytes()
    assert str(tmp_path) not in (one / "training-set.json").read_text()


def test_languages_and_sources_are_chosen(source, tmp_path):
    write(source / "wiktionary" / "de.tsv", "Fluss\triver\n")
    write(source / "wiktionary" / "fr.tsv", "fleuve\triver\n")
    data = read_training_set(build(source, tmp_path / "out", languages=("fr",)).directory)
    assert [row.lang for row in data.lexicon] == ["fr"]
    assert {query.lang for query in data.queries} == {"en"}
    built = build(source, tmp_path / "less", only=("squad",))
    assert [*built.manifest["sources"]] == ["squad"]
    with pytest.raises(QgdrError, match="did you mean 'squad-es'"):
        choose_sources(["squad-ess"])


def test_nothing_to_train_with_is_said(tmp_path):
    with pytest.raises(QgdrError, match="no such directory"):
        build(tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(QgdrError, match="holds none of afriqa/"):
        build(tmp_path / "empty", tmp_path / "out")
    write(tmp_path / "empty" / "wiktionary" / "de.tsv", "Fluss\triver\n")
    with pytest.raises(QgdrError, match="no source has a query with its passage"):
        build(tmp_path / "empty", tmp_path / "out")


def test_another_folder_is_not_overwritten(source, tmp_path):
    write(tmp_path / "thesis" / "thesis.tex", "mine")
    with pytest.raises(QgdrError, match="not a collection"):
        build(source, tmp_path / "thesis", overwrite=True)


def test_every_source_says_where_it_comes_from_and_under_which_licence():
    for source in all_sources().values():
        assert source.about in SOURCES.values()
        assert source.origin.startswith("https://")


def test_a_file_without_a_split_in_its_name_takes_its_folders(tmp_path):
    assert split_of(tmp_path / "validation" / "0000.parquet") == "dev"
