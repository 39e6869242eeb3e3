"""The embeddings of texts compared with golden's."""

from dataclasses import dataclass

from compare.results.base import Result


@dataclass(frozen=True, kw_only=True)
class EmbeddingChanges(Result):
    """The pooled embeddings of a run compared with golden's, over all sequences of the text and of the padded input."""

    texts: int
    cosine: float  # the largest change of the cosine between two texts
    pair: tuple[int, int]  # the two texts, counted from 0: those of the text first, then those of the padded input
    distance: float  # the largest distance of a normalized embedding from golden's
    flips: int  # texts whose nearest neighbour differs
    # flips where golden's neighbour is nearer than the run's by more than rounding can change, so it cannot flip these
    real_flips: int
