"""The two families, each one file in its paper's order, behind one small interface."""
