"""Networks and their weights.

- ``loading``: ``load_model``; ``hub``: published weights
- ``checkpoints``: read and write weights; ``files``: formats, pickles read without running them
- ``weight_formats``: which tensors of a file, behind which prefix, and who named them how
- ``small``: the reduced ConvNeXt V2
"""

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".npz", ".pt2", ".safetensors.index.json")
"""Endings of the names of files of weights."""
