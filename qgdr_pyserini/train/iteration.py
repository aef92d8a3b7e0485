"""One iteration of the method: mine, score, generate, score what was generated, distil."""

from __future__ import annotations

from qgdr_pyserini.train.combination_stage import Combiner
from qgdr_pyserini.train.lexical_score import Lexical, LexicalScorer
from qgdr_pyserini.train.mining_stage import Miner
from qgdr_pyserini.train.scoring_stage import Scorer
from qgdr_pyserini.train.stage_context import StageContext
from qgdr_pyserini.train.stages import Done
from qgdr_pyserini.train.student_stage import StudentTrainer
from qgdr_pyserini.train.teacher_stages import TeacherAt
from qgdr_pyserini.train.writing_stage import QueryWriter


class Iteration:
    """The order of an iteration's stages, which are named ``NUMBER-…``.

    Parameters
    ----------
    context
        The run, and which iteration it is.
    bm25_scorer
        Scores by dictionary BM25, where ``combination`` asks for it.
    """

    def __init__(self, context: StageContext, bm25_scorer: LexicalScorer | None = None) -> None:
        self._context, self._bm25_scorer = context, bm25_scorer

    def run(
        self, student: Done, teacher: TeacherAt | None, mined: Done | None, encoded: Done | None = None
    ) -> Done:
        """Go through the iteration that ``distillation`` describes.

        Parameters
        ----------
        student
            From the iteration before.
        teacher
            None where the recipe has none.
        mined
            What this student has mined for all queries already; None if it has to mine.
        encoded
            Its vectors of all passages, if they are there already.

        Returns
        -------
        Done
            The new student.
        """
        recipe, settings = self._context.recipe, self._context.recipe.distillation
        assert settings is not None
        miner, trainer = Miner(self._context), StudentTrainer(self._context, settings)
        # With one candidate there is nothing to mine.
        alone = settings.candidates == 1
        if settings.anchor and encoded is None:
            encoded = miner.encode(student)
        rows = miner.take(mined) if mined else miner.mine(student, given=alone, encoded=encoded)
        generated = None
        if teacher is not None or recipe.combination is not None:
            rows, generated = self._scored(student, teacher, rows, encoded)
        return trainer.train("distil", student, rows, generated, encoded=encoded)

    def _scored(
        self, student: Done, teacher: TeacherAt | None, mined: Done, encoded: Done | None
    ) -> tuple[Done, Done | None]:
        """Score candidates, and queries to align with theirs where the recipe aligns."""
        recipe = self._context.recipe
        scorer = Scorer(self._context, teacher)
        checked = scorer.check(student) if self._context.data.held_out else None
        scored = scorer.score("score", mined) if teacher else mined
        generated = QueryWriter(self._context, student, teacher).generate(mined) if recipe.aligns else None
        if generated and teacher:
            generated = scorer.score("score-generated", generated, scored)
        if recipe.combination is None:
            return scored, generated
        combiner = Combiner(self._context, student, encoded, checked, self._lexical())
        scored = combiner.combine("combine", scored)
        return scored, combiner.combine("combine-generated", generated) if generated else None

    def _lexical(self) -> Lexical | None:
        data, reading = self._context.data, self._context.reading
        return Lexical(self._bm25_scorer, data, reading) if self._context.recipe.adds_bm25 else None
