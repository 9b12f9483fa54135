"""Turns an experiment's aggregates into a typed result: comparisons, a decision, words, series, sample sizes."""
