"""The report of ``keyfilters inspect``.

- ``inspecting``: ``inspect_model``; ``rows``: its numbers; ``page``: its HTML page
"""
