"""The picture of the kill matrix has a row for every planted mistake."""

from math import inf

import matplotlib

from decolle_ref.plots import kill_matrix

matplotlib.use("Agg")
PROFILES = ("float64", "float32", "Q8.16")
ROWS = [("P decays with beta", "P", (9e14, 3e6, 5e4)), ("G not transposed", "delta", (inf, 0.5, inf))]


def test_every_profile_has_a_marker_in_every_row_and_exact_ones_do_not_cover_each_other():
    figure = kill_matrix.plot(PROFILES, ROWS)
    (axis,) = figure.axes
    drawn = {line.get_label(): line.get_xdata() for line in axis.lines}
    assert all(drawn[name][0] == ROWS[0][2][k] for k, name in enumerate(PROFILES))
    assert drawn["float32"][1] == 0.5
    assert kill_matrix.EXACT <= drawn["float64"][1] < drawn["Q8.16"][1] < axis.get_xlim()[1]
    assert [text.get_text() for text in axis.get_yticklabels()] == ["P decays with beta", "delta: G not transposed"]
    matplotlib.pyplot.close(figure)
