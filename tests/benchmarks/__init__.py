"""Speed, side by side with named peers in one run. Never a test: `make bench-…` runs these."""
