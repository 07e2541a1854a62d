"""Search a recipe's declared ranges for the settings with the best validation BLEU."""
