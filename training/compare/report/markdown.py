"""The summary: verdict, the table of budgets, differences, and how it was made."""

from collections.abc import Sequence

from training.compare.explain.explanations import Explanations
from training.compare.outcome import Comparison
from training.compare.report.page import subtitle
from training.compare.report.sections import Section, basis, verdict
from training.compare.report.tables import plain


def summarise(
    comparison: Comparison, explanations: Explanations, sections: Sequence[Section]
) -> str:
    """Markdown that a README can take over; pictures are linked beside it."""
    parts = [
        f"# {plain(comparison.name)}",
        plain(subtitle(comparison)),
        "\n".join(f"- {plain(one)}" for one in verdict(comparison, explanations)),
    ]
    for section in sections:
        tables = [f"{one.markdown()}\n\n{plain(one.note)}".strip() for one in section.tables]
        pictures = [f"![{plain(one.title)}](pictures/{one.name}.svg)" for one in section.pictures]
        about = basis(comparison, explanations) if section.looks_at_weights else ""
        paragraphs = [plain(one) for one in (about, *section.paragraphs) if one]
        facts = "\n".join(f"- {plain(one)}" for one in section.facts)
        if tables or pictures:
            parts += [
                f"## {plain(section.title)}",
                *paragraphs,
                *([facts] if facts else []),
                *tables,
                *pictures,
            ]
    machine = "; ".join(f"{name}: {value}" for name, value in comparison.machine.items())
    versions = "; ".join(f"{name} {value}" for name, value in comparison.versions.items())
    parts += [
        "## How this was made",
        f"    {comparison.command}",
        f"Revision {comparison.revision or 'unknown'}; {plain(machine)}; {plain(versions)}.",
    ]
    return "\n\n".join(parts) + "\n"
