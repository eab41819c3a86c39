"""The one command that makes the stored results of the chapters on training, or goes on with it."""
