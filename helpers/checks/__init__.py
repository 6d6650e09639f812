"""Inputs, call and verdict of each exercise.

`calls` draws the inputs and calls the answer, `verdicts` says whether what came back is right and, if not, which
mistake it looks like. Neither knows a solution, and calls know no verdict, so that the process in which a submission
runs can hold one without the other.
"""
