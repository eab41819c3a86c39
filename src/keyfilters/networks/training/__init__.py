"""Training on any number of processes, resumed exactly.

- ``loop``: ``train``, ``fit``; ``run``: one training under way; ``setup``: from names to objects, the dry run
- ``recipes``: the settings; ``batches``: which images come when; ``checkpointing``: the folder of a training
"""
