"""A recorded trace in blocks of samples, so that the memory for its evidence is bounded however large the trace is.

All hypotheses are tried on the first block, and those that explain it on the next one, until the last.  Samples do not
depend on each other, so a hypothesis explains the trace where one alternative (a lag and a factor per variable)
explains every block.

>>> list(slices(batch=5, each=2))
[slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
"""

from collections.abc import Iterator, Mapping, Sequence

from decolle_ref._util.check import Array
from decolle_ref.cases.case import Case
from decolle_ref.cases.comparison import Deviation, Explained, Fit, fit
from decolle_ref.cases.evidence import Hypothesis
from decolle_ref.cases.recording import Recording

NUMBERS = 1 << 17  # of Q and U of all layers in one block, unless one sample has more; each costs about 1 kB

Tried = tuple[Hypothesis, int]  # with the lag


class Blocks:
    """The blocks of samples of a recorded trace.

    Parameters
    ----------
    case : Case
    recorded : mapping of str to array
        The states of the trace by the names of their files.
    """

    def __init__(self, case: Case, recorded: Mapping[str, Array]) -> None:
        self._case, self._recorded = case, recorded
        sample = case.about["steps"] * sum(layer["n_in"] + layer["n"] for layer in case.about["layers"])
        self._samples = list(slices(case.about["batch"], max(1, NUMBERS // sample)))

    def recording(self, k: int, dtype: str, rounded: Sequence[str] = ()) -> Recording:
        """Block k as evidence; the arguments are those of `Recording`."""
        return Recording(self._case, self._recorded, dtype, rounded, self._samples[k])

    def explain(
        self, tried: Sequence[Tried], dtype: str, rounded: Sequence[str] = ()
    ) -> tuple[dict[Tried, tuple[Fit, ...]], dict[Tried, tuple[int, Deviation]]]:
        """The hypotheses that explain every block, and where the others leave the trace.

        Parameters
        ----------
        tried : sequence of (Hypothesis, int)
            Hypotheses with lags.
        dtype, rounded :
            As of `Recording`.

        Returns
        -------
        dict of (Hypothesis, int) to tuple of Fit, one per observed layer
        dict of (Hypothesis, int) to (layer from 1, Deviation)
            Both in the order of `tried`.
        """
        order = {each: place for place, each in enumerate(tried)}
        alive: dict[Tried, list[list[Explained]] | None] = dict.fromkeys(tried)
        missed: dict[Tried, tuple[int, Deviation]] = {}
        for k in range(len(self._samples)):
            recording, most = self.recording(k, dtype, rounded), 1 if len(self._samples) == 1 else None
            for h, lag in sorted(alive, key=lambda each: abs(each[1]) * 2 + (each[1] < 0)):  # one lag after the other
                if not recording.may_lag(lag):
                    del alive[h, lag]
                    continue
                outcome = recording.follow(h, lag, alive[h, lag], most)
                if isinstance(outcome, list):
                    alive[h, lag] = outcome
                else:
                    missed[h, lag] = outcome
                    del alive[h, lag]
        found = {each: tuple(map(fit, alive[each] or ())) for each in sorted(alive, key=order.__getitem__)}
        return found, {each: missed[each] for each in sorted(missed, key=order.__getitem__)}


def slices(batch: int, each: int) -> Iterator[slice]:
    """Slices of a batch.

    Parameters
    ----------
    batch : int
    each : int
        The number of samples in a slice; the last one may have fewer.

    Yields
    ------
    slice
    """
    return (slice(start, min(start + each, batch)) for start in range(0, batch, each))
