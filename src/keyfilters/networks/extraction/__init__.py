"""Master keys of a network.

- ``extracting``: ``extract``, and the published route, several networks pooled; ``autoencoder``: one of the algorithms
- ``reduction``: leave out key after key; ``comparison``: the table of algorithms; keys beside the eight, and beside chance
"""
