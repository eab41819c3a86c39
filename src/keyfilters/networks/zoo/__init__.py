"""Networks and their weights.

- ``loading``: ``load_model``; ``hub``: published weights
- ``checkpoints``: read and write weights; ``files``: formats; ``pickles``: pickles read without running them
- ``trees``, ``fitting_trees``: which tensors of a file, behind which prefix; ``weight_formats``: who named them how
- ``architectures``: of which network a file says that it is
- ``small``: the reduced ConvNeXt V2
"""

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".npz", ".pt2", ".safetensors.index.json")
"""Endings of the names of files of weights."""
