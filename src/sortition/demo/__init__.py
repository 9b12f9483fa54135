"""Agents that run an experiment on themselves: ``sortition demo``.

`search.py` is what the agent does, `agent.py` how it is instrumented, `truth.py` how its answers are checked,
`search-strategy.yaml` the experiment, and `run.py` brings them together.
"""
