"""Two or more systems side by side: the same data, three views of the budget, seeds, statistics."""
