"""The plan of an ablation is a YAML file.

For example:

    recipe: multi30k-en-de-transformer-s   # the row that the others are compared with
    settings: [training.max_updates=800]   # of every row
    rows:
      - {name: no label smoothing, settings: [loss.label_smoothing=0]}
      - {name: length penalty by validation, tune_length_penalty: true}
      - {name: another seed, settings: [seed=2]}
      - {name: both seeds together, together_with: [another seed]}

A row's `against` names another row where it is not the first that it must be compared with. Rows
that change nothing in the recipe are translations by the first row's model.
"""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from mt.config import Strict, load_yaml
from mt.search_options import SearchOptions

BASE = "base"


class Row(Strict):
    """One change: to the recipe, to the search, or to who translates."""

    name: str = Field(min_length=1, max_length=60)
    settings: tuple[str, ...] = Field((), description="`dotted.key=value`, after the plan's own")
    against: str = Field(BASE, description="the row it is compared with")
    search: SearchOptions = Field(SearchOptions(), description="how the test set is translated")
    tune_length_penalty: bool = Field(False, description="choose it on validation first")
    together_with: tuple[str, ...] = Field(
        (), description="rows whose models translate with this one's, as an ensemble"
    )

    @model_validator(mode="after")
    def _penalty_matters(self) -> Self:
        if self.tune_length_penalty and self.search.beam_size == 1:
            raise ValueError(f"{self.name}: a length penalty changes nothing in greedy search")
        return self

    @property
    def folder(self) -> str:
        """Name of its run's folder."""
        return "".join(c if c.isalnum() else "-" for c in self.name.lower())

    @property
    def changes(self) -> bool:
        """Whether it is anything but the recipe, its settings and its plain translation."""
        return self != Row(name=self.name, against=self.against)


class Plan(Strict):
    """A base recipe and the changes to it."""

    recipe: str
    settings: tuple[str, ...] = ()
    rows: tuple[Row, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _rows_fit(self) -> Self:
        before, folders = [BASE], {BASE: BASE}
        for row in self.rows:
            if row.name in before:
                raise ValueError(f"two rows are called {row.name}")
            if other := folders.get(row.folder):
                raise ValueError(f"{row.name}: too like {other}: both would be {row.folder}")
            for key, names in (("against", [row.against]), ("together_with", row.together_with)):
                for name in names:
                    if name not in before:
                        raise ValueError(f"{row.name}: {key}: no row before it is called {name}")
            if not row.changes:
                raise ValueError(f"{row.name}: nothing is changed; give settings or a search")
            before.append(row.name)
            folders[row.folder] = row.name
        return self

    @property
    def all_rows(self) -> list[Row]:
        """The base first."""
        return [Row(name=BASE), *self.rows]


def read_plan(path: Path) -> Plan:
    """Read a plan.

    Raises:
        ConfigError: it cannot be read or does not fit.
    """
    return load_yaml(path, Plan)
