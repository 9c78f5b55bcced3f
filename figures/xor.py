"""Draw figures/xor.png: a network that has learned the temporal exclusive or.  [N19 Fig. 7]"""

import shutil
import tempfile
from pathlib import Path

from decolle_ref.experiments import xor
from decolle_ref.plots.xor import save_figures

target = Path(__file__).with_name("xor.png")
with tempfile.TemporaryDirectory() as folder:
    results = xor.run(Path(folder))
    shutil.copy(save_figures(Path(folder), results), target)
print(xor.one_line(results), target, sep="\n")
