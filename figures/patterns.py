"""Draw figures/patterns.png, running the experiment (a minute or two)."""

import shutil
import tempfile
from pathlib import Path

from decolle_ref.experiments import patterns
from decolle_ref.plots.patterns import save_figures

with tempfile.TemporaryDirectory() as folder:
    results = patterns.run(Path(folder))
    print(patterns.table(results), patterns.one_line(results), sep="\n\n")
    print(shutil.copy(save_figures(Path(folder), results), Path(__file__).parent))
