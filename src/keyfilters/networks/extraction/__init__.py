"""Master keys of a network.

- ``extracting``: ``extract``; ``clusterings``: the table of algorithms, with k-lines and ``autoencoder``
- ``route``: the published one, several networks pooled; ``reduction``: leave out key after key; ``comparison``: beside the eight, and beside chance
"""
