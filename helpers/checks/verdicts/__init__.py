"""Verdicts, a module a lesson. They run outside the process of a submission and never call an answer."""
