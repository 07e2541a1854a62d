"""What each technique is worth: one recipe with one thing changed at a time.

Read `plan` (what is changed), then `ablate` (train, translate, compare) and `report`.
"""

from training.ablation.ablate import ablate
from training.ablation.plan import read_plan
from training.ablation.report import table

__all__ = ["ablate", "read_plan", "table"]
