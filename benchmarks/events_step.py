"""Time one training step of the network of [K20 Table 2] against PyTorch autograd on the CPU, and measure memory.

    python benchmarks/events_step.py --threads 2

Full width, frames of 32 x 32, batch of 72, float32, on random events of the rate of a DvsGesture clip.  Both make the
same step, as in `mnist_step.py`.  Needs PyTorch (pip install torch).  Where OpenBLAS leaves
AVX-512 unused, `OPENBLAS_CORETYPE=SKYLAKEX` before the command chooses it.
"""

import numpy as np
from mnist_step import compare, parse

from decolle_ref.experiments.dvsgesture import CHUNK
from decolle_ref.experiments.event_network import EventSettings, build
from decolle_ref.experiments.poisson_mnist_network import one_hot

EVENTS_PER_STEP = 80  # of one recording: the clips have 44 to 125 thousand events in a second


def main() -> None:
    args = parse(__doc__, batch=72, rounds=7, steps=3)
    settings = EventSettings(batch=args.batch, seed=args.seed)
    network, learner, start = build(settings, classes=11)
    rng, n_in = settings.rng(9), network[0].synapse.n_in
    inputs = [rng.poisson(EVENTS_PER_STEP / n_in, (args.batch, n_in)).astype(np.float32) for _ in range(10)]
    target = one_hot(rng.integers(0, 11, args.batch), 11)
    compare(network, learner, start, inputs, target, settings.dropout, args, CHUNK)


if __name__ == "__main__":
    main()
