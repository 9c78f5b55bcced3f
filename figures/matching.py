"""Draw figures/matching.png: SuperSpike learns a train of five spikes (about three minutes)."""

import shutil
import tempfile
from pathlib import Path

from decolle_ref.experiments import superspike
from decolle_ref.plots.superspike import save_figures

target = Path(__file__).with_name("matching.png")
with tempfile.TemporaryDirectory() as folder:
    results = superspike.run(Path(folder))
    shutil.copy(save_figures(Path(folder), results), target)
print(superspike.one_line(results), target, sep="\n")
