"""What a recipe says of its teacher."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from qgdr_pyserini.model.cross_encoder import CrossEncoderSettings
from qgdr_pyserini.model.loading import ModelSource
from qgdr_pyserini.model.precision import Precision
from qgdr_pyserini.model.query_generator import GeneratorSettings
from qgdr_pyserini.settings import Settings
from qgdr_pyserini.train.low_rank import LoraSettings
from qgdr_pyserini.train.teacher_stage_settings import GenerationLossSettings, RankingSettings


class TeacherRecipe(Settings):
    """The teacher, and how it is trained.

    Parameters
    ----------
    kind
        ``query-generator`` or ``cross-encoder``.
    source
        A checkpoint; None where it starts from the student.
    from_student
        Start a cross-encoder from the student that the run begins with, under a head that is new.
    freeze_vectors
        Leave the subword vectors, and a head tied to them, as they are: of a large vocabulary, few
        queries show a small part, and most of a small model's weights are there.
    generator, cross_encoder
        What goes into the one or the other; where it is left out, what was saved with the checkpoint.
    lora
        Train low-rank additions to the matrices instead of all weights: large models fit into less memory.
        What is saved is an ordinary checkpoint. Needs peft (``pip install qgdr-pyserini[lora]``).
    generation
        Training to write queries, by the generation loss.
    ranking
        Training to tell positives from hard negatives, by the contrastive loss.
    reads
        ``english``: where a question has an English twin, this is what is scored, and the foreign question
        is taught by it; see `qgdr_pyserini.train.twins`.
    translations
        File of further English twins, language, question and English a line.
    known_scores
        Files of scores that this teacher has given already, of ``N-score`` or ``qgdr score
        --scores-output``; only the rest is computed.
    precision, batch_size
        While scoring and generating: of the model, and passages or pairs at a time.
    seed
        Of its training; the recipe's when None. With one of its own, runs of several students share
        one teacher.
    """

    kind: Literal["query-generator", "cross-encoder"]
    source: ModelSource | None = None
    from_student: bool = False
    freeze_vectors: bool = False
    generator: GeneratorSettings = GeneratorSettings()
    cross_encoder: CrossEncoderSettings = CrossEncoderSettings()
    lora: LoraSettings | None = None
    generation: GenerationLossSettings | None = None
    ranking: RankingSettings | None = None
    reads: Literal["original", "english"] = "original"
    translations: str = ""
    known_scores: list[str] = Field(default_factory=list)
    precision: Precision = "fp32"
    batch_size: int = Field(default=32, ge=1)
    seed: int | None = None

    @model_validator(mode="after")
    def _stages_fit(self) -> Self:
        if self.kind == "cross-encoder" and self.generation:
            raise ValueError("a cross-encoder writes no text; take 'generation' out")
        if self.kind == "query-generator" and self.from_student:
            raise ValueError("a query generator is no encoder; name its 'source', take 'from_student' out")
        if self.from_student == (self.source is not None):
            raise ValueError("a teacher starts from its 'source', or from the student; give one of the two")
        if self.kind == "cross-encoder" and self.lora:
            raise ValueError("'lora' is for query generators: a cross-encoder's head is new; take it out")
        if self.translations and self.reads != "english":
            raise ValueError("'translations' is for a teacher that reads English; set reads = 'english'")
        return self
