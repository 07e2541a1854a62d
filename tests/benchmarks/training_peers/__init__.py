"""Other toolkits' own training steps, each in a virtual environment and a process of its own.

A peer's module runs under that peer's interpreter, so it and what it imports from here (`job`,
`meter`) know nothing of this project's libraries. What differs from the toolkit's own command line
is only that its step is counted: `Meter.before` wraps it and changes nothing.
"""
