"""Between the student before and after training: a mean of their weights."""

from __future__ import annotations

import torch

from qgdr_pyserini.model.dual_encoder import DualEncoder


@torch.no_grad()
def interpolate(before: DualEncoder, after: DualEncoder, share: float) -> None:
    r"""Take the weights between two students of one architecture, in place of those of ``after``.

    .. math:: (1 - \alpha) \cdot \theta_\mathrm{before} + \alpha \cdot \theta_\mathrm{after}

    What was fine-tuned on little data forgets some of what it knew of everything else; on the straight line
    between the two, much of what is new is there already, and most of what was known still (WiSE-FT:
    Wortsman et al. 2022, "Robust fine-tuning of zero-shot models").

    Parameters
    ----------
    before
        Left as it is.
    after
        Trained from it; changed in place.
    share
        α, of ``after``.

    Examples
    --------
    >>> from qgdr_pyserini.model.registry import find_encoder
    >>> before, after = (DualEncoder.from_pretrained(find_encoder("qgdr")) for _ in range(2))
    >>> old, new = (encoder.model.get_input_embeddings().weight for encoder in (before, after))
    >>> _ = new.data.add_(4.0)
    >>> interpolate(before, after, 0.75)
    >>> bool(torch.allclose(new - old, torch.tensor(3.0), atol=1e-5))
    True
    """
    old = before.state_dict()
    for name, weight in after.state_dict().items():
        if weight.is_floating_point():
            weight.lerp_(old[name].to(weight), 1.0 - share)
