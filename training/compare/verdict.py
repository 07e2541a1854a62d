"""What a difference allows one to say: "better" only where the interval leaves zero out."""

from training.compare.counts import LESS_IS_BETTER
from training.compare.outcome import Contrast, Estimate

ALPHA = 0.05


def judge(contrast: Contrast, budget: str, one_seed: bool) -> Contrast:
    """The contrast with who is better, if anyone, and a sentence; budget: the view's title.

    Better is whose interval of the difference leaves zero out while the corrected p is below 5 %.
    One seed each tells two runs apart, not two systems.
    """
    found = contrast.difference
    better = "neither"
    if found.is_clear and contrast.p_holm < ALPHA and not one_seed:
        second_is_better = (found.value > 0) != (contrast.metric in LESS_IS_BETTER)
        better = "second" if second_is_better else "first"
    sentence = _sentence(contrast, better, budget, one_seed)
    return contrast.model_copy(update={"better": better, "verdict": sentence})


def _sentence(contrast: Contrast, better: str, budget: str, one_seed: bool) -> str:
    first, second, metric = contrast.first, contrast.second, contrast.metric
    data = "" if contrast.data == "all" else f", trained on {contrast.data}"
    where = f"on {contrast.test_set} after {budget}{data}"
    p = f"p = {contrast.p_holm:.3g} after correction"
    if better != "neither":
        winner, loser = (second, first) if better == "second" else (first, second)
        gap = _gap(contrast.difference)
        return f"{winner} is better than {loser} {where}: {gap} {metric}, {p}."
    interval = _signed(contrast.difference)
    why = "the interval holds zero"
    if contrast.difference.is_clear and contrast.p_holm >= ALPHA:
        why = f"the difference is not clear once corrected for the number of tests, {p}"
    elif contrast.difference.is_clear:
        why = "one seed each tells two runs apart, not two systems"
    return (
        f"Neither of {first} and {second} is better {where}: {second} less {first} is {interval} "
        f"{metric}, and {why}."
    )


def _gap(difference: Estimate) -> str:
    """Without a sign: 1.2 (0.4 to 2.0)."""
    ends = sorted((abs(difference.low), abs(difference.high)))
    return f"{abs(difference.value):.2f} ({ends[0]:.2f} to {ends[1]:.2f})"


def _signed(difference: Estimate) -> str:
    return f"{difference.value:+.2f} ({difference.low:+.2f} to {difference.high:+.2f})"
