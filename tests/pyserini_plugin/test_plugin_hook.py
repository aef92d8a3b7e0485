"""The import hook around a module, imported or run as a program."""

import importlib
import importlib.metadata
import re
import runpy
import sys
import threading
import types
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.pyserini_plugin import commands, hook

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A package `watched` with the modules `good` and `bad`, and a shim that notes what happens."""
    package = tmp_path / "watched"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "good.py").write_text("value = 1\n")
    (package / "bad.py").write_text("raise RuntimeError('broken module')\n")
    seen: list[str] = []

    def noting(module: types.ModuleType) -> Iterator[None]:
        seen.append(f"before {hasattr(module, 'value')}")
        try:
            yield
        finally:
            seen.append(f"after {hasattr(module, 'value')}")

    def misfit(module: types.ModuleType) -> Iterator[None]:
        yield
        module.no_such_table.clear()

    def refusing(module: types.ModuleType) -> Iterator[None]:
        raise QgdrError("no Java")
        yield

    for shim in (noting, misfit, refusing):
        name = f"qgdr_pyserini.pyserini_plugin.shims.{shim.__name__}"
        holder = types.ModuleType(name)
        setattr(holder, shim.__name__, shim)
        holder.VERSIONS = ">=0"  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, name, holder)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    hook.install()
    yield seen
    for name in [name for name in sys.modules if name.split(".")[0] == "watched"]:
        del sys.modules[name]


def watch(monkeypatch: pytest.MonkeyPatch, **shims: tuple[str, ...]) -> None:
    monkeypatch.setattr(hook, "SHIMS", {f"watched.{name}": names for name, names in shims.items()})


def test_a_shim_runs_before_and_after_its_module(events: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    watch(monkeypatch, good=("noting",))
    module = importlib.import_module("watched.good")
    assert events == ["before False", "after True"]
    assert module.__loader__ is module.__spec__.loader
    assert not isinstance(module.__loader__, hook.ShimLoader)


def test_a_module_in_a_zip_file_has_its_shims_too(
    events: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "theirs.zip", "w") as archive:
        archive.writestr("watched_zip.py", "value = 1\nif __name__ == '__main__':\n    value = 2\n")
    monkeypatch.syspath_prepend(tmp_path / "theirs.zip")
    monkeypatch.setattr(hook, "SHIMS", {"watched_zip": ("noting",)})
    assert importlib.import_module("watched_zip").value == 1
    del sys.modules["watched_zip"]
    assert runpy.run_module("watched_zip", run_name="__main__", alter_sys=True)["value"] == 2
    assert events == ["before False", "after True"] * 2


def test_a_module_that_runs_as_a_program_has_its_shims_around_its_definitions(
    events: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = "from __future__ import annotations\nvalue = 1\nif __name__ == '__main__':\n    seen = value\n"
    (tmp_path / "watched" / "program.py").write_text(program)

    def changing(module: types.ModuleType) -> Iterator[None]:
        yield
        module.value = 5

    holder = types.ModuleType("changing")
    holder.changing, holder.VERSIONS = changing, ">=0"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "qgdr_pyserini.pyserini_plugin.shims.changing", holder)
    watch(monkeypatch, program=("noting", "changing"))
    found = runpy.run_module("watched.program", run_name="__main__", alter_sys=True)
    assert (found["value"], found["seen"]) == (5, 5)
    assert events == ["before False", "after True"]


def test_a_tracer_that_runs_a_module_in_a_namespace_of_its_own_gets_it_without_shims(
    events: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    watch(monkeypatch, good=("noting",))
    spec = importlib.util.find_spec("watched.good")
    assert spec is not None
    namespace = {"__name__": "no module", "__spec__": spec, "__loader__": spec.loader}
    exec(spec.loader.get_code("watched.good"), namespace)  # type: ignore[union-attr]
    assert namespace["value"] == 1
    assert events == []


def test_a_shim_outside_its_versions_is_left_out(events: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    holder = sys.modules["qgdr_pyserini.pyserini_plugin.shims.noting"]
    monkeypatch.setattr(holder, "VERSIONS", "<0.1")
    watch(monkeypatch, good=("noting",))
    assert importlib.import_module("watched.good").value == 1
    assert events == []


def test_a_shim_may_have_a_better_error_than_its_module(
    events: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def explaining(module: types.ModuleType) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            raise QgdrError("the module is broken") from error

    holder = types.ModuleType("explaining")
    holder.explaining, holder.VERSIONS = explaining, ">=0"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "qgdr_pyserini.pyserini_plugin.shims.explaining", holder)
    watch(monkeypatch, bad=("noting", "explaining"))
    with pytest.raises(QgdrError, match="the module is broken"):
        importlib.import_module("watched.bad")
    assert events == ["before False", "after False"]


def test_reloading_runs_the_shims_again(events: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    watch(monkeypatch, good=("noting",))
    importlib.reload(importlib.import_module("watched.good"))
    assert events == ["before False", "after True", "before True", "after True"]


def test_a_module_that_fails_still_lets_its_shim_tidy_up(
    events: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    watch(monkeypatch, bad=("noting",))
    with pytest.raises(RuntimeError, match="broken module"):
        importlib.import_module("watched.bad")
    assert events == ["before False", "after False"]


def test_a_shim_that_does_not_fit_warns_and_leaves_the_module_usable(
    events: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    watch(monkeypatch, good=("misfit", "noting"))
    with pytest.warns(UserWarning, match="misfit does not fit this Pyserini"):
        module = importlib.import_module("watched.good")
    assert module.value == 1
    assert events == ["before False", "after True"]


def test_an_error_for_the_user_gets_through(events: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    watch(monkeypatch, good=("refusing",))
    with pytest.raises(QgdrError, match="no Java"):
        importlib.import_module("watched.good")


def test_other_modules_and_absent_ones_are_left_alone(
    events: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    watch(monkeypatch, absent=("noting",))
    assert hook.ShimFinder().find_spec("watched.good") is None
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("watched.absent")
    assert importlib.import_module("watched.good").value == 1
    assert events == []


def test_threads_that_import_at_once_run_the_shims_once(
    events: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    watch(monkeypatch, good=("noting",))
    threads = [threading.Thread(target=importlib.import_module, args=["watched.good"]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert events == ["before False", "after True"]


def test_source_and_code_can_be_had_without_importing(
    events: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    watch(monkeypatch, good=("noting",))
    spec = importlib.util.find_spec("watched.good")
    assert spec is not None
    assert isinstance(spec.loader, hook.ShimLoader)
    assert spec.loader.get_source("watched.good") == "value = 1\n"
    assert events == []


def test_installing_twice_leaves_one_finder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    hook.install()
    hook.install()
    assert [type(finder) for finder in sys.meta_path].count(hook.ShimFinder) == 1


def test_every_shim_in_the_table_exists_and_explains_itself() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in {name for names in hook.SHIMS.values() for name in names}:
            module = importlib.import_module(f"qgdr_pyserini.pyserini_plugin.shims.{name}")
            text = getattr(module, name).__doc__
            assert "Upstream:" in text
            assert re.search(r"\d\.\d\.\d", text)
            assert re.search(
                r"https://github.com/castorini/pyserini/blob/(master|v2\.\d\.\d)/pyserini/", text
            )
            assert isinstance(module.VERSIONS, str)


def test_every_shim_in_the_folder_is_in_the_table() -> None:
    folder = Path(hook.__file__).parent / "shims"
    files = {file.stem for file in folder.glob("*.py")} - {"__init__"}
    assert files == {name for names in hook.SHIMS.values() for name in names}


def test_a_user_error_in_another_thread_ends_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "pyserini.server.rest"])
    raised: list[BaseException] = []

    def serve() -> None:
        try:
            with commands.one_line_errors():
                raise QgdrError("no such encoder")
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=serve)
    thread.start()
    thread.join()
    assert [type(error) for error in raised] == [QgdrError]


def test_every_shim_is_in_the_table_of_the_documentation() -> None:
    text = (REPOSITORY / "docs" / "reference" / "pyserini.md").read_text()
    for name in {name for names in hook.SHIMS.values() for name in names}:
        module = importlib.import_module(f"qgdr_pyserini.pyserini_plugin.shims.{name}")
        versions = re.sub(r">=(.*)", r"\1 and newer", module.VERSIONS).replace("<", "below ")
        summary = getattr(module, name).__doc__.strip().splitlines()[0]
        assert f"| `{name}` | {versions} | {summary} |\n" in text


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["python", "-m", "pyserini.encode", "input"], True),
        (["python", "-X", "dev", "-m", "pyserini.search.faiss"], True),
        (["python", "-m", "pytest", "-m", "pyserini"], False),
        (["python", "-m"], False),
        (["python", "search.py", "--model", "-m"], False),
    ],
)
def test_pyserini_commands_are_told_from_other_programs(argv: list[str], expected: bool) -> None:
    assert commands.runs_pyserini_command(argv) is expected


def test_a_user_error_ends_a_pyserini_command_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "pyserini.search.faiss"])
    with pytest.raises(SystemExit) as stop, commands.one_line_errors():
        raise QgdrError("no such\nencoder")
    assert stop.value.code == commands.BAD_INPUT
    assert capsys.readouterr().err == "Error: no such encoder\n"
