"""Draw figures/spikegrad_mnist.png [T19 Fig. 1a, 2a] from the numbers in figures/spikegrad_mnist.json.

With folders of finished runs (decolle-ref spikegrad-mnist --out RUN) as arguments, these numbers are collected from
their results.json first.  Figures 1b and 2b need the CIFAR-10 data.
"""

import argparse
import json
from pathlib import Path

from decolle_ref._util import store
from decolle_ref.experiments.spikegrad_mnist import one_line
from decolle_ref.plots.spikegrad_mnist import spikegrad
from decolle_ref.plots.style import save

DRAWN = ("loss", "accuracy", "backward", "backward_by_layer")

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("runs", nargs="*", type=Path, metavar="RUN")
folders = parser.parse_args().runs
numbers, target = (Path(__file__).with_suffix(suffix) for suffix in (".json", ".png"))
if folders:
    found = [json.loads((folder / "results.json").read_text()) for folder in folders]
    for run in found:
        run["epochs"] = {name: run["epochs"][name] for name in DRAWN}
    store.write_json(numbers, found)
runs = json.loads(numbers.read_text())
save(spikegrad(runs), target)
print(*map(one_line, runs), target, sep="\n")
