"""Tabs of a browser that note whatever goes wrong in them."""

from urllib.parse import urlsplit


def watched(tab, home, kinds=("error",)):
    """The list in which everything is noted that goes wrong in `tab`: messages of the console, errors, requests away from `home`."""
    trouble = []

    def spoken(message):
        if message.type in kinds:
            trouble.append(f"console: {message.text} ({message.location.get('url', '')})")

    def asked(request):
        url = urlsplit(request.url)
        if url.scheme not in ("file", "data", "blob", "about") and url.netloc != urlsplit(home).netloc:
            trouble.append(f"request to the outside: {request.url}")

    tab.on("console", spoken)
    tab.on("pageerror", lambda error: trouble.append(f"script error: {error}"))
    tab.on("request", asked)
    return trouble


class Tabs:
    """Opens pages of a book in tabs of their own; `addresses` are those of the book by protocol, `ready` waits until a page can be used."""

    def __init__(self, browser, addresses, ready, kinds=("error",)):
        self.browser, self.addresses, self.ready, self.kinds = browser, addresses, ready, kinds
        self.opened = []

    def open(self, name, protocol="http", width=1280, mode="light", height=900, ready=None, **options):
        options = {"color_scheme": mode, "reduced_motion": "reduce", **options}
        tab = self.browser.new_page(viewport={"width": width, "height": height}, **options)
        self.opened.append((tab, watched(tab, self.addresses["http"], self.kinds)))
        tab.goto(f"{self.addresses[protocol]}/{name}", wait_until="load")
        (ready or self.ready)(tab)
        return tab

    def close(self):
        """Close the tabs; `AssertionError` with whatever went wrong in them."""
        for tab, _ in self.opened:
            tab.close()
        trouble = [line for _, lines in self.opened for line in lines]
        assert not trouble, "\n".join(trouble)


AXE = """async parts => (await axe.run({include: parts.map(part => [part])}, {elementRef: false, preload: {assets: ["media"]}})).violations
    .flatMap(rule => rule.nodes.map(node => `${rule.id}: ${node.html.slice(0, 140)} ${node.failureSummary}`))"""


def violations(tab, axe, *parts):
    """What axe-core, whose script is at `axe`, finds by all its rules in the parts of a page, or in all of it."""
    tab.add_script_tag(path=axe)
    return tab.evaluate(AXE, list(parts) or ["html"])
