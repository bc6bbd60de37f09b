"""What the README says in figures is what was measured."""

import json

from tests import readme_speed
from tests.pages import ROOT, between


def test_the_table_of_speeds_is_that_of_the_results() -> None:
    figures = json.loads(readme_speed.RESULTS.read_text())
    assert between(ROOT / "README.md", "speed") == readme_speed.table(figures)
    for name, found in figures["networks"].items():
        speeds = found["steps_per_second"]
        for peer, ratio in found["layerlab_over"].items():
            assert abs(ratio - speeds["layerlab"] / speeds[peer]) < 0.1 * ratio, (name, peer)
