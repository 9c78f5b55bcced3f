"""The updates of all dense layers at once, in place, block by block.

The gradient of a block is used while it is in cache and never written to memory.  Tested against `Learner.update`.
"""

from typing import Any

import numpy as np

from decolle_ref._util.check import Array, InputError
from decolle_ref.decolle.learner import Learner
from decolle_ref.decolle.optim import Adamax, Moments
from decolle_ref.decolle.synapse import Weights
from decolle_ref.fast.dense_parameters import Parameters, blocks_of, one_number_if_equal, spans

__all__ = ["AdamaxUpdate", "RankOneAdamax", "Update", "update_of"]

Product = tuple[Array, Array, Array]
"""Two arrays whose numbers change, and where their product belongs."""


class Update:
    """`Learner.update` for all layers with SGD; the classes below add what other optimisers need.

    Parameters
    ----------
    learner
        Its optimiser, learning rates and schedule.
    parameters
        Overwritten by every update.
    opt_state
        Of all layers, where to start.
    dU, P
        dL/dU, (batch, neurons of all layers), and the traces of all layers with the 1 of the bias, (batch, inputs).
    """

    def __init__(self, learner: Learner, parameters: Parameters, opt_state: Any, dU: Array, P: Array) -> None:
        self.learner, self.parameters, self.opt_state = learner, parameters, opt_state
        self.neurons = spans(n for n, _ in parameters.shapes)
        self.inputs = spans(n_in + 1 for _, n_in in parameters.shapes)
        self.blocks = blocks_of(parameters.shapes)
        largest = max(block.span.stop - block.span.start for block in self.blocks)
        self.g, self.scratch = (np.empty(largest, dU.dtype) for _ in range(2))
        self.gradients = self.products(dU.T, P, self.g)
        self.multiply = np.multiply if len(P) == 1 else np.matmul
        self.base = self.base_rates(dU.dtype)
        self.lr, self.factor = self.base.copy(), 1.0
        self.rates = [self.lr[block.span] if self.lr.ndim else self.lr for block in self.blocks]

    def base_rates(self, dtype: np.dtype[Any]) -> Array:
        """The learning rates before the schedule: one number, or one per parameter."""
        return one_number_if_equal(Parameters(self.learner.learning_rates, self.parameters.shapes, dtype).flat)

    def products(self, left: Array, right: Array, out: Array) -> list[list[Product]]:
        """For each block: rows of left (neurons, ...), columns of right (..., inputs), and their part of `out`.

        `out` has the length of a block, or that of all parameters.
        """
        whole = len(out) == len(self.parameters.flat)
        products = []
        for block in self.blocks:
            to = out[block.span] if whole else out
            products.append(
                [
                    (left[self.neurons[k]][rows], right[:, self.inputs[k]], _matrix(to[span], self.inputs[k]))
                    for k, rows, span in block.pieces
                ]
            )
        return products

    def step(self, updates: int, last: bool) -> None:
        """One update.

        Parameters
        ----------
        updates
            Number of updates so far, for the schedule.
        last
            Whether `state` may be asked for before the next update.
        """
        factor = float(self.learner.schedule(updates))
        if factor != self.factor:
            np.multiply(self.base, factor, out=self.lr)
            self.factor = factor
        self.last = last
        self.prepare()
        for k, (span, _) in enumerate(self.blocks):
            size = span.stop - span.start
            self.apply(k, span, self.parameters.flat[span], self.g[:size], self.scratch[:size])

    def prepare(self) -> None:
        """What an update computes for all blocks together."""

    def apply(self, k: int, span: slice, W: Array, g: Array, scratch: Array) -> None:
        """W <- W - lr g, for block k."""
        self.write_gradient(k)
        g *= self.rates[k]
        W -= g

    def write_gradient(self, k: int) -> None:
        """dL/dW_ij = sum over the batch of dU_i P_j, for the rows of block k.  [K20 Eq. 3]"""
        for dU, P, g in self.gradients[k]:
            self.multiply(dU, P, out=g)

    def state(self) -> Any:
        """The state of the optimiser after the latest update."""
        return self.opt_state


class AdamaxUpdate(Update):
    """m <- beta1 m + (1 - beta1) g;  u <- max(beta2 u, |g| + eps);  W <- W - lr / (1 - beta1^t) m / u."""

    def __init__(self, learner: Learner, parameters: Parameters, opt_state: Any, dU: Array, P: Array) -> None:
        super().__init__(learner, parameters, opt_state, dU, P)
        self.optimiser: Adamax = learner.optimiser  # type: ignore[assignment]
        self.m, self.u = (
            Parameters([Weights(*(getattr(moments, letter) for moments in pair)) for pair in opt_state])
            for letter in "mu"
        )
        self.t = opt_state[0][0].t
        if any(moments.t != self.t for pair in opt_state for moments in pair):
            raise InputError("opt_state: expected one t for all layers, got several")

    def prepare(self) -> None:
        """Count the update."""
        self.t += 1

    def apply(self, k: int, span: slice, W: Array, g: Array, scratch: Array) -> None:
        """The update of block k."""
        beta1, u = self.optimiser.beta1, self.u.flat[span]
        self.write_gradient(k)
        np.abs(g, out=scratch)
        scratch += self.optimiser.eps
        u *= self.optimiser.beta2
        np.maximum(u, scratch, out=u)
        if beta1:
            m = self.m.flat[span]
            m *= beta1
            g *= 1 - beta1
            m += g
            np.divide(m, 1 - beta1**self.t, out=g)
        elif self.last:  # else nobody asks for m, which is the gradient itself
            self.m.flat[span] = g
        g /= u
        g *= self.rates[k]
        W -= g

    def state(self) -> Any:
        """Moments of W and of b, for each layer."""
        pairs = zip(self.m.split(), self.u.split(), strict=True)
        return tuple(tuple(Moments(m, u, self.t) for m, u in zip(*pair, strict=True)) for pair in pairs)


class RankOneAdamax(AdamaxUpdate):
    """Adamax with beta1 = 0 for a batch of 1, and learning rates that all neurons of a layer share.

    |g_ij| + eps = |dU_i| |P_j| + 1 eps and lr_j g_ij = dU_i (lr_j P_j) + 0 are matrix products with an inner axis of
    length 2, which BLAS computes sooner than NumPy multiplies a column by a row.

    `self.u` holds c u, where c = beta2^-k after k updates.  So no pass has to multiply u by beta2: it is P that is
    multiplied by c.  After LARGEST, c starts at 1 again.
    """

    LARGEST = 2.0

    def __init__(self, learner: Learner, parameters: Parameters, opt_state: Any, dU: Array, P: Array) -> None:
        super().__init__(learner, parameters, opt_state, dU, P)
        (N, M), dtype = (dU.shape[1], P.shape[1]), dU.dtype
        self.dU, self.P, self.c = dU[0], P[0], 1.0
        self.dU_0, self.P_lr = np.zeros((N, 2), dtype), np.zeros((2, M), dtype)
        self.dU_abs, self.P_abs = np.ones((N, 2), dtype), np.zeros((2, M), dtype)
        self.magnitudes = self.products(self.dU_abs, self.P_abs, self.scratch)
        self.steps = self.products(self.dU_0, self.P_lr, self.g)
        self.moments = self.products(dU.T, P, self.m.flat)

    def base_rates(self, dtype: np.dtype[Any]) -> Array:
        """The learning rates before the schedule, one per input and one per bias of each layer."""
        shapes = [(1, n_in) for _, n_in in self.parameters.shapes]
        return Parameters(self.learner.learning_rates, shapes, dtype).flat

    def prepare(self) -> None:
        """The factors of both products."""
        super().prepare()
        if self.c > self.LARGEST:
            self._divide_by_c()
        self.c /= self.optimiser.beta2
        self.dU_0[:, 0] = self.dU
        np.abs(self.dU, out=self.dU_abs[:, 0])
        np.multiply(self.P, self.c, out=self.P_lr[0])
        np.abs(self.P_lr[0], out=self.P_abs[0])
        self.P_abs[1] = self.c * self.optimiser.eps
        self.P_lr[0] *= self.lr

    def _divide_by_c(self) -> None:
        """u itself, and c = 1."""
        self.u.flat /= self.c
        self.c = 1.0

    def apply(self, k: int, span: slice, W: Array, g: Array, scratch: Array) -> None:
        """The update of block k."""
        u = self.u.flat[span]
        for dU, P, out in self.magnitudes[k]:
            np.matmul(dU, P, out=out)
        np.maximum(u, scratch, out=u)
        for dU, P, out in self.steps[k]:
            np.matmul(dU, P, out=out)
        g /= u
        W -= g
        if self.last:
            for dU, P, out in self.moments[k]:
                np.multiply(dU, P, out=out)

    def state(self) -> Any:
        """Moments of W and of b, for each layer."""
        self._divide_by_c()
        return super().state()


def _matrix(flat: Array, columns: slice) -> Array:
    """Whole rows of a layer with this many columns."""
    return flat.reshape(-1, columns.stop - columns.start)


def _shared_by_neurons(rate: Weights) -> bool:
    """Whether the learning rates are the same for all neurons of a layer."""
    W, b = (np.asarray(x) for x in rate)
    return b.size == 1 and (W.ndim < 2 or len(W) == 1)


def update_of(learner: Learner, parameters: Parameters, opt_state: Any, dU: Array, P: Array) -> Update:
    """The update for this optimiser, batch and learning rates.

    Parameters
    ----------
    learner, parameters, opt_state, dU, P
        As in `Update`.

    Returns
    -------
    Update
    """
    kind: type[Update] = Update
    if isinstance(learner.optimiser, Adamax):
        beta1, beta2 = learner.optimiser.beta1, learner.optimiser.beta2
        one_row = len(dU) == 1 and beta1 == 0 and beta2 >= 0.5  # c grows by 1 / beta2
        rank_one = one_row and all(map(_shared_by_neurons, learner.learning_rates))
        kind = RankOneAdamax if rank_one else AdamaxUpdate
    return kind(learner, parameters, opt_state, dU, P)
