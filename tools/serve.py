"""Serve the built book on this machine: python tools/serve.py FOLDER PORT."""

import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer


def main(folder, port):
    if not (port.isdecimal() and int(port) < 65536):
        return f"error: PORT is {port!r}; expected a number below 65536, such as make serve PORT=8001"
    try:
        server = ThreadingHTTPServer(("127.0.0.1", int(port)), partial(SimpleHTTPRequestHandler, directory=folder))
    except OSError as error:
        return f"error: port {port}: {error.strerror}; choose another, such as make serve PORT=8001"
    print(f"http://127.0.0.1:{server.server_port}/ (stop with Ctrl-C)", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        return None


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
