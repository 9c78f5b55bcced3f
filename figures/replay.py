"""Draw figures/replay.png: the authors' recorded regression run beside its replay (needs their recording)."""

import tempfile
from pathlib import Path

from decolle_ref._util import store
from decolle_ref.experiments import replay
from decolle_ref.plots.replay import plot
from decolle_ref.plots.style import save

target = Path(__file__).with_name("replay.png")
with tempfile.TemporaryDirectory() as folder:
    results = replay.run(Path(folder))
    arrays, _ = store.read_arrays(Path(folder) / "replay.npz", replay.KIND)
save(plot(arrays, results), target)
print(replay.one_line(results), target, sep="\n")
