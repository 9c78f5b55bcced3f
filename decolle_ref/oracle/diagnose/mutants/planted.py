"""All mutants by name.  A mutant has the name of the hypothesis that explains it."""

from collections.abc import Mapping

from decolle_ref.oracle.diagnose.mutants.mutant import Mutant
from decolle_ref.oracle.diagnose.mutants.planted_forward import MEMBRANE, READOUT, STATE
from decolle_ref.oracle.diagnose.mutants.planted_learning import BACKWARD, RECORDS, UPDATES

MUTANTS: Mapping[str, Mutant] = {
    mutant.name: mutant for mutant in (*STATE, *MEMBRANE, *READOUT, *BACKWARD, *UPDATES, *RECORDS)
}
