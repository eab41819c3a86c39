"""The report of ``keyfilters inspect``.

- ``inspecting``: ``inspect_model``; ``files``: ``inspect_file``; ``rows``: its numbers; ``page``: its HTML page
"""
