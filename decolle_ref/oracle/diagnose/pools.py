"""Known mistakes of a pool: which neurons make up a window, and which of them wins.  [K20 Table 2]"""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.layer import regularisers as placed
from decolle_ref.decolle.pool import MaxPool
from decolle_ref.decolle.surrogate import SURROGATES
from decolle_ref.oracle.check import learning
from decolle_ref.oracle.check.error_bounds import Bounded, exact
from decolle_ref.oracle.diagnose.changes import with_layer, with_trace
from decolle_ref.oracle.diagnose.hypothesis import Edit, Form, Hypothesis, Inapplicable
from decolle_ref.oracle.diagnose.site import Site

Choice = Callable[[Site, MaxPool], Array]  # the number of the neuron that wins each window


@dataclass(frozen=True)
class Cut(MaxPool):
    """A pool with other windows.

    Parameters
    ----------
    table : (n, size^2), the numbers of each window's neurons
    """

    table: Array | None = None

    def windows(self) -> Array:
        """The numbers of each window's neurons."""
        assert self.table is not None
        return self.table


def _from_end(pool: MaxPool) -> Array:
    _, height, width = pool.shape_out
    image = np.arange(pool.n_in).reshape(pool.shape)
    return _tiles(pool, image[:, image.shape[1] - height * pool.size :, image.shape[2] - width * pool.size :])


def _tiles(pool: MaxPool, image: Array, axes: tuple[int, ...] = (0, 1, 3, 2, 4)) -> Array:
    """The image, cut to whole windows; without the exchange of axes a window is no square."""
    channels, height, width = pool.shape_out
    tiles = image.reshape(channels, height, pool.size, width, pool.size).transpose(axes)
    return tiles.reshape(pool.n, pool.size**2)


def _whole(pool: MaxPool) -> Array:
    _, height, width = pool.shape_out
    return np.arange(pool.n_in).reshape(pool.shape)[:, : height * pool.size, : width * pool.size]


WINDOWS: dict[str, Callable[[MaxPool], Array]] = {
    "the windows leave out the first rows and columns, not the last": _from_end,
    "the windows are no squares: axes are not exchanged": lambda pool: _tiles(pool, _whole(pool), (0, 1, 2, 3, 4)),
    "the windows are written column by column": lambda pool: _tiles(pool, _whole(pool), (0, 3, 1, 2, 4)),
    "of several largest in a window the last wins": lambda pool: pool.windows()[:, ::-1],
    "a window is walked column by column, which decides among equal ones": lambda pool: _tiles(
        pool, _whole(pool), (0, 1, 3, 4, 2)
    ),
}


def _cut(windows: Callable[[MaxPool], Array]) -> Edit:
    def edit(site: Site) -> Site:
        pool = site.layer.pool
        if pool is None or np.array_equal(windows(pool), pool.windows()):
            raise Inapplicable
        cut = Cut(**{field.name: getattr(pool, field.name) for field in fields(MaxPool)}, table=windows(pool))
        return with_layer(pool=lambda layer: cut)(site)

    return edit


def _of_largest(key: Callable[[Site], Array]) -> Choice:
    return lambda site, pool: pool.winners(key(site))


def _at(place: int) -> Choice:
    return lambda site, pool: np.broadcast_to(pool.windows()[:, place], (*site.trace["U"].shape[:2], pool.n))


WINNERS: dict[str, Choice] = {
    "the first neuron": _at(0),
    "the last neuron": _at(-1),
    "the smallest U": _of_largest(lambda site: -site.trace["U"]),
    "the U of largest size": _of_largest(lambda site: np.abs(site.trace["U"])),
    "the first neuron that spikes": _of_largest(lambda site: site.layer.surrogate.spike(site.trace["U"])),
    "the largest sigma'(U)": _of_largest(lambda site: site.layer.surrogate.derivative(site.trace["U"])),
    "the largest U, not the largest sigma(U),": _of_largest(lambda site: site.trace["U"]),
    **{
        f"the largest sigma(U) of {name}": _of_largest(
            lambda site, sigma=sigma: sigma.primitive(site.trace["U"])  # type: ignore[misc]
        )
        for name, sigma in SURROGATES.items()
    },
}


def won(site: Site, choice: Choice) -> Array:
    """The potentials of other winners.

    Parameters
    ----------
    site : the layer
    choice : of the winners

    Returns
    -------
    array of shape (T, B, windows)
    """
    pool = site.layer.pool
    if pool is None:
        raise Inapplicable
    return np.asarray(pool.pick(site.trace["U"], choice(site, pool)))


def _backward(choice: Choice, own_slope: bool) -> Form:
    """delta to other winners, with their own sigma' or with that of the right ones."""

    def form(site: Site) -> Bounded:
        pool, (_, of_U) = site.layer.pool, placed(site.layer)
        if pool is None or of_U is not None:
            raise Inapplicable
        u = won(site, choice) if own_slope else site.u
        small = with_trace(U=lambda site: u)(with_layer(pool=lambda layer: None)(site))
        slope = site.arithmetic.function(site.layer.surrogate.derivative, exact(u), 0.0)
        return Bounded(*(pool.route(x, choice(site, pool)) for x in learning.backward(small, site.arithmetic, slope)))

    return form


def _kept(of_all: bool) -> Callable[[Bounded, Site, Array], Bounded]:
    """Entries that are not written in a step keep the number of the step before."""

    def result(made: Bounded, site: Site, got: Array) -> Bounded:
        pool = site.layer.pool
        if pool is None:
            raise Inapplicable
        loses = pool.route(np.ones_like(site.trace["S"]), site.winners) == 0
        if not of_all:
            loses &= np.arange(pool.n_in) >= pool.n
        before = np.concatenate([np.zeros_like(got[:1]), got[:-1]])
        return site.arithmetic.gathered(made, exact(np.where(loses, before, 0.0)))

    return result


def pools(name: str) -> list[Hypothesis]:
    """Other windows, for S, Y or delta, and other winners for delta.

    Parameters
    ----------
    name : of the equation

    Returns
    -------
    list of Hypothesis
    """
    made = [Hypothesis(f"{name}, where {words}", _cut(windows)) for words, windows in WINDOWS.items()]
    if name != "delta":
        return made
    for words, choice in WINNERS.items():
        given = f"delta given to {words} in each window"
        made.append(Hypothesis(given, form=_backward(choice, True)))
        made.append(Hypothesis(f"{given}, though sigma' is that of the largest", form=_backward(choice, False)))
    return [
        *made,
        Hypothesis("delta, where a window's losers keep that of the step before", result=_kept(True)),
        Hypothesis("delta, where only as many entries as windows are cleared at each step", result=_kept(False)),
    ]
