"""All techniques side by side, each at the strength that validation chose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lstmstudy.figures import plot_ranking, style
from lstmstudy.findings.finding import Finding, interval, listed

if TYPE_CHECKING:
    from lstmstudy.ablation import Ablation


def ranking(ablation: Ablation) -> Finding:
    """Return the techniques ranked by test error, each at the strength that validation alone chose.

    A technique that is a reading is compared with the baseline at its last epoch, every other with the
    baseline at its selected epoch.
    """
    names = list(dict.fromkeys(arm.technique.name for arm in ablation.compared if arm.technique))
    effects = [ablation.effect(ablation.chosen(name)) for name in names]
    with style():
        ax = plot_ranking(effects, control="its control")
    ranked = sorted(effects, key=lambda effect: effect.estimate)
    words = [f"{effect.arm} {interval(effect)}" for effect in ranked]
    sentence = f"From best to worst, change of test error: {listed(words)}."
    return Finding(ax.figure, f"Ranking of {len(effects)} techniques: {listed(words)}.", sentence)  # type: ignore[arg-type]
