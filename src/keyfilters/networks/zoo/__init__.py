"""Networks and their weights.

- ``loading``: ``load_model``; ``hub``: published weights
- ``checkpoints``: read and write weights, never unpickling; ``weight_formats``: who named the tensors how
- ``small``: the reduced ConvNeXt V2; ``lenet``, ``lenet_codes``: LeNet-5 and the codes of its output
"""
