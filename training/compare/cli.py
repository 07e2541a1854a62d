"""`seq2serve compare`: reads flags, asks for one comparison or for the gate, and prints."""

import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import yaml

from mt.errors import ConfigError
from training.compare.outcome import Comparison
from training.compare.plan import Plan, plan_of_recipes, read_plan
from training.flags import resumable, search_options
from training.recipe import read_recipe

_PLANS = Path(__file__).parent.parent / "plans"
_FOLDER = Path("build/comparisons")


@click.command()
@click.argument("recipes", nargs=-1)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Of every recipe.")
@click.option("--out", type=click.Path(path_type=Path), help=f"Folder [{_FOLDER}/<name>].")
@click.option("--seeds", type=click.IntRange(min=1), help="Seeds 1 to N of each system [3].")
@click.option("--tokens", type=click.IntRange(min=1), help="Budget: target tokens.")
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), help="Processor minutes.")
@click.option("--flops", type=click.FloatRange(min=0, min_open=True), help="Budget: FLOPs.")
@click.option("--split", "splits", multiple=True, help="Test set; repeat it [the first].")
@click.option("--jobs", type=click.IntRange(min=1), help="Processes at a time [cores].")
@click.option("--ray", metavar="ADDRESS", help="Use a Ray cluster: auto, ray://..., or local.")
@click.option("--dry-run", is_flag=True, help="Print cost and time, and train nothing.")
@click.option(
    "--promote",
    nargs=2,
    type=click.Path(path_type=Path),
    metavar="A B",
    help="Exit 0 only if B, a run or bundle, is not worse than A by --margin.",
)
@click.option(
    "--margin", type=click.FloatRange(min=0, min_open=True), help="BLEU that B may lose [0.5]."
)
@click.option("--beam-size", type=int, help="Of --promote [5].")
@click.option("--sentences", type=click.IntRange(min=2), help="Of --promote: only so many.")
@click.option("--json", "report", type=click.Path(path_type=Path), help="Of --promote: a file.")
@click.option(
    "--settings",
    type=click.Path(path_type=Path),
    help="Of --promote: serving settings in which a promoted B takes the place of A.",
)
def compare(
    recipes: tuple[str, ...],
    overrides: tuple[str, ...],
    out: Path | None,
    seeds: int | None,
    tokens: int | None,
    minutes: float | None,
    flops: float | None,
    splits: tuple[str, ...],
    jobs: int | None,
    ray: str | None,
    dry_run: bool,
    promote: tuple[Path, Path] | None,
    margin: float | None,
    beam_size: int | None,
    sentences: int | None,
    report: Path | None,
    settings: Path | None,
) -> None:
    """Compare systems fairly: RECIPES with a budget, or one plan (YAML); again to go on.

    Every system is trained with every seed; comparison.json, in the folder, holds all that was
    found.
    """
    budgets = {"tokens": tokens, "minutes": minutes, "flops": flops}
    if promote is not None:
        if recipes or splits[1:]:
            raise ConfigError("--promote takes two models, at most one --split and no recipes")
        training: dict[str, object] = {
            "--set": overrides or None,
            "--out": out,
            "--seeds": seeds,
            "--ray": ray,
        }
        training |= {f"--{name}": value for name, value in budgets.items()}
        training |= {"--dry-run": dry_run or None}
        _refuse(training, "not together with --promote, which trains nothing")
        _promote(promote, margin, splits, beam_size, sentences, jobs, report, settings)
        return
    gate = {
        "--margin": margin,
        "--beam-size": beam_size,
        "--sentences": sentences,
        "--json": report,
        "--settings": settings,
    }
    _refuse(gate, "only together with --promote")
    plan = read_any_plan(recipes, overrides, seeds, splits, **budgets)
    _compare(plan, out or _FOLDER / plan.name, jobs, ray, dry_run)


def _refuse(flags: Mapping[str, object], why: str) -> None:
    """Flags that were given and would say nothing."""
    given = [flag for flag, value in flags.items() if value is not None]
    if given:
        raise ConfigError(f"{', '.join(given)}: {why}")


def read_any_plan(
    names: Sequence[str],
    overrides: Sequence[str] = (),
    seeds: int | None = None,
    splits: Sequence[str] = (),
    **budgets: float | None,
) -> Plan:
    """The plan of a file, or one made of recipes and flags.

    Raises:
        ConfigError: neither; or flags that a plan's file says itself.
    """
    path = _plan_file(names)
    if path is not None:
        flags: dict[str, object] = {"--seeds": seeds}
        flags |= {"--split": splits or None, "--set": overrides or None}
        flags |= {f"--{name}": value for name, value in budgets.items()}
        _refuse(flags, f"the plan {path} says that; change it there")
        return read_plan(path)
    named = [(read_recipe(name).name, name) for name in names]
    plan = plan_of_recipes(named, overrides, seeds or 3, **budgets)
    return plan.model_copy(update={"tests": tuple(splits)})


def _plan_file(names: Sequence[str]) -> Path | None:
    """A plan is one file, or the name of one that ships, that lists systems."""
    if not names:
        raise ConfigError("name a plan, or two recipes and a budget (see --help)")
    if len(names) > 1:
        return None
    shipped = _PLANS / f"{names[0]}.yaml"
    path = Path(names[0]) if Path(names[0]).is_file() else shipped
    if not path.is_file():
        known = ", ".join(sorted(plan.stem for plan in _PLANS.glob("compare-*.yaml")))
        raise ConfigError(f"{names[0]}: no plan of this name, only {known}; or name two recipes")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return path  # reading it as a plan will say what is wrong
    if isinstance(values, dict) and "model" in values:
        raise ConfigError(f"{path} is a recipe; name a second one to compare it with")
    return path


def _compare(plan: Plan, folder: Path, jobs: int | None, ray: str | None, dry_run: bool) -> None:
    from training.compare.compare import compare as compare_systems
    from training.compare.compare import price_lines
    from training.compare.comparing import open_comparison
    from training.compare.report.report import write_report
    from training.compare.spread import Workers

    workers = Workers(jobs, ray) if jobs is not None else Workers(ray=ray)
    recipes = {
        system.name: read_recipe(system.recipe, (*plan.settings, *system.settings))
        for system in plan.systems
    }
    comparing = open_comparison(plan, recipes, folder)
    for line in price_lines(comparing, workers):
        click.echo(line)
    if dry_run:
        return
    with resumable(folder):
        outcome = compare_systems(comparing, workers, _command())
    for line in lines(outcome):
        click.echo(line)
    page = write_report(outcome, folder, folder / "report")[-1]
    click.echo(f"everything is in {folder}; read {page}")


def lines(outcome: Comparison) -> list[str]:
    """For people: BLEU of every system, then what may be said of their differences."""
    rows = []
    for summary in outcome.summaries:
        if summary.metric == "BLEU":
            mean, sd = summary.mean, "" if summary.sd is None else f", sd {summary.sd:.2f}"
            rows.append(
                f"{summary.system}, {summary.data}, equal {summary.view}, {summary.test_set}: BLEU "
                f"{mean.value:.2f} ({mean.low:.2f} to {mean.high:.2f}{sd}, "
                f"{len(summary.seeds)} seed{'s' if len(summary.seeds) > 1 else ''})"
            )
    return [*rows, *(c.verdict for c in outcome.contrasts if c.metric == "BLEU")]


def _promote(
    models: tuple[Path, Path],
    margin: float | None,
    splits: tuple[str, ...],
    beam_size: int | None,
    sentences: int | None,
    threads: int | None,
    report: Path | None,
    settings: Path | None,
) -> None:
    from training.compare.gate import Gate, promote
    from training.compare.succession import check_succession, replace_bundle
    from training.durable_files import write_file

    if settings is not None:
        check_succession(settings, *models)
    gate = Gate(
        margin=0.5 if margin is None else margin,
        split=splits[0] if splits else None,
        options=search_options(beam_size=5 if beam_size is None else beam_size),
        sentences=sentences,
        threads=threads or 1,
    )
    found = promote(*models, gate)
    click.echo(found.line())
    if report is not None:
        write_file(report, found.model_dump_json(indent=2).encode() + b"\n")
    if not found.promoted:
        click.get_current_context().exit(1)
    if settings is not None:
        replace_bundle(settings, *models)
        click.echo(f"{settings} names {models[1]} now")


def _command() -> str:
    """The command line as it was given, without the path of the program."""
    return shlex.join(["seq2serve", *sys.argv[1:]])
