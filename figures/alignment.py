"""Draw figures/alignment.png: how far four rules are from backpropagation while they learn (about a minute)."""

import tempfile
from pathlib import Path

from decolle_ref._util import store
from decolle_ref.experiments import alignment
from decolle_ref.plots.alignment import plot
from decolle_ref.plots.style import save

target = Path(__file__).with_name("alignment.png")
with tempfile.TemporaryDirectory() as folder:
    results = alignment.run(Path(folder))
    arrays, _ = store.read_arrays(Path(folder) / "alignment.npz", alignment.KIND)
save(plot(arrays, results), target)
print(alignment.table(results), alignment.one_line(results), target, sep="\n")
