"""Master keys of a network.

- ``extracting``: ``extract``; ``autoencoder``: one of the algorithms
- ``route``: the published one, several networks pooled; ``reduction``: leave out key after key; ``comparison``: the table of algorithms; keys beside the eight, and beside chance
"""
