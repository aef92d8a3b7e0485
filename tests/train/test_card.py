"""The metadata of model cards, as the Hugging Face hub reads it."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from huggingface_hub import ModelCard

from qgdr_pyserini.cli import main
from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.train.card_metadata import card_metadata, renew_metadata, report_results, with_metadata

REPOSITORY = Path(__file__).resolve().parents[2]
BODY = "# my-qgdr\n\nA text that stays, --- and all.\n"
RECORD = {
    "recipe": {
        "name": "my-qgdr",
        "licence": "cc-by-sa-4.0",
        "student": {"checkpoint": "owner/base"},
        "data": {"queries": "hf://datasets/Tevatron/xor-tydi/train.jsonl.gz", "corpus": ""},
    },
    "data": {
        "queries": {"no": 300, "de": 900},
        "sources": [["queries", "mkqa", 900], ["queries", "my-own", 300]],
    },
    "held_out": {"recall@10": {"de": 0.87654, "no": 1.0}, "queries": {"de": 50, "no": 49}},
}
REPORT = {
    "results": {
        "recall@10": {"my-qgdr": {"languages": {"de": {"score": 0.5}}}, "bm25": {"languages": {}}},
        "ndcg@10": {"my-qgdr": {"languages": {"de": {"score": 0.25}}}, "bm25": {"languages": {}}},
    }
}


@pytest.fixture
def encoder(tmp_path):
    folder = tmp_path / "my-qgdr"
    folder.mkdir()
    (folder / "training.json").write_text(json.dumps(RECORD))
    (folder / "README.md").write_text(f"---\nlicense: mit\nbase_model: owner/other\nwidget: []\n---\n{BODY}")
    (tmp_path / "report.json").write_text(json.dumps(REPORT))
    return folder


def test_a_record_is_described_for_the_hub():
    described = ModelCard(with_metadata(card_metadata(RECORD), BODY)).data
    # Norwegian's code is YAML's word for false unless it is quoted.
    assert described.language == ["de", "no"]
    assert described.license == "cc-by-sa-4.0"
    assert described.base_model == "owner/base"
    assert described.datasets == ["Tevatron/xor-tydi", "apple/mkqa"]
    assert (described.library_name, described.pipeline_tag) == (
        "sentence-transformers", "sentence-similarity",
    )  # fmt: skip
    assert described.tags == ["cross-lingual-retrieval", "pyserini", "qgdr"]
    # 49 queries are too few.
    assert [(row.dataset_config, row.metric_type, row.metric_value) for row in described.eval_results] == [
        ("de", "recall_at_10", 0.8765)
    ]


def test_a_folder_is_nobody_elses_base_model(tmp_path):
    student = {"checkpoint": str(tmp_path)}
    assert card_metadata(RECORD | {"recipe": RECORD["recipe"] | {"student": student}}).base_model is None


def test_a_card_is_renewed_and_keeps_its_text_and_what_a_person_wrote(encoder, tmp_path):
    for _ in range(2):
        renew_metadata(encoder, [("google/xquad", tmp_path / "report.json")])
    card = ModelCard.load(encoder / "README.md")
    assert card.text.lstrip() == BODY
    assert (card.data.license, card.data.base_model, card.data.widget) == ("mit", "owner/other", [])
    assert card.data.language == ["de", "no"]
    assert {(row.dataset_type, row.metric_type): row.metric_value for row in card.data.eval_results} == {
        ("held-out", "recall_at_10"): 0.8765,
        ("google/xquad", "recall_at_10"): 0.5,
        ("google/xquad", "ndcg_at_10"): 0.25,
    }


def test_what_cannot_be_read_is_one_line_and_leaves_the_card(encoder, tmp_path):
    before = (encoder / "README.md").read_bytes()
    with pytest.raises(QgdrError, match=r"report\.json: has no system 'qgdr', but my-qgdr, bm25"):
        report_results(tmp_path / "report.json", "google/xquad", "qgdr")
    with pytest.raises(QgdrError, match=r"training\.json: no report of qgdr compare"):
        renew_metadata(encoder, [("google/xquad", encoder / "training.json")])
    (encoder / "training.json").write_text("{}")
    with pytest.raises(QgdrError, match=r"training\.json: no record of a training"):
        renew_metadata(encoder)
    assert (encoder / "README.md").read_bytes() == before
    (encoder / "README.md").write_text("---\na: [\n---\n")
    with pytest.raises(QgdrError, match=r"README\.md: its metadata is not YAML"):
        renew_metadata(encoder)
    (encoder / "README.md").unlink()
    with pytest.raises(QgdrError, match=r"README\.md: cannot be read"):
        renew_metadata(encoder)


def test_the_command_says_what_it_wrote(encoder, tmp_path):
    report = f"google/xquad={tmp_path / 'report.json'}"
    (encoder / "qgdr_config.json").write_text("{}")
    (encoder / "config.json").write_text("{}")
    done = CliRunner().invoke(main, ["encoders", "card", str(encoder), "--report", report])
    assert (done.exit_code, done.output) == (0, f"{encoder / 'README.md'}: 3 results\n")
    wrong = CliRunner().invoke(main, ["encoders", "card", str(encoder), "--report", "report.json"])
    assert wrong.exit_code == 2
    assert "is not SET=FILE" in wrong.stderr
    assert len(wrong.stderr.splitlines()) == 1


def test_the_card_that_ships_has_the_metadata_of_its_command(tmp_path):
    shipped = REPOSITORY / "encoders" / "qgdr"
    for name in ("README.md", "training.json"):
        (tmp_path / name).write_bytes((shipped / name).read_bytes())
    renew_metadata(tmp_path, [("google/xquad", REPOSITORY / "runs" / "xquad" / "report.json")])
    assert (tmp_path / "README.md").read_text() == (shipped / "README.md").read_text()
