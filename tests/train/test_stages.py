"""Stages: what their fingerprints cover, and what becomes of a folder that another stage has made."""

import dataclasses
import inspect
from pathlib import Path

import pytest

from qgdr_pyserini.errors import QgdrError
from qgdr_pyserini.train import aligned_queries, mining, scoring, student, teacher
from qgdr_pyserini.train.data import Queries
from qgdr_pyserini.train.negatives import NegativeSettings
from qgdr_pyserini.train.stages import Done, Fingerprinted, Means, Stage, Stages, stands_for

MODULES = (aligned_queries, mining, scoring, student, teacher)
KINDS = {
    kind
    for module in MODULES
    for _, kind in inspect.getmembers(module, inspect.isclass)
    if issubclass(kind, Stage) and not inspect.isabstract(kind)
}


@dataclasses.dataclass(frozen=True)
class Note(Stage):
    text: str
    after: Done | None
    said: Means[list[str]]

    def work(self, folder: Path) -> dict[str, object]:
        folder.mkdir(exist_ok=True)
        self.said.value.append(self.text)
        return {"text": self.text}


def noted(folder, text="a", after=None, reuse=()):
    said: list[str] = []
    return Stages(folder, reuse).run("note", Note(text, after, Means(said))), said


def test_a_stage_is_run_once_and_taken_from_another_run(tmp_path):
    done, said = noted(tmp_path / "run")
    assert (done.record["text"], said) == ("a", ["a"])
    assert noted(tmp_path / "run")[1] == []
    other, said = noted(tmp_path / "other", reuse=[tmp_path / "run"])
    assert (other.fingerprint, said) == (done.fingerprint, [])
    assert noted(tmp_path / "third", "b", reuse=[tmp_path / "run"])[1] == ["b"]
    with pytest.raises(QgdrError, match="was made from other data or settings"):
        noted(tmp_path / "run", "b")


def test_every_field_but_means_is_in_the_fingerprint(tmp_path):
    before = Done("before", tmp_path, "1", {})
    one = stands_for(Note("a", before, Means([])))
    assert one == stands_for(Note("a", before, Means(["anything"])))
    # Where it lies and what it tells are no part of a stage's content.
    assert one == stands_for(
        Note("a", dataclasses.replace(before, folder=Path("x"), record={"n": 1}), Means([]))
    )
    assert one != stands_for(Note("b", before, Means([])))
    assert one != stands_for(Note("a", dataclasses.replace(before, fingerprint="2"), Means([])))
    assert one != stands_for(Note("a", None, Means([])))


def test_what_has_no_fingerprint_is_refused():
    for value in (object(), print, {1, 2}, Path("x"), [{"a": object()}], Means("x")):
        with pytest.raises(TypeError, match="has no fingerprint"):
            stands_for(value)
    settings = NegativeSettings()
    assert stands_for([1.5, "a", None, settings]) == [1.5, "a", None, settings.model_dump()]
    assert stands_for({"x": (Fingerprinted(object(), "5f"), Queries())}) == {
        "x": ["5f", Queries().fingerprint]
    }


@pytest.mark.parametrize("kind", sorted(KINDS, key=lambda kind: kind.__name__))
def test_a_stage_works_with_nothing_but_its_fields(kind):
    """A stage is a frozen dataclass; its methods take a folder, and what they make of the fields."""
    assert dataclasses.is_dataclass(kind)
    assert kind.__dataclass_params__.frozen
    assert list(inspect.signature(kind.work).parameters) == ["self", "folder"]
    fields = {field.name for field in dataclasses.fields(kind)}
    assert not fields & {"context", "recipe", "data", "stages"}
