"""Draw figures/landscape.png [N19 Fig. 4], running the experiment (seconds)."""

import shutil
import tempfile
from pathlib import Path

from decolle_ref.experiments import landscape
from decolle_ref.plots.landscape import save_figures

with tempfile.TemporaryDirectory() as folder:
    results = landscape.run(Path(folder))
    print(landscape.one_line(results))
    print(shutil.copy(save_figures(Path(folder), results), Path(__file__).parent))
