"""Arrays that the step graph reads and writes for the sentences that run together."""
