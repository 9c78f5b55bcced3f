"""Every dialect in turn, and what the top layer of a network shows."""

import numpy as np
import pytest

from decolle_ref.decolle import network
from decolle_ref.decolle.dialects import DIALECTS
from decolle_ref.decolle.network import Carry

EACH = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=lambda d: d.name)


def recorded(layers, weights, spikes):
    """Per layer: U and S over time."""
    run = network.run(layers, Carry(tuple(weights), network.rest(layers)), spikes)
    snapshots = [s for _, s in run]
    return [(np.array([s[k].U for s in snapshots]), np.array([s[k].S for s in snapshots])) for k in range(len(layers))]
