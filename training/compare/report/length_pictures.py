"""Pictures of scores by length of the source, by joined sentences, and by training pairs."""

from collections.abc import Iterable, Sequence

from training.compare.explain.data_size import Crossing, SizeScore
from training.compare.explain.joined import JoinedScore
from training.compare.explain.length_bands import BandScore
from training.compare.report.charts import lines_with_bands, order, quantity, tooltip
from training.compare.report.numbers import estimate, number
from training.compare.report.picture import Picture, Row

_VALUES = {"value": ".1f", "low": ".1f", "high": ".1f"}


def by_length(test_set: str, scores: Sequence[BandScore], systems: Sequence[str]) -> Picture:
    """BLEU in bands of source length."""
    rows: list[Row] = [
        {
            "system": one.system,
            "band": one.band,
            "sentences": one.sentences,
            "value": one.bleu.value,
            "low": one.bleu.low,
            "high": one.bleu.high,
        }
        for one in scores
    ]
    bands = list(dict.fromkeys(one.band for one in scores))
    sizes = {one.band: one.sentences for one in scores}
    x = order("band", "words of the source", bands)
    shown = tooltip(system="", band="", sentences="d", **_VALUES)
    return Picture(
        name=f"bleu-by-length-{test_set}",
        title=f"BLEU by length of the source, {test_set}",
        rows=rows,
        drawing=lines_with_bands(x, "BLEU", systems, shown),
        shows="The test set is cut by the number of words of the source, and each part is scored "
        "for itself; the shade is the 95 % interval. Sentences in the bands: "
        + ", ".join(f"{band}: {sizes[band]}" for band in bands)
        + ". Look at how far apart the lines are at the right end.",
        cannot="Long sentences differ from short ones in more than length: other words, other "
        "grammar. And BLEU of a band is lower or higher for everyone alike where its references "
        "are: compare systems within a band, not bands with each other.",
        alt=f"Line chart of BLEU over length bands of {test_set}. "
        + _spoken((one.system, f"{one.band} words", estimate(one.bleu)) for one in scores),
    )


def by_joined(split: str, scores: Sequence[JoinedScore], systems: Sequence[str]) -> Picture:
    """The replica of Bahdanau et al. 2015, Figure 2."""
    rows: list[Row] = [
        {
            "system": one.system,
            "trained on": one.data,
            "line": f"{one.system}, {one.data}",
            "joined": one.joined,
            "words": one.mean_length,
            "value": one.bleu.value,
            "low": one.bleu.low,
            "high": one.bleu.high,
        }
        for one in scores
    ]
    conditions = list(dict.fromkeys(one.data for one in scores))
    trained = {
        "field": "trained on",
        "type": "nominal",
        "sort": conditions,
        "scale": {"domain": conditions, "range": [[1, 0], [6, 4], [2, 3], [8, 2, 2, 2]]},
        "legend": {"orient": "top", "title": "trained on"},
    }
    shown = tooltip(system="", **{"trained on": "", "joined": "d", "words": ".1f"}, **_VALUES)
    x = quantity("words", "mean words of a source")
    line = {"field": "line", "type": "nominal"}
    drawing = lines_with_bands(x, "BLEU", systems, shown, detail=line)
    drawing["layer"][1]["encoding"]["strokeDash"] = trained
    return Picture(
        name=f"bleu-by-joined-sentences-{split}",
        title=f"BLEU where sentences of {split} are joined",
        rows=rows,
        drawing=drawing,
        shows="Neighbouring sentences are joined, one to "
        f"{max(one.joined for one in scores)} at a time, on both sides: the words stay the same, "
        "only the length grows. It asks what Figure 2 of Bahdanau et al. (2015) asked: a model "
        "that squeezes the source into one vector should fall with length, one that attends "
        "should not.",
        cannot="A model that was trained on single sentences has seen neither such lengths nor a "
        "full stop in the middle, and may fall for that alone. Only the lines of models trained "
        "with joined sentences as well, where there are any, speak of the architecture.",
        alt=f"Line chart of BLEU over joined sentences of {split}. "
        + _spoken(
            (f"{one.system} trained on {one.data}", f"{one.joined} joined", estimate(one.bleu))
            for one in scores
        ),
    )


def by_data(
    test_set: str,
    scores: Sequence[SizeScore],
    crossings: Sequence[Crossing],
    systems: Sequence[str],
) -> Picture:
    """BLEU by number of training pairs."""
    rows: list[Row] = [
        {
            "system": one.system,
            "pairs": one.pairs,
            "value": one.bleu.value,
            "low": one.bleu.low,
            "high": one.bleu.high,
        }
        for one in scores
    ]
    sizes = sorted({one.pairs for one in scores})
    x = quantity(
        "pairs",
        "training pairs",
        scale={"type": "log", "nice": False, "padding": 24},
        axis={"values": sizes},
    )
    shown = tooltip(system="", pairs=",d", **_VALUES)
    return Picture(
        name=f"bleu-by-data-{test_set}",
        title=f"BLEU by training pairs, {test_set}",
        rows=rows,
        drawing=lines_with_bands(x, "BLEU", systems, shown),
        shows="The same recipes trained on the first so many pairs of the corpus; the axis is "
        "logarithmic. " + (" ".join(map(crossing_sentence, crossings)) or "No lines cross."),
        cannot="Settings were chosen on all of the data and not again for each size; with less "
        "data a smaller or more regularised model of either kind may do better.",
        alt=f"Line chart of BLEU over training pairs, {test_set}. "
        + _spoken((one.system, f"{one.pairs:,} pairs", estimate(one.bleu)) for one in scores),
    )


def crossing_sentence(crossing: Crossing) -> str:
    """Where two lines cross, and whether that is more than chance."""
    where = (
        f"The lines of {crossing.first} and {crossing.second} cross near "
        f"{number(crossing.pairs, 0)} pairs, between {crossing.below:,} and {crossing.above:,}"
    )
    if crossing.clear:
        return f"{where}; each is significantly ahead on its side."
    return f"{where}, but not both ends are significant: it may be chance."


def _spoken(points: Iterable[tuple[str, str, str]]) -> str:
    """Points of lines as a sentence."""
    return "; ".join(f"{line}, {at}: {value}" for line, at, value in points) + "."
