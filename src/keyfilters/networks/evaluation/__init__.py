"""Judging networks, and mending them after surgery.

- ``judging``: ``evaluate``, ``compare``; ``forward``: how batches go through a network
- ``finetuning``: statistics of norms; a few steps towards a reference
"""
