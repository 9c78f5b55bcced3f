"""Known mistakes in which input a weight meets: of a convolution's images and of a dense layer's rows.  [K20 Eq. 1, 2]

    U_o(place) = sum_{c,r,s} W_oc(r, s) P(reads[r, s, c, place]) + b_o

A mistake reads other inputs, or gives a neuron the W P or the b of another one: in U, and in the gradients.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields

import numpy as np

from decolle_ref._util.check import Array
from decolle_ref.decolle.synapse import Conv2d, Weights
from decolle_ref.oracle.diagnose.changes import like, with_layer, with_trace
from decolle_ref.oracle.diagnose.hypothesis import Edit, Hypothesis, Inapplicable
from decolle_ref.oracle.diagnose.site import Site

Table = Callable[[Conv2d], Array]


@dataclass(frozen=True)
class Wired(Conv2d):
    """A convolution with other tables.

    Parameters
    ----------
    reads : (kernel, kernel, channels_in, places), the numbers of the inputs; -1 reads 0
    order, bias : (n,), whose W P, and whose b, each neuron has
    """

    reads: Array | None = None
    order: Array | None = None
    bias: Array | None = None

    def _kernel_places(self, P: Array) -> Iterator[tuple[int, int, Array]]:
        assert self.reads is not None
        P = np.concatenate([P, np.zeros((*P.shape[:-1], 1))], axis=-1)
        for r, s in np.ndindex(self.kernel, self.kernel):
            yield r, s, P[..., self.reads[r, s]]

    def drive(self, weights: Weights, P: Array) -> Array:
        """U of every neuron."""
        W, b = weights
        U = super().drive(Weights(W, 0 * b), P)[..., self.order]
        return U + super().drive(Weights(0 * W, b), 0 * P)[..., self.bias] if b.any() else U

    def gradient(self, dU: Array, P: Array) -> Weights:
        """dW and db."""
        one, other = (super(Wired, self).gradient(self._back(dU, x), P) for x in (self.order, self.bias))
        return Weights(one.W, other.b)

    @staticmethod
    def _back(dU: Array, order: Array | None) -> Array:
        assert order is not None
        back = np.zeros_like(dU)
        for number, source in enumerate(order):
            back[..., source] += dU[..., number]
        return back


def numbers(conv: Conv2d) -> Array:
    """The number of every input, as an image."""
    return np.arange(conv.n_in).reshape(conv.shape_in)


def cut(conv: Conv2d, image: Array, strides: tuple[int, int] | None = None) -> Array:
    """The table `reads` of a padded image of input numbers."""
    (_, height, width), (down, right) = conv.shape, strides or (conv.stride, conv.stride)
    rows = [[image[:, r::down, s::right][:, :height, :width] for s in range(conv.kernel)] for r in range(conv.kernel)]
    return np.array(rows).reshape(conv.kernel, conv.kernel, conv.shape_in[0], height * width)


def zeros_around(conv: Conv2d, image: Array, above: int | None = None, left: int | None = None) -> Array:
    """The image in its padding, of which so many rows lie above and so many columns on the left."""
    p = conv.padding
    sides = [(p if x is None else x, 2 * p - (p if x is None else x)) for x in (above, left)]
    return np.pad(image, [(0, 0), *sides], constant_values=-1)


def right(conv: Conv2d) -> Array:
    """The right table `reads`."""
    return cut(conv, zeros_around(conv, numbers(conv)))


def _filled(number: int) -> Table:
    """Padding that reads an input of this number."""

    def reads(conv: Conv2d) -> Array:
        table = right(conv)
        return np.where(table < 0, number % conv.n_in, table)

    return reads


def _first_of_channel(conv: Conv2d) -> Array:
    table = right(conv)
    starts = np.arange(conv.shape_in[0]) * int(np.prod(conv.shape_in[1:]))
    return np.where(table < 0, starts[:, None], table)


def _padded(mode: str) -> Table:
    def reads(conv: Conv2d) -> Array:
        p = conv.padding
        return cut(conv, np.pad(numbers(conv), [(0, 0), (p, p), (p, p)], mode=mode))  # type: ignore[call-overload]

    return reads


def _placed(above: int | None, left: int | None) -> Table:
    """The padding on one side alone: 0 for none, 2 for all of it above or on the left."""

    def reads(conv: Conv2d) -> Array:
        sides = (None if x is None else x * conv.padding for x in (above, left))
        return cut(conv, zeros_around(conv, numbers(conv), *sides))

    return reads


def _strided(down: bool, right: bool) -> Table:
    return lambda conv: cut(
        conv, zeros_around(conv, numbers(conv)), (conv.stride if down else 1, conv.stride if right else 1)
    )


def _arranged(f: Callable[[Array], Array]) -> Table:
    """The inputs as another arrangement of the image."""

    def reads(conv: Conv2d) -> Array:
        return cut(conv, zeros_around(conv, np.ascontiguousarray(like(f(numbers(conv)), numbers(conv)))))

    return reads


def _transposed(x: Array) -> Array:
    """An image (c, h, w) that is read as (c, w, h)."""
    c, h, w = x.shape
    return x.reshape(c, w, h).swapaxes(1, 2)


def _channels_last(x: Array) -> Array:
    """An image (c, h, w) that is read as (h, w, c)."""
    c, h, w = x.shape
    return np.moveaxis(x.reshape(h, w, c), -1, 0)


def _channels_last_back(x: Array) -> Array:
    return np.asarray(np.moveaxis(x, 0, -1).reshape(x.shape))


READS: dict[str, Table] = {
    "whose padding reads the first input, not 0": _filled(0),
    "whose padding reads the last input, not 0": _filled(-1),
    "whose padding reads the first input of the channel, not 0": _first_of_channel,
    "whose padding repeats the edge": _padded("edge"),
    "whose padding reflects the image": _padded("reflect"),
    "whose padding mirrors the image with its edge": _padded("symmetric"),
    "whose padding goes round to the other side": _padded("wrap"),
    "whose padding is all above and on the left": _placed(2, 2),
    "whose padding is all below and on the right": _placed(0, 0),
    "whose padding is all above": _placed(2, None),
    "whose padding is all below": _placed(0, None),
    "whose padding is all on the left": _placed(None, 2),
    "whose padding is all on the right": _placed(None, 0),
    "without its stride": _strided(False, False),
    "without its stride along a row": _strided(True, False),
    "without its stride along a column": _strided(False, True),
    "that reads its image column by column": _arranged(_transposed),
    "that reads its image mirrored left to right": _arranged(lambda x: x[..., ::-1]),
    "that reads its image mirrored top to bottom": _arranged(lambda x: x[:, ::-1]),
    "that reads its channels in reverse order": _arranged(lambda x: x[::-1]),
    "that reads the next channel": _arranged(lambda x: np.roll(x, -1, axis=0)),
    "that reads the first channel in place of all": _arranged(lambda x: np.broadcast_to(x[:1], x.shape)),
    "that reads its image as if the channel were the last axis": _arranged(_channels_last),
    "that reads its image moved by one place to the right": _arranged(lambda x: np.roll(x, 1, axis=2)),
    "that reads its image moved by one place down": _arranged(lambda x: np.roll(x, 1, axis=1)),
}


def _neurons(f: Callable[[Array], Array]) -> Table:
    return lambda conv: f(np.arange(conv.n).reshape(conv.shape)).reshape(-1)


def _by_last_axis(x: Array) -> Array:
    """Neuron i has the kernel of channel i modulo the channels, at its own place."""
    i, places = np.arange(x.size), x[0].size
    return np.asarray(i % len(x) * places + i % places)


def _column_by_column(x: Array) -> Array:
    return np.ascontiguousarray(x.swapaxes(1, 2))


_COLUMNS = _neurons(_column_by_column)
_LAST = _neurons(_channels_last_back)
ORDERS: dict[str, tuple[Table | None, Table | None]] = {
    "that walks the places column by column": (_COLUMNS, _COLUMNS),
    "that writes the channel as the last axis": (_LAST, _LAST),
    "that finds the kernel of a neuron as if the channel were the last axis": (_neurons(_by_last_axis), None),
    "that finds the b of a neuron as if the channel were the last axis": (None, _neurons(_by_last_axis)),
    "that finds kernel and b of a neuron as if the channel were the last axis": (_neurons(_by_last_axis),) * 2,
    "with the kernel of the next channel": (_neurons(lambda x: np.roll(x, 1, axis=0)), None),
    "with the kernel of the first channel in all": (_neurons(lambda x: np.broadcast_to(x[:1], x.shape)), None),
    "with the b of the first channel in all": (None, _neurons(lambda x: np.broadcast_to(x[:1], x.shape))),
}


def _wired(reads: Table | None = None, order: Table | None = None, bias: Table | None = None) -> Edit:
    """Another synapse, where the layer is a convolution whose tables change."""

    def edit(site: Site) -> Site:
        conv = site.layer.synapse
        if not isinstance(conv, Conv2d):
            raise Inapplicable
        usual = right(conv), np.arange(conv.n), np.arange(conv.n)
        tables = [x if f is None else f(conv) for f, x in zip((reads, order, bias), usual, strict=True)]
        if all(np.array_equal(x, y) for x, y in zip(tables, usual, strict=True)):
            raise Inapplicable
        parts = {field.name: getattr(conv, field.name) for field in fields(Conv2d)}
        wired = Wired(**parts, reads=tables[0], order=tables[1], bias=tables[2])
        return with_layer(synapse=lambda layer: wired)(site)

    return edit


def convolutions(name: str) -> list[Hypothesis]:
    """Other tables of a convolution, for U, dW or db.

    Parameters
    ----------
    name : of the equation

    Returns
    -------
    list of Hypothesis
    """
    read = {"U": (0, 1), "dW": (0,), "db": (1,)}[name]
    made = [
        Hypothesis(f"{name} of a convolution {words}", _wired(None, *tables))
        for words, tables in ORDERS.items()
        if any(tables[which] for which in read)
    ]
    if name != "db":
        made += [Hypothesis(f"{name} of a convolution {words}", _wired(reads)) for words, reads in READS.items()]
    return made


def _W(f: Callable[[Array], Array]) -> Edit:
    return with_trace(W=lambda site: f(site.weights()[0]))


def neighbours() -> list[Hypothesis]:
    """The weights of another neuron or input, in U.

    Returns
    -------
    list of Hypothesis
    """
    arrangements: dict[str, Callable[[Array], Array]] = {
        "U with the weights of the neuron before": lambda W: np.roll(W, 1, axis=1),
        "U with the weights of the neuron after": lambda W: np.roll(W, -1, axis=1),
        "U with the weight of the input before": lambda W: np.roll(W, 1, axis=2),
        "U with the weight of the input after": lambda W: np.roll(W, -1, axis=2),
        "U with the weights of the first neuron in all neurons": lambda W: np.broadcast_to(W[:, :1], W.shape),
        "U with the weight of the first input for all inputs": lambda W: np.broadcast_to(W[:, :, :1], W.shape),
        "U with W reshaped where it should be transposed": lambda W: np.swapaxes(W, 1, 2).reshape(W.shape),
    }
    return [Hypothesis(words, _W(f)) for words, f in arrangements.items()]
