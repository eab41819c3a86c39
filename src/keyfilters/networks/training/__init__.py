"""Training on any number of processes, resumed exactly.

- ``loop``: ``train``, ``train_network``: from names to objects, the steps, the dry run
- ``recipes``: the settings; ``batches``: which images come when; ``checkpointing``: the folder of a training
"""
