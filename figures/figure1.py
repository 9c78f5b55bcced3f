"""Draw [K20 Fig. 1] into figures/ from the folder RUN, running the experiment first if it is absent (3 minutes)."""

import argparse
import json
import shutil
from pathlib import Path

from decolle_ref.experiments.regression import Settings, train
from decolle_ref.plots.regression import save_figures

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("run", nargs="?", type=Path, default=Path("runs/regression"), metavar="RUN")
run = parser.parse_args().run
results = run / "results.json"
found = json.loads(results.read_text()) if results.exists() else train(Settings(), run)
for path in save_figures(run, found):
    print(shutil.copy(path, Path(__file__).parent))
