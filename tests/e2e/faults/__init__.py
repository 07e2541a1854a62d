"""Faults put into a running service, and the promises it keeps all the same.

Each promise has a short form, which is a test, and a long one, which is a command that writes what
it measured as JSON: see `tests.e2e.faults.chaos`.
"""
