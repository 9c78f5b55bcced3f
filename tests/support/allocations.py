"""Print, as JSON, the bytes that a step of the dense fast path allocates beyond what it had, for several networks."""

import json
import sys
import tracemalloc
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from decolle_ref.decolle import dialects
from decolle_ref.decolle.objective import LOSSES, Objective, Regulariser
from decolle_ref.decolle.optim import SGD, Adamax
from decolle_ref.fast.dense import DenseStepper
from tests.support.dense import task

LOSS = dict(zip(dialects.DIALECTS, [*LOSSES.values()] * 2, strict=False))
OPTIONS = ((Adamax(), "membrane"), (SGD(), "rate"), (Adamax(0.9), "rate"), (Adamax(), "rate"), (SGD(), "membrane"))
CASES = list(zip(dialects.DIALECTS, OPTIONS, strict=True))


class Probe:
    """A sequence of inputs that measures the memory which was used between one and the next."""

    def __init__(self, spikes: np.ndarray) -> None:
        self.spikes, self.peaks = spikes, []

    def __len__(self) -> int:
        return len(self.spikes)

    def __iter__(self):
        for x in self.spikes:
            before, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            yield x
            self.peaks.append(tracemalloc.get_traced_memory()[1] - before)


def peak(name, optimiser, activity, samples, n):
    """The largest peak of a step, in bytes, once the first five are over."""
    objective = Objective(LOSS[name], regulariser=Regulariser(0.1, 0.1, activity))
    batch, sizes = (samples,), (n, n, n)
    case = task(np.random.default_rng(0), dialects.named(name), sizes, batch, optimiser, objective, n_out=20, steps=9)
    stepper = DenseStepper(case.network, case.start, case.learner)
    probe = Probe(case.spikes)
    tracemalloc.start()
    stepper.run(probe, case.targets)
    tracemalloc.stop()
    return max(probe.peaks[5:])


def main() -> None:
    np.setbufsize(16)  # NumPy has buffers of a fixed number of entries, which are no concern here
    sizes = (32, 32), (64, 32), (32, 64)
    peaks = {f"{name} {options}": [peak(name, *options, *size) for size in sizes] for name, options in CASES}
    alone = [peak("paper", Adamax(), "membrane", 1, n) for n in (64, 64, 128)]
    print(json.dumps(peaks | {"a batch of one": alone}))


if __name__ == "__main__":
    main()
