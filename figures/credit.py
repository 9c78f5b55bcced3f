"""Draw figures/credit.png: what every method of the review drops, on one random network."""

import tempfile
from pathlib import Path

from decolle_ref.experiments import credit
from decolle_ref.plots.style import save

target = Path(__file__).with_name("credit.png")
with tempfile.TemporaryDirectory() as folder:
    results = credit.run(credit.Settings(feedback="direct"), Path(folder), quiet=True)
save(plot(results), target)
print(credit.text(results), target, sep="\n")
