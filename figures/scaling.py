"""Draw figures/scaling.png: bytes alive between steps, and time, against N and T (about half a minute)."""

import tempfile
from pathlib import Path

from decolle_ref.experiments import scaling
from decolle_ref.plots.scaling import plot
from decolle_ref.plots.style import save

target = Path(__file__).with_name("scaling.png")
with tempfile.TemporaryDirectory() as folder:
    results = scaling.run(Path(folder))
save(plot(results), target)
print(scaling.table(results), scaling.one_line(results), target, sep="\n")
