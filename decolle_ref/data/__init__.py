"""Data: recorded data sets, where their files lie, and encoders that turn numbers into spikes.

    location           the folder that holds the files
    mnist, cifar10     images
    digits             generated digits, for when MNIST is absent
    events, aedat      recordings of event cameras as arrays, and the two formats of their files
    nmnist, dvsgesture such recordings of digits and of gestures
    frames             events to integer frames, and the stream of a mini-batch
    moving_bar         generated events of an event camera, and their frames
    authors, convert   what the authors of [K20] recorded, and how it is extracted from their repository
    encode             rates to spikes
    augment            random variants of images

Nothing is downloaded unless `mnist.download` or `cifar10.download` is called.
"""

from decolle_ref.data import (
    aedat,
    augment,
    authors,
    cifar10,
    convert,
    digits,
    dvsgesture,
    encode,
    events,
    frames,
    location,
    mnist,
    moving_bar,
    nmnist,
)

__all__ = [
    "aedat",
    "augment",
    "authors",
    "cifar10",
    "convert",
    "digits",
    "dvsgesture",
    "encode",
    "events",
    "frames",
    "location",
    "mnist",
    "moving_bar",
    "nmnist",
]
