"""Draw figures/which.png: one network in all five dialects, with the same numbers and with matched ones."""

from pathlib import Path

from decolle_ref.experiments.which import compare
from decolle_ref.plots.style import save
from decolle_ref.plots.which import which

target = Path(__file__).with_name("which.png")
save(which(*compare()), target)
print(target)
