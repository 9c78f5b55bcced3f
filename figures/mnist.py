"""Draw figures/mnist.png [K20 Fig. 3] from the numbers in figures/mnist.json.

With folders of finished runs (decolle-ref mnist --out RUN) as arguments, these numbers are collected from their
results.json first, together with the authors' recorded curves (authors/curves.npz in the data folder).
"""

import argparse
import json
from pathlib import Path

from decolle_ref._util import store
from decolle_ref.data import authors
from decolle_ref.experiments.poisson_mnist import one_line
from decolle_ref.plots.poisson_mnist import figure3
from decolle_ref.plots.style import save

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("runs", nargs="*", type=Path, metavar="RUN")
folders = parser.parse_args().runs
numbers, target = (Path(__file__).with_suffix(suffix) for suffix in (".json", ".png"))
if folders:
    runs = [json.loads((folder / "results.json").read_text()) for folder in folders]
    for run in runs:
        del run["learning"]
    theirs = {name: curve.round(6).tolist() for name, curve in authors.curves().items()}
    store.write_json(numbers, {"runs": runs, "authors": theirs})
found = json.loads(numbers.read_text())
save(figure3(found["runs"], found["authors"]), target)
print(*map(one_line, found["runs"]), target, sep="\n")
