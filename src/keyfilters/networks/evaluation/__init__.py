"""Judging networks, and mending them after surgery.

- ``judging``: ``evaluate``, ``compare``, and how batches go through a network
- ``finetuning``: statistics of norms; a few steps towards a reference
"""
