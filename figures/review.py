"""Draw figures/review_fig1.png and figures/review_fig3.png: a LIF neuron's dynamics, and surrogate derivatives."""

from pathlib import Path

import numpy as np

from decolle_ref.plots import lif_dynamics
from decolle_ref.plots.style import save

folder = Path(__file__).parent
for figure, name in (
    (lif_dynamics.lif_dynamics(lif_dynamics.example(np.random.default_rng(0))), "review_fig1.png"),
    (lif_dynamics.surrogates(), "review_fig3.png"),
):
    save(figure, folder / name)
    print(folder / name)
