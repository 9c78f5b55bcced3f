"""Regenerate [K20 Fig. 1]: `python figures/figure1.py` runs the experiment first if RUN is absent (3 minutes)."""

import argparse
import json
from pathlib import Path

from decolle_ref.experiments.regression import Settings, train
from decolle_ref.plots.regression import draw_run

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("run", nargs="?", type=Path, default=Path("runs/regression"), metavar="RUN")
run = parser.parse_args().run
results = run / "results.json"
found = json.loads(results.read_text()) if results.exists() else train(Settings(), run)
print(*draw_run(run, found), sep="\n")
