"""Draw figures/which.png: one network in all five dialects, with the same numbers and with matched ones."""

from pathlib import Path

from decolle_ref.experiments.dialect_comparison import compare
from decolle_ref.plots.dialect_comparison import which
from decolle_ref.plots.style import save

target = Path(__file__).with_name("which.png")
save(which(*compare()), target)
print(target)
