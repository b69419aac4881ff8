"""The sections of `make bench`: a file each, whose `measure(effort, clips)` gives its results.

Results are a `question`, a row for each thing measured, and where something is asked, whether it is
`met`. What sections share is beside this folder.
"""
