"""The import hook at the start of an interpreter, whatever kind it is."""

import importlib
import importlib.metadata
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from qgdr_pyserini.pyserini_plugin import hook

REPOSITORY = Path(__file__).resolve().parents[2]
PTH = REPOSITORY / "qgdr_pyserini" / "pyserini_plugin" / "qgdr_pyserini.pth"


def python(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    variables = {key: value for key, value in os.environ.items() if key != hook.OFF_SWITCH}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=variables | environ, check=False
    )


def test_the_pth_is_one_line_that_site_executes() -> None:
    assert PTH.read_text().count("\n") == 1
    assert PTH.read_text().startswith("import ")


def test_the_installed_distribution_owns_the_pth() -> None:
    files = importlib.metadata.files("qgdr-pyserini") or []
    (installed,) = [file for file in files if file.name == PTH.name]
    assert Path(str(installed.locate())).read_text() == PTH.read_text()


@pytest.mark.parametrize("mode", [(), ("-I",), ("-E",), ("-P",), ("-OO",), ("-X", "frozen_modules=off")])
def test_an_interpreter_starts_with_the_hook_and_in_silence(mode: tuple[str, ...]) -> None:
    done = python(*mode, "-c", "import sys; sys.exit(type(sys.meta_path[0]).__name__ != 'ShimFinder')")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_an_interpreter_without_site_is_left_alone() -> None:
    code = "import sys; print([type(finder).__name__ for finder in sys.meta_path if 'Shim' in str(finder)])"
    assert python("-S", "-c", code).stdout == "[]\n"


def test_a_worker_of_xdist_has_the_hook_too() -> None:
    """What execnet starts is an interpreter that reads its program from the pipe."""
    line = repr("import sys; print(type(sys.meta_path[0]).__name__)") + "\n"
    command = [sys.executable, "-u", "-c", "import sys;exec(eval(sys.stdin.readline()))"]
    variables = {key: value for key, value in os.environ.items() if key != hook.OFF_SWITCH}
    done = subprocess.run(command, input=line, capture_output=True, text=True, env=variables, check=True)
    assert done.stdout == "ShimFinder\n"


def test_the_package_may_lie_in_a_zip_file(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "ours.zip", "w") as archive:
        for name in ("__init__.py", "pyserini_plugin/__init__.py", "pyserini_plugin/hook.py"):
            archive.write(REPOSITORY / "qgdr_pyserini" / name, f"qgdr_pyserini/{name}")
    code = (
        f"import os, sys; sys.path.insert(0, {str(tmp_path / 'ours.zip')!r})\n"
        f"exec(open({str(PTH)!r}).read())\n"
        "print(type(sys.meta_path[0]).__name__, 'ours.zip' in sys.modules['qgdr_pyserini'].__file__)"
    )
    assert python("-S", "-c", code).stdout == "ShimFinder True\n"


def test_nothing_is_imported_besides_the_hook_itself() -> None:
    code = (
        "import os, sys\n"  # `site` has imported os by the time it reads .pth files
        f"sys.path.insert(0, {str(REPOSITORY)!r})\n"
        "before = set(sys.modules)\n"
        f"exec(open({str(PTH)!r}).read())\n"
        "print(sorted(set(sys.modules) - before))"
    )
    done = python("-S", "-c", code)
    names = ["qgdr_pyserini", "qgdr_pyserini.pyserini_plugin", "qgdr_pyserini.pyserini_plugin.hook"]
    assert done.stdout == f"{names}\n"


def test_the_switch_turns_it_off() -> None:
    code = "import sys; print('ShimFinder' in [type(finder).__name__ for finder in sys.meta_path])"
    assert python("-c", code, QGDR_PLUGIN="0").stdout == "False\n"
    assert python("-c", code, QGDR_PLUGIN="1").stdout == "True\n"


@pytest.mark.parametrize("left", ["nothing", "empty package", "package without hook"])
def test_a_package_that_is_gone_is_no_error(tmp_path: Path, left: str) -> None:
    if left != "nothing":
        package = tmp_path / "qgdr_pyserini"
        package.mkdir()
        if left == "package without hook":
            (package / "__init__.py").touch()
            (package / "pyserini_plugin").mkdir()
            (package / "pyserini_plugin" / "__init__.py").touch()
    done = python(
        "-S", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); exec(open({str(PTH)!r}).read())"
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_spawned_process_has_the_hook_too(tmp_path: Path) -> None:
    script = tmp_path / "spawn.py"
    script.write_text(
        "import multiprocessing, sys\n"
        "def hooked(_):\n"
        "    return type(sys.meta_path[0]).__name__\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
        "        print(pool.map(hooked, [0]))\n"
    )
    assert python(str(script)).stdout == "['ShimFinder']\n"
