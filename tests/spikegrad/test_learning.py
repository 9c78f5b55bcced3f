import numpy as np

from decolle_ref.decolle.synapse import Weights
from decolle_ref.spikegrad import Descent


def test_descent_is_gradient_descent_with_momentum_and_decay():
    start, increment = Weights(np.array([2.0]), np.array([3.0])), Weights(np.array([8.0]), np.array([4.0]))
    descent = Descent(momentum=0.5, decay=0.25)
    one, v = descent.update(start, descent.start(start), increment, lr=0.5, scale=0.125)
    assert one == Weights(2.0 - 0.5 * (1 + 0.25 * 2), 3.0 - 0.5 * 0.5)
    two, _ = descent.update(one, v, increment, lr=0.5, scale=0.125)
    assert two == Weights(one.W - 0.5 * 0.75 - 0.5 * (1 + 0.25 * one.W), one.b - 0.5 * 0.25 - 0.25)
