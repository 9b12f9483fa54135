"""Subjects in files: agents' prompts, YAML and JSON whose variants are files, or values laid over one.

`declare` makes an ordinary experiment of a file that names files; `held` is what a subject's configuration says about
its file; `overrides` and `spans` change values in a text and nothing else; `place`, `swap` and `git` change the file
itself; `diff` shows it first.
"""

from __future__ import annotations
