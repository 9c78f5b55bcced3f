"""W P carried as a state, and fed by a column of W for every input spike.

With one alpha, one beta and one pair of gains for all inputs of a layer, the traces and the product with W may change
their order:

    W P[n+1] = alpha W P[n] + g_P W Q[n],   W Q[n+1] = beta W Q[n] + g_Q W S^in[n]

so W P and W Q, of shape (..., n), take the place of P and Q, and W S^in is a sum of as many columns of W as there are
spikes.  Tested against `network.run`.

>>> from decolle_ref.decolle import lif
>>> neuron, weights = lif.from_decays(0.5, 0.5, w=0.0), Weights(W=np.array([[1.0, -2.0]]), b=np.zeros(1))
>>> spikes = np.array([[0.0, 1.0], [0.0, 0.0], [0.0, 0.0]])
>>> U = np.empty((3, 1))
>>> WP, WQ = drive(neuron, columns(weights), weights.b, (np.zeros(1), np.zeros(1)), spikes, U)
>>> U.ravel(), WP, WQ
(array([ 0.,  0., -2.]), array([-2.]), array([-0.5]))
>>> [trace.tolist() for trace in last_traces(neuron, np.zeros(2), np.zeros(2), spikes)]
[[0.0, 1.0], [0.0, 0.25]]
"""

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.lif import LIF
from decolle_ref.decolle.synapse import Dense, Synapse, Weights
from decolle_ref.fast.traces import traces

__all__ = ["columns", "drive", "last_traces", "possible", "worthwhile"]

# Measured in float32 on one thread of an AMD EPYC (Zen 5): evaluation with columns of W takes as long as with products
# where 12 % of 512 inputs spike (512 neurons), 10 % of 1024 (1024) and 6 % of 2048 (2048), and longer for 256 or fewer
# inputs whatever spikes.  The limit is lower because a product uses several threads where the machine has them.
DENSITY = 0.04  # of the spikes, largest
INPUTS, NEURONS = 512, 256  # smallest layer
PRODUCTS = 1 << 30  # of a weight and a trace, fewest; below, the import of SciPy's sparse arrays would cost too much
TILE = 16  # rows of W that are transposed at a time, to stay in cache


def worthwhile(synapse: Synapse, neuron: LIF, spikes: Array) -> bool:
    """Whether the columns of W for all spikes are sooner than a product, by measured limits.

    Parameters
    ----------
    synapse, neuron
        Of the layer.
    spikes
        (steps, ..., n_in).

    Returns
    -------
    bool
    """
    large = synapse.n_in >= INPUTS and synapse.n >= NEURONS and spikes.size * synapse.n >= PRODUCTS
    return large and possible(synapse, neuron) and bool(np.count_nonzero(spikes) <= DENSITY * spikes.size)


def possible(synapse: Synapse, neuron: LIF) -> bool:
    """Whether the layer is dense and all its inputs have the same alpha, beta and gains.

    Parameters
    ----------
    synapse, neuron
        Of the layer.

    Returns
    -------
    bool
    """
    constants = neuron.alpha, neuron.beta, neuron.gain_Q, neuron.gain_P
    return isinstance(synapse, Dense) and all((x == x.flat[0]).all() for x in constants)


def columns(weights: Weights) -> Array:
    """The columns of W, each of them contiguous.

    Parameters
    ----------
    weights
        Of a dense layer.

    Returns
    -------
    array
        (n_in, n).
    """
    W = weights.W
    transposed = np.empty(W.shape[::-1], W.dtype)
    for first in range(0, len(W), TILE):
        transposed[:, first : first + TILE] = W[first : first + TILE].T
    return transposed


def drive(
    neuron: LIF, columns: Array, b: Array, before: tuple[Array, Array], spikes: Array, U: Array
) -> tuple[Array, Array]:
    """U = W P + b through all steps, without R, where W P and W Q are carried as states.

    Parameters
    ----------
    neuron
        With one alpha, beta and pair of gains.
    columns
        Of W, (n_in, n).
    b
        (n,).
    before
        W P and W Q, (..., n), before the first step.
    spikes
        (steps, ..., n_in).
    U
        (steps, ..., n); overwritten.

    Returns
    -------
    after
        W P and W Q after the last step.
    """
    from scipy.sparse import csr_array

    rows = np.ascontiguousarray(spikes).reshape(-1, len(columns))
    places = np.flatnonzero(rows != 0)
    first = np.searchsorted(places, np.arange(0, rows.size + 1, len(columns)))  # of each row
    sparse = csr_array((rows.ravel()[places], places % len(columns), first), shape=rows.shape)
    WP, WQ = traces(_shared(neuron), *before, (sparse @ columns).reshape(U.shape))
    np.add(WP[neuron.U_reads :][: len(spikes)], b, out=U)
    return WP[-1], WQ[-1]


def last_traces(neuron: LIF, P: Array, Q: Array, spikes: Array) -> tuple[Array, Array]:
    """P and Q after the last step, as sums over all input spikes.

        P[T] = p P[0] + q Q[0] + sum_n k[n] S^in[n],   and likewise Q[T]

    p, q and k are the answers of the recursion to P = 1, to Q = 1 and to one spike.

    Parameters
    ----------
    neuron
        With one alpha, beta and pair of gains.
    P, Q
        (..., n_in), before the first step.
    spikes
        (steps, ..., n_in).

    Returns
    -------
    P, Q
        (..., n_in).
    """
    spike = np.zeros((len(spikes), 3))
    spike[:1, 2] = 1
    answers = np.stack(traces(_shared(neuron), np.array([1.0, 0, 0]), np.array([0, 1.0, 0]), spike))
    answers = answers.astype(spikes.dtype)
    of_spikes = np.tensordot(answers[:, :0:-1, 2], spikes, 1)
    last_P, last_Q = (a[0] * P + a[1] * Q + x for a, x in zip(answers[:, -1], of_spikes, strict=True))
    return last_P, last_Q


def _shared(neuron: LIF) -> LIF:
    """The constants that all inputs share, as arrays of shape (1,)."""
    names = "alpha", "beta", "gain_Q", "gain_P"
    return neuron._replace(**{name: getattr(neuron, name).reshape(-1)[:1] for name in names})
