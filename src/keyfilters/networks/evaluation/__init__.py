"""Judging networks, and mending them after surgery.

- ``judging``: ``evaluate``, ``compare``; ``forward``: how batches go through a network
- ``recalibration``: statistics of norms; ``finetuning``: a few steps towards a reference
"""
