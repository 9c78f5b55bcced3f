"""How the error reaches hidden layers without W^T: fixed random weights.  [N19 Sec. V-A, Fig. 5]

    feedback alignment:         e_i^(l) = sum_k sigma'(U_k^(l+1) - theta) e_k^(l+1) G_ki^(l+1)
    direct feedback alignment:  e_i^(l) = sum_k e_k^(L) H_ki^(l)

A route takes the errors that layers have of their own, from their own targets, and adds what comes down.  These are for
spiking networks, step by step, together with the forward traces.  The error sent down is e, and with direct feedback
without the top layer's sigma', as SuperSpike has it.  Even with W in the place of G nothing here is a gradient: the
dynamics of the layers above are missing (`dropped` says how much).  `rate` has both for rate networks, where delta,
which has sigma' in it, is sent down, and where G = W gives the gradient.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from decolle_ref._util.check import Array, InputError, validate_shape

Route = Callable[[Sequence[Array], Sequence[Array]], Sequence[Array]]  # errors, slopes by layer -> errors


def own(errors: Sequence[Array], slopes: Sequence[Array]) -> Sequence[Array]:
    """Every layer has the error of its own target, and nothing comes down.  [N19 Eq. 14]"""
    return errors


def alignment(G: Sequence[Array]) -> Route:
    """Feedback alignment: layer by layer through G^(l+1), (n_(l+1), n_l), in place of W^(l+1).  [N19 Sec. V-A]

    The route raises InputError for matrices that do not fit the layers.
    """

    def route(errors: Sequence[Array], slopes: Sequence[Array]) -> Sequence[Array]:
        _validate(G, [(above.shape[-1], e.shape[-1]) for e, above in pairwise(errors)], "G")
        found = [errors[-1]]
        for l in reversed(range(len(errors) - 1)):
            found.append(errors[l] + (slopes[l + 1] * found[-1]) @ G[l])
        return found[::-1]

    return route


def direct(H: Sequence[Array]) -> Route:
    """Direct feedback alignment: from the top straight to each layer, through H^(l), (n_L, n_l).  [N19 Sec. V-A]

    The route raises InputError for matrices that do not fit the layers.
    """

    def route(errors: Sequence[Array], slopes: Sequence[Array]) -> Sequence[Array]:
        _validate(H, [(errors[-1].shape[-1], e.shape[-1]) for e in errors[:-1]], "H")
        return [e + errors[-1] @ h for e, h in zip(errors[:-1], H, strict=True)] + [errors[-1]]

    return route


def _validate(matrices: Sequence[Array], shapes: Sequence[tuple[int, int]], letter: str) -> None:
    if len(matrices) != len(shapes):
        raise InputError(f"{letter}: expected {len(shapes)} matrices, one per hidden layer, got {len(matrices)}")
    for k, (matrix, shape) in enumerate(zip(matrices, shapes, strict=True), start=1):
        validate_shape(f"{letter} {k}", matrix, shape)


def sample_alignment(rng: np.random.Generator, sizes: Sequence[int], scale: float = 1.0) -> list[Array]:
    """G ~ N(0, scale^2 / n_l) for layers of sizes = (n_1, ..., n_L): one matrix per step down."""
    return [rng.normal(0, scale / np.sqrt(n), (above, n)) for n, above in pairwise(sizes)]


def sample_direct(rng: np.random.Generator, sizes: Sequence[int], scale: float = 1.0) -> list[Array]:
    """H ~ N(0, scale^2 / n_l) for layers of sizes = (n_1, ..., n_L): one matrix per hidden layer."""
    return [rng.normal(0, scale / np.sqrt(n), (sizes[-1], n)) for n in sizes[:-1]]
