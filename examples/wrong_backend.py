"""`numpy_backend.py` with one mistake: P takes Q without its gain.

`decolle-ref oracle run examples/wrong_backend.py:backend` finds the mistake.
"""

from functools import partial

import numpy_backend


class WrongLayer(numpy_backend.Layer):
    """A layer with the mistake."""

    def new_P(self, Q):
        """P[n+1] = alpha P[n] + g_P Q, with the old or the new Q."""
        return self.alpha * self.P + Q  # the mistake: Q without the gain, self.gain_P


backend = partial(numpy_backend.backend, of_layer=WrongLayer)
backend.profile = {"name": "NumPy, with a mistake", "format": "float32"}
