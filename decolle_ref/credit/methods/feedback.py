"""How the error reaches hidden layers without W^T: fixed random weights.  [N19 Sec. V-A, Fig. 5]

    feedback alignment:         e_i^(l) = sum_k sigma'(U_k^(l+1) - theta) e_k^(l+1) G_ki^(l+1)
    direct feedback alignment:  e_i^(l) = sum_k e_k^(L) H_ki^(l)

A route takes the errors of all layers, each from the layer's own target, and adds what comes down from above.  Routes
serve spiking networks, step by step, together with the forward traces.  They send down e; with direct feedback it comes
without the top layer's sigma', as in SuperSpike.  Even with W in place of G the result is not a gradient, because it
lacks the dynamics of the layers above (`audit.dropped` says how much they matter).  `neuron.rate` has both kinds of
feedback for networks of rates.  There delta, which includes sigma', is sent down, and G = W gives the gradient.

>>> hidden, top = np.zeros((1, 4)), np.ones((1, 2))
>>> route = direct([np.ones((2, 4))])
>>> [e.tolist() for e in route([hidden, top], sigma_prime=[])]
[[[2.0, 2.0, 2.0, 2.0]], [[1.0, 1.0]]]
"""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from decolle_ref._util.check import Array, InputError, finite, floats

Route = Callable[[Sequence[Array], Sequence[Array]], Sequence[Array]]
"""(errors of all layers, sigma' of all layers) -> errors of all layers; arrays (..., n)."""


def local_errors(errors: Sequence[Array], sigma_prime: Sequence[Array]) -> Sequence[Array]:
    """The route without feedback: every layer has the error of its own target alone.  [N19 Eq. 14]

    Parameters
    ----------
    errors : of every layer, (..., n)
    sigma_prime : not used

    Returns
    -------
    errors, unchanged
    """
    return errors


def alignment(G: Sequence[Array]) -> Route:
    """Feedback alignment: layer by layer through G^(l+1) in place of W^(l+1).  [N19 Sec. V-A]

    Parameters
    ----------
    G : one (n_(l+1), n_l) array per hidden layer l

    Returns
    -------
    Route, which raises InputError for matrices that do not fit the layers
    """

    def route(errors: Sequence[Array], sigma_prime: Sequence[Array]) -> Sequence[Array]:
        _validate(G, [(above.shape[-1], e.shape[-1]) for e, above in pairwise(errors)], "G")
        downwards = [errors[-1]]
        for l in reversed(range(len(errors) - 1)):
            downwards.append(errors[l] + (sigma_prime[l + 1] * downwards[-1]) @ G[l])
        return downwards[::-1]

    return route


def direct(H: Sequence[Array]) -> Route:
    """Direct feedback alignment: from the top straight to each layer, through H^(l).  [N19 Sec. V-A]

    Parameters
    ----------
    H : one (n_L, n_l) array per hidden layer l

    Returns
    -------
    Route, which raises InputError for matrices that do not fit the layers
    """

    def route(errors: Sequence[Array], sigma_prime: Sequence[Array]) -> Sequence[Array]:
        _validate(H, [(errors[-1].shape[-1], e.shape[-1]) for e in errors[:-1]], "H")
        return [e + errors[-1] @ h for e, h in zip(errors[:-1], H, strict=True)] + [errors[-1]]

    return route


def _validate(matrices: Sequence[Array], shapes: Sequence[tuple[int, int]], letter: str) -> None:
    if len(matrices) != len(shapes):
        raise InputError(f"{letter}: expected {len(shapes)} matrices, one per hidden layer, got {len(matrices)}")
    for k, (matrix, shape) in enumerate(zip(matrices, shapes, strict=True), start=1):
        floats(f"{letter} {k}", matrix, *shape)


def sample_alignment(rng: np.random.Generator, sizes: Sequence[int], scale: float = 1.0) -> list[Array]:
    """G ~ N(0, scale^2 / n_l): the random weights of `alignment`.

    Parameters
    ----------
    rng : source of all numbers
    sizes : n_1, ..., n_L, without the input
    scale : float

    Returns
    -------
    one (n_(l+1), n_l) array per hidden layer

    Raises
    ------
    InputError : for a scale that is not finite
    """
    finite("scale", scale)
    return [rng.normal(0, scale / np.sqrt(n), (above, n)) for n, above in pairwise(sizes)]


def sample_direct(rng: np.random.Generator, sizes: Sequence[int], scale: float = 1.0) -> list[Array]:
    """H ~ N(0, scale^2 / n_l): the random weights of `direct`.

    Parameters
    ----------
    rng : source of all numbers
    sizes : n_1, ..., n_L, without the input
    scale : float

    Returns
    -------
    one (n_L, n_l) array per hidden layer

    Raises
    ------
    InputError : for a scale that is not finite
    """
    finite("scale", scale)
    return [rng.normal(0, scale / np.sqrt(n), (sizes[-1], n)) for n in sizes[:-1]]
