"""Settings of the student's training: L = λ·L_KD + α·L_A + β·L_contrastive."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from qgdr_pyserini.settings import Settings
from qgdr_pyserini.train.anchor import AnchorSettings
from qgdr_pyserini.train.language_sampler import SamplerSettings
from qgdr_pyserini.train.losses.agreement import AgreementSettings
from qgdr_pyserini.train.losses.alignment import AlignmentSettings
from qgdr_pyserini.train.pair_settings import SourcesSettings
from qgdr_pyserini.train.training import TrainingSettings


class ReplaySettings(Settings):
    """A batch of the pairs that the student was pre-trained on, beside every batch of queries.

    A student from scratch knows the words of most languages from such pairs alone, and would forget
    them while it learns from queries in a few.

    Parameters
    ----------
    weight
        Of its contrastive loss.
    batch_size
        Pairs, over all processes, all negatives of each other.
    sources
        Where they come from; from all of the recipe's ``pairs`` when None.
    """

    weight: float = Field(default=1.0, gt=0)
    batch_size: int = Field(default=256, ge=2)
    sources: SourcesSettings | None = None


class DistillationSettings(TrainingSettings):
    """Training the student by a teacher, by generated queries, and by hard negatives.

    Parameters
    ----------
    freeze_vectors, freeze_layers
        Leave the student's subword vectors, and so many of its lowest layers, as they are; see
        `qgdr_pyserini.train.freezing`.
    interpolation
        Of the student before and the trained one, so much of the latter's weights is in their mean, which is
        what goes on; see `qgdr_pyserini.train.interpolation`. With 1 it is the trained student.
    candidates
        Passages for each query, its positive among them. With 1, nothing is mined: the other queries'
        passages are the negatives, which is for the contrastive loss alone.
    article_block
        The most queries about passages of one title that stand side by side. Their passages are
        encoded once and are hard negatives of each other, so a batch teaches several times as much in
        the same time where articles have several passages with several queries each.
    code_switched
        How often an English query is put into another language word by word, through the lexicon and
        the names of a training set.
    student_temperature, teacher_temperature
        τ_s and τ_t. The published 1 suits vectors of any length; unit vectors, whose inner
        products lie between -1 and 1, need a τ_s of some 0.05.
    in_batch
        Whether the other queries' candidates count as well; the teacher gives them no probability.
    kd, alpha, beta
        λ, α and β; the paper's are 1, 1 and 0. With λ = α = 0 no teacher is needed.
    contrastive_temperature
        Of the contrastive loss.
    alignment, agreement, sampler
        Of the query alignment.
    replay
        Pairs of the pre-training, to keep what they taught; None for none.
    anchor
        Leave the passages' vectors as the student before has them, and compute questions alone; the replayed
        pairs, translations then, follow their English. None computes passages and questions.
    """

    freeze_vectors: bool = False
    freeze_layers: int = Field(default=0, ge=0)
    interpolation: float = Field(default=1.0, gt=0, le=1)
    candidates: int = Field(default=16, ge=1)
    article_block: int = Field(default=1, ge=1)
    code_switched: float = Field(default=0.0, ge=0, le=1)
    student_temperature: float = Field(default=1.0, gt=0)
    teacher_temperature: float = Field(default=1.0, gt=0)
    in_batch: bool = False
    kd: float = Field(default=1.0, ge=0)
    alpha: float = Field(default=1.0, ge=0)
    beta: float = Field(default=0.0, ge=0)
    contrastive_temperature: float = Field(default=1.0, gt=0)
    alignment: AlignmentSettings = AlignmentSettings()
    agreement: AgreementSettings = AgreementSettings()
    sampler: SamplerSettings = SamplerSettings()
    replay: ReplaySettings | None = None
    anchor: AnchorSettings | None = None

    @model_validator(mode="after")
    def _something_to_tell_apart(self) -> Self:
        if self.candidates == 1 and (self.kd or self.alpha):
            raise ValueError("'candidates' must be 2 or more where 'kd' or 'alpha' is above 0")
        return self


class WarmupSettings(DistillationSettings):
    """Training the student before there is a teacher: the contrastive loss alone."""

    kd: float = Field(default=0.0, ge=0)
    alpha: float = Field(default=0.0, ge=0)
    beta: float = Field(default=1.0, ge=0)
