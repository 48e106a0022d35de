"""Sizes and training of a model that reads sequences."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Params:
    """Sizes and training.

    `length`: events read; `loss`: softmax, sampled, gbce, or auto, which takes softmax up to
    WHOLE_CATALOGUE products and sampled above; `negatives`: how many are drawn (0: SAMPLE);
    `popularity`: how much likelier a popular product is drawn (0: all alike); `calibration`: gBCE's
    t; `once`: a product counts the first time only; `gaps`: read the time between events;
    `half_life_days`: preference for recent answers (0: none); `popular_days`: window of the
    popularity that the output bias starts from (-1: no bias); `warm_table`: start the item table
    from singular vectors; `wide`: how much wider the inner layer is; `roam`: share of long
    histories read from another end than the last; `most_asked`: places asked in a batch where
    there are baskets, drawn by how much they count (0: all); `precision`: auto (half where the
    processor has units for it) or float32; `processes`: how many train together (0: one for each
    GPU, else one).
    """

    dimension: int = 64
    layers: int = 2
    heads: int = 2
    length: int = 50
    dropout: float = 0.2
    loss: str = "auto"
    negatives: int = 0
    popularity: float = 0.0
    calibration: float = 0.75
    once: bool = True
    gaps: bool = True
    half_life_days: float = 30.0
    popular_days: int = 30
    warm_table: bool = True
    spread: float = 0.05
    wide: int = 4
    roam: float = 0.0
    hidden: float = 0.2
    last_only: float = 0.1
    most_asked: int = 0
    batch: int = 128
    epochs: int = 10
    patience: int = 3
    judge_every: int = 1
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup: float = 0.1
    precision: str = "auto"
    threads: int = 2
    processes: int = 0
    seed: int = 20111209
