"""The report of ``keyfilters inspect``.

- ``inspecting``: ``inspect_model``; ``inspecting_files``: ``inspect_file``; ``rows``: its numbers; ``report_page``: its HTML page
"""
